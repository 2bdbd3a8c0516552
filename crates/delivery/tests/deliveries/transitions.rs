//! How attempts and operators change a delivery.

use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::schedule::{MAX_ATTEMPTS, Schedule};
use countersign_delivery::state::{Attempt, Delivery, DeliveryState, SupersededDelivery};
use proptest::prelude::*;
use std::time::Duration;
use strum::IntoEnumIterator as _;

/// The jitter that changes nothing.
const NO_JITTER: u64 = 100_000;

fn start() -> Timestamp {
    Timestamp::parse("2026-01-31T09:30:00Z").unwrap()
}

fn delivery() -> Delivery {
    Delivery::new(
        DestinationId::webhook("wh_1").unwrap(),
        EventId::parse("01930000-0000-7000-8000-000000000001").unwrap(),
        RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap(),
        Some(3),
        EventType::ApprovalGranted,
        start(),
    )
}

fn taken() -> Attempt {
    let outcome = Outcome::Delivered { status: Some(204), reference: Some("1700.1".to_owned()) };
    Attempt { outcome, host: Some("hooks.example.com".to_owned()) }
}

fn failed(class: FailureClass, retry_after: Option<u64>) -> Attempt {
    let retry_after = retry_after.map(Duration::from_secs);
    let detail = "secret detail".to_owned();
    let outcome = Outcome::Failed(Failure { class, status: Some(500), retry_after, detail });
    Attempt { outcome, host: Some("hooks.example.com".to_owned()) }
}

fn refused() -> Attempt {
    failed(FailureClass::Refused, None)
}

/// One delivery in each state.
fn in_state(state: DeliveryState) -> Delivery {
    let waiting = delivery();
    let delivery = match state {
        DeliveryState::Waiting => waiting,
        DeliveryState::Delivered => waiting.attempted(taken(), &Schedule::CONTINUOUS, start(), NO_JITTER),
        DeliveryState::Dead => (0..MAX_ATTEMPTS).fold(waiting, |delivery, _| {
            delivery.attempted(refused(), &Schedule::CONTINUOUS, start(), NO_JITTER)
        }),
        DeliveryState::Skipped => waiting.skip(),
        DeliveryState::Superseded => waiting.supersede(),
    };
    assert_eq!(delivery.state, state);
    delivery
}

#[test]
fn every_state_and_every_step() {
    use DeliveryState::{Dead, Delivered, Skipped, Superseded, Waiting};
    let schedule = &Schedule::CONTINUOUS;
    let now = start().plus_seconds(1);
    for (state, taken_, failed_, unreached, skipped, superseded, redelivered) in [
        (Waiting, Delivered, Waiting, Waiting, Skipped, Superseded, Some(Waiting)),
        (Delivered, Delivered, Delivered, Delivered, Delivered, Delivered, Some(Waiting)),
        (Dead, Delivered, Dead, Dead, Dead, Dead, Some(Waiting)),
        (Skipped, Delivered, Skipped, Skipped, Skipped, Skipped, Some(Waiting)),
        (Superseded, Delivered, Superseded, Superseded, Superseded, Superseded, None),
    ] {
        let at = || in_state(state);
        assert_eq!(at().attempted(taken(), schedule, now, 0).state, taken_, "{state}");
        let failed = at().attempted(refused(), schedule, now, 0);
        assert_eq!(failed.state, failed_, "{state}");
        assert_eq!(at().unreached(refused(), schedule, now).state, unreached, "{state}");
        assert_eq!(at().skip().state, skipped, "{state}");
        assert_eq!(at().supersede().state, superseded, "{state}");
        let again = at().redeliver(now);
        assert_eq!(again.clone().map(|delivery| delivery.state).ok(), redelivered, "{state}");
        assert_eq!(again.is_err(), again == Err(SupersededDelivery));
        if state != Waiting {
            assert_eq!(failed, at(), "{state}");
            assert_eq!((at().claimed(now, 60), at().postponed(now)), (at(), at()), "{state}");
        }
        if state == Delivered {
            assert_eq!(at().attempted(taken(), schedule, now, 0), at());
        }
    }
}

#[test]
fn what_an_attempt_leaves() {
    let now = start().plus_seconds(2);
    let failed = delivery().attempted(refused(), &Schedule::CONTINUOUS, now, NO_JITTER);
    assert_eq!(failed.attempts, 1);
    assert_eq!(failed.next_attempt_at, Some(now.plus_seconds(5)));
    let last = failed.last_attempt.clone().unwrap();
    assert_eq!((last.at, last.status, last.failure), (now, Some(500), Some(FailureClass::Refused)));
    assert!(!failed.is_due(now.plus_seconds(4)) && failed.is_due(now.plus_seconds(5)));
    let taken = failed.attempted(taken(), &Schedule::CONTINUOUS, now.plus_seconds(5), NO_JITTER);
    assert_eq!((taken.attempts, taken.next_attempt_at), (2, None));
    assert_eq!(taken.reference.as_deref(), Some("1700.1"));
    assert_eq!(taken.last_attempt.as_ref().map(|last| last.failure), Some(None));
    // A new round keeps what the other side calls the message.
    let again = taken.redeliver(now.plus_seconds(60)).unwrap();
    assert_eq!((again.round, again.attempts, again.is_due(now.plus_seconds(60))), (2, 0, true));
    assert_eq!(again.reference.as_deref(), Some("1700.1"));
    // So does an answer that does not name it again.
    let outcome = Outcome::Delivered { status: Some(200), reference: None };
    let unnamed = Attempt { outcome, host: None };
    let taken = again.attempted(unnamed, &Schedule::CONTINUOUS, now.plus_seconds(61), NO_JITTER);
    assert_eq!((taken.state, taken.reference.as_deref()), (DeliveryState::Delivered, Some("1700.1")));
}

#[test]
fn what_is_claimed_or_paused_is_not_due_and_not_counted() {
    let claimed = delivery().claimed(start(), 30);
    assert!(!claimed.is_due(start().plus_seconds(29)) && claimed.is_due(start().plus_seconds(30)));
    let postponed = claimed.postponed(start().plus_seconds(600));
    assert_eq!(postponed.next_attempt_at, Some(start().plus_seconds(600)));
    assert_eq!(postponed.attempts, 0);
    // A pause that ends sooner brings nothing forward.
    assert_eq!(postponed.clone().postponed(start()), postponed);
}

#[test]
fn all_attempts_of_a_round_take_three_days() {
    let mut delivery = delivery();
    let mut now = start();
    let mut times = Vec::new();
    while delivery.state == DeliveryState::Waiting {
        assert!(delivery.is_due(now));
        times.push((now.as_millisecond() - start().as_millisecond()) / 1000);
        delivery = delivery.attempted(refused(), &Schedule::CONTINUOUS, now, NO_JITTER);
        now = delivery.next_attempt_at.unwrap_or(now);
    }
    // The table "Time since start" of Standard Webhooks 1.0.0: 00:00:05, 00:05:05, 00:35:05, 02:35:05 … 75:35:05.
    let hours = |hours: i64| hours * 3600 + 35 * 60 + 5;
    let expected = [0, 5, 305, hours(0), hours(2), hours(7), hours(17), hours(31), hours(51), hours(75)];
    assert_eq!(times, expected);
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Dead, 10));
    // A new round has as many attempts.
    let again = delivery.redeliver(now).unwrap();
    assert_eq!((again.state, again.round, again.attempts), (DeliveryState::Waiting, 2, 0));
}

#[test]
fn names_of_states_read_back() {
    let names: Vec<_> = DeliveryState::iter().map(DeliveryState::as_str).collect();
    assert_eq!(names, ["waiting", "delivered", "dead", "skipped", "superseded"]);
    for state in DeliveryState::iter() {
        assert_eq!(DeliveryState::parse(state.as_str()), Ok(state));
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    assert!(DeliveryState::parse("Waiting").is_err());
}

#[test]
fn what_is_stored_reads_back_and_holds_no_detail() {
    for state in DeliveryState::iter() {
        let delivery = in_state(state);
        let text = serde_json::to_string(&delivery).unwrap();
        assert!(!text.contains("detail"), "{text}");
        assert_eq!(serde_json::from_str::<Delivery>(&text).unwrap(), delivery);
    }
    let text = serde_json::to_string(&delivery()).unwrap();
    assert_eq!(
        text,
        "{\"destination\":\"webhook:wh_1\",\"event_id\":\"01930000-0000-7000-8000-000000000001\",\
         \"request_id\":\"01930000-0000-7000-8000-0000000000aa\",\"sequence\":3,\"event_type\":\"APPROVAL_GRANTED\",\
         \"created_at\":\"2026-01-31T09:30:00.000Z\",\"state\":\"waiting\",\"round\":1,\"attempts\":0,\
         \"next_attempt_at\":\"2026-01-31T09:30:00.000Z\"}"
    );
    assert!(serde_json::from_str::<Delivery>(&text.replace("\"round\"", "\"rounds\"")).is_err());
}

#[derive(Debug, Clone)]
enum Step {
    Taken,
    Failed(FailureClass, Option<u64>),
    Unreached,
    Skip,
    Supersede,
    Postpone(u32),
    Redeliver,
}

fn any_step() -> impl Strategy<Value = Step> {
    let class = proptest::sample::select(FailureClass::iter().collect::<Vec<_>>());
    prop_oneof![
        1 => Just(Step::Taken),
        12 => (class, proptest::option::of(0..200_000_u64)).prop_map(|(class, after)| Step::Failed(class, after)),
        3 => Just(Step::Unreached),
        1 => Just(Step::Skip),
        1 => Just(Step::Supersede),
        2 => (0..100_000_u32).prop_map(Step::Postpone),
        2 => Just(Step::Redeliver),
    ]
}

proptest! {
    /// Any steps in any order.
    #[test]
    fn transitions_keep_their_promises(
        steps in proptest::collection::vec((any_step(), 0..100_000_u32, any::<u64>()), 1..80),
        minutes in any::<bool>(),
    ) {
        let schedule = if minutes { Schedule::EVERY_MINUTE } else { Schedule::CONTINUOUS };
        let mut now = start();
        let mut delivery = delivery();
        for (step, seconds, jitter) in steps {
            now = now.plus_seconds(seconds);
            let before = delivery.clone();
            let (after, asked) = match step.clone() {
                Step::Taken => (delivery.attempted(taken(), &schedule, now, jitter), None),
                Step::Failed(class, after) => {
                    (delivery.attempted(failed(class, after), &schedule, now, jitter), after)
                }
                Step::Unreached => (delivery.unreached(failed(FailureClass::Name, None), &schedule, now), None),
                Step::Skip => (delivery.skip(), None),
                Step::Supersede => (delivery.supersede(), None),
                Step::Postpone(seconds) => (delivery.postponed(now.plus_seconds(seconds)), None),
                Step::Redeliver => (delivery.clone().redeliver(now).unwrap_or(delivery), None),
            };
            let is_redelivery = matches!(step, Step::Redeliver);
            // Attempts are bounded, and there is a next one exactly while it waits.
            prop_assert!(after.attempts <= MAX_ATTEMPTS + 1);
            prop_assert!(after.state != DeliveryState::Waiting || after.attempts < MAX_ATTEMPTS);
            prop_assert_eq!(after.next_attempt_at.is_some(), after.state == DeliveryState::Waiting);
            // Only a redelivery leads back to waiting, and only it begins a round.
            if before.state != DeliveryState::Waiting && after.state == DeliveryState::Waiting {
                prop_assert!(is_redelivery);
            }
            if !is_redelivery {
                prop_assert_eq!(after.round, before.round);
                prop_assert!(after.attempts >= before.attempts);
                if before.state == DeliveryState::Delivered {
                    prop_assert_eq!(&after, &before);
                }
            }
            // What is taken is never lost, and dead is what has failed as often as a round has attempts.
            if matches!(step, Step::Taken) {
                prop_assert_eq!(after.state, DeliveryState::Delivered);
            }
            if before.state == DeliveryState::Waiting && after.state == DeliveryState::Dead {
                prop_assert_eq!(after.attempts, MAX_ATTEMPTS);
            }
            // The next attempt is never before now, nor before the other side has asked for.
            if let (Step::Failed(..), Some(next)) = (&step, after.next_attempt_at) {
                let asked = u32::try_from(asked.unwrap_or(0).min(86_400)).unwrap();
                prop_assert!(next >= now.plus_seconds(asked));
            }
            if let (Step::Unreached, Some(next)) = (&step, after.next_attempt_at) {
                prop_assert!(next > now && next <= now.plus_seconds(60));
                prop_assert_eq!(after.attempts, before.attempts);
            }
            // The key of a delivery never changes.
            prop_assert_eq!((&after.destination, after.event_id), (&before.destination, before.event_id));
            delivery = after;
        }
    }
}
