//! What the use cases need of a store and of a publisher, one capability per trait.
//!
//! A function that only reads is built from something that only reads: the bounds of an operation
//! are the least privilege of its function, in types.

mod channels;
mod deliveries;
mod events;
mod holds;
mod outbox;
mod preferences;

pub use channels::{
    ChannelMessage, ChannelStore, DestinationSender, DigestRecord, Matter, MinuteCount, Outgoing,
    PlaceRecord, Thread,
};
pub use deliveries::{
    AllWebhooks, DamagedWebhook, Deliveries, DeliveryBacklog, DeliveryKey, DeliveryPage, DeliveryQuery,
    NewDelivery, NoSubscribers, NoWebhookClient, PutDelivery, ReadDeliveries, ReadWebhooks, StoredDelivery,
    UNREADABLE, WebhookChange, WebhookClient, WebhookCount, WebhookRecord, WriteWebhooks,
};
pub use events::{
    CountAttempts, CountedAttempts, CountedAttemptsStore, EventPage, EventQuery, LastEvent, QueryEvents,
    RecordEvent, Sequel,
};
pub use holds::{ListHolds, LoadHold, PutHold, StoredHold};
pub use outbox::{
    Backlog, Outbox, OutboxEntry, OutboxKey, OutboxPage, Publish, PublishError, RecordedEntry, RecordedPage,
    Settled,
};
pub use preferences::{AllPreferences, PreferencesRecord, ReadPreferences, WritePreferences};

use countersign_core::audit::{self, AuditEvent, Stream};
use countersign_core::cloud_event::Message;
use countersign_core::continuation::Continuation;
use countersign_core::digest::DeploymentKey;
use countersign_core::event::Event;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::notification::{Notice, Notification};
use countersign_core::person::PersonId;
use countersign_core::policy::request_view::RequestView;
use countersign_core::principal::{Owner, Principal};
use countersign_core::request::{Decision, Request, Status};
use countersign_core::requirements::Requirements;
use countersign_core::requirements::{MAX_APPROVED_LIMIT, MAX_PENDING_LIMIT};
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::slots::{Groups, Slots};
use countersign_core::text::{Identifier, InstanceId};
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::future::Future;

/// Why the store did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Throttled, timed out or out of reach. A write may or may not have happened.
    #[error("{0}")]
    Unavailable(String),
    /// A call is refused as invalid, or answered by what no answer can be.
    #[error("{0}")]
    Corrupt(String),
    /// A stored item cannot be read, or contradicts itself: something else than this program has
    /// written it.
    #[error("{0}")]
    Damaged(String),
    /// A position is none of that list.
    #[error("malformed cursor")]
    MalformedCursor,
}

/// Why a change was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another command was faster: the condition failed, or its transaction was under way.
    #[error("conflict")]
    Conflict,
    /// As for reads, see [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything that one event writes, in one transaction or not at all.
#[derive(Debug, Clone)]
pub struct ChangeSet<'a> {
    /// The request as it was read; `None` if the event creates it.
    pub before: Option<&'a Request>,
    /// The request as the event leaves it.
    pub after: &'a Request,
    /// The event's audit record.
    pub audit: &'a AuditEvent,
    /// All ids of the actor. If the event is a decision, none of them may have made or approved
    /// the request.
    pub addresses: &'a BTreeSet<PersonId>,
    /// What is to be published.
    pub message: &'a Message,
    /// When the request has to be looked at, if the event has set that.
    pub timer: Option<Timer>,
    /// Who waits for a request that is made.
    pub continuation: Option<&'a Continuation>,
}

/// A reason to look at a request at a time, and no more: what is done then is decided by the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// The time.
    pub at: Timestamp,
    /// The request.
    pub request_id: RequestId,
}

/// Timers whose time has come.
pub trait Timers: Send + Sync {
    /// The first timers of times up to `now`, the oldest first, at most `limit`, from after `after`. May lag behind.
    fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
        after: Option<Timer>,
    ) -> impl Future<Output = Result<Vec<Timer>, StoreError>> + Send;

    /// Forgets a timer. Nothing happens if it is gone already.
    fn remove_timer(&self, timer: Timer) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Reads one request, strongly consistent.
pub trait LoadRequest: Send + Sync {
    /// The request of this id, if there is one.
    fn load(&self, id: RequestId) -> impl Future<Output = Result<Option<Request>, StoreError>> + Send;
}

/// Writes a change with its audit event and its outbox entry.
pub trait CommitChange: Send + Sync {
    /// All of it, or none.
    fn commit(&self, change: ChangeSet<'_>) -> impl Future<Output = Result<(), CommitError>> + Send;
}

/// Finds out which event stands at a place of a request's trail.
pub trait FindEvent: Send + Sync {
    /// The id of the event at `sequence`, if there is one; strongly consistent.
    fn find_event(
        &self,
        request_id: RequestId,
        sequence: u64,
    ) -> impl Future<Output = Result<Option<EventId>, StoreError>> + Send;
}

/// Counts the open requests of an address.
pub trait CountOpen: Send + Sync {
    /// How many requests of `person` are pending, or approved, at `now`; stops counting at `at_most`,
    /// and reads no others. May lag behind.
    fn count_open(
        &self,
        person: &PersonId,
        status: Status,
        now: Timestamp,
        at_most: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;
}

/// Reads a request's audit trail.
pub trait LoadEvents: Send + Sync {
    /// The whole stream; strongly consistent.
    fn load_stream(&self, stream: &Stream) -> impl Future<Output = Result<Trail, StoreError>> + Send;

    /// The whole trail of a request.
    fn load_events(&self, request_id: RequestId) -> impl Future<Output = Result<Trail, StoreError>> + Send {
        async move { self.load_stream(&Stream::request(request_id)).await }
    }
}

/// A trail as it is stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trail {
    /// The events that can be read, first event first.
    pub events: Vec<AuditEvent>,
    /// Of each event that cannot be read, where it stands and why it cannot.
    pub damaged: Vec<String>,
}

/// Reads the whole store, for a check of it.
pub trait ScanStore: LoadRequest + LoadEvents {
    /// A page of the ids of all requests and of the names of all other streams of events, from after `cursor`. A text that is
    /// neither is of a damaged item.
    fn scan_ids(
        &self,
        cursor: Option<String>,
    ) -> impl Future<Output = Result<(BTreeSet<String>, Option<String>), StoreError>> + Send;
}

/// Lists requests.
pub trait ListRequests: Send + Sync {
    /// One page of what matches and `keep` keeps. May lag behind, but a request that matches
    /// throughout a walk is on one of its pages.
    fn list(
        &self,
        query: &ListQuery,
        keep: impl FnMut(&RequestSummary) -> bool + Send,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;
}

/// Which requests to list. All filters hold together; at least one of the first three is set.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    /// Their status at `now`: one of these, each named once and in the order of [`Status`].
    /// Empty for any.
    pub statuses: Vec<Status>,
    /// Who made them: one of these, which are all ids of one person. Empty for anybody.
    pub requested_by: BTreeSet<PersonId>,
    /// Their target.
    pub instance_id: Option<InstanceId>,
    /// What is to be done: one of these. Empty for anything.
    pub operation_types: BTreeSet<Identifier>,
    /// The risk that they were made under: one of these. Empty for any.
    pub risk_levels: BTreeSet<RiskLevel>,
    /// The environment that they were made under: one of these. Empty for any.
    pub environments: BTreeSet<Environment>,
    /// Leave out what the person with these addresses made, what was filed for them, what an agent or a
    /// service of theirs made, and what they have approved, as far as it is written on the request;
    /// nothing is left out for none. For lists of an open status.
    pub awaiting_decision_by: BTreeSet<PersonId>,
    /// Not before: the time it closed for a closed status, else the time it was made.
    pub from: Option<Timestamp>,
    /// Not after; of the same time as `from`.
    pub to: Option<Timestamp>,
    /// At most so many, and so many unless it is the last page or `max_queries` are used up.
    pub limit: usize,
    /// The position that the page before named as the next one.
    pub after: Option<String>,
    /// How often the database may be asked for this page.
    pub max_queries: usize,
    /// The time of asking.
    pub now: Timestamp,
}

impl ListQuery {
    /// Without a filter, from the beginning.
    pub fn unfiltered(limit: usize, max_queries: usize, now: Timestamp) -> Self {
        Self {
            statuses: Vec::new(),
            requested_by: BTreeSet::new(),
            instance_id: None,
            operation_types: BTreeSet::new(),
            risk_levels: BTreeSet::new(),
            environments: BTreeSet::new(),
            awaiting_decision_by: BTreeSet::new(),
            from: None,
            to: None,
            limit,
            after: None,
            max_queries,
            now,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The requests.
    pub items: Vec<RequestSummary>,
    /// The position of the next page; `None` on the last. It names requests, also such as the reader
    /// must not see.
    pub next: Option<String>,
    /// Rows that were met on the way and left out, because they cannot be read.
    pub damaged: Vec<DamagedRow>,
}

/// A row of an index that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRow {
    /// Whose row it is, if that can be read.
    pub request_id: Option<RequestId>,
    /// The attribute that is missing, impossible, or contradicts another.
    pub attribute: &'static str,
}

/// What a list shows of a request: neither parameters nor free text.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestSummary {
    /// Names it.
    pub id: RequestId,
    /// What is to be done.
    pub operation_type: Identifier,
    /// The instance that the operation is for.
    pub instance_id: InstanceId,
    /// The requester.
    pub requested_by: PersonId,
    /// When it was made.
    pub requested_at: Timestamp,
    /// The effective risk.
    pub risk_level: RiskLevel,
    /// The effective environment.
    pub environment: Environment,
    /// What it is expected to cost.
    pub estimated_cost: Option<Cost>,
    /// Its status at the time of asking.
    pub status: Status,
    /// How many must agree.
    pub approvals_required: u8,
    /// All ids that were known to be the requester's when it was made.
    pub requester_addresses: BTreeSet<PersonId>,
    /// The service that asks for the requester.
    pub filed_by: Option<PersonId>,
    /// Who answers for the agent or service that asks, as it was known when it was made.
    pub owner: Option<Owner>,
    /// The groups of the requester when it was made.
    pub requester_groups: Groups,
    /// Whether an approver must name the digest of what they were shown.
    pub digest_required: bool,
    /// Who has decided what, without what they said.
    pub decisions: Vec<Decision>,
    /// When it expires if it is still pending.
    pub expires_at: Timestamp,
    /// By when it must be started, once approved.
    pub execute_by: Option<Timestamp>,
    /// When its execution was started.
    pub execution_started_at: Option<Timestamp>,
    /// When it was executed, or failed.
    pub executed_at: Option<Timestamp>,
    /// When it closed, if it has; an expired request closed at the deadline it missed.
    pub closed_at: Option<Timestamp>,
}

impl RequestView for RequestSummary {
    fn operation_type(&self) -> &Identifier {
        &self.operation_type
    }

    fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    fn estimated_cost(&self) -> Option<Cost> {
        self.estimated_cost
    }

    fn requested_by(&self) -> &PersonId {
        &self.requested_by
    }

    fn requester_addresses(&self) -> &BTreeSet<PersonId> {
        &self.requester_addresses
    }

    fn requester_groups(&self) -> &Groups {
        &self.requester_groups
    }

    fn filed_by(&self) -> Option<&PersonId> {
        self.filed_by.as_ref()
    }

    fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    fn status(&self) -> Status {
        self.status
    }

    /// As far as an entry holds them: which approvals count depends on no others.
    fn requirements(&self) -> Requirements {
        Requirements {
            risk_level: self.risk_level,
            environment: self.environment,
            approvals_required: self.approvals_required,
            slots: Slots::default(),
            pending_seconds: u32::MAX,
            execute_within_seconds: u32::MAX,
            permit_seconds: u32::MAX,
            lease_seconds: u32::MAX,
            digest_required: self.digest_required,
            cost_limit: None,
            justification_min: 0,
            required_fields: BTreeSet::new(),
            pending_limit: MAX_PENDING_LIMIT,
            approved_limit: MAX_APPROVED_LIMIT,
        }
    }

    fn decisions(&self) -> &[Decision] {
        &self.decisions
    }
}

/// Tells whether the store is written in more than one place.
pub trait Replicas: Send + Sync {
    /// The other regions that the requests are replicated with. Transactions are atomic within one
    /// region: where two regions decide, neither's conditions hold
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>).
    fn replica_regions(&self) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
}

/// Finds requests whose deadline has passed.
pub trait FindDue: Send + Sync {
    /// Ids of requests written down as `status` whose deadline is in `due`, both ends included, the
    /// oldest first, at most `limit`, from after `cursor`. May lag behind.
    fn find_due(
        &self,
        status: Status,
        due: (Timestamp, Timestamp),
        limit: usize,
        cursor: Option<String>,
    ) -> impl Future<Output = Result<DuePage, StoreError>> + Send;
}

/// One page of overdue requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePage {
    /// Their ids.
    pub ids: Vec<RequestId>,
    /// Where the next page begins; `None` on the last. For no caller's eyes.
    pub next_cursor: Option<String>,
    /// What time it was where the store is, if the store's answer says so.
    pub answered_at: Option<Timestamp>,
    /// Rows that were met on the way and left out, because they cannot be read.
    pub damaged: Vec<DamagedRow>,
}

/// An event and what follows from it: what a commit writes.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) after: Request,
    pub(crate) audit: AuditEvent,
    pub(crate) message: Message,
}

impl Recorded {
    /// The consequences of an event. `after` is the state it leaves, with the old chain head.
    pub(crate) fn of(event: &Event, mut after: Request, key: &DeploymentKey) -> Self {
        let audit = AuditEvent::record(event, &after, key);
        after.audit_head = audit.hash;
        after.seal = audit::seal(&after, key);
        let message = Message::of(&Notice::Event(Box::new(Notification::of(event, &after))), key);
        Self { after, audit, message }
    }

    pub(crate) fn change_set<'a>(
        &'a self,
        before: Option<&'a Request>,
        actor: &'a Principal,
    ) -> ChangeSet<'a> {
        ChangeSet {
            before,
            after: &self.after,
            audit: &self.audit,
            addresses: &actor.addresses,
            message: &self.message,
            timer: self
                .after
                .lease_end()
                .filter(|at| before.and_then(Request::lease_end) != Some(*at))
                .map(|at| Timer { at, request_id: self.after.id() }),
            continuation: None,
        }
    }
}
