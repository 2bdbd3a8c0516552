//! What subscribers learn of an event: enough to understand it, never the parameters. Its envelope is that of
//! `cloud_event`.

use crate::audit::Stream;
use crate::audit::anomaly::Anomaly;
use crate::digest::Digest;
use crate::event::{Change, Event, EventType};
use crate::ids::{EventId, RequestId};
use crate::person::PersonId;
use crate::request::Request;
use crate::risk::{Cost, Environment, RiskLevel};
use crate::status::Status;
use crate::text::{CommentText, DurationText, Identifier, InstanceId, Justification};
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// What is published.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Notice {
    /// An event of a request.
    Event(Box<Notification>),
    /// A request that is not what its events have made it.
    Anomaly(AnomalyNotice),
}

impl Notice {
    /// The event that it is about.
    pub fn event_id(&self) -> EventId {
        match self {
            Self::Event(notification) => notification.event_id,
            Self::Anomaly(notice) => notice.event_id,
        }
    }

    /// Where the event stands, and its hash, if that is known.
    pub fn place(&self) -> EventPlace {
        match self {
            Self::Event(notification) => EventPlace {
                stream: Stream::request(notification.request_id),
                sequence: notification.sequence,
                hash: Some(notification.hash),
            },
            Self::Anomaly(notice) => {
                EventPlace { stream: Stream::integrity(notice.request_id), sequence: 1, hash: None }
            }
        }
    }

    /// What happened.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Event(notification) => notification.event_type,
            Self::Anomaly(_) => EventType::AnomalyDetected,
        }
    }

    /// The time of the event.
    pub fn timestamp(&self) -> Timestamp {
        match self {
            Self::Event(notification) => notification.timestamp,
            Self::Anomaly(notice) => notice.timestamp,
        }
    }

    /// The request.
    pub fn request_id(&self) -> RequestId {
        match self {
            Self::Event(notification) => notification.request_id,
            Self::Anomaly(notice) => notice.request_id,
        }
    }

    /// The event's place in the request's trail, if it is in it.
    pub fn sequence(&self) -> Option<u64> {
        match self {
            Self::Event(notification) => Some(notification.sequence),
            Self::Anomaly(_) => None,
        }
    }
}

/// Where an event stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPlace {
    /// Its stream.
    pub stream: Stream,
    /// Its place in the stream.
    pub sequence: u64,
    /// Its hash, if that is known.
    pub hash: Option<Digest>,
}

/// A damaged request, as subscribers learn of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnomalyNotice {
    /// Names the event.
    pub event_id: EventId,
    /// [`EventType::AnomalyDetected`].
    pub event_type: EventType,
    /// When the damage was met.
    pub timestamp: Timestamp,
    /// Whose command met it, which is not who has done it.
    pub user: PersonId,
    /// The request.
    pub request_id: RequestId,
    /// What is wrong, in words.
    pub finding: String,
    /// Where people look at the request, if the publisher knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl AnomalyNotice {
    /// The notice of an anomaly.
    pub fn of(anomaly: &Anomaly) -> Self {
        Self {
            event_id: anomaly.event_id,
            event_type: EventType::AnomalyDetected,
            timestamp: anomaly.at,
            user: anomaly.actor.person.clone(),
            request_id: anomaly.request_id,
            finding: anomaly.finding.to_string(),
            link: None,
        }
    }
}

/// An event as its subscribers see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Names the event; a subscriber drops what it has seen by it.
    pub event_id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// The time of the event.
    pub timestamp: Timestamp,
    /// Who did it.
    pub user: PersonId,
    /// To which request.
    pub request_id: RequestId,
    /// The event's place in the request's trail; a subscriber orders by it.
    pub sequence: u64,
    /// The hash of the event: a subscriber that keeps what is published can tell an event that the store has
    /// since forgotten.
    pub hash: Digest,
    /// The request's status after the event.
    pub status: Status,
    /// What is to be done.
    pub operation_type: Identifier,
    /// The instance that the operation is for.
    pub instance_id: InstanceId,
    /// The environment of the instance.
    pub environment: Environment,
    /// The risk level of the operation.
    pub risk_level: RiskLevel,
    /// The requester.
    pub requested_by: PersonId,
    /// How many must agree.
    pub approvals_required: u8,
    /// How many have agreed so far.
    pub approvals_received: usize,
    /// Who has agreed so far.
    pub approved_by: Vec<PersonId>,
    /// Why it was asked for, unless that was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub justification: Option<Justification>,
    /// What it is expected to cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<Cost>,
    /// How long it is expected to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_duration: Option<DurationText>,
    /// When it expires if it is still pending.
    pub expires_at: Timestamp,
    /// By when it must be started, once approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute_by: Option<Timestamp>,
    /// What was said with this event: a comment or a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<CommentText>,
    /// Where people look at the request, if the publisher knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
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
            Change::Finished { note, .. } => note.clone(),
            Change::Created(_)
            | Change::Expired { .. }
            | Change::TargetObserved { .. }
            | Change::Started { .. }
            | Change::Claimed { .. }
            | Change::Renewed { .. }
            | Change::LeaseEnded { .. }
            | Change::Erased => None,
        };
        Self {
            event_id: event.id,
            event_type: event.change.event_type(),
            timestamp: event.at,
            user: event.user.clone(),
            request_id: event.request_id,
            sequence: event.sequence,
            status: event.status,
            remark,
            ..Self::as_it_stands(event.id, event.at, after)
        }
    }

    /// A request as it stands, for those who are told of it because time has passed: what is told is its creation, once more.
    pub fn as_it_stands(event_id: EventId, at: Timestamp, after: &Request) -> Self {
        Self {
            event_id,
            event_type: EventType::ApprovalRequestCreated,
            timestamp: at,
            user: after.content.requested_by.clone(),
            request_id: after.id(),
            sequence: after.version,
            hash: after.audit_head,
            status: after.status,
            operation_type: after.content.operation_type.clone(),
            instance_id: after.content.instance_id.clone(),
            environment: after.content.environment,
            risk_level: after.content.risk_level,
            requested_by: after.content.requested_by.clone(),
            approvals_required: after.content.approvals_required,
            approvals_received: after.approvals_received(),
            approved_by: after.approved_by().cloned().collect(),
            justification: after.content.justification.kept().map(|(text, _)| text.clone()),
            estimated_cost: after.content.estimated_cost,
            estimated_duration: after.content.estimated_duration.clone(),
            expires_at: after.content.expires_at,
            execute_by: after.execute_by,
            remark: None,
            link: None,
        }
    }
}
