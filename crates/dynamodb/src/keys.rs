//! The names of key attributes and indexes, and the values that are built for them.

use countersign_core::ids::{EventId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;

/// Partition key of approvals.
pub const REQUEST_ID: &str = "request_id";
/// Partition key of audit: `request/` and the id of a request, or another stream.
pub const STREAM: &str = "stream";
/// Sort key of audit.
pub const SEQUENCE: &str = "sequence";
/// Lists the events of one actor.
pub const USER_INDEX: &str = "user-index";
/// Partition key of [`USER_INDEX`].
pub const USER: &str = "user";
/// Lists the events of one type.
pub const EVENT_TYPE_INDEX: &str = "event-type-index";
/// Partition key of [`EVENT_TYPE_INDEX`]: the type and the month, so that no partition grows for ever.
pub const EVENT_TYPE_MONTH: &str = "event_type_month";
/// The type of an event.
pub const EVENT_TYPE: &str = "event_type";
/// Lists all events.
pub const MONTH_INDEX: &str = "month-index";
/// Partition key of [`MONTH_INDEX`]: the month of an event, such as `2026-01`.
pub const MONTH: &str = "month";
/// Lists the events of all requests for one instance.
pub const INSTANCE_EVENTS_INDEX: &str = "instance-events-index";
/// Sort key of the indexes of audit: when it happened, and the event; see [`event_key`].
pub const AT: &str = "at";
/// Partition key of the outbox.
pub const SHARD: &str = "shard";
/// Sort key of the outbox.
pub const EVENT_ID: &str = "event_id";

/// Lists by status.
pub const STATUS_INDEX: &str = "status-index";
/// Partition key of [`STATUS_INDEX`]: the status while a request is open, `status#2026-01` once it
/// is closed, so that history never grows one partition.
pub const STATUS_KEY: &str = "status_key";
/// Sort key of [`STATUS_INDEX`] and [`OPEN_INDEX`]: the deadline (or start of execution) while a request
/// is open, the time it closed once it is; see [`sort_key`].
pub const STATUS_AT: &str = "status_at";
/// Lists and counts what one requester has open. It holds nothing that is closed.
pub const OPEN_INDEX: &str = "open-index";
/// Partition key of [`OPEN_INDEX`]: requester and status, while a request is open.
pub const OPEN_KEY: &str = "open_key";
/// What the key of the hold of a request begins with, before the id of the request.
pub const HOLD: &str = "hold#";
/// The partition of holds in [`STATUS_INDEX`], by the time at which they end. No status is called so.
pub const HOLDS: &str = "holds";
/// Lists by requester.
pub const REQUESTER_INDEX: &str = "requester-index";
/// Partition key of [`REQUESTER_INDEX`].
pub const REQUESTED_BY: &str = "requested_by";
/// Sort key of [`REQUESTER_INDEX`] and [`INSTANCE_INDEX`]: when a request was made, see [`sort_key`].
pub const MADE_AT: &str = "made_at";
/// What a list needs besides the attributes of the original schema.
pub const LISTING: &str = "listing";
/// Lists by target.
pub const INSTANCE_INDEX: &str = "instance-index";
/// Partition key of [`INSTANCE_INDEX`].
pub const INSTANCE_ID: &str = "instance_id";
/// Partition key of deliveries: a destination, or one of [`WEBHOOKS`], [`trail_key`] and [`PREFERENCES`]. Their sort key is [`EVENT_ID`].
pub const DESTINATION: &str = "destination";
/// Lists the deliveries that wait, by when they are due, and dead letters. Its partition key is [`SHARD`].
pub const DUE_INDEX: &str = "due-index";
/// Sort key of [`DUE_INDEX`]. Only what waits has one, and dead letters have the time of their making.
pub const NEXT_ATTEMPT_AT: &str = "next_attempt_at";
/// The partition of dead letters in [`DUE_INDEX`].
pub const DEAD_DELIVERIES: &str = "dead";
/// The partition of what is remembered of reports, by their names. No destination is called so.
pub const DIGESTS: &str = "#digests";
/// The partition of webhooks among deliveries, by their ids. No destination is called so.
pub const WEBHOOKS: &str = "#webhooks";
/// The sort key of the number of webhooks.
pub const WEBHOOK_COUNT: &str = "#count";
/// The partition of what people have said of how they want to hear, by their ids. No destination is called so.
pub const PREFERENCES: &str = "#preferences";
/// What the partition of what is remembered of a destination begins with. No destination has a `:` there.
pub const PLACE: &str = "place:";
/// The sort key of the record of a destination as a whole; those of its requests are their ids.
pub const PLACE_RECORD: &str = "#place";
/// What the partition of the timers of a request that have fired begins with.
pub const FIRED: &str = "fired:";
/// Counts the changes of a delivery or webhook.
pub const REVISION: &str = "revision";
/// How many partitions [`DUE_INDEX`] is spread over.
pub const DUE_SHARDS: u8 = 4;
/// How many partitions the outbox is spread over.
pub const OUTBOX_SHARDS: u8 = 4;
/// The outbox partition of dead letters.
pub const DEAD: &str = "dead";

/// The outbox partition of those who wait for a request outside of Countersign. Their sort key is the request's id.
pub const WAITING: &str = "waiting";

/// The outbox partition of those who waited, and are to be resumed.
pub const RELEASED: &str = "released";

/// The outbox partition of events that are not published, by their ids.
pub const RECORDED: &str = "recorded";

/// The outbox partition of counts of refused attempts, by day and person.
pub const COUNTED: &str = "counted";

/// The outbox partition of what is remembered to find anomalies.
pub const ANOMALIES: &str = "anomalies";
/// The sort key of how far the log has been looked at.
pub const ANOMALY_CURSOR: &str = "cursor";

/// The outbox partition of the mark of erasure, and its sort key.
pub const ERASURE: &str = "erasure";
/// See [`ERASURE`].
pub const ERASED_UNTIL: &str = "until";

/// Names the set of attributes of an item.
pub const FORMAT: &str = "format";

/// Counts the changes of an item, which is written only as the successor of the one that was read.
pub const VERSION: &str = "version";

/// The outbox partition of timers. Their sort key is [`sort_key`]: the time, and the request.
pub const TIMER: &str = "timer";

/// The outbox partition of the head of the audit log, and its sort key.
pub const LOG: &str = "log";
/// See [`LOG`].
pub const LOG_HEAD: &str = "head";

/// The outbox partition of figures, by generation and day.
pub const FIGURES: &str = "figures";
/// The sort key of how far the log is in them.
pub const FIGURE_CURSOR: &str = "cursor";
/// The outbox partition of what figures remember of requests, by generation and id.
pub const FIGURE_REQUESTS: &str = "figure-requests";

/// The partition of the trail of a webhook. No destination is called so.
pub fn trail_key(webhook: impl std::fmt::Display) -> String {
    format!("#trail/{webhook}")
}

/// The status partition of a request: `pending`, or `rejected#2026-01`.
pub fn status_key(request: &Request) -> String {
    match request.closed_at() {
        Some(closed_at) => closed_status_key(request.status, &closed_at.month()),
        None => request.status.to_string(),
    }
}

/// The status partition of requests that closed in a month such as `2026-01`.
pub fn closed_status_key(status: Status, month: &str) -> String {
    format!("{status}#{month}")
}

/// The partition of what a requester has open in one status.
pub fn open_key_of(requester: &PersonId, status: Status) -> String {
    format!("{requester}#{status}")
}

/// The open partition of a request, if it is open.
pub fn open_key(request: &Request) -> Option<String> {
    request.status.is_open().then(|| open_key_of(&request.content.requested_by, request.status))
}

/// A sort key: a time, made unique by the request. Sort keys are in one order over all partitions, so
/// that partitions can be merged and a key alone is a position.
pub fn sort_key(time: Timestamp, id: RequestId) -> String {
    format!("{time}#{id}")
}

/// The sort key of an event in the indexes of audit: its time, made unique by its id.
pub fn event_key(time: Timestamp, id: EventId) -> String {
    format!("{time}#{id}")
}

/// The partition of a type of event in a month such as `2026-01`.
pub fn event_type_month(event_type: &str, month: &str) -> String {
    format!("{event_type}#{month}")
}

/// The first text that is not before the sort keys of a time.
pub(crate) fn first_key(time: Timestamp) -> String {
    time.to_string()
}

/// A text that is not before the sort keys of a time, and before those of the next.
pub(crate) fn last_key(time: Timestamp) -> String {
    // A tilde sorts after whatever a key consists of.
    format!("{time}~")
}

/// The place of a request among those of its requester, or of its instance.
pub fn made_at(request: &Request) -> String {
    sort_key(request.content.requested_at, request.id())
}

/// The place of a request within its status partition.
pub fn status_at(request: &Request) -> String {
    let time = request
        .closed_at()
        .or_else(|| request.deadline())
        .or_else(|| request.execution.as_ref().map(|execution| execution.started_at))
        .unwrap_or(request.content.requested_at);
    sort_key(time, request.id())
}

/// The first text that sorts after every `UUIDv7` made before `time`: their first 48 bits are
/// milliseconds since the epoch (RFC 9562 section 5.7).
pub fn first_event_id_at(time: Timestamp) -> String {
    let millisecond = time.as_millisecond();
    format!("{:08x}-{:04x}", millisecond >> 16, millisecond & 0xffff)
}
