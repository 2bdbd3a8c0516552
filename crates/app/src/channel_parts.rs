//! What deliveries to configured destinations are for, and when they are sent: what sending them looks at.

use crate::ports::StoredDelivery;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::part::{Part, PartKind};
use countersign_notifications::plan::MessageKind;

/// What a delivery is for. One that does not say so informs.
pub(crate) fn part_of(stored: &StoredDelivery) -> Part {
    stored.delivery.part.clone().unwrap_or_else(|| Part::new(PartKind::Information))
}

pub(crate) fn kind_of(kind: PartKind) -> MessageKind {
    match kind {
        PartKind::Act => MessageKind::Act,
        PartKind::Closing => MessageKind::Closing,
        PartKind::Outcome => MessageKind::Outcome,
        PartKind::Update => MessageKind::Update,
        PartKind::Information | PartKind::Claimed | PartKind::Report => MessageKind::Information,
    }
}

/// Whether a message is to be taken back once it is wanted no more. What is escalated without an approver is, too.
pub(crate) fn asks(part: Part) -> bool {
    part.kind == PartKind::Act || part.urgency.is_some()
}

pub(crate) fn made(stored: &StoredDelivery) -> (Timestamp, Option<u64>, String) {
    let delivery = &stored.delivery;
    (delivery.created_at, delivery.sequence, delivery.event_id.to_string())
}

pub(crate) fn minute(now: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(now.as_millisecond().div_euclid(60_000) * 60_000)
}

pub(crate) fn next_minute(now: Timestamp) -> Timestamp {
    minute(now).plus_seconds(60)
}

/// Whether it is a report, which is about no request.
pub(crate) fn is_report(stored: &StoredDelivery) -> bool {
    part_of(stored).kind == PartKind::Report
}
