//! What the inbox knows and does: events in, the new state and effects out. Knows no clock, no
//! network and no screen.

use super::event::{Effect, Event, Given, Pending};
use super::input::Input;
use super::key::Key;
use super::open::{Decision, Draft, Mode, Open, Page, UNREAD, Verb};
use super::overlay::{Overlay, Subject};
use super::settings::{Settings, is_found};
use crate::error::{CommandError, Kind};
use crate::view::text::Tone;
use crate::view::words::approvals;
use countersign_api::wire::{ExplainBody, RequestBody, SummaryBody};
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

mod keys;

/// Calls that have failed since the last one that did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// When the first failed.
    pub since: Timestamp,
    /// Whether the service was reached and said no.
    pub is_refusal: bool,
    /// What the last said.
    pub message: String,
}

/// The inbox.
#[derive(Debug)]
pub struct State {
    /// What was asked for.
    pub settings: Settings,
    /// The time of the last event.
    pub now: Timestamp,
    /// What can be decided, most urgent first; unset until the service has answered.
    pub items: Option<Vec<SummaryBody>>,
    /// How many wait besides that the caller may not approve now.
    refused: usize,
    /// What is left for later.
    pub skipped: BTreeSet<String>,
    /// The request under the cursor.
    pub selected: Option<String>,
    /// What is searched for; only what has it is shown.
    pub search: Input,
    /// Whether it is being typed.
    pub is_searching: bool,
    /// The request in front.
    pub open: Option<Open>,
    /// What is in front of all.
    pub overlay: Option<Overlay>,
    /// The last thing worth saying.
    pub notice: Option<(Tone, String)>,
    /// Why nothing is heard from the service.
    pub trouble: Option<Trouble>,
    /// What has been decided and what could not be, for the end.
    pub log: Vec<(Tone, String)>,
    /// Why the inbox ended, if the approver did not end it.
    pub failure: Option<CommandError>,
    /// Decisions that were refused, or whose arrival is not known, and that were not made since: request and
    /// why.
    undone: Vec<(String, CommandError)>,
    drafts: BTreeMap<String, Draft>,
    decided: BTreeSet<String>,
    list_at: Timestamp,
    is_listing: bool,
}

/// Whether a call got no answer: whatever it asked may have happened, and asking again is right.
fn is_lost(error: &CommandError) -> bool {
    matches!(error.kind(), Kind::Failed | Kind::TimedOut)
}

impl State {
    /// An inbox that knows nothing yet.
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        Self {
            settings,
            now,
            items: None,
            refused: 0,
            skipped: BTreeSet::new(),
            selected: None,
            search: Input::default(),
            is_searching: false,
            open: None,
            overlay: None,
            notice: None,
            trouble: None,
            log: Vec::new(),
            failure: None,
            undone: Vec::new(),
            drafts: BTreeMap::new(),
            decided: BTreeSet::new(),
            list_at: now,
            is_listing: false,
        }
    }

    /// Takes an event; says what is to be done.
    pub fn apply(&mut self, event: Event, given: &Given) -> Vec<Effect> {
        self.now = given.now;
        match event {
            Event::Tick => self.tick(),
            Event::Disturbed => self.disturbed(),
            Event::Interrupted | Event::Key(Key::Control('c')) => vec![Effect::Quit],
            Event::Key(key) => self.key(key, given),
            Event::Pasted(text) => self.pasted(&text),
            Event::Listed(result) => self.listed(result),
            Event::Loaded(id, result) => self.loaded(&id, result),
            Event::Explained(id, result) => self.explained(&id, result),
            Event::Decided(decision, result) => self.decided(&decision, result),
        }
    }

    /// What was drawn of what is in front.
    pub fn drawn(&mut self, page: Page) {
        match (&mut self.overlay, &mut self.open) {
            (Some(overlay), _) => overlay.page = page,
            (None, Some(open)) => {
                open.drawn(page);
                // It is no longer true.
                let is_read = open.is_read;
                self.notice.take_if(|(_, notice)| is_read && notice.starts_with(UNREAD));
            }
            (None, None) => {}
        }
    }

    /// What can be decided and has what is searched for.
    pub fn found(&self) -> Vec<&SummaryBody> {
        let text = self.search.text();
        self.items.iter().flatten().filter(|item| is_found(item, &text)).collect()
    }

    /// What was typed and not taken by the service: request and text.
    pub fn unsent(&self) -> Vec<(String, String)> {
        let open = self.open.iter().map(|open| (&open.id, &open.draft));
        let drafts = self.drafts.iter().chain(open);
        let texts =
            drafts.flat_map(|(id, draft)| [(id, &draft.reason), (id, &draft.comment), (id, &draft.message)]);
        texts.filter(|(_, text)| !text.is_empty()).map(|(id, text)| (id.clone(), text.text())).collect()
    }

    /// That there is nothing to decide, and what hides the rest.
    pub fn nothing(&self) -> String {
        let nothing = match self.settings.filters.as_slice() {
            [] => "nothing waits for you".to_owned(),
            filters => format!("nothing that waits for you is {}", filters.join(" and ")),
        };
        let verb = if self.refused == 1 { "waits" } else { "wait" };
        let rest = match self.refused {
            0 => String::new(),
            count => {
                format!("; {count} {verb} that you may not approve now: `countersign explain ID` says why")
            }
        };
        escaped_line(&format!("{nothing}{rest}"))
    }

    /// Whether a decision is on its way.
    pub fn is_sending(&self) -> bool {
        self.open.as_ref().is_some_and(|open| matches!(open.mode, Mode::Sending { .. }))
    }

    /// How the inbox ends, for a script: as the last decision that was not made, as with several ids.
    ///
    /// # Errors
    /// When a decision is on its way, was not made, or, if one was asked for, there was none.
    pub fn end(&self) -> Result<(), CommandError> {
        // What there is to say about it has been said.
        let silent = |error: &CommandError| error.clone().silenced();
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.is_sending() {
            return Err(CommandError::Interrupted(String::new()));
        }
        match self.undone.last() {
            Some((_, error)) => Err(silent(error)),
            None if self.settings.is_once && self.decided.is_empty() => {
                Err(CommandError::Failed("nothing was decided".to_owned()))
            }
            None => Ok(()),
        }
    }

    /// Remembers that a decision was refused, or that its arrival is not known.
    fn undone(&mut self, decision: &Decision, error: &CommandError) {
        self.undone.retain(|(id, _)| *id != decision.id);
        if decision.verb != Verb::Comment {
            self.undone.push((decision.id.clone(), error.clone()));
        }
    }

    fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some((tone, text.into()));
    }

    fn list_now(&mut self) -> Option<Effect> {
        let was_listing = std::mem::replace(&mut self.is_listing, true);
        (!was_listing).then_some(Effect::List)
    }

    fn tick(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.now >= self.list_at && !self.is_listing {
            effects.extend(self.list_now());
            // One that has not come yet is asked for again.
            if let Some(open) = self.open.as_mut().filter(|open| open.request.is_none() && !open.is_loading) {
                open.is_loading = true;
                effects.push(Effect::Load(open.id.clone()));
            }
        }
        if let Some(Open { mode: Mode::Sending { decision, retry_at }, .. }) = &mut self.open
            && retry_at.is_some_and(|time| time <= self.now)
        {
            *retry_at = None;
            effects.push(Effect::Decide(decision.clone()));
        }
        effects
    }

    fn later(&self) -> Timestamp {
        self.now.plus_seconds(self.settings.refresh_seconds)
    }

    /// Remembers that a call failed. A refusal is an answer.
    fn failed(&mut self, error: &CommandError) {
        let since = self.trouble.as_ref().map_or(self.now, |trouble| trouble.since);
        self.trouble = Some(Trouble { since, is_refusal: !is_lost(error), message: error.to_string() });
    }

    /// A question that is not on the screen as it was asked is asked again.
    fn disturbed(&mut self) -> Vec<Effect> {
        if let Some(open) = &mut self.open {
            open.page.is_whole = false;
            if matches!(open.mode, Mode::Confirming | Mode::Writing(Verb::Reject)) {
                open.mode = Mode::Reading;
                self.say(Tone::Warning, "the screen has changed: look again");
            }
        }
        vec![Effect::DropKeys]
    }

    fn listed(&mut self, result: Result<Pending, CommandError>) -> Vec<Effect> {
        self.is_listing = false;
        self.list_at = self.later();
        let pending = match result {
            Ok(pending) => pending,
            // Nothing has been done yet: the error is shown at once.
            Err(error) if self.items.is_none() && !is_lost(&error) => {
                self.failure = Some(error);
                return vec![Effect::Quit];
            }
            Err(error) => {
                self.failed(&error);
                return Vec::new();
            }
        };
        self.trouble = None;
        let mut effects: Vec<_> = self.look_again(&pending.items).into_iter().collect();
        let items: Vec<_> = pending
            .items
            .into_iter()
            .filter(|item| self.settings.is_decidable(item) && self.settings.is_wanted(item))
            .filter(|item| !pending.refused.contains(&item.request_id))
            .filter(|item| !self.decided.contains(&item.request_id))
            .collect();
        self.refused = pending.refused.len();
        let place = self.place();
        self.items = Some(items);
        self.select(place);
        let is_left = |item: &SummaryBody| !self.skipped.contains(&item.request_id);
        let is_something_left = self.items.iter().flatten().any(is_left);
        if !is_something_left && !self.settings.is_continuous && self.open.is_none() {
            effects.push(Effect::Quit);
        }
        effects
    }

    /// Asks again for the request in front: a list does not tell all that may have changed, as comments.
    fn look_again(&mut self, pending: &[SummaryBody]) -> Option<Effect> {
        let open = self.open.as_mut().filter(|open| !matches!(open.mode, Mode::Sending { .. }))?;
        open.request.as_ref()?;
        if !pending.iter().any(|item| item.request_id == open.id) {
            // What waits no longer is asked for once.
            if open.is_gone {
                return None;
            }
            open.is_gone = true;
        }
        let was_loading = std::mem::replace(&mut open.is_loading, true);
        (!was_loading).then(|| Effect::Load(open.id.clone()))
    }

    fn place(&self) -> usize {
        let items = self.found().into_iter();
        items.map(|item| Some(&item.request_id)).position(|id| id == self.selected.as_ref()).unwrap_or(0)
    }

    /// Selects what was selected if it is still there, else what is at this place.
    fn select(&mut self, place: usize) {
        let items = self.found();
        if !items.iter().any(|item| Some(&item.request_id) == self.selected.as_ref()) {
            let at = items.get(place).or(items.last());
            self.selected = at.map(|item| item.request_id.clone());
        }
    }

    fn go_to(&mut self, place: usize) {
        self.selected = None;
        self.select(place);
    }

    fn loaded(&mut self, id: &str, result: Result<Box<RequestBody>, CommandError>) -> Vec<Effect> {
        let Some(open) = self.open.as_mut().filter(|open| open.id == id) else { return Vec::new() };
        open.is_loading = false;
        match result {
            Ok(request) => {
                let is_new = open.request.as_ref() != Some(&*request);
                let news = open.take(*request);
                let problem = open.digest.as_ref().err().cloned();
                self.trouble = None;
                if let Some(problem) = problem {
                    self.say(Tone::Danger, problem);
                } else if let Some(news) = news {
                    self.say(Tone::Warning, news);
                }
                // What was typed before is no answer to what is shown now.
                if is_new { vec![Effect::DropKeys] } else { Vec::new() }
            }
            Err(error) if is_lost(&error) => {
                self.failed(&error);
                Vec::new()
            }
            // What is on the screen stays there.
            Err(error) if open.request.is_some() => {
                open.is_gone = true;
                self.say(Tone::Danger, error.to_string());
                Vec::new()
            }
            Err(error) => {
                self.say(Tone::Danger, error.to_string());
                self.close()
            }
        }
    }

    fn explained(
        &mut self,
        id: &str,
        result: Result<Box<(RequestBody, ExplainBody)>, CommandError>,
    ) -> Vec<Effect> {
        let Some(Overlay { subject: Subject::Explanation(asked, explained), .. }) = &mut self.overlay else {
            return Vec::new();
        };
        match result {
            Ok(answer) if asked == id => *explained = Some(answer),
            Err(error) if asked == id => {
                self.overlay = None;
                self.say(Tone::Danger, error.to_string());
            }
            _ => {}
        }
        Vec::new()
    }

    fn decided(
        &mut self,
        decision: &Decision,
        result: Result<Box<RequestBody>, CommandError>,
    ) -> Vec<Effect> {
        let is_awaited = self.open.as_ref().is_some_and(
            |open| matches!(&open.mode, Mode::Sending { decision: awaited, .. } if awaited.key == decision.key),
        );
        match result {
            Ok(request) => {
                self.trouble = None;
                self.accepted(decision, &request)
            }
            Err(error) if is_lost(&error) => {
                self.failed(&error);
                let later = self.later();
                match &mut self.open {
                    Some(Open { mode: Mode::Sending { retry_at, .. }, .. }) if is_awaited => {
                        *retry_at = Some(later);
                    }
                    _ => self.say(Tone::Warning, "nobody knows yet whether the decision has arrived"),
                }
                Vec::new()
            }
            Err(error) => {
                self.undone(decision, &error);
                self.say(Tone::Danger, error.to_string());
                let what = format!("not {}, {}: {}", decision.verb.done(), decision.id, error);
                self.log.push((Tone::Danger, what));
                // Not found, or a conflict: there is nothing left to decide.
                if is_awaited && matches!(error.kind(), Kind::NotFound | Kind::Conflict) {
                    return self.close();
                }
                if let Some(open) = self.open.as_mut().filter(|_| is_awaited) {
                    open.mode = before(decision.verb);
                }
                Vec::new()
            }
        }
    }

    fn accepted(&mut self, decision: &Decision, request: &RequestBody) -> Vec<Effect> {
        let what = format!(
            "{} on {}, asked for by {}",
            escaped_line(&request.operation_type),
            escaped_line(&request.instance_id),
            escaped_line(&request.requested_by)
        );
        let line = match decision.verb {
            // What others still have to agree to is not approved yet.
            Verb::Approve => {
                let status = escaped_line(&request.status);
                format!("your approval is on record: {what}; it is {status}, {}", approvals(request))
            }
            Verb::Reject | Verb::Comment => format!("{}: {what}", decision.verb.done()),
        };
        self.log.push((Tone::Good, line.clone()));
        self.say(Tone::Good, line);
        if decision.verb == Verb::Comment {
            return self.commented(decision, request);
        }
        self.decided.insert(decision.id.clone());
        self.undone.retain(|(id, _)| *id != decision.id);
        self.drafts.remove(&decision.id);
        self.open = self.open.take().filter(|open| open.id != decision.id);
        let place = self.place();
        if let Some(items) = &mut self.items {
            items.retain(|item| item.request_id != decision.id);
        }
        self.select(place);
        if self.settings.is_once {
            return vec![Effect::Quit];
        }
        self.list_now().into_iter().collect()
    }

    /// Goes on reading the request that has one comment more.
    fn commented(&mut self, decision: &Decision, request: &RequestBody) -> Vec<Effect> {
        let open = self.open.as_mut().filter(|open| open.id == decision.id);
        let draft = match open {
            Some(open) => {
                if let (Some(news), Some((_, notice))) = (open.take(request.clone()), &mut self.notice) {
                    notice.push_str(&format!("; {news}"));
                }
                open.mode = Mode::Reading;
                Some(&mut open.draft)
            }
            None => self.drafts.get_mut(&decision.id),
        };
        if let Some(draft) = draft {
            (draft.message, draft.attempt) = (Input::default(), None);
        }
        vec![Effect::DropKeys]
    }

    /// Goes back to the list. What was typed stays with the request.
    fn close(&mut self) -> Vec<Effect> {
        if let Some(open) = self.open.take() {
            self.drafts.insert(open.id, open.draft);
        }
        self.list_now().into_iter().collect()
    }
}

/// Where a person was before a decision was sent.
fn before(verb: Verb) -> Mode {
    match verb {
        Verb::Approve => Mode::Reading,
        Verb::Reject | Verb::Comment => Mode::Writing(verb),
    }
}
