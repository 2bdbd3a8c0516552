//! What all senders share: how long a delivery is theirs, how an attempt is marked, and what tells an outage of the sender from
//! one of an endpoint.

use crate::ports::{Deliveries, DeliveryKey, StoreError, StoredDelivery};
use countersign_core::digest::Digest;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::health::Health;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::schedule::Schedule;
use countersign_delivery::state::{Attempt, Delivery};
use countersign_delivery::sweep::{Network, Sweep, Verdict};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a delivery is a sender's own, in seconds: longer than an attempt takes.
pub const CLAIM_SECONDS: u32 = 30;
/// How long one attempt may take, from the name to the end of the answer.
pub const TIME_LIMIT: Duration = Duration::from_secs(15);
/// How often what was read is read again because it has changed meanwhile.
pub(crate) const REREADS: usize = 5;
/// How often what nobody was reached by is attempted: once a minute.
const UNREACHED: Schedule = Schedule::EVERY_MINUTE;
/// How long an endpoint that was not reached several times in a row is left alone, in seconds.
pub(crate) const REST_SECONDS: u32 = 60;
/// How old the last success on record may be before a newer one is written, in seconds.
const SUCCESS_SECONDS: u32 = 60;

/// How long the log of deliveries is kept, in seconds: 30 days.
pub const KEPT_SECONDS: u32 = 30 * 24 * 60 * 60;
/// How many deliveries are forgotten at once.
pub(crate) const FORGOTTEN_AT_ONCE: usize = 100;

/// What a pass over some deliveries did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CourierReport {
    /// Deliveries that were taken.
    pub delivered: usize,
    /// Attempts that failed, whose deliveries wait again.
    pub failed: usize,
    /// Deliveries whose last attempt failed.
    pub dead: usize,
    /// Deliveries that are not attempted, because their webhook is disabled or gone.
    pub skipped: usize,
    /// Deliveries that wait longer without an attempt, because their endpoint is overloaded or was not reached.
    pub postponed: usize,
    /// Whether time ran out before the end.
    pub cut_short: bool,
}

impl CourierReport {
    /// Both of them.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            failed: self.failed + other.failed,
            dead: self.dead + other.dead,
            skipped: self.skipped + other.skipped,
            postponed: self.postponed + other.postponed,
            cut_short: self.cut_short || other.cut_short,
        }
    }
}

/// When some endpoint answered last: what tells an outage of the sender from one of an endpoint. One for each process.
#[derive(Debug, Default)]
pub struct LastAnswer(Mutex<Option<Timestamp>>);

impl LastAnswer {
    /// Whether an attempt that ended now counts.
    pub(crate) fn verdict(&self, outcome: &Outcome, now: Timestamp) -> Verdict {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.is_answer() {
            *last = (*last).max(Some(now));
        }
        let mut sweep = Sweep::new();
        if let Some(at) = *last {
            sweep.observe_earlier(Network::Public, at, now);
        }
        sweep.verdict(Network::Public, outcome)
    }
}

/// Writes down what came of an attempt, also of a delivery that an operator has changed meanwhile.
pub(crate) async fn mark<D: Deliveries>(
    deliveries: &D,
    schedule: &Schedule,
    claimed: StoredDelivery,
    attempt: Attempt,
    verdict: Verdict,
    now: Timestamp,
) -> Result<Delivery, StoreError> {
    let key = DeliveryKey {
        destination: claimed.delivery.destination.clone(),
        event_id: claimed.delivery.event_id,
    };
    let mut stored = claimed;
    for _ in 0..REREADS {
        let delivery = stored.delivery.clone();
        let after = match verdict {
            Verdict::Counts => {
                let jitter = jitter(&delivery);
                delivery.attempted(attempt.clone(), schedule, now, jitter)
            }
            Verdict::SenderUnreached => delivery.unreached(attempt.clone(), &UNREACHED, now),
        };
        if deliveries.replace(&stored, &after).await? {
            return Ok(after);
        }
        match deliveries.delivery(&key).await? {
            Some(changed) => stored = changed,
            // Forgotten, since it was closed before.
            None => return Ok(after),
        }
    }
    Err(StoreError::Unavailable("a delivery changes all the time".to_owned()))
}

/// Says what came of an attempt.
pub(crate) fn log(delivery: &Delivery, outcome: &Outcome) {
    let (destination, event_id, attempts) = (&delivery.destination, delivery.event_id, delivery.attempts);
    match outcome {
        Outcome::Delivered { status, .. } => {
            tracing::debug!(%destination, %event_id, attempts, status, "delivered");
        }
        Outcome::Failed(failure) => {
            let is_dead = delivery.next_attempt_at.is_none();
            let (class, status, error) = (failure.class.as_str(), failure.status, &failure.detail);
            tracing::warn!(%destination, %event_id, attempts, is_dead, class, status, error, "delivery failed");
        }
    }
}

/// A number that is another for each attempt, and the same in each process.
fn jitter(delivery: &Delivery) -> u64 {
    let Delivery { destination, event_id, round, attempts, .. } = delivery;
    let digest = Digest::of(format!("{destination} {event_id} {round} {attempts}"));
    digest.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// How an endpoint fares after an attempt; `None` if that is known already.
pub(crate) fn health_after(
    before: &Health,
    outcome: &Outcome,
    verdict: Verdict,
    now: Timestamp,
) -> Option<Health> {
    let health = match verdict {
        Verdict::Counts => before.clone().attempted(outcome, now),
        Verdict::SenderUnreached => before.clone().unreached(now),
    };
    let is_known = outcome.is_delivered()
        && before.failing_since.is_none()
        && before.paused_until.is_none()
        && before.last_success_at.is_some_and(|at| at > now.minus_seconds(SUCCESS_SECONDS));
    (health != *before && !is_known).then_some(health)
}

/// A message that cannot be made or sent, whatever the other side says.
pub(crate) fn unusable(detail: &str) -> Failure {
    Failure { class: FailureClass::Unusable, status: None, retry_after: None, detail: detail.to_owned() }
}
