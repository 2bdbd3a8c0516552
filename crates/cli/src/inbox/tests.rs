//! The inbox without network and terminal: events by hand, drawn on a screen in memory.

mod reading;

use super::event::{Effect, Event, Given, Pending};
use super::key::Key;
use super::open::{Decision, Mode, Page, Verb};
use super::screen::Screen;
use super::settings::Settings;
use super::state::State;
use crate::error::CommandError;
use crate::view::times::Times;
use countersign_api::bodies::CommentBody;
use countersign_api::wire::{HoldBody, RequestBody, SummaryBody};
use countersign_client::change::Change;
use countersign_core::canonical::CanonicalJson;
use countersign_core::timestamp::Timestamp;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

const NOW: &str = "2026-01-31T09:30:00.000Z";
const ID: &str = "11111111-1111-4111-8111-111111111111";
const OTHER: &str = "22222222-2222-4222-8222-222222222222";

/// The request with the content that it shows, and the digest of that.
fn bound(mut request: RequestBody) -> RequestBody {
    let mut content = json!({
        "format": "countersign.content.v1", "request_id": request.request_id,
        "operation_type": request.operation_type, "instance_id": request.instance_id,
        "requested_by": request.requested_by, "requester_groups": request.requester_groups,
        "requested_at": request.requested_at, "expires_at": request.expires_at,
        "environment": request.environment, "risk_level": request.risk_level,
        "justification": request.justification, "parameters_digest": request.parameters_digest,
        "approvals_required": request.approvals_required, "digest_required": request.digest_required,
        "slots": request.slots, "rules": request.rules, "policy_version": request.policy_version,
    });
    for (name, text) in
        [("owner", &request.owner), ("ticket", &request.ticket), ("rollback_plan", &request.rollback_plan)]
    {
        if let Some(text) = text {
            content[name] = json!(text);
        }
    }
    request.content_digest = Some(CanonicalJson::of(&content).digest().to_string());
    request.content = Some(content);
    request
}

fn request(id: &str, parameters: Value) -> RequestBody {
    let digest = CanonicalJson::of(&parameters).digest().to_string();
    let request = serde_json::from_value(json!({
        "request_id": id, "status": "pending", "operation_type": "stop_instance",
        "instance_id": "production-db-01", "parameters": parameters, "parameters_digest": digest,
        "environment": "production", "risk_level": "high", "requested_by": "ann@example.com",
        "requested_at": "2026-01-31T09:00:00.000Z", "justification": "it costs too much",
        "requester_groups": ["developer"], "approvals_required": 2, "slots": [], "digest_required": false,
        "rules": [], "approvals_received": 0, "approved_by": [],
        "expires_at": "2026-01-31T13:30:00.000Z", "comments": [], "decisions": [], "version": 1,
        "policy_version": "0", "audit_head": "0",
    }));
    bound(request.unwrap())
}

fn summary(id: &str) -> SummaryBody {
    let request = request(id, json!({}));
    serde_json::from_value(serde_json::to_value(request).unwrap()).unwrap()
}

fn held(by: &str) -> HoldBody {
    HoldBody { by: by.to_owned(), since: NOW.to_owned(), until: "2026-01-31T09:45:00.000Z".to_owned() }
}

/// An inbox, and the clock and keyboard in front of it.
struct Inbox {
    state: State,
    now: Timestamp,
    keys: u32,
    /// How often what was typed ahead has been thrown away.
    drops: usize,
    size: (u16, u16),
    has_colour: bool,
}

impl Inbox {
    fn new(settings: Settings) -> Self {
        let now = Timestamp::parse(NOW).unwrap();
        let settings = Settings { person: "bob@example.com".to_owned(), refresh_seconds: 5, ..settings };
        Self { state: State::new(settings, now), now, keys: 0, drops: 0, size: (80, 24), has_colour: false }
    }

    /// One in which a request is in front, all of it on the screen.
    fn reading(parameters: Value) -> Self {
        let mut inbox = Self::new(Settings::default());
        inbox.listed(vec![summary(ID), summary(OTHER)]);
        assert_eq!(inbox.press(&[Key::Enter]), [Effect::Load(ID.to_owned())]);
        inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(request(ID, parameters)))));
        inbox
    }

    fn apply(&mut self, event: Event) -> Vec<Effect> {
        self.keys += 1;
        let given = Given { now: self.now, key: format!("key-{}", self.keys) };
        let mut effects = self.state.apply(event, &given);
        self.drops += effects.iter().filter(|effect| **effect == Effect::DropKeys).count();
        effects.retain(|effect| *effect != Effect::DropKeys);
        self.draw();
        effects
    }

    fn press(&mut self, keys: &[Key]) -> Vec<Effect> {
        keys.iter().flat_map(|key| self.apply(Event::Key(*key))).collect()
    }

    fn write(&mut self, text: &str) {
        let keys: Vec<_> = text.chars().map(Key::Char).collect();
        assert_eq!(self.press(&keys), []);
    }

    fn wait(&mut self, seconds: u32) -> Vec<Effect> {
        self.now = self.now.plus_seconds(seconds);
        self.apply(Event::Tick)
    }

    fn listed(&mut self, items: Vec<SummaryBody>) -> Vec<Effect> {
        self.apply(Event::Listed(Ok(Pending { items, ..Pending::default() })))
    }

    /// Draws; gives the screen as lines.
    fn draw(&mut self) -> Vec<String> {
        let mut terminal = ratatui::Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        let screen = Screen { has_colour: self.has_colour, times: Times::Relative };
        let mut page = Page::default();
        terminal.draw(|frame| page = screen.draw(frame, &self.state)).unwrap();
        self.state.drawn(page);
        let cells = terminal.backend().buffer().content();
        let symbols = cells.chunks(usize::from(self.size.0));
        symbols
            .map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned())
            .collect()
    }

    fn shows(&mut self, text: &str) -> bool {
        self.draw().join("\n").contains(text)
    }
}

fn lost() -> CommandError {
    CommandError::Failed("the service cannot be reached".to_owned())
}

fn decision(effects: &[Effect]) -> Decision {
    match effects {
        [Effect::Decide(decision)] => decision.clone(),
        other => panic!("{other:?}"),
    }
}

const Y: Key = Key::Char('y');
const A: Key = Key::Char('a');
const R: Key = Key::Char('r');

#[test]
fn only_what_the_caller_can_decide_is_listed() {
    let mut inbox = Inbox::new(Settings { filters: vec!["production".to_owned()], ..Settings::default() });
    let own = SummaryBody { requested_by: "bob@example.com".to_owned(), ..summary(ID) };
    let unwanted = SummaryBody {
        instance_id: "dev-db-01".to_owned(),
        environment: "non-production".to_owned(),
        ..summary(ID)
    };
    let refused =
        SummaryBody { request_id: "33333333-3333-4333-8333-333333333333".to_owned(), ..summary(ID) };
    let pending = Pending {
        refused: [refused.request_id.clone()].into(),
        items: vec![own, unwanted, refused, summary(OTHER)],
    };
    inbox.apply(Event::Listed(Ok(pending)));
    let ids: Vec<_> = inbox.state.items.iter().flatten().map(|item| item.request_id.as_str()).collect();
    assert_eq!(ids, [OTHER]);
    assert!(inbox.shows("1 of 1 to decide, only production"));
}

#[test]
fn approving_takes_one_more_key_and_names_the_parameters_that_were_shown() {
    let parameters = json!({ "class": "db.r6g.large" });
    let mut inbox = Inbox::reading(parameters.clone());
    assert_eq!(inbox.press(&[A]), []);
    assert!(inbox.shows("Approve stop_instance on production-db-01 (production, high risk)?"));
    let sent = decision(&inbox.press(&[Y]));
    assert_eq!(Some(sent.digest.clone()), request(ID, parameters.clone()).content_digest);
    assert_eq!((sent.verb, sent.text.as_str()), (Verb::Approve, ""));
    let after = RequestBody { approvals_received: 1, ..request(ID, parameters) };
    assert_eq!(inbox.apply(Event::Decided(sent, Ok(Box::new(after)))), [Effect::List]);
    assert!(inbox.shows("your approval is on record: stop_instance on production-db-01"));
    assert_eq!(inbox.state.items.as_ref().unwrap().len(), 1);
}

#[test]
fn a_comment_goes_with_the_approval() {
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[A, Key::Char('c')]);
    inbox.write("fine");
    assert_eq!(inbox.press(&[Key::Enter]), []);
    assert!(inbox.shows("  | fine"));
    assert_eq!(decision(&inbox.press(&[Y])).text, "fine");
}

#[test]
fn parameters_that_are_not_what_their_digest_says_cannot_be_decided() {
    let mut inbox = Inbox::reading(json!({}));
    let lie = RequestBody { parameters: Some(json!({ "all": true })), ..request(ID, json!({})) };
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(lie))));
    assert_eq!(inbox.press(&[A, Y, R, Key::Char('x'), Key::Enter]), []);
    assert!(inbox.shows("the service shows parameters other than"));
    let mut inbox = Inbox::reading(json!({}));
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(request(OTHER, json!({}))))));
    assert_eq!(inbox.press(&[A, Y]), []);
}

#[test]
fn what_has_not_been_on_the_screen_cannot_be_approved() {
    let lines: Vec<_> = (0..100).collect();
    let mut inbox = Inbox::reading(json!({ "lines": lines }));
    assert_eq!(inbox.press(&[A, Y]), []);
    assert!(inbox.shows("has not been shown yet"));
    for _ in 0..20 {
        inbox.press(&[Key::Char(' ')]);
    }
    assert_eq!(decision(&inbox.press(&[A, Y])).verb, Verb::Approve);
}

#[test]
fn a_request_that_changes_before_the_last_key_is_looked_at_again() {
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[A]);
    let changed = RequestBody { approvals_received: 1, ..request(ID, json!({})) };
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(changed))));
    assert_eq!(inbox.press(&[Y]), []);
    assert!(inbox.shows("look again"));
}

#[test]
fn a_lost_connection_keeps_the_reason_and_tries_again_under_the_same_key() {
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[R]);
    inbox.write("not on fridays");
    let sent = decision(&inbox.press(&[Key::Enter]));
    assert_eq!(inbox.apply(Event::Decided(sent.clone(), Err(lost()))), []);
    assert!(inbox.shows("no connection since 09:30:00 UTC"));
    assert!(inbox.shows("not on fridays"));
    let again = inbox.wait(6);
    assert!(again.contains(&Effect::Decide(sent.clone())), "{again:?}");
    inbox.apply(Event::Decided(sent.clone(), Err(lost())));
    inbox.apply(Event::Listed(Err(lost())));
    assert!(inbox.shows("no connection since 09:30:00 UTC"), "since the first failure");

    inbox.press(&[Key::Escape]);
    assert!(inbox.shows("> not on fridays"));
    assert_eq!(decision(&inbox.press(&[Key::Enter])), sent, "the same again is a retry");
    inbox.press(&[Key::Escape]);
    inbox.write("!");
    let another = decision(&inbox.press(&[Key::Enter]));
    assert_ne!(another.key, sent.key, "another reason is another decision");
    inbox.apply(Event::Decided(another, Ok(Box::new(request(ID, json!({}))))));
    assert!(inbox.state.open.is_none());
    assert_eq!(inbox.state.unsent(), []);
}

#[test]
fn a_reason_survives_going_back_and_a_refusal() {
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[R]);
    inbox.write("because");
    inbox.press(&[Key::Escape, Key::Escape]);
    assert_eq!(inbox.state.unsent(), [(ID.to_owned(), "because".to_owned())]);
    inbox.press(&[Key::Enter]);
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(request(ID, json!({}))))));
    let sent = decision(&inbox.press(&[R, Key::Enter]));
    assert_eq!(sent.text, "because");
    inbox.apply(Event::Decided(sent, Err(CommandError::Refused("your token has expired".to_owned()))));
    assert!(inbox.shows("your token has expired"));
    assert!(inbox.shows("> because"));
}

#[test]
fn a_decision_that_comes_too_late_is_reported_and_the_list_goes_on() {
    let mut inbox = Inbox::reading(json!({}));
    let sent = decision(&inbox.press(&[A, Y]));
    let conflict = CommandError::Conflict("it is not pending but cancelled (not_pending)".to_owned());
    assert_eq!(inbox.apply(Event::Decided(sent, Err(conflict))), [Effect::List]);
    assert!(inbox.state.open.is_none());
    assert!(inbox.shows("it is not pending but cancelled"));
    assert!(inbox.state.log[0].1.contains("it is not pending but cancelled"), "told at the end as well");
    assert!(inbox.shows("> 22222222") || inbox.shows("> 11111111"));
}

#[test]
fn a_request_that_vanishes_from_the_list_stays_open_with_a_notice() {
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[R]);
    inbox.write("half a rea");
    assert_eq!(inbox.listed(vec![summary(OTHER)]), [Effect::Load(ID.to_owned())]);
    assert!(inbox.shows("no longer waits for a decision"));
    let cancelled = RequestBody { status: "cancelled".to_owned(), ..request(ID, json!({})) };
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(cancelled))));
    assert!(inbox.shows("it is cancelled"));
    assert!(inbox.shows("> half a rea"));
    assert_eq!(inbox.listed(vec![summary(OTHER)]), [], "it is asked for once");
}

#[test]
fn a_deadline_that_passes_while_the_approver_looks_is_shown() {
    let mut inbox = Inbox::reading(json!({}));
    assert!(!inbox.shows("its deadline has passed"));
    inbox.wait(4 * 60 * 60);
    assert!(inbox.shows("its deadline has passed"));
    assert!(inbox.state.open.is_some());
}

#[test]
fn the_list_is_asked_for_as_often_as_was_set() {
    let mut inbox = Inbox::new(Settings::default());
    assert_eq!(inbox.wait(0), [Effect::List]);
    assert_eq!(inbox.wait(60), [], "one question at a time");
    inbox.listed(vec![summary(ID)]);
    assert_eq!(inbox.wait(4), []);
    assert_eq!(inbox.wait(1), [Effect::List]);
}

#[test]
fn the_inbox_ends_when_nothing_is_left_unless_it_is_continuous() {
    let mut inbox = Inbox::new(Settings::default());
    assert_eq!(inbox.listed(Vec::new()), [Effect::Quit]);
    let mut inbox = Inbox::new(Settings::default());
    inbox.listed(vec![summary(ID)]);
    assert_eq!(inbox.press(&[Key::Char('s')]), [Effect::List]);
    assert!(inbox.shows("skipped"));
    assert_eq!(inbox.apply(Event::Listed(Err(lost()))), [], "a lost connection ends nothing");
    assert_eq!(inbox.listed(vec![summary(ID)]), [Effect::Quit]);
    let mut inbox = Inbox::new(Settings { is_continuous: true, ..Settings::default() });
    assert_eq!(inbox.listed(Vec::new()), []);
    assert!(inbox.shows("nothing waits for you"));
}

#[test]
fn once_ends_after_a_decision_and_not_before() {
    let mut inbox = Inbox::reading(json!({}));
    inbox.state.settings.is_once = true;
    let sent = decision(&inbox.press(&[A, Y]));
    let refused = CommandError::Refused("not permitted".to_owned());
    assert_eq!(inbox.apply(Event::Decided(sent, Err(refused))), []);
    let sent = decision(&inbox.press(&[A, Y]));
    assert_eq!(inbox.apply(Event::Decided(sent, Ok(Box::new(request(ID, json!({})))))), [Effect::Quit]);
}

#[test]
fn a_token_that_is_refused_at_the_start_is_reported_at_once() {
    let mut inbox = Inbox::new(Settings::default());
    let refused = CommandError::Refused("send a valid bearer token".to_owned());
    assert_eq!(inbox.apply(Event::Listed(Err(refused.clone()))), [Effect::Quit]);
    assert_eq!(inbox.state.failure.unwrap().to_string(), refused.to_string());
}

#[test]
fn what_is_pasted_presses_no_keys() {
    let mut inbox = Inbox::reading(json!({}));
    assert_eq!(inbox.apply(Event::Pasted("ay".to_owned())), []);
    assert_eq!(inbox.state.open.as_ref().unwrap().mode, Mode::Reading);
    inbox.press(&[R]);
    inbox.apply(Event::Pasted("two\rlines".to_owned()));
    assert!(inbox.shows("> two lines"));
}

#[test]
fn a_request_that_could_not_be_read_is_asked_for_again() {
    let mut inbox = Inbox::new(Settings::default());
    inbox.listed(vec![summary(ID)]);
    inbox.press(&[Key::Enter]);
    assert_eq!(inbox.press(&[A, Y, R]), []);
    inbox.apply(Event::Loaded(ID.to_owned(), Err(lost())));
    assert_eq!(inbox.wait(5), [Effect::List, Effect::Load(ID.to_owned())]);
}

#[test]
fn hostile_text_moves_nothing_on_any_screen() {
    let evil = "a\u{1b}[2J\u{7}\u{202e}b\r\nc\u{9b}31m ".repeat(20);
    for size in [(60, 20), (80, 24), (20, 6), (1, 1)] {
        for has_colour in [false, true] {
            let mut inbox =
                Inbox::new(Settings { filters: vec![evil.to_lowercase()], ..Settings::default() });
            (inbox.size, inbox.has_colour) = (size, has_colour);
            let item = SummaryBody {
                operation_type: evil.clone(),
                requested_by: evil.clone(),
                environment: evil.clone(),
                risk_level: evil.clone(),
                hold: Some(held(&evil)),
                ..summary(ID)
            };
            inbox.listed(vec![item]);
            check(&inbox.draw(), size);
            inbox.press(&[Key::Enter]);
            let request = RequestBody {
                justification: Some(evil.clone()),
                requested_by: evil.clone(),
                status: "pending".to_owned(),
                hold: Some(held(&evil)),
                ..request(ID, json!({ evil.clone(): evil.clone() }))
            };
            inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(request))));
            inbox.press(&[R]);
            inbox.apply(Event::Pasted(evil.clone()));
            inbox.apply(Event::Listed(Err(CommandError::Failed(evil.clone()))));
            check(&inbox.draw(), size);
        }
    }
}

fn check(lines: &[String], (_, height): (u16, u16)) {
    assert_eq!(lines.len(), usize::from(height));
    let text = lines.concat();
    let is_harmful = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}');
    assert!(!text.contains(is_harmful), "{text:?}");
}

#[test]
fn every_line_of_a_request_can_be_reached_on_a_small_screen() {
    for size in [(60, 20), (80, 24)] {
        let mut inbox = Inbox::reading(json!({ "word": "x".repeat(300), "end": "last" }));
        inbox.size = size;
        inbox.apply(Event::Disturbed);
        let mut seen = String::new();
        for _ in 0..30 {
            seen.push_str(&inbox.draw().join("\n"));
            inbox.press(&[Key::Down]);
        }
        for word in ["stop_instance on production-db-01", "it costs too much", "\"last\"", "SHA-256", "Space"]
        {
            assert!(seen.contains(word), "{word} at {size:?}");
        }
        assert!(inbox.state.open.as_ref().unwrap().is_read);
    }
}

#[test]
fn nothing_is_approved_before_the_end_of_a_rollback_plan_was_on_the_screen() {
    let mut inbox = Inbox::new(Settings::default());
    inbox.listed(vec![summary(ID)]);
    inbox.press(&[Key::Enter]);
    let slot = json!({ "groups": ["dba"], "approvals": 1 });
    let request = RequestBody {
        rollback_plan: Some(format!("{}the end of it\u{1b}[2J", "word ".repeat(600))),
        ticket: Some("CHG-1234".to_owned()),
        owner: Some("olga@example.com".to_owned()),
        slots: vec![serde_json::from_value(slot).unwrap()],
        ..request(ID, json!({}))
    };
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(bound(request)))));
    for word in ["olga@example.com", "CHG-1234", "0 of 2; takes in all: 1 of dba, 1 of anybody"] {
        assert!(inbox.shows(word), "{word}");
    }
    assert_eq!(inbox.press(&[A, Y]), []);
    assert!(inbox.shows("the end has not been shown yet"));
    while !inbox.shows("SHA-256") {
        inbox.press(&[Key::Char(' ')]);
    }
    assert!(inbox.shows("| ") && inbox.state.open.as_ref().unwrap().is_read);
    inbox.press(&[A]);
    decision(&inbox.press(&[Y]));
}

#[test]
fn the_list_shows_all_of_what_is_selected_and_its_colours() {
    let mut inbox = Inbox::new(Settings::default());
    inbox.size = (60, 20);
    let ids: Vec<_> = (10..40).map(|n| format!("{n}111111-1111-4111-8111-111111111111")).collect();
    inbox.listed(ids.iter().map(|id| summary(id)).collect());
    let lines = inbox.draw();
    assert_eq!(lines[2], "> 10111111  high   production      0/2  4h 0m left");
    assert_eq!(lines[3], ">   stop_instance on production-db-01, by ann@example.com");
    inbox.press(&[Key::End]);
    assert!(inbox.shows("> 39111111"));
    assert!(inbox.shows("Enter open  s skip  / search  ? help"));
}

#[test]
fn threat_51_what_was_typed_before_the_question_is_thrown_away() {
    let mut inbox = Inbox::reading(json!({}));
    assert_eq!(inbox.drops, 1, "before the request was there");
    inbox.press(&[A]);
    assert_eq!(inbox.drops, 2, "before the question was there");
    inbox.press(&[Key::Char('c'), Key::Char('x'), Key::Enter]);
    assert_eq!(inbox.drops, 3, "before it was there again");
    inbox.press(&[Key::Escape, R]);
    assert_eq!(inbox.drops, 4, "before a reason was asked for");
}

#[test]
fn threat_52_a_window_that_shrinks_takes_the_question_back() {
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[A]);
    inbox.size = (15, 4);
    inbox.apply(Event::Disturbed);
    assert!(inbox.shows("Too small"));
    assert_eq!(inbox.press(&[Y, A, Y]), []);
    inbox.press(&[R]);
    assert_eq!(
        inbox.state.open.as_ref().unwrap().mode,
        Mode::Reading,
        "nothing is asked that cannot be seen"
    );
    inbox.size = (80, 24);
    inbox.apply(Event::Disturbed);
    assert!(inbox.shows("too small to decide in"));
    assert_eq!(inbox.press(&[Y]), []);
    inbox.press(&[R]);
    inbox.write("no");
    inbox.size = (15, 4);
    inbox.draw();
    assert_eq!(inbox.press(&[Key::Enter]), []);
    inbox.size = (80, 24);
    inbox.draw();
    assert_eq!(decision(&inbox.press(&[Key::Enter])).verb, Verb::Reject);
}

#[test]
fn a_rejection_is_of_what_was_shown_too() {
    let mut inbox = Inbox::reading(json!({ "word": "x".repeat(2000) }));
    inbox.press(&[R]);
    assert!(inbox.shows("the end has not been shown yet"));
    assert_eq!(inbox.state.open.as_ref().unwrap().mode, Mode::Reading);
}

#[test]
fn a_search_shows_what_has_it_and_escape_shows_all() {
    let mut inbox = Inbox::new(Settings::default());
    let other = SummaryBody { instance_id: "orders-db".to_owned(), ..summary(OTHER) };
    inbox.listed(vec![SummaryBody { estimated_cost: Some(412.5), ..summary(ID) }, other]);
    assert!(inbox.shows("1 of 2 to decide"));
    assert!(inbox.shows("by ann@example.com, cost 412.5"));
    inbox.press(&[Key::Char('/')]);
    inbox.write("Orders");
    assert!(inbox.shows("1 of 2 to decide, with Orders") && !inbox.shows("11111111"));
    assert_eq!(inbox.press(&[Key::Enter, Key::Enter]), [Effect::Load(OTHER.to_owned())]);
    inbox.press(&[Key::Escape, Key::Escape]);
    assert!(inbox.shows("2 of 2 to decide") && inbox.shows("11111111"));
    inbox.press(&[Key::Char('/'), Key::Char('q'), Key::Char('#')]);
    assert!(inbox.shows("Nothing has what you search for."));
    assert_eq!(inbox.press(&[Key::Enter, Key::Enter, Y, A]), [], "there is nothing to open");
}

#[test]
fn a_comment_to_the_requester_decides_nothing_and_may_be_sent_before_the_end_was_shown() {
    let mut inbox = Inbox::reading(json!({ "word": "x".repeat(2000) }));
    inbox.press(&[Key::Char('c')]);
    assert_eq!(inbox.press(&[Key::Enter]), []);
    assert!(inbox.shows("the comment must not be empty"));
    inbox.write("which window?");
    let sent = decision(&inbox.press(&[Key::Enter]));
    assert_eq!(
        sent.change(),
        Change::Comment(CommentBody { text: "which window?".to_owned(), comment_by: None })
    );
    let after = request(ID, json!({ "word": "x".repeat(2000) }));
    assert_eq!(inbox.apply(Event::Decided(sent, Ok(Box::new(after)))), []);
    assert!(inbox.shows("commented on: stop_instance"));
    assert_eq!(inbox.state.open.as_ref().unwrap().mode, Mode::Reading);
    assert_eq!(inbox.state.unsent(), []);
    assert_eq!(inbox.state.items.as_ref().unwrap().len(), 2, "it still waits");
}

#[test]
fn help_and_explanations_stand_in_front_and_take_all_keys() {
    for size in [(80, 24), (40, 24)] {
        let mut inbox = Inbox::reading(json!({}));
        inbox.size = size;
        inbox.apply(Event::Disturbed);
        inbox.press(&[Key::Char('?')]);
        assert!(inbox.shows("In the list"));
        assert_eq!(inbox.press(&[A, Y, R]), []);
        inbox.press(&[Key::Escape]);
        assert_eq!(inbox.press(&[Key::Char('e')]), [Effect::Explain(ID.to_owned())]);
        inbox.apply(Event::Explained(ID.to_owned(), Err(CommandError::Refused("not for you".to_owned()))));
        assert!(inbox.shows("not for you") && inbox.shows("production-db-01"));
    }
}
