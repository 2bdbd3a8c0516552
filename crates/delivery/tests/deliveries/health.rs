//! Pauses and disabling, on a virtual clock.

use countersign_core::timestamp::Timestamp;
use countersign_delivery::health::{Disabled, DisabledReason, Health, LONGEST_PAUSE_SECONDS};
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::schedule::MAX_RETRY_AFTER_SECONDS;
use proptest::prelude::*;
use std::time::Duration;
use strum::IntoEnumIterator as _;

const MINUTE: u32 = 60;
const DAY: u32 = 24 * 60 * 60;

fn start() -> Timestamp {
    Timestamp::parse("2026-01-31T00:00:00Z").unwrap()
}

fn at(seconds: u32) -> Timestamp {
    start().plus_seconds(seconds)
}

fn delivered() -> Outcome {
    Outcome::Delivered { status: Some(204), reference: None }
}

fn failed(class: FailureClass, retry_after: Option<u64>) -> Outcome {
    let retry_after = retry_after.map(Duration::from_secs);
    Outcome::Failed(Failure { class, status: None, retry_after, detail: String::new() })
}

fn refused() -> Outcome {
    failed(FailureClass::Refused, None)
}

#[test]
fn pauses_grow_and_are_bounded() {
    let mut health = Health::default();
    let mut now = start();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        health = health.attempted(&failed(FailureClass::Overloaded, None), now);
        let until = health.pause_at(now).unwrap();
        pauses.push((until.as_millisecond() - now.as_millisecond()) / 1000);
        assert_eq!(health.pause_at(until), None);
        now = until;
    }
    assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    assert_eq!(i64::from(LONGEST_PAUSE_SECONDS), 3600);
    // What works again pauses no more, and the next overload is the first.
    health = health.attempted(&delivered(), now);
    assert_eq!((health.pause_at(now), health.overloads, health.failing_since), (None, 0, None));
    health = health.attempted(&failed(FailureClass::Overloaded, None), now);
    assert_eq!(health.pause_at(now), Some(now.plus_seconds(30)));
}

#[test]
fn an_answer_that_is_no_overload_ends_the_growth_of_pauses() {
    let overloaded = || failed(FailureClass::Overloaded, None);
    let health = Health::default().attempted(&overloaded(), start()).attempted(&overloaded(), at(30));
    assert_eq!(health.paused_until, Some(at(90)));
    let refused = health.clone().attempted(&refused(), at(100)).attempted(&overloaded(), at(110));
    assert_eq!(refused.paused_until, Some(at(140)));
    // What did not answer says nothing of it.
    let timeout = failed(FailureClass::Timeout, None);
    let unanswered = health.attempted(&timeout, at(100)).attempted(&overloaded(), at(110));
    assert_eq!(unanswered.paused_until, Some(at(230)));
}

#[test]
fn attempts_that_met_one_overload_make_one_pause() {
    let mut health = Health::default();
    for second in 0..20 {
        health = health.attempted(&failed(FailureClass::Overloaded, None), at(second));
    }
    assert_eq!((health.paused_until, health.overloads), (Some(at(30)), 1));
}

#[test]
fn retry_after_lengthens_a_pause_and_never_shortens_it() {
    let overloaded = |retry_after| failed(FailureClass::Overloaded, Some(retry_after));
    let health = Health::default().attempted(&overloaded(1), start());
    assert_eq!(health.paused_until, Some(at(30)));
    let health = health.attempted(&overloaded(600), at(1));
    assert_eq!(health.paused_until, Some(at(601)));
    let health = health.attempted(&overloaded(5), at(2));
    assert_eq!(health.paused_until, Some(at(601)));
    let health = health.attempted(&overloaded(u64::MAX), at(700));
    assert_eq!(health.paused_until, Some(at(700 + MAX_RETRY_AFTER_SECONDS)));
    // Of a failure that is no overload it concerns the one delivery.
    let health = Health::default().attempted(&failed(FailureClass::Refused, Some(600)), start());
    assert_eq!(health.pause_at(start()), None);
}

#[test]
fn gone_disables_at_once_and_nothing_else_does() {
    for class in FailureClass::iter() {
        let disabled = Health::default().attempted(&failed(class, None), start()).disabled;
        let expected = Disabled { at: start(), reason: DisabledReason::Gone };
        assert_eq!(disabled, (class == FailureClass::Gone).then_some(expected), "{class}");
    }
}

#[test]
fn five_days_of_failures_disable() {
    let mut health = Health::default().attempted(&delivered(), start());
    let mut second = 10;
    while second < 10 + 5 * DAY {
        health = health.attempted(&refused(), at(second));
        assert_eq!(health.disabled, None, "{second}");
        second += 6 * 60 * MINUTE;
    }
    assert_eq!(health.failing_since, Some(at(10)));
    let last = health.clone().attempted(&refused(), at(10 + 5 * DAY));
    assert_eq!(last.disabled, Some(Disabled { at: at(10 + 5 * DAY), reason: DisabledReason::NoSuccess }));
    // One success in between, and the five days begin anew.
    let health = health.attempted(&delivered(), at(10 + 5 * DAY)).attempted(&refused(), at(11 + 5 * DAY));
    assert_eq!((health.disabled, health.failing_since), (None, Some(at(11 + 5 * DAY))));
}

#[test]
fn silence_disables_nothing() {
    let health = Health::default().attempted(&delivered(), start());
    // No attempt for a year, then one failure.
    let health = health.attempted(&refused(), at(365 * DAY));
    assert_eq!((health.disabled, health.failing_since), (None, Some(at(365 * DAY))));
}

#[test]
fn the_time_of_an_outage_of_the_sender_is_not_the_endpoints() {
    // It fails for a day, the sender is cut off for six, and then it fails again.
    let mut health = Health::default().attempted(&refused(), start());
    health = health.attempted(&refused(), at(DAY));
    for day in 1..7 {
        health = health.unreached(at(day * DAY + MINUTE));
    }
    assert_eq!(health.unreached_since, Some(at(DAY + MINUTE)));
    health = health.attempted(&refused(), at(7 * DAY + MINUTE));
    assert_eq!(
        (health.disabled, health.failing_since, health.unreached_since),
        (None, Some(at(6 * DAY)), None)
    );
    health = health.attempted(&refused(), at(11 * DAY));
    assert_eq!(health.disabled.map(|disabled| disabled.reason), Some(DisabledReason::NoSuccess));
    // An outage alone begins no five days.
    let health = Health::default().unreached(start()).attempted(&refused(), at(6 * DAY));
    assert_eq!((health.disabled, health.failing_since), (None, Some(at(6 * DAY))));
}

#[test]
fn what_is_enabled_starts_afresh() {
    let health = Health::default().attempted(&delivered(), start());
    let health = health.attempted(&failed(FailureClass::Gone, None), at(1));
    // A success of an attempt that was under way enables nothing.
    let health = health.attempted(&delivered(), at(2));
    assert_eq!(health.disabled.map(|disabled| disabled.reason), Some(DisabledReason::Gone));
    // Nor does a later failure give another time or reason.
    let disabled = health.disabled;
    let failing = health.clone().attempted(&refused(), at(3)).attempted(&refused(), at(3 + 5 * DAY));
    assert_eq!(failing.disabled, disabled);
    assert_eq!(health.enabled(), Health { last_success_at: Some(at(2)), ..Health::default() });
}

#[test]
fn health_is_stored_and_read_back() {
    assert_eq!(serde_json::to_string(&Health::default()).unwrap(), r#"{"overloads":0}"#);
    let health = Health::default().attempted(&failed(FailureClass::Overloaded, None), start());
    let health = health.unreached(at(1)).attempted(&failed(FailureClass::Gone, None), at(2));
    let text = serde_json::to_string(&health).unwrap();
    assert!(text.contains(r#""disabled":{"at":"2026-01-31T00:00:02.000Z","reason":"gone"}"#), "{text}");
    assert_eq!(serde_json::from_str::<Health>(&text).unwrap(), health);
    assert!(serde_json::from_str::<Health>(r#"{"paused":1}"#).is_err());
}

proptest! {
    /// Whatever happens in whichever order: a pause is bounded, and an endpoint that has not failed for five days is not
    /// disabled unless it says that it is gone.
    #[test]
    fn health_stays_within_its_bounds(
        steps in proptest::collection::vec((0..8_u8, 1..200_000_u32, proptest::option::of(0..100_000_u64)), 1..60),
    ) {
        let mut health = Health::default();
        let mut second = 0;
        let mut first_failure = None;
        for (step, seconds, retry_after) in steps {
            second += seconds;
            let now = at(second);
            let outcome = match step {
                0 => delivered(),
                1 | 2 => failed(FailureClass::Overloaded, retry_after),
                3 => failed(FailureClass::Timeout, retry_after),
                4 => { health = health.unreached(now); continue }
                5 => { health = health.enabled(); first_failure = None; continue }
                _ => refused(),
            };
            first_failure = match outcome.is_delivered() {
                true => None,
                false => first_failure.or(Some(now)),
            };
            health = health.attempted(&outcome, now);
            prop_assert!(health.pause_at(now).is_none_or(|until| until <= now.plus_seconds(MAX_RETRY_AFTER_SECONDS)));
            if health.disabled.is_some_and(|disabled| disabled.at == now) {
                prop_assert!(first_failure.is_some_and(|since| now >= since.plus_seconds(5 * DAY)));
            }
            prop_assert_eq!(health.failing_since.is_some(), first_failure.is_some());
            prop_assert!(health.failing_since.is_none_or(|since| since <= now));
        }
    }
}
