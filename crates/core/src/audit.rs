//! The audit trail: one event per change, each bound to the one before by its hash.
//!
//! An edited, missing or reordered event breaks the chain of its request; the chain's head is on
//! the request itself, so a cut tail shows as well. Free text never enters: its keyed digest does.

use crate::actor::{Channel, Kind};
use crate::canonical::CanonicalJson;
use crate::digest::{DeploymentKey, Digest};
use crate::event::{Change, Event, EventType};
use crate::ids::{EventId, RequestId};
use crate::person::PersonId;
use crate::request::{Request, Status};
use crate::risk::{Environment, RiskLevel};
use crate::text::Identifier;
use crate::timestamp::Timestamp;
use serde_json::{Map, Value, json};

/// Names the set of fields that is hashed. Another set gets another name.
pub const FORMAT: &str = "countersign.audit.v1";

/// One event of the audit trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Names the event.
    pub event_id: EventId,
    /// The request it happened to.
    pub request_id: RequestId,
    /// Its place in the request's trail, from 1.
    pub sequence: u64,
    /// When.
    pub timestamp: Timestamp,
    /// What happened.
    pub event_type: EventType,
    /// Who.
    pub user: PersonId,
    /// What kind of being.
    pub kind: Kind,
    /// By which door.
    pub channel: Channel,
    /// To what.
    pub instance_id: Identifier,
    /// What was asked for.
    pub operation_type: Identifier,
    /// Where.
    pub environment: Environment,
    /// How dangerous.
    pub risk_level: RiskLevel,
    /// Who asked.
    pub requested_by: PersonId,
    /// The request's status after the event.
    pub status: Status,
    /// What else belongs to the event: an object of digests, numbers, times and ids.
    pub details: CanonicalJson,
    /// The hash of the event before, [`Digest::ZERO`] for the first.
    pub prev_hash: Digest,
    /// SHA-256 over the canonical JSON of all of the above and [`FORMAT`].
    pub hash: Digest,
}

impl AuditEvent {
    /// The record of an event. `after` is the request as the event left it, with the chain's head
    /// as it was before.
    pub fn record(event: &Event, after: &Request, key: &DeploymentKey) -> Self {
        let mut record = Self {
            event_id: event.id,
            request_id: event.request_id,
            sequence: event.sequence,
            timestamp: event.at,
            event_type: event.change.event_type(),
            user: event.user.clone(),
            kind: event.kind,
            channel: event.channel,
            instance_id: after.instance_id.clone(),
            operation_type: after.operation_type.clone(),
            environment: after.environment,
            risk_level: after.risk_level,
            requested_by: after.requested_by.clone(),
            status: event.status,
            details: CanonicalJson::of(&Value::Object(details(event, after, key))),
            prev_hash: after.audit_head,
            hash: Digest::ZERO,
        };
        record.hash = record.compute_hash();
        record
    }

    /// The hash that the event's fields give.
    pub fn compute_hash(&self) -> Digest {
        CanonicalJson::of(&json!({
            "format": FORMAT,
            "event_id": self.event_id.to_string(),
            "request_id": self.request_id.to_string(),
            "sequence": self.sequence,
            "timestamp": self.timestamp.to_string(),
            "event_type": self.event_type.as_str(),
            "user": self.user.as_str(),
            "kind": self.kind.as_str(),
            "channel": self.channel.as_str(),
            "instance_id": self.instance_id.as_str(),
            "operation_type": self.operation_type.as_str(),
            "environment": self.environment.as_str(),
            "risk_level": self.risk_level.as_str(),
            "requested_by": self.requested_by.as_str(),
            "status": self.status.as_str(),
            "details": self.details.to_value(),
            "prev_hash": self.prev_hash.to_string(),
        }))
        .digest()
    }
}

fn details(event: &Event, after: &Request, key: &DeploymentKey) -> Map<String, Value> {
    let keyed = |field: &str, text: &str| key.digest(&format!("{}:{field}", event.id), text).to_string();
    let mut details = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            details.insert(name.to_owned(), value);
        }
    };
    let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    put("source_ip", json!(event.source_ip.map(|address| address.to_string())));
    match &event.change {
        Change::Created(opening) => {
            put("parameters_digest", json!(after.parameters_digest.to_string()));
            put("justification_digest", json!(keyed("justification", opening.justification.as_str())));
            put("approvals_required", json!(opening.approvals_required));
            put("slots", text(&opening.slots.to_string()));
            put("owner", json!(opening.owner.as_ref().map(|owner| owner.person.as_str())));
            put("ticket", json!(opening.ticket.as_ref().map(Identifier::as_str)));
            let plan = opening.rollback_plan.as_ref();
            put("rollback_plan_digest", json!(plan.map(|text| keyed("rollback_plan", text.as_str()))));
            put("policy_version", json!(opening.policy_version.to_string()));
            put("expires_at", json!(opening.expires_at.to_string()));
            put("execute_by", json!(after.execute_by.map(|time| time.to_string())));
            put("filed_by", json!(opening.filed_by.as_ref().map(PersonId::as_str)));
            put("estimated_cost", json!(opening.estimated_cost.map(|cost| cost.amount())));
            let duration = opening.estimated_duration.as_ref();
            put(
                "estimated_duration_digest",
                json!(duration.map(|text| keyed("estimated_duration", text.as_str()))),
            );
        }
        Change::Granted { comment, execute_by, groups, digest_presented } => {
            let groups: Vec<_> = groups.iter().map(String::as_str).collect();
            put("groups", text(&groups.join(" ")));
            put("digest_presented", json!(digest_presented));
            put("parameters_digest", json!(after.parameters_digest.to_string()));
            put("approvals_received", json!(after.approvals_received()));
            put("approvals_required", json!(after.approvals_required));
            put("comment_digest", json!(comment.as_ref().map(|text| keyed("comment", text.as_str()))));
            put("execute_by", json!(execute_by.map(|time| time.to_string())));
        }
        Change::Rejected { reason } => {
            put("parameters_digest", json!(after.parameters_digest.to_string()));
            put("reason_digest", json!(keyed("reason", reason.as_str())));
        }
        Change::Cancelled { reason } => {
            put("reason_digest", json!(reason.as_ref().map(|text| keyed("reason", text.as_str()))));
        }
        Change::Expired => put("deadline", json!(after.closed_at().map(|time| time.to_string()))),
        Change::Started { execution_id } => {
            put("parameters_digest", json!(after.parameters_digest.to_string()));
            put("execution_id", json!(execution_id.to_string()));
        }
        Change::Finished { result, actual_cost, .. } => {
            let execution = after.execution.as_ref();
            put("execution_id", json!(execution.map(|execution| execution.id.to_string())));
            put("result_digest", json!(result.as_ref().map(|result| keyed("result", result.as_str()))));
            put("actual_cost", json!(actual_cost.map(|cost| cost.amount())));
        }
        Change::Commented { text } => put("text_digest", json!(keyed("text", text.as_str()))),
    }
    details
}

/// Where and how a trail is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// An event of another request, or not in its place: one is missing, doubled or moved.
    #[error("event {expected} of the trail is missing or out of place")]
    OutOfPlace {
        /// The sequence that should be there.
        expected: u64,
    },
    /// The event's fields do not give its hash.
    #[error("event {sequence} of the trail was edited")]
    Edited {
        /// The event's sequence.
        sequence: u64,
    },
    /// The event does not follow the one before.
    #[error("event {sequence} of the trail does not follow the one before it")]
    Unlinked {
        /// The event's sequence.
        sequence: u64,
    },
    /// The last event is not the one the request names.
    #[error("the trail does not end where its request says it does")]
    WrongHead,
}

/// Checks a request's whole trail, first event first, against the head its request names.
///
/// # Errors
/// The first break.
pub fn verify(request_id: RequestId, events: &[AuditEvent], head: Digest) -> Result<(), BrokenChain> {
    let mut last = Digest::ZERO;
    for (expected, event) in (1..).zip(events) {
        if event.sequence != expected || event.request_id != request_id {
            return Err(BrokenChain::OutOfPlace { expected });
        }
        if event.compute_hash() != event.hash {
            return Err(BrokenChain::Edited { sequence: expected });
        }
        if event.prev_hash != last {
            return Err(BrokenChain::Unlinked { sequence: expected });
        }
        last = event.hash;
    }
    if last != head {
        return Err(BrokenChain::WrongHead);
    }
    Ok(())
}
