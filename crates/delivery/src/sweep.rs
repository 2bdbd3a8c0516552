//! An outage of the sender and failures of endpoints kept apart: a sweep that reached no endpoint counts against none.
//!
//! A sender whose own network, resolver, clock or trusted roots fail sees every destination fail at once, and none of them is
//! at fault. So what was not reached ([`FailureClass::is_unreached`]) is counted only if another attempt shows that the
//! sender was not the cause: if some destination *answered*, even by refusing, in the same sweep or shortly before it.
//!
//! What shows it must have gone the same way. The log of the process is always reached, and an endpoint within the own
//! network may be while the way to the Internet is cut, so that each [`Network`] stands for itself.
//!
//! All other failures are counted always: an answer is an answer, and what fails before the network is no outage of it.
//! The deliveries that are not counted stay due, so a long outage makes long sweeps: [`Sweep::is_given_up`] says of which
//! destinations the rest can wait for the next sweep.

use crate::destination::DestinationId;
use crate::outcome::{FailureClass, Outcome};
use countersign_core::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// For how long an answer shows that the network works, in seconds: a sweep begins every minute at the latest.
pub const ANSWER_SECONDS: u32 = 60;
/// After so many attempts in a row that did not reach a destination, the sweep leaves it.
pub const UNREACHED_IN_A_ROW: u32 = 3;

/// By which way a destination is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// By none: the log of the process.
    Own,
    /// An address that only the operator's settings allow.
    Internal,
    /// A public address, or a service of the cloud.
    Public,
}

/// Whether an attempt counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts: for the delivery ([`crate::state::Delivery::attempted`]) and for the health of the endpoint
    /// ([`crate::health::Health::attempted`]).
    Counts,
    /// The sender reached no endpoint: it counts for neither (`unreached` of both).
    SenderUnreached,
}

/// What the attempts of one sweep have shown so far. Verdicts on failures are given at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    answered: BTreeSet<Network>,
    unreached_in_a_row: BTreeMap<DestinationId, u32>,
}

impl Sweep {
    /// A sweep that has attempted nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes into account that some destination answered at `at`, outside of this sweep: other attempts may have been made
    /// by another process, or by one that follows the stream of changes. Without this, a sweep of retries of one dead
    /// endpoint would never count. `now` is when the sweep began; what is older than [`ANSWER_SECONDS`] shows nothing.
    pub fn observe_earlier(&mut self, network: Network, at: Timestamp, now: Timestamp) {
        if at >= now.minus_seconds(ANSWER_SECONDS) {
            self.answered.insert(network);
        }
    }

    /// Takes the outcome of an attempt into account.
    pub fn observe(&mut self, destination: &DestinationId, network: Network, outcome: &Outcome) {
        if outcome.is_answer() {
            self.answered.insert(network);
        }
        if is_unreached(outcome) {
            let in_a_row = self.unreached_in_a_row.entry(destination.clone()).or_default();
            *in_a_row = in_a_row.saturating_add(1);
        } else {
            self.unreached_in_a_row.remove(destination);
        }
    }

    /// Whether the destination was not reached so often in a row that its other deliveries can stay due until the next sweep.
    pub fn is_given_up(&self, destination: &DestinationId) -> bool {
        self.unreached_in_a_row.get(destination).is_some_and(|in_a_row| *in_a_row >= UNREACHED_IN_A_ROW)
    }

    /// The networks in which some destination answered: what the next sweep may be told by [`Self::observe_earlier`].
    pub fn answered(&self) -> impl Iterator<Item = Network> + '_ {
        self.answered.iter().copied()
    }

    /// Whether an attempt of this sweep counts, once all of them have been observed. What is no failure to reach the other
    /// side has its verdict at once.
    pub fn verdict(&self, network: Network, outcome: &Outcome) -> Verdict {
        if is_unreached(outcome) && !self.answered.contains(&network) {
            Verdict::SenderUnreached
        } else {
            Verdict::Counts
        }
    }
}

fn is_unreached(outcome: &Outcome) -> bool {
    outcome.failure().map(|failure| failure.class).is_some_and(FailureClass::is_unreached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Failure;
    use strum::IntoEnumIterator as _;

    fn failed(class: FailureClass) -> Outcome {
        Outcome::Failed(Failure { class, status: None, retry_after: None, detail: String::new() })
    }

    fn delivered() -> Outcome {
        Outcome::Delivered { status: Some(200), reference: None }
    }

    fn webhook(id: &str) -> DestinationId {
        DestinationId::webhook(id).unwrap()
    }

    fn verdicts(attempts: &[(Network, Outcome)]) -> Vec<Verdict> {
        let mut sweep = Sweep::new();
        for (place, (network, outcome)) in attempts.iter().enumerate() {
            sweep.observe(&webhook(&place.to_string()), *network, outcome);
        }
        attempts.iter().map(|(network, outcome)| sweep.verdict(*network, outcome)).collect()
    }

    #[test]
    fn a_sweep_that_reached_nobody_counts_against_nobody() {
        use FailureClass::{Connection, Name, Timeout, Tls};
        use Network::{Internal, Own, Public};
        use Verdict::{Counts, SenderUnreached};
        let outage = [Name, Connection, Tls, Timeout].map(|class| (Public, failed(class)));
        assert_eq!(verdicts(&outage), [SenderUnreached; 4]);
        // Any answer shows that the network works, whatever its place in the sweep.
        for answer in [delivered(), failed(FailureClass::Refused), failed(FailureClass::Overloaded)] {
            let sweep = [outage.to_vec(), vec![(Public, answer.clone())]].concat();
            assert_eq!(verdicts(&sweep), [Counts; 5], "{answer:?}");
            let sweep = [vec![(Public, answer)], outage.to_vec()].concat();
            assert_eq!(verdicts(&sweep), [Counts; 5]);
        }
        // The log and the own network show nothing of the way to the Internet, nor the other way round.
        for elsewhere in [Own, Internal] {
            let sweep = [outage.to_vec(), vec![(elsewhere, delivered())]].concat();
            assert_eq!(verdicts(&sweep)[..4], [SenderUnreached; 4], "{elsewhere:?}");
        }
        let sweep = [(Internal, failed(Connection)), (Public, delivered())];
        assert_eq!(verdicts(&sweep), [SenderUnreached, Counts]);
    }

    #[test]
    fn what_is_no_failure_to_reach_counts_always() {
        for class in FailureClass::iter() {
            let expected = if class.is_unreached() { Verdict::SenderUnreached } else { Verdict::Counts };
            assert_eq!(verdicts(&[(Network::Public, failed(class))]), [expected], "{class}");
        }
        // Nor does what never got to the network show that it works.
        for class in [FailureClass::ForbiddenAddress, FailureClass::Unusable, FailureClass::Credentials] {
            let sweep = [(Network::Public, failed(class)), (Network::Public, failed(FailureClass::Name))];
            assert_eq!(verdicts(&sweep), [Verdict::Counts, Verdict::SenderUnreached], "{class}");
        }
    }

    #[test]
    fn an_answer_of_another_sweep_counts_for_a_minute() {
        let now = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
        let failure = failed(FailureClass::Connection);
        for (seconds, expected) in
            [(0, Verdict::Counts), (60, Verdict::Counts), (61, Verdict::SenderUnreached)]
        {
            let mut sweep = Sweep::new();
            sweep.observe_earlier(Network::Public, now.minus_seconds(seconds), now);
            assert_eq!(sweep.verdict(Network::Public, &failure), expected, "{seconds}");
            assert_eq!(sweep.verdict(Network::Internal, &failure), Verdict::SenderUnreached);
        }
    }

    #[test]
    fn a_destination_that_is_not_reached_is_left_for_this_sweep() {
        let (dead, alive) = (webhook("dead"), webhook("alive"));
        let mut sweep = Sweep::new();
        for attempt in 1..=3 {
            assert!(!sweep.is_given_up(&dead), "{attempt}");
            sweep.observe(&dead, Network::Public, &failed(FailureClass::Timeout));
            sweep.observe(&alive, Network::Public, &failed(FailureClass::Refused));
        }
        assert!(sweep.is_given_up(&dead) && !sweep.is_given_up(&alive));
        sweep.observe(&dead, Network::Public, &delivered());
        assert!(!sweep.is_given_up(&dead));
    }
}
