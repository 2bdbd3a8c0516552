//! Sweeps on a virtual clock: an outage of the sender, and endpoints that fail for themselves.

use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::health::{DisabledReason, Health};
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::schedule::{MAX_ATTEMPTS, Schedule};
use countersign_delivery::state::{Attempt, Delivery, DeliveryState};
use countersign_delivery::sweep::{Network, Sweep, Verdict};
use std::collections::BTreeMap;

const MINUTE: u32 = 60;
const DAY: u32 = 24 * 60 * 60;
const SCHEDULE: Schedule = Schedule::EVERY_MINUTE;

fn start() -> Timestamp {
    Timestamp::parse("2026-01-31T00:00:00Z").unwrap()
}

fn delivered() -> Outcome {
    Outcome::Delivered { status: Some(200), reference: None }
}

fn failed(class: FailureClass) -> Outcome {
    Outcome::Failed(Failure { class, status: None, retry_after: None, detail: String::new() })
}

/// Deliveries and the health of their destinations, swept every minute as a sender on AWS does it.
struct World {
    deliveries: Vec<Delivery>,
    health: BTreeMap<DestinationId, Health>,
    attempts: usize,
}

impl World {
    /// So many events for each of some destinations.
    fn new(destinations: &[&str], events: u8) -> Self {
        let mut deliveries = Vec::new();
        for event in 0..events {
            for destination in destinations {
                deliveries.push(Delivery::new(
                    DestinationId::parse(destination).unwrap(),
                    EventId::parse(&format!("01930000-0000-7000-8000-0000000000{event:02x}")).unwrap(),
                    RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap(),
                    Some(u64::from(event) + 1),
                    EventType::ApprovalGranted,
                    start(),
                ));
            }
        }
        Self { deliveries, health: BTreeMap::new(), attempts: 0 }
    }

    /// One sweep, in which each destination answers as `answer` says.
    fn sweep(&mut self, now: Timestamp, answer: impl Fn(&DestinationId) -> Outcome) {
        let mut sweep = Sweep::new();
        let mut outcomes = Vec::new();
        for (place, delivery) in self.deliveries.iter_mut().enumerate() {
            let destination = delivery.destination.clone();
            let health = self.health.entry(destination.clone()).or_default();
            if health.disabled.is_some() {
                *delivery = delivery.clone().skip();
            } else if let Some(until) = health.pause_at(now) {
                *delivery = delivery.clone().postponed(until);
            } else if delivery.is_due(now) && !sweep.is_given_up(&destination) {
                let outcome = answer(&destination);
                sweep.observe(&destination, network(&destination), &outcome);
                outcomes.push((place, outcome));
            }
        }
        for (place, outcome) in outcomes {
            self.attempts += 1;
            let delivery = self.deliveries[place].clone();
            let health = self.health.entry(delivery.destination.clone()).or_default();
            let verdict = sweep.verdict(network(&delivery.destination), &outcome);
            let attempt = Attempt { outcome: outcome.clone(), host: None };
            (self.deliveries[place], *health) = match verdict {
                Verdict::Counts => (
                    delivery.attempted(attempt, &SCHEDULE, now, place as u64 * 977),
                    health.clone().attempted(&outcome, now),
                ),
                Verdict::SenderUnreached => {
                    (delivery.unreached(attempt, &SCHEDULE, now), health.clone().unreached(now))
                }
            };
        }
    }

    fn of<'a>(&'a self, destination: &'a str) -> impl Iterator<Item = &'a Delivery> + 'a {
        self.deliveries.iter().filter(move |delivery| delivery.destination.as_str() == destination)
    }

    fn states(&self, destination: &str) -> Vec<DeliveryState> {
        self.of(destination).map(|delivery| delivery.state).collect()
    }

    fn is_disabled(&self, destination: &str) -> Option<DisabledReason> {
        let destination = DestinationId::parse(destination).unwrap();
        self.health.get(&destination)?.disabled.map(|disabled| disabled.reason)
    }
}

fn network(destination: &DestinationId) -> Network {
    match destination.as_str() {
        "log" => Network::Own,
        "webhook:inside" => Network::Internal,
        _ => Network::Public,
    }
}

/// The sender's network is away for three days. The log and an endpoint inside are reached all the while.
#[test]
fn an_outage_of_three_days_makes_no_dead_letter_and_the_first_sweep_after_it_delivers() {
    let destinations = ["log", "webhook:inside", "sns", "webhook:a", "webhook:b", "mail#ann@example.com"];
    let mut world = World::new(&destinations, 5);
    let outage = 3 * DAY;
    for second in (0..outage).step_by(MINUTE as usize) {
        world.sweep(start().plus_seconds(second), |destination| match destination.as_str() {
            "log" | "webhook:inside" => delivered(),
            "webhook:a" => failed(FailureClass::Name),
            "webhook:b" => failed(FailureClass::Timeout),
            "sns" => failed(FailureClass::Tls),
            _ => failed(FailureClass::Connection),
        });
    }
    for delivery in &world.deliveries {
        let is_reached = matches!(delivery.destination.as_str(), "log" | "webhook:inside");
        let expected = if is_reached { (DeliveryState::Delivered, 1) } else { (DeliveryState::Waiting, 0) };
        assert_eq!((delivery.state, delivery.attempts), expected, "{delivery:?}");
    }
    assert!(destinations.iter().all(|destination| world.is_disabled(destination).is_none()));
    // A sweep attempts no more than three deliveries of what it does not reach.
    assert_eq!(world.attempts, 2 * 5 + 4 * 3 * (outage / MINUTE) as usize);

    world.sweep(start().plus_seconds(outage), |_| delivered());
    assert!(world.deliveries.iter().all(|delivery| delivery.state == DeliveryState::Delivered));
}

/// The sender works, and one endpoint does not: it alone fares ill.
#[test]
fn one_endpoint_that_is_away_is_counted_and_delays_no_other() {
    let mut world = World::new(&["sns", "webhook:away"], 2);
    let mut second = 0;
    while world.states("webhook:away").contains(&DeliveryState::Waiting) {
        // The topic hears of something in every sweep.
        let mut fresh = World::new(&["sns"], 1).deliveries;
        world.deliveries.append(&mut fresh);
        world.sweep(start().plus_seconds(second), |destination| match destination.as_str() {
            "sns" => delivered(),
            _ => failed(FailureClass::Connection),
        });
        assert!(world.states("sns").iter().all(|state| *state == DeliveryState::Delivered));
        world.deliveries.retain(|delivery| delivery.destination.as_str() != "sns");
        second += MINUTE;
    }
    assert_eq!(world.states("webhook:away"), [DeliveryState::Dead; 2]);
    assert!(world.of("webhook:away").all(|delivery| delivery.attempts == MAX_ATTEMPTS));
    // 75 h 35 min, give or take a tenth and the minutes that each attempt waits for its sweep.
    assert!((68 * 3600..84 * 3600).contains(&second), "{second}");
    assert_eq!(world.is_disabled("webhook:away"), None);
}

/// An endpoint answers with errors for longer than five days: it is disabled, and what comes later is skipped.
#[test]
fn an_endpoint_that_fails_for_five_days_is_disabled_and_skips() {
    let mut world = World::new(&["webhook:broken"], 1);
    let mut disabled_at = None;
    for hour in 0..24 * 7 {
        let now = start().plus_seconds(hour * 60 * MINUTE);
        if hour % 24 == 0 {
            let mut fresh = World::new(&["webhook:broken"], 1).deliveries;
            world.deliveries.append(&mut fresh);
        }
        world.sweep(now, |_| failed(FailureClass::Refused));
        if world.is_disabled("webhook:broken").is_some() {
            disabled_at.get_or_insert(hour);
        }
    }
    assert_eq!(world.is_disabled("webhook:broken"), Some(DisabledReason::NoSuccess));
    assert!(disabled_at.is_some_and(|hour| (120..=124).contains(&hour)), "{disabled_at:?}");
    assert_eq!(world.states("webhook:broken").last(), Some(&DeliveryState::Skipped));
    assert!(!world.states("webhook:broken").contains(&DeliveryState::Delivered));
}

/// An overloaded endpoint is left in peace, and then gets everything once.
#[test]
fn a_paused_endpoint_gets_everything_later() {
    let mut world = World::new(&["webhook:busy", "webhook:calm"], 4);
    let answer = |destination: &DestinationId, is_busy: bool| match destination.as_str() {
        "webhook:busy" if is_busy => failed(FailureClass::Overloaded),
        _ => delivered(),
    };
    world.sweep(start(), |destination| answer(destination, true));
    assert_eq!(world.states("webhook:calm"), [DeliveryState::Delivered; 4]);
    assert_eq!(world.states("webhook:busy"), [DeliveryState::Waiting; 4]);
    for minute in 1..=10 {
        world.sweep(start().plus_seconds(minute * MINUTE), |destination| answer(destination, false));
    }
    assert_eq!(world.states("webhook:busy"), [DeliveryState::Delivered; 4]);
}
