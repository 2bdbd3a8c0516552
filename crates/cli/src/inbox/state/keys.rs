//! What each key does, in the list, in front of a request, and while something is asked.

use super::{State, before};
use crate::error::CommandError;
use crate::inbox::event::{Effect, Given};
use crate::inbox::input::Input;
use crate::inbox::key::Key;
use crate::inbox::open::{Mode, Open, Verb};
use crate::inbox::overlay::{Overlay, Subject};
use crate::view::text::Tone;

impl State {
    pub(super) fn pasted(&mut self, text: &str) -> Vec<Effect> {
        if self.overlay.is_some() {
            return Vec::new();
        }
        if self.is_searching {
            text.chars().for_each(|c| self.search.insert(c));
            self.select(0);
        } else if let Some(open) = &mut self.open
            && let Mode::Writing(verb) = open.mode
        {
            text.chars().for_each(|c| open.field(verb).insert(c));
        }
        Vec::new()
    }

    pub(super) fn key(&mut self, key: Key, given: &Given) -> Vec<Effect> {
        if let Some(overlay) = &mut self.overlay {
            if overlay.key(key) {
                self.overlay = None;
            }
            return Vec::new();
        }
        let Some(open) = &mut self.open else { return self.list_key(key) };
        let page = open.page.rows.saturating_sub(1).max(1);
        match (open.mode.clone(), key) {
            (_, Key::Up) => open.page.up(1),
            (_, Key::Down) => open.page.down(1),
            (_, Key::PageUp) => open.page.up(page),
            (_, Key::PageDown) => open.page.down(page),
            (Mode::Reading, key) => return self.reading_key(key),
            (Mode::Confirming, Key::Char('y')) => return self.send(Verb::Approve, given),
            (Mode::Confirming, Key::Char('c')) => open.mode = Mode::Writing(Verb::Approve),
            (Mode::Confirming, Key::Escape | Key::Char('n' | 'q')) => open.mode = Mode::Reading,
            (Mode::Confirming, _) => {}
            (Mode::Writing(Verb::Approve), Key::Enter) => {
                open.mode = Mode::Reading;
                return self.ask(Mode::Confirming);
            }
            (Mode::Writing(verb), Key::Enter) => return self.send(verb, given),
            (Mode::Writing(_), Key::Escape) => open.mode = Mode::Reading,
            (Mode::Writing(verb), key) => open.field(verb).edit(key),
            (Mode::Sending { decision, retry_at }, Key::Escape) => {
                open.mode = before(decision.verb);
                let unknown = "it is not known whether the decision has arrived";
                self.undone(&decision, &CommandError::Failed(unknown.to_owned()));
                if retry_at.is_none() {
                    self.say(Tone::Warning, "it may have arrived all the same");
                }
            }
            (Mode::Sending { .. }, _) => {}
        }
        Vec::new()
    }

    fn list_key(&mut self, key: Key) -> Vec<Effect> {
        if self.is_searching {
            return self.search_key(key);
        }
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
            Key::Char('/') => self.is_searching = true,
            Key::Char('?') => self.overlay = Some(Overlay::new(Subject::Help)),
            Key::Escape => {
                self.notice = None;
                self.search = Input::default();
                self.select(place);
            }
            _ => {}
        }
        Vec::new()
    }

    fn search_key(&mut self, key: Key) -> Vec<Effect> {
        match key {
            Key::Enter => self.is_searching = false,
            Key::Escape => (self.is_searching, self.search) = (false, Input::default()),
            key => self.search.edit(key),
        }
        self.select(0);
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
        let items: Vec<_> = self.found().into_iter().map(|item| &item.request_id).collect();
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
            Key::Char('k') => open.page.up(1),
            Key::Char('j') => open.page.down(1),
            Key::Char('b') => open.page.up(page),
            Key::Char(' ') => open.page.down(page),
            Key::Home => open.page.top = 0,
            Key::Char('a') => return self.ask(Mode::Confirming),
            Key::Char('r') => return self.ask(Mode::Writing(Verb::Reject)),
            Key::Char('c') => open.mode = Mode::Writing(Verb::Comment),
            Key::Char('?') => self.overlay = Some(Overlay::new(Subject::Help)),
            Key::Char('e') => {
                let id = open.id.clone();
                self.overlay = Some(Overlay::new(Subject::Explanation(id.clone(), None)));
                return vec![Effect::Explain(id)];
            }
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

    /// Asks whether the request is approved, or why it is rejected, if all of it has been on the screen.
    fn ask(&mut self, mode: Mode) -> Vec<Effect> {
        let Some(open) = &mut self.open else { return Vec::new() };
        if let Some(hindrance) = open.hindrance() {
            self.say(Tone::Warning, hindrance);
            return Vec::new();
        }
        open.mode = mode;
        self.notice = None;
        // What was typed before the question is there is no answer to it.
        vec![Effect::DropKeys]
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
