//! The names of key attributes and indexes, and the values that are built for them.

use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;

/// Partition key of approvals.
pub const REQUEST_ID: &str = "request_id";
/// Partition key of audit: `request/` and the id of a request, or another stream.
pub const STREAM: &str = "stream";
/// Sort key of audit.
pub const SEQUENCE: &str = "sequence";
/// Partition key of the outbox.
pub const SHARD: &str = "shard";
/// Sort key of the outbox.
pub const EVENT_ID: &str = "event_id";

/// Lists by status.
pub const STATUS_INDEX: &str = "status-index";
/// Partition key of [`STATUS_INDEX`]: the status while a request is open, `status#2026-01` once it
/// is closed, so that history never grows one partition.
pub const STATUS_KEY: &str = "status_key";
/// Sort key of [`STATUS_INDEX`]: the deadline (or start of execution) while a request is open, the
/// time it closed once it is.
pub const STATUS_AT: &str = "status_at";
/// Lists by requester.
pub const REQUESTER_INDEX: &str = "requester-index";
/// Partition key of [`REQUESTER_INDEX`].
pub const REQUESTED_BY: &str = "requested_by";
/// Sort key of [`REQUESTER_INDEX`] and [`INSTANCE_INDEX`].
pub const REQUESTED_AT: &str = "requested_at";
/// Lists by target.
pub const INSTANCE_INDEX: &str = "instance-index";
/// Partition key of [`INSTANCE_INDEX`].
pub const INSTANCE_ID: &str = "instance_id";
/// How many partitions the outbox is spread over.
pub const OUTBOX_SHARDS: u8 = 4;
/// The outbox partition of dead letters.
pub const DEAD: &str = "dead";

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

/// The place of a request within its status partition.
pub fn status_at(request: &Request) -> Timestamp {
    request
        .closed_at()
        .or_else(|| request.deadline())
        .or_else(|| request.execution.as_ref().map(|execution| execution.started_at))
        .unwrap_or(request.requested_at)
}

/// The first text that sorts after every `UUIDv7` made before `time`: their first 48 bits are
/// milliseconds since the epoch (RFC 9562 section 5.7).
pub fn first_event_id_at(time: Timestamp) -> String {
    let millisecond = time.as_millisecond();
    format!("{:08x}-{:04x}", millisecond >> 16, millisecond & 0xffff)
}
