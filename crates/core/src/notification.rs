//! What subscribers learn of an event: enough to understand it, never the parameters.
//!
//! A notice waits in the outbox as one canonical JSON document, see docs/data-model.md.

use crate::audit::anomaly::Anomaly;
use crate::canonical::CanonicalJson;
use crate::digest::{DeploymentKey, Digest};
use crate::event::{Change, Event, EventType};
use crate::ids::{EventId, RequestId};
use crate::person::PersonId;
use crate::request::{Request, Status};
use crate::risk::{Cost, Environment, RiskLevel};
use crate::text::{CommentText, DurationText, Identifier, InstanceId, Justification};
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is published.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// An event of a request.
    Event(Box<Notification>),
    /// A request that is not what its events have made it.
    Anomaly(AnomalyNotice),
}

/// A damaged request, as subscribers learn of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnomalyNotice {
    /// Names the event.
    pub event_id: EventId,
    /// When the damage was met.
    pub timestamp: Timestamp,
    /// Whose command met it.
    pub user: PersonId,
    /// The request.
    pub request_id: RequestId,
    /// What is wrong, in words.
    pub finding: String,
}

impl AnomalyNotice {
    /// The notice of an anomaly.
    pub fn of(anomaly: &Anomaly) -> Self {
        Self {
            event_id: anomaly.event_id,
            timestamp: anomaly.at,
            user: anomaly.actor.person.clone(),
            request_id: anomaly.request_id,
            finding: anomaly.finding.to_string(),
        }
    }
}

impl Notice {
    /// The event that it is about.
    pub fn event_id(&self) -> EventId {
        match self {
            Self::Event(notification) => notification.event_id,
            Self::Anomaly(notice) => notice.event_id,
        }
    }

    /// What waits in the outbox.
    pub fn document(&self) -> CanonicalJson {
        let value = match self {
            Self::Event(notification) => serde_json::to_value(EventDocument::from(notification.as_ref())),
            Self::Anomaly(notice) => serde_json::to_value(AnomalyDocument::from(notice)),
        };
        // INVARIANT: texts and finite numbers serialise; a document that did not would be `null`, which
        // no reader takes.
        CanonicalJson::of(&value.unwrap_or(Value::Null))
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// Why it cannot be read; no value of it, which may be what people wrote.
    pub fn read(document: &str) -> Result<Self, String> {
        let unreadable = |error: serde_json::Error| {
            format!("message cannot be read at line {}, column {}", error.line(), error.column())
        };
        let value: Value = serde_json::from_str(document).map_err(unreadable)?;
        let event_type = value.get("event_type").and_then(Value::as_str).and_then(EventType::parse);
        let notice = if event_type == Some(EventType::AnomalyDetected) {
            let document: AnomalyDocument = serde_json::from_value(value).map_err(unreadable)?;
            document.read().map(Self::Anomaly)
        } else {
            let document: EventDocument = serde_json::from_value(value).map_err(unreadable)?;
            document.read().map(Box::new).map(Self::Event)
        };
        notice.ok_or_else(|| "a field of the message has an impossible value".to_owned())
    }
}

/// A notice as it is written with its event, to wait for delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The event.
    pub event_id: EventId,
    /// The notice, see [`Notice::document`].
    pub document: CanonicalJson,
    /// Binds the document for those who have the deployment's key.
    pub seal: Digest,
}

impl Message {
    /// The message of a notice.
    pub fn of(notice: &Notice, key: &DeploymentKey) -> Self {
        let (event_id, document) = (notice.event_id(), notice.document());
        let seal = seal(event_id, document.as_str(), key);
        Self { event_id, document, seal }
    }
}

/// What binds the document of an event's message: HMAC-SHA-256 under the deployment's key.
pub fn seal(event_id: EventId, document: &str, key: &DeploymentKey) -> Digest {
    key.digest(&format!("countersign.message.v1:{event_id}"), document)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnomalyDocument {
    event_id: String,
    event_type: String,
    timestamp: String,
    user: String,
    request_id: String,
    finding: String,
}

impl From<&AnomalyNotice> for AnomalyDocument {
    fn from(notice: &AnomalyNotice) -> Self {
        Self {
            event_id: notice.event_id.to_string(),
            event_type: EventType::AnomalyDetected.as_str().to_owned(),
            timestamp: notice.timestamp.to_string(),
            user: notice.user.to_string(),
            request_id: notice.request_id.to_string(),
            finding: notice.finding.clone(),
        }
    }
}

impl AnomalyDocument {
    fn read(&self) -> Option<AnomalyNotice> {
        Some(AnomalyNotice {
            event_id: EventId::parse(&self.event_id).ok()?,
            timestamp: Timestamp::parse(&self.timestamp).ok()?,
            user: PersonId::from_stored(&self.user).ok()?,
            request_id: RequestId::parse(&self.request_id).ok()?,
            finding: self.finding.clone(),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventDocument {
    event_id: String,
    event_type: String,
    timestamp: String,
    user: String,
    request_id: String,
    sequence: u64,
    hash: String,
    status: String,
    operation_type: String,
    instance_id: String,
    environment: String,
    risk_level: String,
    requested_by: String,
    approvals_required: u8,
    approved_by: Vec<String>,
    justification: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_cost: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_duration: Option<String>,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    execute_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
}

impl From<&Notification> for EventDocument {
    fn from(notification: &Notification) -> Self {
        Self {
            event_id: notification.event_id.to_string(),
            event_type: notification.event_type.as_str().to_owned(),
            timestamp: notification.timestamp.to_string(),
            user: notification.user.to_string(),
            request_id: notification.request_id.to_string(),
            sequence: notification.sequence,
            hash: notification.hash.to_string(),
            status: notification.status.to_string(),
            operation_type: notification.operation_type.to_string(),
            instance_id: notification.instance_id.to_string(),
            environment: notification.environment.as_str().to_owned(),
            risk_level: notification.risk_level.as_str().to_owned(),
            requested_by: notification.requested_by.to_string(),
            approvals_required: notification.approvals_required,
            approved_by: notification.approved_by.iter().map(PersonId::to_string).collect(),
            justification: notification.justification.as_str().to_owned(),
            estimated_cost: notification.estimated_cost.map(Cost::amount),
            estimated_duration: notification.estimated_duration.as_ref().map(|text| text.as_str().to_owned()),
            expires_at: notification.expires_at.to_string(),
            execute_by: notification.execute_by.map(|time| time.to_string()),
            remark: notification.remark.as_ref().map(|text| text.as_str().to_owned()),
        }
    }
}

impl EventDocument {
    fn read(&self) -> Option<Notification> {
        let approved_by = self.approved_by.iter().map(|person| PersonId::from_stored(person).ok());
        Some(Notification {
            event_id: EventId::parse(&self.event_id).ok()?,
            event_type: EventType::parse(&self.event_type)?,
            timestamp: Timestamp::parse(&self.timestamp).ok()?,
            user: PersonId::from_stored(&self.user).ok()?,
            request_id: RequestId::parse(&self.request_id).ok()?,
            sequence: self.sequence,
            hash: Digest::parse(&self.hash).ok()?,
            status: Status::parse(&self.status)?,
            operation_type: Identifier::parse(&self.operation_type).ok()?,
            instance_id: InstanceId::parse(&self.instance_id).ok()?,
            environment: Environment::parse(&self.environment)?,
            risk_level: RiskLevel::parse(&self.risk_level)?,
            requested_by: PersonId::from_stored(&self.requested_by).ok()?,
            approvals_required: self.approvals_required,
            approved_by: approved_by.collect::<Option<_>>()?,
            justification: Justification::parse(&self.justification).ok()?,
            estimated_cost: self.estimated_cost.map(Cost::new).transpose().ok()?,
            estimated_duration: self
                .estimated_duration
                .as_deref()
                .map(DurationText::parse)
                .transpose()
                .ok()?,
            expires_at: Timestamp::parse(&self.expires_at).ok()?,
            execute_by: self.execute_by.as_deref().map(Timestamp::parse).transpose().ok()?,
            remark: self.remark.as_deref().map(CommentText::parse).transpose().ok()?,
        })
    }
}

/// An event as its subscribers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Names the event; a subscriber drops what it has seen by it.
    pub event_id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// When.
    pub timestamp: Timestamp,
    /// Who did it.
    pub user: PersonId,
    /// To which request.
    pub request_id: RequestId,
    /// The event's place in the request's trail; a subscriber orders by it.
    pub sequence: u64,
    /// The hash of the event: whoever keeps what is published can tell an event that the store has
    /// since forgotten.
    pub hash: Digest,
    /// The request's status after the event.
    pub status: Status,
    /// What is to be done.
    pub operation_type: Identifier,
    /// To what.
    pub instance_id: InstanceId,
    /// Where.
    pub environment: Environment,
    /// How dangerous.
    pub risk_level: RiskLevel,
    /// Who asked.
    pub requested_by: PersonId,
    /// How many must agree.
    pub approvals_required: u8,
    /// Who has agreed so far.
    pub approved_by: Vec<PersonId>,
    /// Why it was asked for.
    pub justification: Justification,
    /// What it is expected to cost.
    pub estimated_cost: Option<Cost>,
    /// How long it is expected to take.
    pub estimated_duration: Option<DurationText>,
    /// When it expires if it is still pending.
    pub expires_at: Timestamp,
    /// By when it must be started, once approved.
    pub execute_by: Option<Timestamp>,
    /// What was said with this event: a comment or a reason.
    pub remark: Option<CommentText>,
}

impl Notification {
    /// The notification of an event. `after` is the request as the event left it, with the event at the
    /// head of its trail.
    pub fn of(event: &Event, after: &Request) -> Self {
        let remark = match &event.change {
            Change::Granted { comment, .. } => comment.clone(),
            Change::Rejected { reason, .. } => Some(reason.clone()),
            Change::Withdrawn { reason, .. } | Change::Cancelled { reason } => reason.clone(),
            Change::Commented { text } => Some(text.clone()),
            Change::Created(_)
            | Change::Expired { .. }
            | Change::Started { .. }
            | Change::Finished { .. } => None,
        };
        Self {
            event_id: event.id,
            event_type: event.change.event_type(),
            timestamp: event.at,
            user: event.user.clone(),
            request_id: event.request_id,
            sequence: event.sequence,
            hash: after.audit_head,
            status: event.status,
            operation_type: after.operation_type.clone(),
            instance_id: after.instance_id.clone(),
            environment: after.environment,
            risk_level: after.risk_level,
            requested_by: after.requested_by.clone(),
            approvals_required: after.approvals_required,
            approved_by: after.approved_by().cloned().collect(),
            justification: after.justification.clone(),
            estimated_cost: after.estimated_cost,
            estimated_duration: after.estimated_duration.clone(),
            expires_at: after.expires_at,
            execute_by: after.execute_by,
            remark,
        }
    }
}
