//! The events of the document: each as it was recorded, one after another.

use super::document::{Document, ShownEvent};
use super::mismatch::Mismatch;
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::Digest;
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;

/// The events, if all of them can be read.
pub(super) fn read(document: &Document, mismatches: &mut Vec<Mismatch>) -> Option<Vec<AuditEvent>> {
    let mut events = Vec::with_capacity(document.events.len());
    for (sequence, shown) in (1..).zip(&document.events) {
        match read_one(shown) {
            Some(event) => events.push(event),
            None => mismatches.push(Mismatch::Event { sequence, what: "is not an event" }),
        }
    }
    if events.is_empty() {
        mismatches.push(Mismatch::Parts("there are no events"));
    }
    (!events.is_empty() && events.len() == document.events.len()).then_some(events)
}

fn read_one(shown: &ShownEvent) -> Option<AuditEvent> {
    AuditEvent::read(&CanonicalJson::from_stored(&shown.event).ok()?)
}

/// Holds each event against the one before it, the stream and the content.
pub(super) fn check(document: &Document, events: &[AuditEvent], mismatches: &mut Vec<Mismatch>) {
    let request_id = document.content("request_id").and_then(|id| RequestId::parse(id).ok());
    let stream = request_id.map(Stream::request);
    let mut last = (Digest::ZERO, Timestamp::EARLIEST);
    for (sequence, event) in (1..).zip(events) {
        let checks = [
            (event.compute_hash() == event.hash, "was edited: its hash is not that of what it says"),
            (event.prev_hash == last.0, "does not follow the one before it"),
            (event.sequence == sequence, "is out of place: one is missing, doubled or moved"),
            (Some(&event.stream) == stream.as_ref(), "is of another stream"),
            (event.origin.as_str() == document.origin, "was recorded by another deployment"),
            (event.timestamp >= last.1, "is earlier than the one before it"),
            (is_about(document, event), "is about another request"),
        ];
        let wrong = checks.into_iter().filter(|(is_right, _)| !is_right);
        mismatches.extend(wrong.map(|(_, what)| Mismatch::Event { sequence, what }));
        last = (event.hash, event.timestamp);
    }
}

/// Whether what the event repeats of its request is what stands in the content.
fn is_about(document: &Document, event: &AuditEvent) -> bool {
    event.request.as_ref().is_some_and(|about| {
        [
            ("request_id", about.request_id.to_string().as_str()),
            ("operation_type", about.operation_type.as_str()),
            ("instance_id", about.instance_id.as_str()),
            ("environment", about.environment.as_str()),
            ("risk_level", about.risk_level.as_str()),
            ("requested_by", about.requested_by.as_str()),
        ]
        .into_iter()
        .all(|(name, value)| document.content(name) == Some(value))
    })
}
