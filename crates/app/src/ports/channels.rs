//! Destinations that the operator has configured: what is remembered of them, and what sends to them.

use super::StoreError;
use crate::host::BoxFuture;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::health::Health;
use countersign_delivery::part::Part;
use countersign_delivery::state::Attempt;
use countersign_figures::report_message::ReportMessage;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;

/// How many messages a destination was sent in some minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinuteCount {
    /// The beginning of the minute.
    pub since: Timestamp,
    /// How many.
    pub messages: u32,
}

/// What is remembered of a destination, or of one recipient there.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceRecord {
    /// The destination.
    pub destination: DestinationId,
    /// How it fares; of the destination as a whole alone.
    pub health: Health,
    /// How much it was sent in this minute; of the destination as a whole alone, if its rate is limited.
    pub minute: Option<MinuteCount>,
    /// The times of the last messages there, the earliest first: as many as make a flood.
    pub sent: Vec<Timestamp>,
    /// Until when messages wait to become one, since there were too many.
    pub flood_until: Option<Timestamp>,
    /// The time at which old deliveries were forgotten last.
    pub forgotten_at: Option<Timestamp>,
    /// Counts the changes of the record: it is written only as the successor of the one that was read. 0 has not been stored.
    pub revision: u64,
}

impl PlaceRecord {
    /// Of a destination of which nothing is remembered.
    pub fn new(destination: DestinationId) -> Self {
        Self {
            destination,
            health: Health::default(),
            minute: None,
            sent: Vec::new(),
            flood_until: None,
            forgotten_at: None,
            revision: 0,
        }
    }
}

/// What is remembered of the messages about one request at one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// The destination, and the recipient there.
    pub destination: DestinationId,
    /// The request.
    pub request_id: RequestId,
    /// What the other side calls the message that changes with the request.
    pub reference: Option<String>,
    /// Whether a message has asked for an approval there.
    pub is_asked: bool,
    /// The time at which an approval was wanted no more before a message had asked for it: what asked before is not sent any more.
    pub over_at: Option<Timestamp>,
    /// As [`PlaceRecord::revision`].
    pub revision: u64,
}

impl Thread {
    /// Of a request of which nothing was sent.
    pub fn new(destination: DestinationId, request_id: RequestId) -> Self {
        Self { destination, request_id, reference: None, is_asked: false, over_at: None, revision: 0 }
    }
}

/// What is remembered of a report that is sent regularly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestRecord {
    /// The name of its table.
    pub name: String,
    /// The time until which all reports that came due have been sent, or are none of its own.
    pub done_until: Timestamp,
    /// As [`PlaceRecord::revision`].
    pub revision: u64,
}

/// What is remembered of configured destinations and reports, and which timers have fired. Strongly consistent.
pub trait ChannelStore: Send + Sync {
    /// What is remembered of a destination or recipient.
    fn place(
        &self,
        destination: &DestinationId,
    ) -> impl Future<Output = Result<PlaceRecord, StoreError>> + Send;

    /// Writes it as the successor of what was read. `false` if that has changed.
    fn put_place(&self, record: &PlaceRecord) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// What is remembered of a request at a destination.
    fn thread(
        &self,
        destination: &DestinationId,
        request_id: RequestId,
    ) -> impl Future<Output = Result<Thread, StoreError>> + Send;

    /// Writes it as the successor of what was read. `false` if that has changed.
    fn put_thread(&self, thread: &Thread) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The names of the timers of a request that have fired.
    fn fired(
        &self,
        request_id: RequestId,
    ) -> impl Future<Output = Result<BTreeSet<String>, StoreError>> + Send;

    /// Writes down that a timer has fired. `false` if that was known.
    fn put_fired(
        &self,
        request_id: RequestId,
        timer: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// What is remembered of a report that is sent regularly, by the name of its table.
    fn digest(&self, name: &str) -> impl Future<Output = Result<Option<DigestRecord>, StoreError>> + Send;

    /// Writes it as the successor of what was read. `false` if that has changed.
    fn put_digest(&self, record: &DigestRecord) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// What a message is about.
#[derive(Debug, Clone, Copy)]
pub enum Matter<'a> {
    /// An event, with the link to its request.
    Event(&'a CloudEvent),
    /// A report.
    Report(&'a ReportMessage),
}

/// A message and what it is for.
#[derive(Debug, Clone, Copy)]
pub struct ChannelMessage<'a> {
    /// What it is about.
    pub matter: Matter<'a>,
    /// What the message is for.
    pub part: &'a Part,
}

/// A message that is to be sent now.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// To where.
    pub destination: &'a DestinationId,
    /// The message.
    pub message: ChannelMessage<'a>,
    /// Those that it stands for as well, of other requests: together they are one summary.
    pub others: Vec<ChannelMessage<'a>>,
    /// What the other side calls the message about the request that it has got.
    pub earlier: Option<&'a str>,
    /// Whether another attempt may have sent it: where messages can be looked for, it is looked for first.
    pub may_be_there: bool,
    /// The time at which the delivery was made: the same in each attempt.
    pub made_at: Timestamp,
    /// The time.
    pub now: Timestamp,
}

/// Sends to the destinations that the operator has configured, each by its kind.
pub trait DestinationSender: Send + Sync + fmt::Debug {
    /// Sends a message, once.
    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Attempt>;
}
