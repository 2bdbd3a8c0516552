//! Events across streams: read by queries, and recorded where they are about no request.

use super::StoreError;
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::cloud_event::Message;
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::text::InstanceId;
use countersign_core::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

/// Reads events across streams.
pub trait QueryEvents: Send + Sync {
    /// One page of the events that match. May lag behind, but by less than [`EventQuery::until`] leaves out on AWS.
    fn query_events(&self, query: &EventQuery) -> impl Future<Output = Result<EventPage, StoreError>> + Send;
}

/// Which events to read. All filters hold together.
#[derive(Debug, Clone, PartialEq)]
pub struct EventQuery {
    /// Of this stream.
    pub stream: Option<Stream>,
    /// Of requests for this instance.
    pub instance_id: Option<InstanceId>,
    /// Of one of these actors, which are all ids of one person. Empty for anybody.
    pub users: BTreeSet<PersonId>,
    /// Of one of these types. Empty for any.
    pub event_types: BTreeSet<EventType>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub until: Timestamp,
    /// Whether the oldest comes first.
    pub is_ascending: bool,
    /// At most so many. There may be fewer on a page that is not the last.
    pub limit: usize,
    /// The position that the page before named as the next one.
    pub after: Option<String>,
}

/// One page of events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// The events that can be read, in order.
    pub events: Vec<AuditEvent>,
    /// The position of the next page; `None` on the last.
    pub next: Option<String>,
    /// The end of the walk, which is the same on all of its pages: not after [`EventQuery::until`].
    pub until: Timestamp,
    /// Of each event that cannot be read, where it stands and why it cannot.
    pub damaged: Vec<String>,
}

impl EventPage {
    /// A last page without events.
    pub fn until(until: Timestamp) -> Self {
        Self { events: Vec::new(), next: None, until, damaged: Vec::new() }
    }
}

/// Reads the end of a stream.
pub trait LastEvent: Send + Sync {
    /// The last event of a stream, if there is one; strongly consistent.
    fn last_event(
        &self,
        stream: &Stream,
    ) -> impl Future<Output = Result<Option<AuditEvent>, StoreError>> + Send;
}

/// Records events that change no request.
pub trait RecordEvent: LastEvent {
    /// Writes an event, and that it waits for what becomes of it, in one transaction. `false` if another event stands at its
    /// place already, or is being written there.
    fn record_event(
        &self,
        event: &AuditEvent,
        sequel: Sequel<'_>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// What is written with an event that changes no request.
#[derive(Debug, Clone, Copy)]
pub enum Sequel<'a> {
    /// It is published.
    Publish(&'a Message),
    /// It is not published.
    Keep,
    /// It is not published, and stands for what was counted, which is forgotten.
    Settle(&'a CountedAttempts),
}

/// Counts what is not recorded one by one.
pub trait CountAttempts: Send + Sync {
    /// Adds to the refused attempts of the actor on the day of `at`.
    fn count_attempts(
        &self,
        actor: &Principal,
        code: &'static str,
        attempts: u64,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Finds what has been counted.
pub trait CountedAttemptsStore: RecordEvent {
    /// All that has been counted and not been recorded.
    fn counted_attempts(&self) -> impl Future<Output = Result<Vec<CountedAttempts>, StoreError>> + Send;
}

/// Refused attempts of one person on one day, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedAttempts {
    /// Where the count stands.
    pub key: String,
    /// Whose they are.
    pub person: PersonId,
    /// The kind and channel of the last of them.
    pub kind: PrincipalKind,
    /// See `kind`.
    pub channel: Channel,
    /// How many, for each code of the API.
    pub by_code: BTreeMap<String, u64>,
    /// When the first of them was.
    pub since: Timestamp,
    /// How many there are.
    pub total: u64,
}
