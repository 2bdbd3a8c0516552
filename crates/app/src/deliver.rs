//! Delivery of what is committed: each event at least once, or a dead letter that an operator can see.
//!
//! An entry of the outbox is the delivery to the one destination that all events have: the topic, or the log. Before it is
//! published there, each webhook that takes the event gets a delivery of its own (`courier.rs`), so that what one destination
//! does changes nothing for another. So does each place that `notifications.toml` names for it (`route.rs`). To put them again changes nothing: an entry that fails is routed anew with each attempt.

use crate::error::AppError;
use crate::host::Host;
use crate::ports::{
    AllWebhooks, DamagedWebhook, LoadHold, LoadRequest, NewDelivery, NoSubscribers, Outbox, OutboxEntry,
    OutboxKey, Publish, PublishError, PutDelivery, ReadPreferences, ReadWebhooks, Settled, StoreError,
};
use crate::route::{NoRequests, Routing};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::state::Delivery;
use countersign_webhook::webhook::WebhookId;
use std::time::Duration;

/// How often a delivery may fail before the entry becomes a dead letter.
pub const MAX_ATTEMPTS: u32 = 10;

/// What a delivery sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Entries delivered.
    pub published: usize,
    /// Entries whose delivery failed and will be tried again.
    pub failed: usize,
    /// Entries that became dead letters.
    pub dead_lettered: usize,
    /// Deliveries that webhooks and configured destinations were given.
    pub routed: usize,
    /// Whether time ran out before the end.
    pub cut_short: bool,
}

/// Who gets deliveries of their own.
#[derive(Debug, Clone, Copy)]
pub struct Subscribers<'a, W, R> {
    /// The webhooks, and where deliveries are put.
    pub deliveries: &'a W,
    /// Who hears of what, if the operator has said so.
    pub routing: Option<Routing<'a, R>>,
}

impl Subscribers<'static, NoSubscribers, NoRequests> {
    /// None.
    pub const NONE: Self = Self { deliveries: &NoSubscribers, routing: None };
}

/// Delivers everything in the outbox that was made before `before`, for at most `budget`.
///
/// An entry that fails stays, is counted, and holds up no other; after [`MAX_ATTEMPTS`] failures,
/// or at once if it cannot be read, it becomes a dead letter. A failure to reach the other side is
/// counted only if something else got through in the same sweep: an outage of days makes no dead letter,
/// and the first sweep after it delivers. With the deployment's `key`, what this deployment did not write
/// is a dead letter at once, too.
///
/// # Errors
/// [`AppError::Unavailable`] when the outbox cannot be read or written, or deliveries cannot be put.
pub async fn deliver<
    S: Outbox,
    P: Publish,
    W: ReadWebhooks + PutDelivery + ReadPreferences,
    R: LoadRequest + LoadHold,
>(
    outbox: &S,
    publisher: &P,
    subscribers: Subscribers<'_, W, R>,
    key: Option<&DeploymentKey>,
    host: &dyn Host,
    before: Timestamp,
    budget: Duration,
) -> Result<DeliveryReport, AppError> {
    let began = host.elapsed();
    let mut pass = Pass::begin(outbox, publisher, subscribers, key, host);
    // Another shard is the first in each minute: one whose entries take all the time starves no other
    // for long.
    let mut shards = outbox.shards();
    let minute = usize::try_from(host.now().as_millisecond() / 60_000).unwrap_or_default();
    let first = minute % shards.len().max(1);
    shards.rotate_left(first);
    for shard in shards {
        let mut after = None;
        loop {
            let page = outbox.undelivered(&shard, before, after.as_ref()).await?;
            for entry in page.entries {
                if host.elapsed().saturating_sub(began) >= budget {
                    pass.report.cut_short = true;
                    return Ok(pass.end().await?);
                }
                pass.deliver(entry).await?;
                if pass.published.len() >= outbox.together() {
                    pass.settle().await?;
                }
            }
            // Before the next page is read, and not only at the end: a pass that dies delivers little again.
            pass.settle().await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(pass.end().await?)
}

/// Delivers the entries of these keys, which the stream has just reported; returns for each whether it
/// is settled: delivered, a dead letter, or gone already. What is not stays for the sweep.
pub async fn deliver_each<
    S: Outbox,
    P: Publish,
    W: ReadWebhooks + PutDelivery + ReadPreferences,
    R: LoadRequest + LoadHold,
>(
    outbox: &S,
    publisher: &P,
    subscribers: Subscribers<'_, W, R>,
    host: &dyn Host,
    keys: &[OutboxKey],
) -> Vec<bool> {
    let mut pass = Pass::begin(outbox, publisher, subscribers, None, host);
    let mut settled = Vec::with_capacity(keys.len());
    for key in keys {
        let delivered = match pass.deliver_key(key).await {
            Ok(is_settled) => pass.settle().await.map(|()| is_settled),
            Err(error) => Err(error),
        };
        settled.push(delivered.unwrap_or_else(|error| {
            tracing::warn!(event_id = %key.event_id, error = %error, "the outbox does not answer");
            false
        }));
    }
    if let Err(error) = pass.end().await {
        tracing::warn!(error = %error, "the outbox does not answer");
    }
    settled
}

/// One walk over some entries.
struct Pass<'a, S, P, W, R> {
    outbox: &'a S,
    publisher: &'a P,
    subscribers: Subscribers<'a, W, R>,
    key: Option<&'a DeploymentKey>,
    host: &'a dyn Host,
    /// The webhooks, read when the first entry needs them.
    webhooks: Option<AllWebhooks>,
    report: DeliveryReport,
    /// What was published and is not settled yet.
    published: Vec<OutboxKey>,
    /// Keys and earlier failures of what could not be delivered because the publisher was not reached.
    unreached: Vec<(OutboxKey, u32)>,
}

impl<'a, S: Outbox, P: Publish, W: ReadWebhooks + PutDelivery + ReadPreferences, R: LoadRequest + LoadHold>
    Pass<'a, S, P, W, R>
{
    fn begin(
        outbox: &'a S,
        publisher: &'a P,
        subscribers: Subscribers<'a, W, R>,
        key: Option<&'a DeploymentKey>,
        host: &'a dyn Host,
    ) -> Self {
        let (published, unreached) = (Vec::new(), Vec::new());
        let report = DeliveryReport::default();
        Self { outbox, publisher, subscribers, key, host, webhooks: None, report, published, unreached }
    }

    async fn deliver_key(&mut self, key: &OutboxKey) -> Result<bool, StoreError> {
        // The stream reports dead letters as well: they are not delivered again.
        if !self.outbox.shards().contains(&key.shard) {
            return Ok(true);
        }
        match self.outbox.entry(key).await? {
            None => Ok(true),
            Some(entry) => self.deliver(entry).await,
        }
    }

    /// Delivers one entry. `false` if it is to be tried again; what was published is still to be settled.
    async fn deliver(&mut self, entry: OutboxEntry) -> Result<bool, StoreError> {
        let is_ours = self.key.is_none_or(|key| entry.is_sealed_under(key));
        let OutboxEntry { key, attempts, event, is_published, document, seal } = entry;
        // It waits for the log.
        if is_published {
            return Ok(true);
        }
        let event = match event {
            Ok(event) => event,
            Err(unreadable) => return self.dead_letter(&key, attempts + 1, &unreadable).await,
        };
        if !is_ours {
            return self
                .dead_letter(&key, attempts + 1, "its seal does not fit: this deployment did not write it")
                .await;
        }
        self.route(&event, &document, seal).await?;
        match self.publisher.publish(&event).await {
            Ok(()) => {
                self.published.push(key);
                Ok(true)
            }
            Err(PublishError::Refused(error)) => self.count(&key, attempts, &error).await,
            Err(PublishError::Unreachable(error)) => {
                tracing::warn!(event_id = %key.event_id, attempts, error, "delivery failed");
                self.unreached.push((key, attempts));
                self.report.failed += 1;
                Ok(false)
            }
        }
    }

    /// Gives each webhook that takes the event a delivery. One that is disabled gets one that is skipped, which can be
    /// delivered later; so does one whose record cannot be read, which holds up no other. What happened before a webhook was made
    /// is none of its events.
    async fn route(
        &mut self,
        event: &CloudEvent,
        document: &str,
        seal: Option<Digest>,
    ) -> Result<(), StoreError> {
        let webhooks = match self.webhooks.take() {
            Some(webhooks) => webhooks,
            None => self.subscribers.deliveries.webhooks().await?,
        };
        let notice = &event.notice;
        let (event_id, event_type, now) = (notice.event_id(), notice.event_type(), self.host.now());
        let (request_id, sequence) = (notice.request_id(), notice.sequence());
        let delivery_to = |id: WebhookId| {
            let destination = id.destination().map_err(|error| StoreError::Corrupt(error.to_string()))?;
            Ok(Delivery::new(destination, event_id, request_id, sequence, event_type, now))
        };
        let mut deliveries = Vec::new();
        for damaged in &webhooks.damaged {
            let DamagedWebhook { id, reason } = damaged;
            let webhook_id = id.map(|id| id.to_string()).unwrap_or_default();
            tracing::error!(webhook_id, %event_id, error = reason, "a webhook cannot be read: its events are skipped");
            if let Some(id) = *id {
                deliveries.push(delivery_to(id)?.skip());
            }
        }
        for record in &webhooks.records {
            let webhook = &record.webhook;
            let is_for_it = record.deleted_at.is_none() && notice.timestamp() >= webhook.created_at;
            if !is_for_it || !webhook.takes(event) {
                continue;
            }
            let delivery = delivery_to(webhook.id)?;
            deliveries.push(if webhook.is_enabled() { delivery } else { delivery.skip() });
        }
        self.webhooks = Some(webhooks);
        if let Some(routing) = &self.subscribers.routing {
            deliveries.extend(routing.of_event(event, self.subscribers.deliveries, self.host).await?);
        }
        let new: Vec<_> =
            deliveries.iter().map(|delivery| NewDelivery { delivery, document, seal }).collect();
        self.report.routed += self.subscribers.deliveries.put_all_new(&new).await?;
        Ok(())
    }

    /// Settles in the outbox what was published.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let published = std::mem::take(&mut self.published);
        if !published.is_empty() {
            self.outbox.settle_all(&published, Settled::Published).await?;
            self.report.published += published.len();
        }
        Ok(())
    }

    /// Counts a failure; the last one makes a dead letter.
    async fn count(&mut self, key: &OutboxKey, attempts: u32, error: &str) -> Result<bool, StoreError> {
        let attempts = attempts + 1;
        if attempts >= MAX_ATTEMPTS {
            return self.dead_letter(key, attempts, error).await;
        }
        tracing::warn!(event_id = %key.event_id, attempts, is_dead = false, error, "delivery failed");
        self.outbox.count_failure(key).await?;
        self.report.failed += 1;
        Ok(false)
    }

    async fn dead_letter(&mut self, key: &OutboxKey, attempts: u32, error: &str) -> Result<bool, StoreError> {
        tracing::warn!(event_id = %key.event_id, attempts, is_dead = true, error, "delivery failed");
        self.outbox.dead_letter(key).await?;
        self.report.dead_lettered += 1;
        Ok(true)
    }

    /// Now it is known whether the other side was there at all.
    async fn end(mut self) -> Result<DeliveryReport, StoreError> {
        self.settle().await?;
        if self.report.published > 0 {
            for (key, attempts) in std::mem::take(&mut self.unreached) {
                self.report.failed -= 1;
                self.count(&key, attempts, "others were delivered meanwhile").await?;
            }
        }
        Ok(self.report)
    }
}
