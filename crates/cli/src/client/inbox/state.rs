//! What the inbox knows and does: events in, the new state and effects out. Knows no clock, no
//! network and no screen.

use super::event::{Effect, Event, Given, Key};
use super::open::{Decision, Draft, Mode, Open, Page, Verb};
use crate::client::terminal::Tone;
use crate::exit::Exit;
use countersign_api::wire::{RequestBody, SummaryBody};
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What was asked for on the command line, and by whom.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The caller, as the service's answers name them; empty if the token does not say.
    pub person: String,
    /// What a request must contain to be listed: all of these, in lower case.
    pub filters: Vec<String>,
    /// How often the list is asked for.
    pub refresh_seconds: u32,
    /// End after one decision.
    pub is_once: bool,
    /// Wait when nothing is left.
    pub is_continuous: bool,
}

impl Settings {
    /// Whether the caller can decide a request: not their own, and not one they have approved.
    pub fn is_decidable(&self, item: &SummaryBody) -> bool {
        item.status == "pending"
            && item.requested_by != self.person
            && !item.approved_by.contains(&self.person)
    }

    /// Whether a request is one of those that are looked for.
    pub fn is_wanted(&self, item: &SummaryBody) -> bool {
        let text = [
            &item.operation_type,
            &item.instance_id,
            &item.requested_by,
            &item.environment,
            &item.risk_level,
        ];
        self.filters.iter().all(|filter| text.iter().any(|text| text.to_lowercase().contains(filter)))
    }
}

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
    /// What is left for later.
    pub skipped: BTreeSet<String>,
    /// The request under the cursor.
    pub selected: Option<String>,
    /// The request in front.
    pub open: Option<Open>,
    /// The last thing worth saying.
    pub notice: Option<(Tone, String)>,
    /// Why nothing is heard from the service.
    pub trouble: Option<Trouble>,
    /// What has been decided and what could not be, for the end.
    pub log: Vec<(Tone, String)>,
    /// Why the inbox ended, if it was not told to.
    pub failure: Option<Exit>,
    drafts: BTreeMap<String, Draft>,
    decided: BTreeSet<String>,
    list_at: Timestamp,
    is_listing: bool,
}

/// Whether a call got no answer: whatever it asked may have happened, and asking again is right.
fn is_lost(exit: &Exit) -> bool {
    matches!(exit.code, 1 | 7)
}

impl State {
    /// An inbox that knows nothing yet.
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        Self {
            settings,
            now,
            items: None,
            skipped: BTreeSet::new(),
            selected: None,
            open: None,
            notice: None,
            trouble: None,
            log: Vec::new(),
            failure: None,
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
            // Whoever draws sees it.
            Event::Resized => Vec::new(),
            Event::Interrupted | Event::Key(Key::Control('c')) => vec![Effect::Quit],
            Event::Key(key) => self.key(key, given),
            Event::Pasted(text) => self.pasted(&text),
            Event::Listed(result) => self.listed(result),
            Event::Loaded(id, result) => self.loaded(&id, result),
            Event::Decided(decision, result) => self.decided(&decision, result),
        }
    }

    /// What was drawn of the request in front.
    pub fn drawn(&mut self, page: Page) {
        if let Some(open) = &mut self.open {
            open.drawn(page);
        }
    }

    /// What was typed and not taken by the service: request and text.
    pub fn unsent(&self) -> Vec<(String, String)> {
        let open = self.open.iter().map(|open| (&open.id, &open.draft));
        let drafts = self.drafts.iter().chain(open);
        let texts = drafts.flat_map(|(id, draft)| [(id, &draft.reason), (id, &draft.comment)]);
        texts.filter(|(_, text)| !text.is_empty()).map(|(id, text)| (id.clone(), text.text())).collect()
    }

    /// Whether a decision is on its way.
    pub fn is_sending(&self) -> bool {
        self.open.as_ref().is_some_and(|open| matches!(open.mode, Mode::Sending { .. }))
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
    fn failed(&mut self, exit: &Exit) {
        let since = self.trouble.as_ref().map_or(self.now, |trouble| trouble.since);
        self.trouble = Some(Trouble { since, is_refusal: !is_lost(exit), message: exit.message.clone() });
    }

    fn listed(&mut self, result: Result<Vec<SummaryBody>, Exit>) -> Vec<Effect> {
        self.is_listing = false;
        self.list_at = self.later();
        let pending = match result {
            Ok(pending) => pending,
            // Nothing has been done yet: whatever is wrong is told at once.
            Err(exit) if self.items.is_none() && !is_lost(&exit) => {
                self.failure = Some(exit);
                return vec![Effect::Quit];
            }
            Err(exit) => {
                self.failed(&exit);
                return Vec::new();
            }
        };
        self.trouble = None;
        let mut effects: Vec<_> = self.compared(&pending).into_iter().collect();
        let items: Vec<_> = pending
            .into_iter()
            .filter(|item| self.settings.is_decidable(item) && self.settings.is_wanted(item))
            .filter(|item| !self.decided.contains(&item.request_id))
            .collect();
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

    /// What the list says of the request in front; asks for it again if it has changed.
    fn compared(&mut self, pending: &[SummaryBody]) -> Option<Effect> {
        let open = self.open.as_mut().filter(|open| !matches!(open.mode, Mode::Sending { .. }))?;
        let request = open.request.as_ref()?;
        let load = Effect::Load(open.id.clone());
        match pending.iter().find(|item| item.request_id == open.id) {
            Some(item) => (item.approvals_received != request.approvals_received).then_some(load),
            None if open.is_gone => None,
            None => {
                open.is_gone = true;
                Some(load)
            }
        }
    }

    fn place(&self) -> usize {
        let items = self.items.iter().flatten();
        items.map(|item| Some(&item.request_id)).position(|id| id == self.selected.as_ref()).unwrap_or(0)
    }

    /// Selects what was selected if it is still there, else what is at this place.
    fn select(&mut self, place: usize) {
        let items = self.items.as_deref().unwrap_or_default();
        if !items.iter().any(|item| Some(&item.request_id) == self.selected.as_ref()) {
            let at = items.get(place).or(items.last());
            self.selected = at.map(|item| item.request_id.clone());
        }
    }

    fn go_to(&mut self, place: usize) {
        self.selected = None;
        self.select(place);
    }

    fn loaded(&mut self, id: &str, result: Result<Box<RequestBody>, Exit>) -> Vec<Effect> {
        let Some(open) = self.open.as_mut().filter(|open| open.id == id) else { return Vec::new() };
        open.is_loading = false;
        match result {
            Ok(request) => {
                let must_look_again = open.take(*request);
                let problem = open.digest.as_ref().err().map(|exit| exit.message.clone());
                self.trouble = None;
                if let Some(problem) = problem {
                    self.say(Tone::Danger, problem);
                } else if must_look_again {
                    self.say(Tone::Warning, "the request has changed: look again");
                }
                Vec::new()
            }
            Err(exit) if is_lost(&exit) => {
                self.failed(&exit);
                Vec::new()
            }
            // What is on the screen stays there.
            Err(exit) if open.request.is_some() => {
                open.is_gone = true;
                self.say(Tone::Danger, exit.message);
                Vec::new()
            }
            Err(exit) => {
                self.say(Tone::Danger, exit.message);
                self.close()
            }
        }
    }

    fn decided(&mut self, decision: &Decision, result: Result<Box<RequestBody>, Exit>) -> Vec<Effect> {
        let is_awaited = self.open.as_ref().is_some_and(
            |open| matches!(&open.mode, Mode::Sending { decision: awaited, .. } if awaited.key == decision.key),
        );
        match result {
            Ok(request) => {
                self.trouble = None;
                self.accepted(decision, &request)
            }
            Err(exit) if is_lost(&exit) => {
                self.failed(&exit);
                let later = self.later();
                match &mut self.open {
                    Some(Open { mode: Mode::Sending { retry_at, .. }, .. }) if is_awaited => {
                        *retry_at = Some(later);
                    }
                    _ => self.say(Tone::Warning, "nobody knows yet whether the decision has arrived"),
                }
                Vec::new()
            }
            Err(exit) => {
                self.say(Tone::Danger, exit.message.clone());
                let what = format!("not {}, {}: {}", decision.verb.done(), decision.id, exit.message);
                self.log.push((Tone::Danger, what));
                // Not found, or a conflict: there is nothing left to decide.
                if is_awaited && matches!(exit.code, 4 | 5) {
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
            "{} on {}, by {}",
            escaped_line(&request.operation_type),
            escaped_line(&request.instance_id),
            escaped_line(&request.requested_by)
        );
        let (received, required) = (request.approvals_received, request.approvals_required);
        let count = match decision.verb {
            Verb::Approve => format!(" ({received} of {required} approvals)"),
            Verb::Reject => String::new(),
        };
        let line = format!("{}: {what}{count}", decision.verb.done());
        self.log.push((Tone::Good, line.clone()));
        self.say(Tone::Good, line);
        self.decided.insert(decision.id.clone());
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

    /// Goes back to the list. What was typed stays with the request.
    fn close(&mut self) -> Vec<Effect> {
        if let Some(open) = self.open.take() {
            self.drafts.insert(open.id, open.draft);
        }
        self.list_now().into_iter().collect()
    }

    fn pasted(&mut self, text: &str) -> Vec<Effect> {
        if let Some(open) = &mut self.open
            && let Mode::Writing(verb) = open.mode
        {
            text.chars().for_each(|c| open.field(verb).insert(c));
        }
        Vec::new()
    }

    fn key(&mut self, key: Key, given: &Given) -> Vec<Effect> {
        let Some(open) = &mut self.open else { return self.list_key(key) };
        match (open.mode.clone(), key) {
            (_, Key::Up) => open.up(1),
            (_, Key::Down) => open.down(1),
            (_, Key::PageUp) => open.up(open.page.rows.saturating_sub(1).max(1)),
            (_, Key::PageDown) => open.down(open.page.rows.saturating_sub(1).max(1)),
            (Mode::Reading, key) => return self.reading_key(key),
            (Mode::Confirming, Key::Char('y')) => return self.send(Verb::Approve, given),
            (Mode::Confirming, Key::Char('c')) => open.mode = Mode::Writing(Verb::Approve),
            (Mode::Confirming, Key::Escape | Key::Char('n' | 'q')) => open.mode = Mode::Reading,
            (Mode::Confirming, _) => {}
            (Mode::Writing(Verb::Reject), Key::Enter) => return self.send(Verb::Reject, given),
            (Mode::Writing(Verb::Approve), Key::Enter) => {
                open.mode = Mode::Reading;
                self.confirm();
            }
            (Mode::Writing(_), Key::Escape) => open.mode = Mode::Reading,
            (Mode::Writing(verb), key) => edit(open, verb, key),
            (Mode::Sending { decision, retry_at }, Key::Escape) => {
                open.mode = before(decision.verb);
                if retry_at.is_none() {
                    self.say(Tone::Warning, "it may have arrived all the same");
                }
            }
            (Mode::Sending { .. }, _) => {}
        }
        Vec::new()
    }

    fn list_key(&mut self, key: Key) -> Vec<Effect> {
        let place = self.place();
        match key {
            Key::Up | Key::Char('k') => self.go_to(place.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.go_to(place + 1),
            Key::PageUp => self.go_to(place.saturating_sub(5)),
            Key::PageDown => self.go_to(place + 5),
            Key::Home => self.go_to(0),
            Key::End => self.go_to(usize::MAX),
            Key::Enter => return self.look(),
            Key::Char('s') => return self.skip(),
            Key::Char('q') => return vec![Effect::Quit],
            Key::Escape => self.notice = None,
            _ => {}
        }
        Vec::new()
    }

    fn look(&mut self) -> Vec<Effect> {
        let Some(id) = self.selected.clone() else { return Vec::new() };
        self.notice = None;
        let draft = self.drafts.remove(&id).unwrap_or_default();
        self.open = Some(Open::new(id.clone(), draft));
        vec![Effect::Load(id)]
    }

    /// Leaves the selected request for later, or takes that back.
    fn skip(&mut self) -> Vec<Effect> {
        let Some(id) = self.selected.clone() else { return Vec::new() };
        self.notice = None;
        if self.skipped.remove(&id) {
            return Vec::new();
        }
        self.skipped.insert(id);
        let place = self.place();
        let items: Vec<_> = self.items.iter().flatten().map(|item| &item.request_id).collect();
        let is_left = |id: &&&String| !self.skipped.contains(**id);
        let next = items.iter().skip(place).find(is_left).or(items.iter().find(is_left));
        if let Some(next) = next {
            self.selected = Some((*next).clone());
        }
        self.list_now().into_iter().collect()
    }

    fn reading_key(&mut self, key: Key) -> Vec<Effect> {
        let Some(open) = &mut self.open else { return Vec::new() };
        let page = open.page.rows.saturating_sub(1).max(1);
        match key {
            Key::Char('k') => open.up(1),
            Key::Char('j') => open.down(1),
            Key::Char('b') => open.up(page),
            Key::Char(' ') => open.down(page),
            Key::Home => open.page.top = 0,
            Key::Char('a') => self.confirm(),
            Key::Char('r') => match &open.digest {
                Ok(_) => open.mode = Mode::Writing(Verb::Reject),
                Err(exit) => {
                    let message = exit.message.clone();
                    self.say(Tone::Danger, message);
                }
            },
            Key::Char('c') => open.mode = Mode::Writing(Verb::Approve),
            Key::Char('s') => {
                self.selected = Some(open.id.clone());
                self.skipped.remove(&open.id);
                let mut effects = self.close();
                effects.extend(self.skip());
                return effects;
            }
            Key::Escape | Key::Char('q') => {
                self.notice = None;
                return self.close();
            }
            _ => {}
        }
        Vec::new()
    }

    /// Asks whether the request is approved, if all of it has been on the screen.
    fn confirm(&mut self) {
        let Some(open) = &mut self.open else { return };
        match open.hindrance() {
            None => {
                open.mode = Mode::Confirming;
                self.notice = None;
            }
            Some(hindrance) => self.say(Tone::Warning, hindrance),
        }
    }

    fn send(&mut self, verb: Verb, given: &Given) -> Vec<Effect> {
        let Some(open) = &mut self.open else { return Vec::new() };
        match open.decision(verb, &given.key) {
            Ok(decision) => {
                open.mode = Mode::Sending { decision: decision.clone(), retry_at: None };
                self.notice = None;
                vec![Effect::Decide(decision)]
            }
            Err(rule) => {
                self.say(Tone::Warning, rule);
                Vec::new()
            }
        }
    }
}

/// Where somebody was before a decision was sent.
fn before(verb: Verb) -> Mode {
    match verb {
        Verb::Approve => Mode::Reading,
        Verb::Reject => Mode::Writing(Verb::Reject),
    }
}

fn edit(open: &mut Open, verb: Verb, key: Key) {
    let field = open.field(verb);
    match key {
        Key::Char(c) => field.insert(c),
        Key::Backspace => field.backspace(),
        Key::Delete => field.delete(),
        Key::Left => field.left(),
        Key::Right => field.right(),
        Key::Home | Key::Control('a') => field.home(),
        Key::End | Key::Control('e') => field.end(),
        Key::Control('w') => field.delete_word(),
        _ => {}
    }
}
