//! What all senders share: how long a delivery is theirs, how an attempt is marked, and what tells an outage of the sender from
//! one of an endpoint.

use crate::ports::{
    ChannelStore, Deliveries, DeliveryKey, PlaceRecord, ReadDeliveries, ReadWebhooks, StoreError,
    StoredDelivery, Thread, WebhookRecord,
};
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::health::Health;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::schedule::Schedule;
use countersign_delivery::state::{Attempt, Delivery};
use countersign_delivery::sweep::{ANSWER_SECONDS, Network, Sweep, Verdict};
use countersign_notifications::configuration::Configuration;
use countersign_notifications::destination::Kind;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a delivery is a sender's own, in seconds: longer than an attempt takes.
pub const CLAIM_SECONDS: u32 = 30;
/// How long one attempt may take, from the name to the end of the answer.
pub const TIME_LIMIT: Duration = Duration::from_secs(15);
/// How often what was read is read again because it has changed meanwhile.
pub(crate) const REREADS: usize = 5;
/// When an attempt is made again that reached no endpoint in an outage of the sender: once a minute.
const UNREACHED: Schedule = Schedule::EVERY_MINUTE;
/// How long an endpoint that was not reached several times in a row is left alone, in seconds.
pub(crate) const REST_SECONDS: u32 = 60;
/// How old the last success on record may be before a newer one is written, in seconds: other senders tell by it that the network
/// works, for [`ANSWER_SECONDS`].
const SUCCESS_SECONDS: u32 = ANSWER_SECONDS / 2;

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
    /// An endpoint answered at a time.
    fn answered(&self, at: Timestamp) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (*last).max(Some(at));
    }

    /// Whether an attempt that ended now counts.
    fn verdict(&self, outcome: &Outcome, now: Timestamp) -> Verdict {
        if outcome.is_answer() {
            self.answered(now);
        }
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sweep = Sweep::new();
        if let Some(at) = *last {
            sweep.observe_earlier(Network::Public, at, now);
        }
        sweep.verdict(Network::Public, outcome)
    }
}

/// A delivery, unless it cannot be read: then the others of its destination go on without it.
pub(crate) async fn readable<D: ReadDeliveries>(
    deliveries: &D,
    key: &DeliveryKey,
) -> Result<Option<StoredDelivery>, StoreError> {
    match deliveries.delivery(key).await {
        Err(StoreError::Damaged(error)) => {
            let (destination, event_id) = (&key.destination, key.event_id);
            tracing::error!(%destination, %event_id, error, "a delivery cannot be read and is left out");
            Ok(None)
        }
        read => read,
    }
}

/// Whether an attempt that ended now counts. Another process may have reached an endpoint that this one has not tried: what is on
/// record of the others, `earlier`, is looked at before a failure is taken for an outage of the sender.
pub(crate) async fn verdict(
    last_answer: &LastAnswer,
    outcome: &Outcome,
    now: Timestamp,
    earlier: impl Future<Output = Result<Option<Timestamp>, StoreError>>,
) -> Result<Verdict, StoreError> {
    if last_answer.verdict(outcome, now) == Verdict::Counts {
        return Ok(Verdict::Counts);
    }
    if let Some(at) = earlier.await? {
        last_answer.answered(at);
    }
    Ok(last_answer.verdict(outcome, now))
}

/// The last time on record at which a webhook or a configured destination took a message.
pub(crate) async fn last_success<D: ReadWebhooks + ChannelStore>(
    store: &D,
    configuration: Option<&Configuration>,
) -> Result<Option<Timestamp>, StoreError> {
    let webhooks = store.webhooks().await?.records;
    let mut last = webhooks.iter().filter_map(|record| record.health.last_success_at).max();
    for (name, destination) in configuration.iter().flat_map(|configuration| &configuration.destinations) {
        if destination.kind() != Kind::Log {
            let place = readable_place(store, name).await?;
            last = last.max(place.and_then(|place| place.health.last_success_at));
        }
    }
    Ok(last)
}

/// How many webhooks and configured destinations are given up because they fail or cannot be read, and take nothing until an
/// operator has mended them.
pub(crate) async fn failing<D: ReadWebhooks + ChannelStore>(
    store: &D,
    configuration: Option<&Configuration>,
    key: &DeploymentKey,
) -> Result<usize, StoreError> {
    let webhooks = store.webhooks().await?;
    let is_given_up = |record: &WebhookRecord| {
        record.deleted_at.is_none() && !record.webhook.is_enabled() && record.health.disabled.is_some()
    };
    let mut failing = webhooks.damaged.len();
    for record in webhooks.records {
        failing += usize::from(record.unaltered(key).map_or(true, |record| is_given_up(&record)));
    }
    for name in configuration.iter().flat_map(|configuration| configuration.destinations.keys()) {
        let place = readable_place(store, name).await?;
        failing += usize::from(place.is_none_or(|place| place.health.disabled.is_some()));
    }
    Ok(failing)
}

/// The record of a configured destination as a whole; nothing of one that cannot be read, which hides no other.
async fn readable_place<D: ChannelStore>(store: &D, name: &str) -> Result<Option<PlaceRecord>, StoreError> {
    match store.place(&whole(name)?).await {
        Ok(place) => Ok(Some(place)),
        Err(StoreError::Damaged(error)) => {
            tracing::error!(destination = name, error, "the record of a destination cannot be read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A configured destination as a whole, for all recipients there.
pub(crate) fn whole(name: &str) -> Result<DestinationId, StoreError> {
    DestinationId::named(name, None).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What was sent of a request at a destination; nothing of a record that cannot be read, which keeps no message about another
/// request back.
pub(crate) async fn readable_thread<D: ChannelStore>(
    store: &D,
    destination: &DestinationId,
    request_id: RequestId,
) -> Result<Option<Thread>, StoreError> {
    match store.thread(destination, request_id).await {
        Err(StoreError::Damaged(error)) => {
            tracing::error!(%destination, %request_id, error, "what was sent of a request cannot be read");
            Ok(None)
        }
        thread => thread.map(Some),
    }
}

/// A delivery after an attempt.
pub(crate) fn attempted(
    delivery: Delivery,
    schedule: &Schedule,
    attempt: Attempt,
    verdict: Verdict,
    now: Timestamp,
) -> Delivery {
    match verdict {
        Verdict::Counts => {
            let jitter = jitter(&delivery);
            delivery.attempted(attempt, schedule, now, jitter)
        }
        Verdict::SenderUnreached => delivery.unreached(attempt, &UNREACHED, now),
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
        let after = attempted(stored.delivery.clone(), schedule, attempt.clone(), verdict, now);
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
