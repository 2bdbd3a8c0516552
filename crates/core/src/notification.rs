//! What is told to the world about an event: enough to understand it, never the parameters.

use crate::event::{Change, Event, EventType};
use crate::ids::{EventId, RequestId};
use crate::person::PersonId;
use crate::request::{Request, Status};
use crate::risk::{Cost, Environment, RiskLevel};
use crate::text::{CommentText, DurationText, Identifier, Justification};
use crate::timestamp::Timestamp;

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
    /// The request's status after the event.
    pub status: Status,
    /// What is to be done.
    pub operation_type: Identifier,
    /// To what.
    pub instance_id: Identifier,
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
    /// The notification of an event. `after` is the request as the event left it.
    pub fn of(event: &Event, after: &Request) -> Self {
        let remark = match &event.change {
            Change::Granted { comment, .. } => comment.clone(),
            Change::Rejected { reason } => Some(reason.clone()),
            Change::Cancelled { reason } => reason.clone(),
            Change::Commented { text } => Some(text.clone()),
            Change::Created(_) | Change::Expired | Change::Started { .. } | Change::Finished { .. } => None,
        };
        Self {
            event_id: event.id,
            event_type: event.change.event_type(),
            timestamp: event.at,
            user: event.user.clone(),
            request_id: event.request_id,
            sequence: event.sequence,
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
