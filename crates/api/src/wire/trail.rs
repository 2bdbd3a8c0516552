//! A request's audit trail, as it is answered.

use super::text;
use countersign_app::events::CheckedTrail;
use countersign_app::ports::EventPage;
use countersign_core::audit::{self, AuditEvent};
use countersign_core::caller::Authentication;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A request's audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventsBody {
    /// Its events, oldest first. Those that cannot be read are left out.
    pub items: Vec<EventBody>,
    /// Whether the trail is whole and has made the request what it is.
    pub verified: bool,
    /// What is not as it was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

/// An audit event. `hash` is SHA-256 over the canonical JSON (RFC 8785) of all other members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventBody {
    /// Names the set of members that is hashed.
    pub format: String,
    /// The deployment that recorded it. A client reads answers without it as well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// The chain that it belongs to: `request/` and the id of the request.
    pub stream: String,
    /// Names the event.
    pub event_id: String,
    /// The request it happened to.
    pub request_id: String,
    /// Its place in the trail, from 1.
    pub sequence: u64,
    /// The time of the event.
    pub timestamp: String,
    /// What happened.
    pub event_type: String,
    /// The actor; `system:expiry` and `system:retention` are sweeps.
    pub user: String,
    /// `human`, `agent` or `service`.
    pub kind: String,
    /// `api`, `direct` or `local`.
    pub channel: String,
    /// The caller's address, as far as the service can vouch for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// How the caller was proven: `issuer`, `subject` and `at` of the verified token, or IAM and who signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthBody>,
    /// The instance that the operation is for.
    pub instance_id: String,
    /// What was asked for.
    pub operation_type: String,
    /// The environment of the instance.
    pub environment: String,
    /// The risk level of the operation.
    pub risk_level: String,
    /// The requester.
    pub requested_by: String,
    /// The request's status after the event.
    pub status: String,
    /// Digests, numbers, times and ids that belong to the event.
    pub details: Value,
    /// SHA-256 of the canonical state of the request after the event.
    pub state_digest: String,
    /// The hash of the event before; zeros for the first.
    pub prev_hash: String,
    /// Binds the event.
    pub hash: String,
    /// Members of another version, which are hashed as well.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// How the caller of an event was proven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthBody {
    /// Who issued the token.
    pub issuer: String,
    /// Whom the issuer issued it to.
    pub subject: String,
    /// When the subject signed in, or else when the token was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A page of audit events of any streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditBody {
    /// The events, as their documents are stored. Those that cannot be read are left out.
    pub items: Vec<Value>,
    /// The cursor of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Nothing later is given.
    pub settled_until: String,
    /// What cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

impl From<EventPage> for AuditBody {
    fn from(page: EventPage) -> Self {
        Self {
            items: page.events.iter().map(|event| event.document().to_value()).collect(),
            next_cursor: page.next,
            settled_until: page.until.to_string(),
            findings: page.damaged,
        }
    }
}

impl From<&CheckedTrail> for EventsBody {
    fn from(checked: &CheckedTrail) -> Self {
        let CheckedTrail { trail, finding } = checked;
        let finding = finding.as_ref().map(ToString::to_string);
        let findings: BTreeSet<String> = trail.damaged.iter().cloned().chain(finding).collect();
        Self {
            items: trail.events.iter().filter_map(EventBody::of).collect(),
            verified: findings.is_empty(),
            findings: findings.into_iter().collect(),
        }
    }
}

impl EventBody {
    /// An event of a request; `None` of an event of another stream.
    fn of(event: &AuditEvent) -> Option<Self> {
        let about = event.request.as_ref()?;
        Some(Self {
            format: audit::FORMAT.to_owned(),
            origin: event.origin.to_string(),
            stream: event.stream.to_string(),
            event_id: event.event_id.to_string(),
            request_id: about.request_id.to_string(),
            sequence: event.sequence,
            timestamp: event.timestamp.to_string(),
            event_type: event.event_type.as_str().to_owned(),
            user: event.user.to_string(),
            kind: event.kind.as_str().to_owned(),
            channel: event.channel.as_str().to_owned(),
            source_ip: text(event.source_ip),
            auth: event.authentication.as_ref().map(AuthBody::from),
            instance_id: about.instance_id.to_string(),
            operation_type: about.operation_type.to_string(),
            environment: about.environment.as_str().to_owned(),
            risk_level: about.risk_level.as_str().to_owned(),
            requested_by: about.requested_by.to_string(),
            status: about.status.to_string(),
            details: event.details.to_value(),
            state_digest: text(event.state_digest)?,
            prev_hash: event.prev_hash.to_string(),
            hash: event.hash.to_string(),
            others: event.others.clone(),
        })
    }
}

impl From<&Authentication> for AuthBody {
    fn from(authentication: &Authentication) -> Self {
        let Authentication { issuer, subject, at } = authentication;
        Self { issuer: issuer.clone(), subject: subject.clone(), at: text(*at) }
    }
}
