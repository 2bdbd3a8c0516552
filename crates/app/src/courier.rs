//! Sending what waits to webhooks: each delivery is claimed, attempted and marked, and what one endpoint does changes nothing
//! for another.
//!
//! A delivery that was claimed by a sender that died is due again after [`CLAIM_SECONDS`]. Between the sending and the marking
//! it may be sent twice, so that receivers drop what they have seen by `webhook-id`.

use crate::channels::Channels;
use crate::error::AppError;
use crate::host::Host;
use crate::ports::{
    ChannelStore, CommitError, Deliveries, DeliveryBacklog, DeliveryKey, DestinationSender, ReadWebhooks,
    StoreError, StoredDelivery, WebhookChange, WebhookClient, WebhookRecord, WriteWebhooks,
};
pub use crate::sending::{CLAIM_SECONDS, CourierReport, KEPT_SECONDS, LastAnswer, TIME_LIMIT};
use crate::sending::{
    FORGOTTEN_AT_ONCE, REREADS, REST_SECONDS, attempted, failing, health_after, last_success, log, mark,
    readable, unusable, verdict,
};
use crate::webhook_message::{Headers, message};
use countersign_core::digest::DeploymentKey;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::outcome::{Failure, Outcome};
use countersign_delivery::schedule::Schedule;
use countersign_delivery::state::{Attempt, Delivery};
use countersign_delivery::sweep::{Network, Sweep, Verdict};
use countersign_notifications::configuration::Configuration;
use countersign_webhook::body::Body;
use countersign_webhook::secret::SecretKey;
use countersign_webhook::trail::{Actor, TrailChange, TrailEvent};
use countersign_webhook::webhook::WebhookId;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many deliveries of one destination are attempted at once.
const AT_ONCE: usize = 4;
/// How many deliveries of a destination that is left alone are postponed at once.
const POSTPONED_AT_ONCE: usize = 46;
/// How many keys of what is due are read of each partition: so many that the backlog of one endpoint hides no other.
const DUE: usize = 1000;

/// Forgets the deliveries of all webhooks, deleted ones too, whose events are older than [`KEPT_SECONDS`], for at most `budget`. How
/// many they were.
///
/// # Errors
/// [`AppError::Unavailable`] when the store does not answer.
pub async fn forget<D: Deliveries + ReadWebhooks>(
    deliveries: &D,
    host: &dyn Host,
    budget: Duration,
) -> Result<usize, AppError> {
    let began = host.elapsed();
    let until = host.now().minus_seconds(KEPT_SECONDS);
    let mut forgotten = 0;
    let webhooks = deliveries.webhooks().await?;
    let damaged = webhooks.damaged.iter().filter_map(|damaged| damaged.id);
    for id in webhooks.records.iter().map(|record| record.webhook.id).chain(damaged) {
        let Ok(destination) = id.destination() else { continue };
        while host.elapsed().saturating_sub(began) < budget {
            match deliveries.forget(&destination, until, FORGOTTEN_AT_ONCE).await? {
                0 => break,
                some => forgotten += some,
            }
        }
    }
    Ok(forgotten)
}

/// What waits for destinations and what was given up, to be measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFigures {
    /// By destination: `webhook:ID`, or the name in the file. What has nothing is left out.
    pub backlogs: BTreeMap<String, DeliveryBacklog>,
    /// Webhooks and configured destinations that are given up because they fail.
    pub failing: usize,
}

impl DeliveryFigures {
    /// Counts what waits and what was given up.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when the store does not answer.
    pub async fn read<D: Deliveries + ReadWebhooks + ChannelStore>(
        deliveries: &D,
        configuration: Option<&Configuration>,
        key: &DeploymentKey,
    ) -> Result<Self, AppError> {
        let failing = failing(deliveries, configuration, key).await?;
        Ok(Self { backlogs: deliveries.delivery_backlog().await?, failing })
    }
}

/// All that sending works with.
#[derive(Debug)]
pub struct Courier<'a, D> {
    deliveries: &'a D,
    client: &'a dyn WebhookClient,
    deployment_key: &'a DeploymentKey,
    secret_key: SecretKey,
    dashboard_url: Option<&'a str>,
    host: &'a dyn Host,
    schedule: Schedule,
    last_answer: &'a LastAnswer,
    is_alone: bool,
    configured: Option<(&'a Configuration, &'a dyn DestinationSender)>,
}

impl<'a, D: Deliveries + ReadWebhooks + WriteWebhooks + ChannelStore> Courier<'a, D> {
    /// A sender of what waits in `deliveries`. `dashboard_url` is where people look at requests.
    pub fn new(
        deliveries: &'a D,
        client: &'a dyn WebhookClient,
        deployment_key: &'a DeploymentKey,
        dashboard_url: Option<&'a str>,
        host: &'a dyn Host,
        schedule: Schedule,
        last_answer: &'a LastAnswer,
    ) -> Self {
        let secret_key = SecretKey::derived(deployment_key);
        Self {
            deliveries,
            client,
            deployment_key,
            secret_key,
            dashboard_url,
            host,
            schedule,
            last_answer,
            is_alone: false,
            configured: None,
        }
    }

    /// The same where no other process sends, and the caller sends to no destination twice at once: webhooks need no claim, which
    /// is a commit for each delivery, and nothing waits for the end of one after a crash.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// The same, which sends to the destinations that the operator has configured as well.
    #[must_use]
    pub fn with_channels(self, configured: Option<(&'a Configuration, &'a dyn DestinationSender)>) -> Self {
        Self { configured, ..self }
    }

    /// What is due, by destination, the longest due first.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when it cannot be read.
    pub async fn due(&self) -> Result<BTreeMap<DestinationId, Vec<DeliveryKey>>, AppError> {
        let mut due: BTreeMap<DestinationId, Vec<DeliveryKey>> = BTreeMap::new();
        for key in self.deliveries.due(self.host.now(), DUE).await? {
            due.entry(key.destination.clone()).or_default().push(key);
        }
        Ok(due)
    }

    /// Attempts everything that is due, all destinations at once, for at most `budget`; an attempt that has begun is awaited.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when what is due cannot be read.
    pub async fn pass(&self, budget: Duration) -> Result<CourierReport, AppError> {
        let due = self.due().await?;
        let reports = FuturesUnordered::new();
        for (destination, keys) in due {
            reports.push(self.deliver_or_leave(destination, keys, budget));
        }
        let reports: Vec<_> = reports.collect().await;
        Ok(reports.into_iter().fold(CourierReport::default(), CourierReport::and))
    }

    /// The same, where the next pass does what the store does not answer for.
    pub async fn deliver_or_leave(
        &self,
        destination: DestinationId,
        keys: Vec<DeliveryKey>,
        budget: Duration,
    ) -> CourierReport {
        match self.deliver(&destination, keys, budget).await {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%destination, %error, "deliveries are left to the next pass");
                CourierReport { cut_short: true, ..CourierReport::default() }
            }
        }
    }

    /// Attempts deliveries of one destination, for at most `budget`.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when the store does not answer. What was sent and not marked is sent again.
    pub async fn deliver(
        &self,
        destination: &DestinationId,
        keys: Vec<DeliveryKey>,
        budget: Duration,
    ) -> Result<CourierReport, AppError> {
        if let (None, Some((configuration, sender))) = (destination.webhook_id(), self.configured) {
            let channels = Channels {
                deliveries: self.deliveries,
                configuration,
                sender,
                deployment_key: self.deployment_key,
                dashboard_url: self.dashboard_url,
                host: self.host,
                schedule: self.schedule,
                last_answer: self.last_answer,
            };
            return match channels.deliver(destination, keys.clone(), budget).await {
                // The record of the destination, until an operator has mended it. What is due elsewhere is not hidden.
                Err(StoreError::Damaged(error)) => {
                    tracing::error!(%destination, error, "the record of a destination cannot be read: its deliveries wait");
                    let until = self.host.now().plus_seconds(REST_SECONDS);
                    let postponed = self.change_due(keys, |delivery| delivery.postponed(until)).await?;
                    Ok(CourierReport { postponed, ..CourierReport::default() })
                }
                report => Ok(report?),
            };
        }
        let began = self.host.elapsed();
        let mut report = CourierReport::default();
        let mut in_a_row = Sweep::new();
        let mut keys = keys.into_iter();
        loop {
            let batch: Vec<_> = keys.by_ref().take(AT_ONCE).collect();
            if batch.is_empty() {
                return Ok(report);
            }
            // A destination that is given up is put off as a whole, or its backlog would hide others among what is due.
            let puts_off = self.is_alone && in_a_row.is_given_up(destination);
            if !puts_off && self.host.elapsed().saturating_sub(began) >= budget {
                return Ok(CourierReport { cut_short: true, ..report });
            }
            // Read anew before each few: it may have been changed, paused or disabled meanwhile.
            let id = destination.webhook_id().and_then(|id| WebhookId::parse(id).ok());
            let record = match id {
                Some(id) => self.deliveries.webhook(id).await.and_then(|record| self.unaltered(record)),
                None => Ok(None),
            };
            let now = self.host.now();
            let record = match record {
                // Until an operator has mended it.
                Err(StoreError::Damaged(error)) => {
                    tracing::error!(%destination, error, "a webhook cannot be read: its deliveries wait");
                    let until = now.plus_seconds(REST_SECONDS);
                    let some = batch.into_iter().chain(keys.by_ref().take(POSTPONED_AT_ONCE)).collect();
                    report.postponed += self.change_due(some, |delivery| delivery.postponed(until)).await?;
                    continue;
                }
                record => record?,
            };
            let record = match record.filter(|record| record.deleted_at.is_none()) {
                Some(record) if record.webhook.is_enabled() => record,
                Some(_) | None => {
                    report.skipped += self.change_due(batch, Delivery::skip).await?;
                    continue;
                }
            };
            let rest = in_a_row.is_given_up(destination).then(|| now.plus_seconds(REST_SECONDS));
            if let Some(until) = record.health.pause_at(now).max(rest) {
                let some = batch.into_iter().chain(keys.by_ref().take(POSTPONED_AT_ONCE)).collect();
                report.postponed += self.change_due(some, |delivery| delivery.postponed(until)).await?;
                continue;
            }
            for (delivery, outcome) in self.attempt_each(&record, &batch).await? {
                in_a_row.observe(destination, Network::Public, &outcome);
                match &outcome {
                    Outcome::Delivered { .. } => report.delivered += 1,
                    Outcome::Failed(_) if delivery.next_attempt_at.is_none() => report.dead += 1,
                    Outcome::Failed(_) => report.failed += 1,
                }
            }
        }
    }

    /// A webhook that this deployment wrote as it stands. Nothing is sent by settings of another writer.
    fn unaltered(&self, record: Option<WebhookRecord>) -> Result<Option<WebhookRecord>, StoreError> {
        record.map(|record| record.unaltered(self.deployment_key)).transpose()
    }

    /// Those of some deliveries that are due.
    async fn due_of(&self, keys: &[DeliveryKey]) -> Result<Vec<StoredDelivery>, StoreError> {
        let mut due = Vec::with_capacity(keys.len());
        for key in keys {
            let stored = readable(self.deliveries, key).await?;
            due.extend(stored.filter(|stored| stored.delivery.is_due(self.host.now())));
        }
        Ok(due)
    }

    /// Changes what is due of some deliveries without an attempt. How many they were.
    async fn change_due(
        &self,
        keys: Vec<DeliveryKey>,
        change: impl Fn(Delivery) -> Delivery,
    ) -> Result<usize, StoreError> {
        Ok(self.changed(self.due_of(&keys).await?, change).await?.len())
    }

    /// Changes deliveries as they were read. Those that have changed meanwhile are left out.
    async fn changed(
        &self,
        stored: Vec<StoredDelivery>,
        change: impl Fn(Delivery) -> Delivery,
    ) -> Result<Vec<StoredDelivery>, StoreError> {
        let changes: Vec<_> = stored
            .into_iter()
            .map(|stored| {
                let after = change(stored.delivery.clone());
                (stored, after)
            })
            .collect();
        let replaced = self.deliveries.replace_all(&changes).await?;
        let changed = changes.into_iter().zip(replaced).filter(|(_, is_replaced)| *is_replaced);
        Ok(changed
            .map(|((stored, delivery), _)| StoredDelivery {
                delivery,
                revision: stored.revision + 1,
                ..stored
            })
            .collect())
    }

    /// Claims deliveries of a webhook, attempts them at once and marks what came of it: as they are then, and why.
    async fn attempt_each(
        &self,
        record: &WebhookRecord,
        keys: &[DeliveryKey],
    ) -> Result<Vec<(Delivery, Outcome)>, StoreError> {
        let due = self.due_of(keys).await?;
        // A delivery may have been put when the webhook took more, or under another webhook's name.
        let is_taken =
            |stored: &StoredDelivery| stored.event.as_ref().is_ok_and(|event| !record.webhook.takes(event));
        let (not_taken, due): (Vec<_>, Vec<_>) = due.into_iter().partition(is_taken);
        self.changed(not_taken, Delivery::skip).await?;
        let now = self.host.now();
        let claimed = if self.is_alone {
            due
        } else {
            self.changed(due, |delivery| delivery.claimed(now, CLAIM_SECONDS)).await?
        };
        let calls: FuturesUnordered<_> = claimed
            .into_iter()
            .map(|claimed| async move {
                let attempt = self.call(record, &claimed).await;
                (claimed, attempt)
            })
            .collect();
        let attempts: Vec<_> = calls.collect().await;
        let now = self.host.now();
        let (mut changes, mut outcomes) =
            (Vec::with_capacity(attempts.len()), Vec::with_capacity(attempts.len()));
        for (claimed, attempt) in attempts {
            let earlier =
                last_success(self.deliveries, self.configured.map(|(configuration, _)| configuration));
            // What was sent is marked, whatever cannot be read of others.
            let verdict = verdict(self.last_answer, &attempt.outcome, now, earlier).await;
            let verdict = verdict.unwrap_or(Verdict::SenderUnreached);
            let after = attempted(claimed.delivery.clone(), &self.schedule, attempt.clone(), verdict, now);
            changes.push((claimed, after));
            outcomes.push((attempt, verdict));
        }
        let replaced = self.deliveries.replace_all(&changes).await?;
        let mut marked = Vec::with_capacity(changes.len());
        for (((claimed, after), is_replaced), (attempt, verdict)) in
            changes.into_iter().zip(replaced).zip(outcomes)
        {
            let outcome = attempt.outcome.clone();
            let delivery = if is_replaced {
                after
            } else {
                mark(self.deliveries, &self.schedule, claimed, attempt, verdict, now).await?
            };
            log(&delivery, &outcome);
            self.note_health(record, &outcome, verdict, now).await?;
            marked.push((delivery, outcome));
        }
        Ok(marked)
    }

    async fn call(&self, record: &WebhookRecord, claimed: &StoredDelivery) -> Attempt {
        match self.message(record, claimed) {
            Ok((headers, body)) => {
                let url = record.webhook.settings.url.as_str();
                self.client.post(url, &headers, body, self.host.now()).await
            }
            Err(failure) => Attempt { outcome: Outcome::Failed(failure), host: None },
        }
    }

    /// Headers and body of a delivery.
    fn message(
        &self,
        record: &WebhookRecord,
        stored: &StoredDelivery,
    ) -> Result<(Headers, Vec<u8>), Failure> {
        let event = stored.event.as_ref().map_err(|reason| unusable(reason))?;
        if !stored.is_sealed_under(self.deployment_key) {
            return Err(unusable("its seal does not fit: this deployment did not write it"));
        }
        let event = match self.dashboard_url {
            Some(url) => event.clone().with_link(url),
            None => event.clone(),
        };
        let settings = &record.webhook.settings;
        let body = Body::of(&event, settings.content, settings.format);
        let id = stored.delivery.event_id;
        message(record, body, id, &self.secret_key, self.host.now())
            .map_err(|_| unusable("the secret of the webhook cannot be opened"))
    }

    /// Writes down how the endpoint fares, if that is not known already, and that the webhook is disabled for it.
    async fn note_health(
        &self,
        record: &WebhookRecord,
        outcome: &Outcome,
        verdict: Verdict,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut record = record.clone();
        for _ in 0..REREADS {
            let Some(health) = health_after(&record.health, outcome, verdict, now) else { return Ok(()) };
            let disabled = health.disabled.filter(|_| record.webhook.is_enabled());
            let mut event = None;
            let id = record.webhook.id;
            let mut after = WebhookRecord { health, ..record };
            if let Some(disabled) = disabled {
                let change = TrailChange::Disabled { reason: disabled.reason.into() };
                let disabling = TrailEvent::record(id, &after.trail, Actor::Service, change, now);
                after.trail = disabling.head();
                after.webhook = after.webhook.disable(disabled.reason.into(), now);
                event = Some(disabling);
            }
            let change = WebhookChange::new(&after, event.as_ref(), None, self.deployment_key)?;
            match self.deliveries.commit_webhook(change).await {
                Ok(()) => {
                    if let Some(disabled) = disabled {
                        let reason = disabled.reason.as_str();
                        tracing::error!(webhook_id = %id, reason, "a webhook is disabled");
                    }
                    return Ok(());
                }
                // INVARIANT: what another writer has made of it is never bound anew.
                Err(CommitError::Conflict) => match self.unaltered(self.deliveries.webhook(id).await?)? {
                    Some(changed) => record = changed,
                    None => return Ok(()),
                },
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
        // Another attempt will find the same.
        Ok(())
    }
}
