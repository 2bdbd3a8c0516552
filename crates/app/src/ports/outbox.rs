//! The outbox: what is committed, and not yet both delivered and in the audit log; and who delivers it.

use super::StoreError;
use countersign_core::cloud_event::{self, CloudEvent};
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::ids::EventId;
use countersign_core::notification::EventPlace;
use countersign_core::timestamp::Timestamp;
use std::future::Future;

/// A message that waits for delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEntry {
    /// Where it is.
    pub key: OutboxKey,
    /// How often its delivery has failed.
    pub attempts: u32,
    /// The message, or why it cannot be read.
    pub event: Result<CloudEvent, String>,
    /// The message as it is stored.
    pub document: String,
    /// What binds it, see [`cloud_event::seal`].
    pub seal: Option<Digest>,
    /// Whether it has been published, and only waits for the log.
    pub is_published: bool,
}

impl OutboxEntry {
    /// Whether the deployment that has this key wrote the message as it stands, with the event whose id is
    /// the entry's.
    pub fn is_sealed_under(&self, key: &DeploymentKey) -> bool {
        EventId::parse(&self.key.event_id)
            .is_ok_and(|event_id| self.seal == Some(cloud_event::seal(event_id, &self.document, key)))
    }
}

/// Some entries of one partition.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxPage {
    /// The entries, the oldest first.
    pub entries: Vec<OutboxEntry>,
    /// After which entry the next page begins; `None` on the last. A page may be short, or empty,
    /// and not the last.
    pub next: Option<OutboxKey>,
}

/// The place of an outbox entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxKey {
    /// Its partition.
    pub shard: String,
    /// Its event, as stored.
    pub event_id: String,
}

/// An entry that names an event which is not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEntry {
    /// Where it is.
    pub key: OutboxKey,
    /// Where the event stands; `None` if it cannot be read.
    pub place: Option<EventPlace>,
}

/// Some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPage {
    /// The entries, the oldest first.
    pub entries: Vec<RecordedEntry>,
    /// See [`OutboxPage::next`].
    pub next: Option<OutboxKey>,
}

/// The two ways in which an entry is settled. It is gone when both have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Its message was delivered.
    Published,
    /// Its event is in the audit log.
    Logged,
}

/// The outbox: what is committed, and not yet both delivered and in the audit log.
pub trait Outbox: Send + Sync {
    /// The names of the partitions that hold undelivered entries.
    fn shards(&self) -> Vec<String>;

    /// The name of the partition of dead letters.
    fn dead_shard(&self) -> String;

    /// A page of the entries of one partition whose events are not known to be in the log, the oldest first, from after
    /// `after`.
    fn unlogged(
        &self,
        shard: &str,
        after: Option<&OutboxKey>,
    ) -> impl Future<Output = Result<OutboxPage, StoreError>> + Send;

    /// A page of the events that are not published, and not known to be in the log, from after `after`.
    fn recorded(
        &self,
        after: Option<&OutboxKey>,
    ) -> impl Future<Output = Result<RecordedPage, StoreError>> + Send;

    /// A page of the undelivered entries of one shard made before `before`, the oldest first, from after
    /// `after`.
    fn undelivered(
        &self,
        shard: &str,
        before: Timestamp,
        after: Option<&OutboxKey>,
    ) -> impl Future<Output = Result<OutboxPage, StoreError>> + Send;

    /// One entry, strongly consistent; `None` if it is gone or a dead letter.
    fn entry(&self, key: &OutboxKey) -> impl Future<Output = Result<Option<OutboxEntry>, StoreError>> + Send;

    /// Notes that an entry is settled in one way, and forgets it if it is in the other, or if there is no other: what is
    /// not published is only logged. Nothing happens if it is gone already.
    fn settle(
        &self,
        key: &OutboxKey,
        settled: Settled,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The same for several: in one step where that costs less. What was settled before an error stays so.
    fn settle_all(
        &self,
        keys: &[OutboxKey],
        settled: Settled,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How many entries it is worth settling together.
    fn together(&self) -> usize;

    /// Counts a failed delivery.
    fn count_failure(&self, key: &OutboxKey) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Moves an entry to the dead letters. Nothing happens if it is gone already.
    fn dead_letter(&self, key: &OutboxKey) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// A page of the dead letters, the oldest first, from after `after`.
    fn dead(&self, after: Option<&OutboxKey>) -> impl Future<Output = Result<OutboxPage, StoreError>> + Send;

    /// Puts a dead letter back for delivery, with no failures counted. `false` if there is none
    /// of that event.
    fn redrive(&self, event_id: EventId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// How much is left to do.
    fn backlog(&self) -> impl Future<Output = Result<Backlog, StoreError>> + Send;
}

/// What an outbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// When the oldest undelivered entry was made.
    pub oldest: Option<Timestamp>,
    /// How many undelivered entries there are, as far as they are counted: up to some hundred of each partition.
    pub waiting: usize,
    /// How many dead letters there are.
    pub dead: usize,
    /// When the oldest entry was made whose event is not in the log.
    pub unlogged: Option<Timestamp>,
}

/// Tells the world.
pub trait Publish: Send + Sync {
    /// Delivers one CloudEvent, at least once.
    fn publish(&self, event: &CloudEvent) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The other side answered that it does not take this message.
    #[error("{0}")]
    Refused(String),
    /// The other side did not answer, or answered what it would answer to every message: it cannot take one
    /// now, or may not from this caller. This says nothing about the message, unless others get through
    /// meanwhile.
    #[error("{0}")]
    Unreachable(String),
}
