//! The request that the approver has opened: what of it was on the screen, what they are about
//! to do, and what they have typed. Knows no list and no clock.

use super::changes::changes;
use super::input::Input;
use countersign_api::bodies::{ApproveBody, CommentBody, RejectBody};
use countersign_api::wire::RequestBody;
use countersign_client::change::Change;
use countersign_client::content::digest_of_shown;
use countersign_core::text::CommentText;
use countersign_core::timestamp::Timestamp;
use strum::{Display, IntoStaticStr};

/// Why what has not been on the screen cannot be decided.
pub(super) const UNREAD: &str = "the end has not been shown yet: Down or Space shows more";
/// Why what is closed cannot be decided.
pub(super) const GONE: &str = "it no longer waits for a decision";

/// Which way a decision goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Verb {
    /// Agree.
    Approve,
    /// Refuse.
    Reject,
    /// Say something to the requester, and decide nothing.
    Comment,
}

impl Verb {
    /// What has become of the request when the service has taken it.
    pub fn done(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Comment => "commented on",
        }
    }
}

/// A decision of the approver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// About this request.
    pub id: String,
    /// What the approver does.
    pub verb: Verb,
    /// The reason or comment; empty if there is none.
    pub text: String,
    /// The digest of the parameters that were on the screen.
    pub digest: String,
    /// Names the decision: the same for every try.
    pub key: String,
}

impl Decision {
    /// What the service is asked to do.
    pub fn change(&self) -> Change {
        let (text, content_digest) = (self.text.clone(), Some(self.digest.clone()));
        match self.verb {
            Verb::Approve => {
                let comments = Some(text).filter(|text| !text.is_empty());
                Change::Approve(ApproveBody { comments, content_digest, ..ApproveBody::default() })
            }
            Verb::Reject => {
                Change::Reject(RejectBody { reason: text, content_digest, ..RejectBody::default() })
            }
            Verb::Comment => Change::Comment(CommentBody { text, comment_by: None }),
        }
    }
}

/// What the approver is doing with the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Reading it.
    Reading,
    /// Being asked whether they approve it.
    Confirming,
    /// Writing what is said with an approval, a reason to reject, or a comment.
    Writing(Verb),
    /// Waiting until the service has taken the decision.
    Sending {
        /// What was decided.
        decision: Decision,
        /// When it is tried again; unset while a try is under way.
        retry_at: Option<Timestamp>,
    },
}

/// What the approver has begun and the service has not taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Why it would be rejected.
    pub reason: Input,
    /// What would be said when approving.
    pub comment: Input,
    /// What would be said to the requester.
    pub message: Input,
    /// What was sent last: sending the same again is a retry.
    pub attempt: Option<Decision>,
}

/// What of the request was on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// The first line on the screen, from 0.
    pub top: usize,
    /// How many lines are on the screen.
    pub rows: usize,
    /// How many there are.
    pub lines: usize,
    /// How wide they are.
    pub width: usize,
    /// Whether the question, the keys and at least a line of the request are on the screen, each of them as
    /// far as it goes.
    pub is_whole: bool,
    /// Whether terminals differ in how wide they draw what is on the screen.
    pub is_ambiguous: bool,
}

impl Page {
    /// Moves down by a number of lines; the last stays at the end of the screen.
    pub fn down(&mut self, lines: usize) {
        let last = self.lines.saturating_sub(self.rows);
        self.top = (self.top + lines).min(last);
    }

    /// Moves up by a number of lines.
    pub fn up(&mut self, lines: usize) {
        self.top = self.top.saturating_sub(lines);
    }
}

/// An opened request.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// The id of the request.
    pub id: String,
    /// All of it, once the service has answered.
    pub request: Option<RequestBody>,
    /// The digest of what it shows, or why it cannot be decided.
    pub digest: Result<String, String>,
    /// What is done with it.
    pub mode: Mode,
    /// What was typed.
    pub draft: Draft,
    /// Whether the service has been asked for it and has not answered yet.
    pub is_loading: bool,
    /// Whether it no longer waits for a decision.
    pub is_gone: bool,
    /// What is on the screen.
    pub page: Page,
    /// Whether every line has been on the screen.
    pub is_read: bool,
    /// How many lines from the first have been on the screen.
    seen: usize,
    /// What has changed since all of it was on the screen, or since it was opened.
    changes: Vec<String>,
}

impl Open {
    /// One that the service is being asked for.
    pub fn new(id: String, draft: Draft) -> Self {
        Self {
            id,
            request: None,
            digest: Err("it is not here yet".to_owned()),
            mode: Mode::Reading,
            draft,
            is_loading: true,
            is_gone: false,
            page: Page::default(),
            is_read: false,
            seen: 0,
            changes: Vec::new(),
        }
    }

    /// Takes the request as it is now. When anything has changed, none of it has been shown yet and no
    /// question is open; gives what has changed, in words.
    pub fn take(&mut self, request: RequestBody) -> Option<String> {
        self.digest = if request.request_id == self.id {
            digest_of_shown(&request).map_err(|error| error.to_string())
        } else {
            Err("the service answers with another request; decide nothing".to_owned())
        };
        self.is_gone = request.status != "pending";
        let before = self.request.replace(request);
        let new = match (&before, &self.request) {
            (Some(before), Some(after)) if is_held_otherwise(before, after) => {
                // Nothing that is decided has changed. Its lines may stand elsewhere.
                self.seen = 0;
                return None;
            }
            (Some(before), Some(after)) if before != after => changes(before, after),
            _ => return None,
        };
        self.seen = 0;
        self.is_read = false;
        self.page.top = 0;
        if self.mode == Mode::Confirming {
            self.mode = Mode::Reading;
        }
        for change in new {
            if !self.changes.contains(&change) {
                self.changes.push(change);
            }
        }
        self.news()
    }

    /// What has changed and has not been shown yet.
    fn news(&self) -> Option<String> {
        let changes = self.changes.join(", ");
        (!changes.is_empty())
            .then(|| format!("changed while you read: {changes}; look again from the beginning"))
    }

    /// Whether its deadline has passed by the clock of this machine. The service's clock decides.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let deadline = self.request.as_ref().and_then(|request| Timestamp::parse(&request.expires_at).ok());
        deadline.is_some_and(|deadline| deadline <= now)
    }

    /// What has been on the screen.
    pub fn drawn(&mut self, page: Page) {
        if !page.is_whole {
            self.page.is_whole = false;
            return;
        }
        // Lines break elsewhere now: those that were counted are not those that are there.
        let is_laid_out_anew = (self.page.width, self.page.lines) != (page.width, page.lines);
        if is_laid_out_anew && !self.is_read && self.seen > 0 {
            self.seen = 0;
            self.page = Page { top: 0, ..page };
            return;
        }
        self.page = page;
        if page.top <= self.seen {
            self.seen = self.seen.max((page.top + page.rows).min(page.lines));
        }
        self.is_read |= self.request.is_some() && self.seen >= page.lines;
        if self.is_read {
            self.changes.clear();
        }
    }

    /// Why it cannot be decided now.
    pub fn hindrance(&self) -> Option<String> {
        if let Err(reason) = &self.digest {
            return Some(reason.clone());
        }
        if !self.page.is_whole {
            return Some("the window is too small to decide in: make it larger".to_owned());
        }
        if self.is_gone {
            return Some(GONE.to_owned());
        }
        let news = self.news().map_or(String::new(), |news| format!("; {news}"));
        (!self.is_read).then(|| format!("{UNREAD}{news}"))
    }

    /// What is typed in a field.
    pub fn field(&mut self, verb: Verb) -> &mut Input {
        match verb {
            Verb::Approve => &mut self.draft.comment,
            Verb::Reject => &mut self.draft.reason,
            Verb::Comment => &mut self.draft.message,
        }
    }

    /// The decision that has been made, under the key of its first try if this is another.
    ///
    /// # Errors
    /// Why there is none.
    pub fn decision(&mut self, verb: Verb, fresh_key: &str) -> Result<Decision, String> {
        let digest = match (verb, self.hindrance()) {
            (Verb::Approve | Verb::Reject, Some(hindrance)) => return Err(hindrance),
            _ => self.digest.clone().unwrap_or_default(),
        };
        let text = self.field(verb).text();
        if verb != Verb::Approve || !text.is_empty() {
            let what = if verb == Verb::Reject { "the reason" } else { "the comment" };
            CommentText::parse(&text).map_err(|error| format!("{what} {error}"))?;
        }
        let earlier = self
            .draft
            .attempt
            .take()
            .filter(|earlier| (earlier.verb, &earlier.text, &earlier.digest) == (verb, &text, &digest));
        let key = earlier.map_or_else(|| fresh_key.to_owned(), |earlier| earlier.key);
        let decision = Decision { id: self.id.clone(), verb, text, digest, key };
        self.draft.attempt = Some(decision.clone());
        Ok(decision)
    }
}

/// Whether two readings of a request differ in nothing but the approver who is looking at it.
fn is_held_otherwise(before: &RequestBody, after: &RequestBody) -> bool {
    let as_before = RequestBody { hold: before.hold.clone(), ..after.clone() };
    before.hold != after.hold && as_before == *before
}
