//! What is recorded when a stored request turns out not to be what its events have made it.
//!
//! The request's own trail may be what is damaged, so the record stands in a stream of its own, with
//! one event: the first time that the damage was met.

use super::{AuditEvent, Finding, Stream};
use crate::canonical::CanonicalJson;
use crate::digest::{DeploymentKey, Digest};
use crate::event::EventType;
use crate::ids::{EventId, RequestId};
use crate::origin::Origin;
use crate::principal::Principal;
use crate::timestamp::Timestamp;
use serde_json::{Map, json};

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

impl Anomaly {
    /// The audit event. What stands on the request cannot be trusted, so it repeats nothing of it.
    pub fn record(&self, key: &DeploymentKey) -> AuditEvent {
        let details = json!({
            "anomaly": "integrity",
            "request_id": self.request_id.to_string(),
            "finding": self.finding.to_string(),
        });
        let record = AuditEvent {
            origin: Origin::of(key),
            stream: Stream::integrity(self.request_id),
            sequence: 1,
            event_id: self.event_id,
            timestamp: self.at,
            event_type: EventType::AnomalyDetected.into(),
            user: self.actor.person.clone(),
            kind: self.actor.kind,
            channel: self.actor.channel,
            source_ip: self.actor.source_ip,
            authentication: self.actor.authentication.clone(),
            request: None,
            details: CanonicalJson::of(&details),
            state_digest: None,
            prev_hash: Digest::ZERO,
            others: Map::new(),
            hash: Digest::ZERO,
        };
        record.hashed()
    }
}
