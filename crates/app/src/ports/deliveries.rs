//! Deliveries and webhooks: what waits for which destination, and which webhooks there are.

use super::{CommitError, StoreError};
use crate::host::BoxFuture;
use countersign_core::cloud_event::{self, CloudEvent};
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::ids::EventId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::health::Health;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::state::{Attempt, Delivery};
use countersign_webhook::secret::{SealedSecret, Secrets};
use countersign_webhook::trail::{TrailEvent, TrailHead};
use countersign_webhook::webhook::{Webhook, WebhookId};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

/// A webhook with all that is stored of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRecord {
    /// What its owner has set.
    pub webhook: Webhook,
    /// Its secrets.
    pub secrets: Secrets<SealedSecret>,
    /// How its endpoint fares.
    pub health: Health,
    /// Where the trail of its changes ends.
    pub trail: TrailHead,
    /// When it was deleted. Its record stays, for those who read its trail and the log of its deliveries.
    pub deleted_at: Option<Timestamp>,
    /// What binds the webhook, see [`Webhook::seal`]. As it was read; a change computes its own.
    pub seal: Option<Digest>,
    /// Counts the changes of the record: it is written only as the successor of the one that was read. 0 has not been stored.
    pub revision: u64,
}

impl WebhookRecord {
    /// The record, if the deployment that has this key wrote the webhook as it stands.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it did not.
    pub fn unaltered(self, key: &DeploymentKey) -> Result<Self, StoreError> {
        if self.seal.is_some() && self.seal == self.webhook.seal(key).ok() {
            return Ok(self);
        }
        let id = self.webhook.id;
        Err(StoreError::Damaged(format!(
            "the seal of webhook {id} does not fit: this deployment did not write it"
        )))
    }
}

/// All webhooks of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllWebhooks {
    /// Those that can be read, by id.
    pub records: Vec<WebhookRecord>,
    /// Those that cannot.
    pub damaged: Vec<DamagedWebhook>,
}

/// A webhook whose record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedWebhook {
    /// The id that the record stands under, if that is one.
    pub id: Option<WebhookId>,
    /// What is wrong with it. It names no value.
    pub reason: String,
}

/// How many webhooks there are, so that two callers who make one at the same time do not exceed the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookCount {
    /// Those that are not deleted.
    pub webhooks: u32,
    /// Counts the changes. 0 has not been stored.
    pub revision: u64,
}

/// A change of a webhook, which is written as a whole or not at all.
#[derive(Debug, Clone)]
pub struct WebhookChange<'a> {
    /// The record as it is to be. What is stored must have the [`revision`](WebhookRecord::revision) that it has, and gets the next one.
    pub record: &'a WebhookRecord,
    /// What is added to its trail; what only the health of the endpoint changes is in no trail.
    pub event: Option<&'a TrailEvent>,
    /// The number of webhooks, as [`record`](Self::record), if it changes.
    pub count: Option<WebhookCount>,
    seal: Digest,
}

impl<'a> WebhookChange<'a> {
    /// A change of a record, bound with the key of the deployment.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a webhook without a JSON form, of which there is none.
    pub fn new(
        record: &'a WebhookRecord,
        event: Option<&'a TrailEvent>,
        count: Option<WebhookCount>,
        key: &DeploymentKey,
    ) -> Result<Self, StoreError> {
        let seal = record.webhook.seal(key).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(Self { record, event, count, seal })
    }

    /// What binds the webhook as it is to be.
    pub fn seal(&self) -> Digest {
        self.seal
    }
}

/// Reads webhooks, strongly consistent.
pub trait ReadWebhooks: Send + Sync {
    /// All of them, those that are deleted too. One that cannot be read keeps none of the others back.
    fn webhooks(&self) -> impl Future<Output = Result<AllWebhooks, StoreError>> + Send;

    /// The webhook of this id, deleted or not.
    fn webhook(
        &self,
        id: WebhookId,
    ) -> impl Future<Output = Result<Option<WebhookRecord>, StoreError>> + Send;

    /// How many there are.
    fn webhook_count(&self) -> impl Future<Output = Result<WebhookCount, StoreError>> + Send;

    /// The events of a trail as documents, the oldest first, at most `limit`, from after `after`.
    fn webhook_trail(
        &self,
        id: WebhookId,
        after: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
}

/// Writes webhooks.
pub trait WriteWebhooks: Send + Sync {
    /// All of the change, or none.
    fn commit_webhook(
        &self,
        change: WebhookChange<'_>,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
}

/// A delivery and the message that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDelivery {
    /// Where it stands.
    pub delivery: Delivery,
    /// The event of the message, or why none can be read: a report has none.
    pub event: Result<CloudEvent, String>,
    /// The message as it is stored.
    pub document: String,
    /// What binds it, see [`cloud_event::seal`].
    pub seal: Option<Digest>,
    /// Counts the changes: it is written only as the successor of the one that was read.
    pub revision: u64,
}

impl StoredDelivery {
    /// Whether the deployment that has this key wrote the message as it stands, with the event that is delivered.
    pub fn is_sealed_under(&self, key: &DeploymentKey) -> bool {
        self.seal == Some(cloud_event::seal(self.delivery.event_id, &self.document, key))
    }
}

/// A delivery that is not stored yet.
#[derive(Debug, Clone, Copy)]
pub struct NewDelivery<'a> {
    /// Where it stands.
    pub delivery: &'a Delivery,
    /// The message.
    pub document: &'a str,
    /// What binds it.
    pub seal: Option<Digest>,
}

/// Where a delivery is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    /// To where.
    pub destination: DestinationId,
    /// Of which event.
    pub event_id: EventId,
}

/// Some deliveries of one destination.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryPage {
    /// The deliveries, but for those that cannot be read.
    pub deliveries: Vec<StoredDelivery>,
    /// How many cannot be read.
    pub damaged: usize,
    /// After which event the next page begins; `None` on the last. A page may be short, or empty, and not the last.
    pub next: Option<EventId>,
}

/// What is read of the deliveries of one destination. Times are those of events.
#[derive(Debug, Clone)]
pub struct DeliveryQuery {
    /// The destination.
    pub destination: DestinationId,
    /// From when, inclusive.
    pub from: Timestamp,
    /// Until when, inclusive.
    pub to: Timestamp,
    /// Whether the latest come first.
    pub is_newest_first: bool,
    /// See [`DeliveryPage::next`].
    pub after: Option<EventId>,
    /// How many, at most.
    pub limit: usize,
}

/// How much waits for a destination, and how much was given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryBacklog {
    /// Deliveries that wait, those that are held for quiet hours too.
    pub waiting: usize,
    /// The time of the oldest event among them.
    pub oldest: Option<Timestamp>,
    /// Deliveries whose last attempt failed.
    pub dead: usize,
}

/// Stands for the destination of what is in the index, and has a key that is none of a delivery.
pub const UNREADABLE: &str = "unreadable";

/// Puts deliveries.
pub trait PutDelivery: Send + Sync {
    /// Puts a delivery, unless the event has one for its destination. Whether it was put.
    fn put_new(&self, delivery: NewDelivery<'_>) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The same of several. How many were put; those before a failure may have been.
    fn put_all_new(
        &self,
        deliveries: &[NewDelivery<'_>],
    ) -> impl Future<Output = Result<usize, StoreError>> + Send {
        async move {
            let mut put = 0;
            for delivery in deliveries {
                put += usize::from(self.put_new(*delivery).await?);
            }
            Ok(put)
        }
    }
}

/// Where no event has subscribers of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSubscribers;

impl ReadWebhooks for NoSubscribers {
    async fn webhooks(&self) -> Result<AllWebhooks, StoreError> {
        Ok(AllWebhooks::default())
    }

    async fn webhook(&self, _id: WebhookId) -> Result<Option<WebhookRecord>, StoreError> {
        Ok(None)
    }

    async fn webhook_count(&self) -> Result<WebhookCount, StoreError> {
        Ok(WebhookCount::default())
    }

    async fn webhook_trail(
        &self,
        _id: WebhookId,
        _after: u64,
        _limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

impl PutDelivery for NoSubscribers {
    async fn put_new(&self, _delivery: NewDelivery<'_>) -> Result<bool, StoreError> {
        Ok(false)
    }
}

impl<T: ReadWebhooks> ReadWebhooks for Option<T> {
    async fn webhooks(&self) -> Result<AllWebhooks, StoreError> {
        match self {
            Some(webhooks) => webhooks.webhooks().await,
            None => NoSubscribers.webhooks().await,
        }
    }

    async fn webhook(&self, id: WebhookId) -> Result<Option<WebhookRecord>, StoreError> {
        match self {
            Some(webhooks) => webhooks.webhook(id).await,
            None => NoSubscribers.webhook(id).await,
        }
    }

    async fn webhook_count(&self) -> Result<WebhookCount, StoreError> {
        match self {
            Some(webhooks) => webhooks.webhook_count().await,
            None => NoSubscribers.webhook_count().await,
        }
    }

    async fn webhook_trail(
        &self,
        id: WebhookId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        match self {
            Some(webhooks) => webhooks.webhook_trail(id, after, limit).await,
            None => NoSubscribers.webhook_trail(id, after, limit).await,
        }
    }
}

impl<T: PutDelivery> PutDelivery for Option<T> {
    async fn put_new(&self, delivery: NewDelivery<'_>) -> Result<bool, StoreError> {
        match self {
            Some(deliveries) => deliveries.put_new(delivery).await,
            None => NoSubscribers.put_new(delivery).await,
        }
    }

    async fn put_all_new(&self, new: &[NewDelivery<'_>]) -> Result<usize, StoreError> {
        match self {
            Some(deliveries) => deliveries.put_all_new(new).await,
            None => NoSubscribers.put_all_new(new).await,
        }
    }
}

/// Reads deliveries.
pub trait ReadDeliveries: Send + Sync {
    /// One delivery, strongly consistent.
    fn delivery(
        &self,
        key: &DeliveryKey,
    ) -> impl Future<Output = Result<Option<StoredDelivery>, StoreError>> + Send;

    /// A page of the deliveries of one destination.
    fn deliveries(
        &self,
        query: &DeliveryQuery,
    ) -> impl Future<Output = Result<DeliveryPage, StoreError>> + Send;
}

/// Changes deliveries.
pub trait Deliveries: PutDelivery + ReadDeliveries {
    /// The deliveries that are due at `now`, the longest due first, at most `limit` of each partition, but for those whose key is
    /// none. May lag behind.
    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DeliveryKey>, StoreError>> + Send;

    /// What waits and what was given up, by [`DestinationId::without_recipient`], and under [`UNREADABLE`] what has a key that is none.
    /// May lag behind.
    fn delivery_backlog(
        &self,
    ) -> impl Future<Output = Result<BTreeMap<String, DeliveryBacklog>, StoreError>> + Send;

    /// The deliveries whose last attempt failed, the longest dead first. May lag behind.
    fn dead_deliveries(&self) -> impl Future<Output = Result<Vec<DeliveryKey>, StoreError>> + Send;

    /// Replaces a delivery by the same as an attempt or an operator leaves it. `false` if it has changed since it was read.
    fn replace(
        &self,
        before: &StoredDelivery,
        after: &Delivery,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The same of several, whichever of them have changed. Those before a failure may have been replaced.
    fn replace_all(
        &self,
        changes: &[(StoredDelivery, Delivery)],
    ) -> impl Future<Output = Result<Vec<bool>, StoreError>> + Send {
        async move {
            let mut replaced = Vec::with_capacity(changes.len());
            for (before, after) in changes {
                replaced.push(self.replace(before, after).await?);
            }
            Ok(replaced)
        }
    }

    /// Forgets deliveries of a destination that are closed, or cannot be read, of events of `until` or before, at most `limit`. How
    /// many they were.
    fn forget(
        &self,
        destination: &DestinationId,
        until: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;
}

/// Calls the addresses of webhooks, and no others than may be called.
pub trait WebhookClient: Send + Sync + fmt::Debug {
    /// Why an address may not be registered, as the rest of a sentence about it; nothing if it may.
    ///
    /// # Errors
    /// The rule that it breaks. It names no value.
    fn check(&self, url: &str) -> Result<(), String>;

    /// Sends a body to an address, once, and reads no more of the answer than its status. `now` is what a date in the answer
    /// is counted from.
    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: &'a [(String, String)],
        body: Vec<u8>,
        now: Timestamp,
    ) -> BoxFuture<'a, Attempt>;
}

/// Where no webhook is called.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWebhookClient;

impl WebhookClient for NoWebhookClient {
    fn check(&self, _url: &str) -> Result<(), String> {
        Err("cannot be called by this service".to_owned())
    }

    fn post<'a>(
        &'a self,
        _url: &'a str,
        _headers: &'a [(String, String)],
        _body: Vec<u8>,
        _now: Timestamp,
    ) -> BoxFuture<'a, Attempt> {
        let failure = Failure {
            class: FailureClass::Unusable,
            status: None,
            retry_after: None,
            detail: "this service calls no webhooks".to_owned(),
        };
        Box::pin(std::future::ready(Attempt { outcome: Outcome::Failed(failure), host: None }))
    }
}
