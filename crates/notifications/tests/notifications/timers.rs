//! Reminders and escalations under a clock that the tests turn.

use crate::fixture::{HIGH, Living, MEDIUM, all_shown, at, configuration, human, policy, reject};
use countersign_core::policy::Policy;
use countersign_core::priority::Priority;
use countersign_core::timestamp::Timestamp;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::plan::Planning;
use countersign_notifications::timers::{Timed, Timer, TimerKey};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const REMINDERS: &str = "[reminders.expiry]\nbefore_expiry_seconds = [3600, 600]\n";

/// What a sweep has sent of one request, in order.
struct Sweep<'a> {
    configuration: &'a Configuration,
    policy: &'a Policy,
    sent: BTreeSet<TimerKey>,
}

impl<'a> Sweep<'a> {
    fn new(configuration: &'a Configuration, policy: &'a Policy) -> Self {
        Self { configuration, policy, sent: BTreeSet::new() }
    }

    fn run(&mut self, living: &Living, claimed_until: Option<Timestamp>, now: Timestamp) -> Vec<String> {
        let preferences = BTreeMap::new();
        let planning =
            Planning { configuration: self.configuration, policy: self.policy, preferences: &preferences };
        let timed = Timed { request: &living.request, claimed_until };
        let due = timed.due(&planning, &self.sent, now);
        self.sent.extend(due.iter().map(|due| due.key.clone()));
        due.iter().map(|due| due.key.to_string().split_once('/').unwrap().1.to_owned()).collect()
    }

    /// Each minute from one time to another: what was sent, and when.
    fn minutes(&mut self, living: &Living, from: &str, to: &str) -> Vec<String> {
        let (mut now, to) = (at(from), at(to));
        let mut sent = Vec::new();
        while now <= to {
            let time: String = now.to_string().chars().skip(11).take(5).collect();
            sent.extend(self.run(living, None, now).into_iter().map(|key| format!("{time} {key}")));
            now = now.plus_seconds(60);
        }
        sent
    }
}

#[test]
fn each_is_sent_once_and_at_its_time() {
    let (policy, configuration) = (policy(), configuration(REMINDERS));
    // Made at 10:00, pending until 18:00.
    for (named, expected) in [
        (Some(Priority::P1), &["10:00 escalation/P1"][..]),
        (None, &["11:00 escalation/P2"]),
        (Some(Priority::P3), &["14:00 escalation/P3"]),
        (Some(Priority::P4), &[]),
    ] {
        let high = Living::with_priority(HIGH, named, &policy);
        let sent = Sweep::new(&configuration, &policy).minutes(&high, "10:00:00", "18:30:00");
        let reminders = ["17:00 reminder/expiry/3600", "17:50 reminder/expiry/600"];
        let expected: Vec<&str> = expected.iter().copied().chain(reminders).collect();
        assert_eq!(sent, expected, "{named:?}");
    }
}

#[test]
fn none_is_sent_in_the_minute_of_a_decision_or_after_it() {
    let (policy, configuration) = (policy(), configuration(REMINDERS));
    // Decided in the minute in which a reminder is due.
    for (decided, swept) in [("17:00:00", "17:00:00"), ("16:59:59", "17:00:00"), ("17:00:20", "17:00:30")] {
        let mut living = Living::of_ann(MEDIUM, &policy);
        let mut sweep = Sweep::new(&configuration, &policy);
        sweep.minutes(&living, "10:00:00", "16:59:00");
        living.command(&reject(), &human("carol", &["approver"]), &policy, at(decided)).unwrap();
        assert_eq!(sweep.run(&living, None, at(swept)), Vec::<String>::new(), "{decided}");
        assert_eq!(sweep.minutes(&living, swept, "18:30:00"), Vec::<String>::new(), "{decided}");
    }
    // One of two approvals: the rest is reminded of when the minute is over.
    for (decided, expected) in [("16:59:30", "17:01"), ("17:00:00", "17:01"), ("16:58:59", "17:00")] {
        let mut living = Living::of_ann(HIGH, &policy);
        let mut sweep = Sweep::new(&configuration, &policy);
        sweep.minutes(&living, "10:00:00", "16:58:00");
        living.approve("carol", &["approver"], &policy, at(decided)).unwrap();
        let sent = sweep.minutes(&living, "16:59:00", "18:30:00");
        assert_eq!(
            sent,
            [format!("{expected} reminder/expiry/3600"), "17:50 reminder/expiry/600".to_owned()]
        );
        let preferences = BTreeMap::new();
        let planning = Planning { configuration: &configuration, policy: &policy, preferences: &preferences };
        let timed = Timed { request: &living.request, claimed_until: None };
        let told = all_shown(&timed.plan(
            &planning,
            &Timer::Reminder { name: "expiry".to_owned(), before_expiry_seconds: 3600 },
            at("17:01:00"),
        ));
        assert!(!told.iter().any(|message| message.contains("carol")), "{told:?}");
    }
}

#[test]
fn an_outage_ends_with_what_is_still_of_use() {
    let (policy, configuration) = (policy(), configuration(REMINDERS));
    let living = Living::of_ann(HIGH, &policy);
    for (back, expected) in [
        ("10:59:00", &[][..]),
        ("12:00:00", &["escalation/P2"]),
        ("17:10:00", &["escalation/P2", "reminder/expiry/3600"]),
        ("17:55:00", &["escalation/P2", "reminder/expiry/600"]),
        ("18:00:00", &[]),
    ] {
        let mut sweep = Sweep::new(&configuration, &policy);
        assert_eq!(sweep.run(&living, None, at(back)), expected, "{back}");
        assert_eq!(sweep.run(&living, None, at(back).plus_seconds(30)), Vec::<String>::new());
    }
    let three_days_later = at("10:00:00").plus_seconds(3 * 24 * 60 * 60);
    assert_eq!(
        Sweep::new(&configuration, &policy).run(&living, None, three_days_later),
        Vec::<String>::new()
    );
}

#[test]
fn a_request_that_lives_shorter_is_not_reminded_of_more() {
    let policy = policy();
    let configuration = configuration(
        "[reminders.r]\nbefore_expiry_seconds = [28_800, 28_799, 40_000]\n[escalations.e]\npriority = \"P2\"\nafter_seconds = 28_800\nto = [\"approvers\"]\nvia = [\"mail\"]\n",
    );
    let living = Living::of_ann(HIGH, &policy);
    let sent = Sweep::new(&configuration, &policy).minutes(&living, "10:00:00", "18:30:00");
    assert_eq!(sent, ["10:01 reminder/r/28799"]);
    let preferences = BTreeMap::new();
    let planning = Planning { configuration: &configuration, policy: &policy, preferences: &preferences };
    let timed = Timed { request: &living.request, claimed_until: None };
    assert_eq!(timed.next(&planning, at("10:01:00")), None, "what comes with the expiry does not come");
}

#[test]
fn a_claim_pauses_escalations_and_no_reminder() {
    let (policy, configuration) = (
        policy(),
        configuration(&format!(
            "{REMINDERS}[escalations.late]\npriority = \"P2\"\nafter_seconds = 25_200\nto = [\"group:watchers\"]\nvia = [\"mail\"]\n"
        )),
    );
    let living = Living::of_ann(HIGH, &policy);
    let mut sweep = Sweep::new(&configuration, &policy);
    let until = Some(at("17:15:00"));
    assert_eq!(sweep.run(&living, until, at("17:00:00")), ["reminder/expiry/3600"]);
    assert_eq!(sweep.run(&living, until, at("17:14:59")), Vec::<String>::new());
    assert_eq!(sweep.run(&living, until, at("17:15:00")), ["escalation/late"]);
    // A claim that is given up pauses nothing more.
    let mut sweep = Sweep::new(&configuration, &policy);
    assert_eq!(sweep.run(&living, None, at("17:01:00")), ["reminder/expiry/3600", "escalation/late"]);
}

#[test]
fn the_next_time_is_known() {
    let (policy, configuration) = (policy(), configuration(REMINDERS));
    let living = Living::of_ann(HIGH, &policy);
    let preferences = BTreeMap::new();
    let planning = Planning { configuration: &configuration, policy: &policy, preferences: &preferences };
    let timed = Timed { request: &living.request, claimed_until: None };
    for (now, next) in [
        ("10:00:00", Some("11:00:00")),
        ("11:00:00", Some("17:00:00")),
        ("17:00:00", Some("17:50:00")),
        ("17:50:00", None),
        ("18:00:00", None),
    ] {
        assert_eq!(timed.next(&planning, at(now)), next.map(at), "{now}");
    }
}

#[test]
fn who_is_told_by_time() {
    let more = format!("{REMINDERS}[fallback]\nto = [\"group:watchers\"]\nvia = [\"room\"]\n");
    let (policy, configuration) = (policy(), configuration(&more));
    let living = Living::with_priority(MEDIUM, Some(Priority::P1), &policy);
    let preferences = BTreeMap::new();
    let planning = Planning { configuration: &configuration, policy: &policy, preferences: &preferences };
    let timed = Timed { request: &living.request, claimed_until: None };
    let reminder = Timer::Reminder { name: "expiry".to_owned(), before_expiry_seconds: 600 };
    let reminded = all_shown(&timed.plan(&planning, &reminder, at("17:50:00")));
    assert_eq!(reminded.len(), 8);
    assert!(
        reminded.contains(&"mail ann@x.org Information".to_owned())
            && reminded.contains(&"mail carol@x.org Act".to_owned())
    );
    // At once: the routes have asked the approvers by mail in the same moment.
    let at_once =
        all_shown(&timed.plan(&planning, &Timer::Escalation { name: "P1".to_owned() }, at("10:00:00")));
    assert_eq!(at_once, ["mail watchers@x.org Information", "pager - Act", "room - Act"]);
    // After hours they are asked again.
    let later =
        all_shown(&timed.plan(&planning, &Timer::Escalation { name: "P3".to_owned() }, at("14:00:00")));
    assert!(later.contains(&"mail carol@x.org Act".to_owned()), "{later:?}");
    let gone = Timer::Escalation { name: "gone".to_owned() };
    assert!(timed.plan(&planning, &gone, at("14:00:00")).messages.is_empty());
    assert!(timed.plan(&planning, &reminder, at("18:00:00")).messages.is_empty(), "expired");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whenever sweeps come and approvals fall, none is sent twice, none after the expiry or a final decision, and none within a
    /// minute after a decision.
    #[test]
    fn sweeps_at_any_time_send_each_once(
        mut sweeps in prop::collection::vec(0_u32..30_000, 1..80),
        mut decided in prop::collection::vec(0_u32..28_000, 0..3),
    ) {
        sweeps.sort_unstable();
        decided.sort_unstable();
        let (policy, configuration) = (policy(), configuration(REMINDERS));
        let mut living = Living::of_ann(HIGH, &policy);
        let mut sweep = Sweep::new(&configuration, &policy);
        let mut all: Vec<String> = Vec::new();
        let mut approvers = ["carol", "olga", "bob"].iter();
        let mut last: Option<u32> = None;
        for second in sweeps {
            while decided.first().is_some_and(|at| *at <= second) {
                let decision = decided.remove(0);
                if living.approve(approvers.next().unwrap(), &["approver"], &policy, at("10:00:00").plus_seconds(decision)).is_ok() {
                    last = Some(decision);
                }
            }
            let sent = sweep.run(&living, None, at("10:00:00").plus_seconds(second));
            let is_open = living.request.approved_at.is_none() && second < 28_800;
            prop_assert!(sent.is_empty() || is_open);
            prop_assert!(sent.is_empty() || last.is_none_or(|decision| second >= decision + 60));
            all.extend(sent);
        }
        let distinct: BTreeSet<&String> = all.iter().collect();
        prop_assert_eq!(distinct.len(), all.len());
    }
}
