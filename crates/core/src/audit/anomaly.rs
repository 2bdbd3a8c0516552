//! What is recorded when a stored request turns out not to be what its events have made it.
//!
//! The request's own trail may be what is damaged, so the record stands in a stream of its own, with
//! one event: the first time that the damage was met.

use super::{FORMAT, Finding};
use crate::canonical::CanonicalJson;
use crate::digest::Digest;
use crate::event::EventType;
use crate::ids::{EventId, RequestId};
use crate::principal::Principal;
use crate::timestamp::Timestamp;
use serde_json::{Value, json};

/// A damaged request, as it was met.
#[derive(Debug, Clone, PartialEq)]
pub struct Anomaly {
    /// Names the event.
    pub event_id: EventId,
    /// The request.
    pub request_id: RequestId,
    /// When its damage was met.
    pub at: Timestamp,
    /// Whose command met it.
    pub actor: Principal,
    /// What is wrong.
    pub finding: Finding,
}

/// The stream of the one event about a damaged request.
pub fn stream(request_id: RequestId) -> String {
    format!("system/integrity:{request_id}")
}

impl Anomaly {
    /// The audit event, as it is stored: members that belong to a request are absent.
    pub fn document(&self) -> CanonicalJson {
        let mut document = json!({
            "format": FORMAT,
            "stream": stream(self.request_id),
            "sequence": 1,
            "event_id": self.event_id.to_string(),
            "timestamp": self.at.to_string(),
            "event_type": EventType::AnomalyDetected.as_str(),
            "user": self.actor.person.as_str(),
            "kind": self.actor.kind.as_str(),
            "channel": self.actor.channel.as_str(),
            "details": {
                "anomaly": "integrity",
                "request_id": self.request_id.to_string(),
                "finding": self.finding.to_string(),
            },
            "prev_hash": Digest::ZERO.to_string(),
        });
        let hash = CanonicalJson::of(&document).digest();
        if let Value::Object(members) = &mut document {
            members.insert("hash".to_owned(), json!(hash.to_string()));
        }
        CanonicalJson::of(&document)
    }
}
