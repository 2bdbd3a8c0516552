//! The audit trail: one event per change, each bound to the one before by its hash.
//!
//! An edited, missing or reordered event breaks the chain of its request; the chain's head is on
//! the request itself, so a cut tail shows as well. Free text never enters: its keyed digest does.

use crate::caller::{Channel, PrincipalKind};
use crate::canonical::CanonicalJson;
use crate::content::amount;
use crate::digest::{DeploymentKey, Digest};
use crate::event::{Change, Event, EventType};
use crate::ids::{EventId, RequestId};
use crate::person::PersonId;
use crate::request::{Request, Status};
use crate::risk::{Environment, RiskLevel};
use crate::source_address::SourceAddress;
use crate::text::{Identifier, InstanceId, Ticket};
use crate::timestamp::Timestamp;
use serde_json::{Map, Value, json};

pub mod anomaly;
pub mod replay;

pub use replay::Finding;

/// Names the set of fields that is hashed. Another set gets another name.
pub const FORMAT: &str = "countersign.audit.v1";

/// The stream of a request's events: one chain of its own.
pub fn request_stream(request_id: RequestId) -> String {
    format!("request/{request_id}")
}

/// One event of a request's trail.
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
    pub kind: PrincipalKind,
    /// By which door.
    pub channel: Channel,
    /// From where, as far as the shell can vouch for it.
    pub source_ip: Option<SourceAddress>,
    /// To what.
    pub instance_id: InstanceId,
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
    /// SHA-256 of the request's state after the event, see [`crate::state`].
    pub state_digest: Digest,
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
            source_ip: event.source_ip,
            instance_id: after.instance_id.clone(),
            operation_type: after.operation_type.clone(),
            environment: after.environment,
            risk_level: after.risk_level,
            requested_by: after.requested_by.clone(),
            status: event.status,
            details: CanonicalJson::of(&Value::Object(details(event, after, key))),
            state_digest: after.state_digest(),
            prev_hash: after.audit_head,
            hash: Digest::ZERO,
        };
        record.hash = record.compute_hash();
        record
    }

    /// The hash that the event's fields give.
    pub fn compute_hash(&self) -> Digest {
        CanonicalJson::of(&Value::Object(self.body())).digest()
    }

    /// The event as one canonical JSON document, which is what is stored and shown.
    pub fn document(&self) -> CanonicalJson {
        let mut document = self.body();
        document.insert("hash".to_owned(), json!(self.hash.to_string()));
        CanonicalJson::of(&Value::Object(document))
    }

    /// All members but the hash.
    fn body(&self) -> Map<String, Value> {
        let body = json!({
            "format": FORMAT,
            "stream": request_stream(self.request_id),
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
            "state_digest": self.state_digest.to_string(),
            "prev_hash": self.prev_hash.to_string(),
        });
        let mut body = match body {
            Value::Object(body) => body,
            // INVARIANT: it is an object, see above.
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        };
        if let Some(address) = self.source_ip {
            body.insert("source_ip".to_owned(), json!(address.to_string()));
        }
        body
    }

    /// Reads an event back from its document. Whether its hash is right is for [`verify`] to say.
    pub fn read(document: &CanonicalJson) -> Option<Self> {
        let value = document.to_value();
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let event = Self {
            event_id: EventId::parse(text("event_id")?).ok()?,
            request_id: RequestId::parse(text("request_id")?).ok()?,
            sequence: value.get("sequence")?.as_u64()?,
            timestamp: Timestamp::parse(text("timestamp")?).ok()?,
            event_type: EventType::parse(text("event_type")?)?,
            user: PersonId::from_stored(text("user")?).ok()?,
            kind: PrincipalKind::parse(text("kind")?)?,
            channel: Channel::parse(text("channel")?)?,
            source_ip: text("source_ip").map(str::parse).transpose().ok()?,
            instance_id: InstanceId::parse(text("instance_id")?).ok()?,
            operation_type: Identifier::parse(text("operation_type")?).ok()?,
            environment: Environment::parse(text("environment")?)?,
            risk_level: RiskLevel::parse(text("risk_level")?)?,
            requested_by: PersonId::from_stored(text("requested_by")?).ok()?,
            status: Status::parse(text("status")?)?,
            details: CanonicalJson::of(value.get("details").filter(|details| details.is_object())?),
            state_digest: Digest::parse(text("state_digest")?).ok()?,
            prev_hash: Digest::parse(text("prev_hash")?).ok()?,
            hash: Digest::parse(text("hash")?).ok()?,
        };
        // Nothing stands in the document that is not read.
        (event.document() == *document).then_some(event)
    }

    /// A text among the details.
    pub(crate) fn detail(&self, name: &str) -> Option<String> {
        self.details.to_value().get(name).and_then(Value::as_str).map(str::to_owned)
    }

    /// The ids of other events among the details.
    pub(crate) fn detail_events(&self, name: &str) -> Vec<EventId> {
        let details = self.details.to_value();
        let ids = details.get(name).and_then(Value::as_array).into_iter().flatten();
        ids.filter_map(Value::as_str).filter_map(|id| EventId::parse(id).ok()).collect()
    }
}

/// What binds a request's state and the head of its trail for those who have the deployment's key:
/// HMAC-SHA-256 over both. A change by anybody else than this deployment, however consistent, has
/// no seal that fits.
pub fn seal(request: &Request, key: &DeploymentKey) -> Digest {
    let context = format!("countersign.seal.v1:{}:{}", request.id, request.version);
    key.digest(&context, &format!("{}:{}", request.state_digest(), request.audit_head))
}

fn details(event: &Event, after: &Request, key: &DeploymentKey) -> Map<String, Value> {
    let keyed = |field: &str, text: &str| key.digest(&format!("{}:{field}", event.id), text).to_string();
    let mut details = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            details.insert(name.to_owned(), value);
        }
    };
    match &event.change {
        Change::Created(new_request) => {
            put("content_digest", json!(after.content_digest.to_string()));
            put("parameters_digest", json!(after.parameters_digest.to_string()));
            put("justification_digest", json!(keyed("justification", new_request.justification.as_str())));
            put("approvals_required", json!(new_request.approvals_required));
            let slots: Vec<_> = new_request
                .slots
                .iter()
                .map(|(groups, people)| json!({ "groups": groups, "approvals": people }))
                .collect();
            put("slots", json!(slots));
            put("owner", json!(new_request.owner.as_ref().map(|owner| owner.person.as_str())));
            put("ticket", json!(new_request.ticket.as_ref().map(Ticket::as_str)));
            let plan = new_request.rollback_plan.as_ref();
            put("rollback_plan_digest", json!(plan.map(|text| keyed("rollback_plan", text.as_str()))));
            put("policy_version", json!(new_request.policy_version.to_string()));
            put("expires_at", json!(new_request.expires_at.to_string()));
            put("execute_by", json!(after.execute_by.map(|time| time.to_string())));
            put("filed_by", json!(new_request.filed_by.as_ref().map(PersonId::as_str)));
            put("estimated_cost", amount(new_request.estimated_cost));
            let duration = new_request.estimated_duration.as_ref();
            put(
                "estimated_duration_digest",
                json!(duration.map(|text| keyed("estimated_duration", text.as_str()))),
            );
        }
        Change::Granted { comment, execute_by, groups, digest_presented, policy_version, replaces } => {
            put("groups", json!(groups));
            put("digest_presented", json!(digest_presented));
            put("policy_version", json!(policy_version.to_string()));
            put("replaces", events(replaces));
            put("content_digest", json!(after.content_digest.to_string()));
            put("parameters_digest", json!(after.parameters_digest.to_string()));
            put("approvals_received", json!(after.approvals_received()));
            put("approvals_required", json!(after.approvals_required));
            put("comment_digest", json!(comment.as_ref().map(|text| keyed("comment", text.as_str()))));
            put("execute_by", json!(execute_by.map(|time| time.to_string())));
        }
        Change::Rejected { reason, policy_version, replaces } => {
            put("policy_version", json!(policy_version.to_string()));
            put("replaces", events(replaces));
            put("content_digest", json!(after.content_digest.to_string()));
            put("parameters_digest", json!(after.parameters_digest.to_string()));
            put("reason_digest", json!(keyed("reason", reason.as_str())));
        }
        Change::Withdrawn { reason, withdraws } => {
            put("withdraws", events(withdraws));
            put("approvals_received", json!(after.approvals_received()));
            put("approvals_required", json!(after.approvals_required));
            put("reason_digest", json!(reason.as_ref().map(|text| keyed("reason", text.as_str()))));
        }
        Change::Cancelled { reason } => {
            put("reason_digest", json!(reason.as_ref().map(|text| keyed("reason", text.as_str()))));
        }
        Change::Expired { deadline } => put("deadline", json!(deadline.to_string())),
        Change::Started { execution_id, policy_version } => {
            put("policy_version", json!(policy_version.to_string()));
            put("content_digest", json!(after.content_digest.to_string()));
            put("parameters_digest", json!(after.parameters_digest.to_string()));
            put("execution_id", json!(execution_id.to_string()));
        }
        Change::Finished { result, actual_cost, .. } => {
            let execution = after.execution.as_ref();
            put("execution_id", json!(execution.map(|execution| execution.id.to_string())));
            put("result_digest", json!(result.as_ref().map(|result| keyed("result", result.as_str()))));
            put("actual_cost", amount(*actual_cost));
        }
        Change::Commented { text } => put("text_digest", json!(keyed("text", text.as_str()))),
    }
    details
}

/// Ids of events; absent if there are none.
fn events(ids: &[EventId]) -> Value {
    match ids {
        [] => Value::Null,
        ids => ids.iter().map(EventId::to_string).collect(),
    }
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
    /// Time goes back.
    #[error("event {sequence} of the trail is earlier than the one before it")]
    BackInTime {
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
    let mut last_at = Timestamp::EARLIEST;
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
        if event.timestamp < last_at {
            return Err(BrokenChain::BackInTime { sequence: expected });
        }
        last = event.hash;
        last_at = event.timestamp;
    }
    if last != head {
        return Err(BrokenChain::WrongHead);
    }
    Ok(())
}
