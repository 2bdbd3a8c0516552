//! What an event adds to figures. The events of a stream have to come in their order.

use crate::counts::Figure;
use crate::day::DayFigures;
use countersign_core::audit::{AuditEvent, AuditedRequest};
use countersign_core::event::EventType;
use countersign_core::ids::RequestId;
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is remembered of a request while more can become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestProgress {
    /// When it was made, in milliseconds since 1970.
    pub requested_at: i64,
    /// Whether it has been approved before, or was approved at once: another approval is not counted again.
    pub is_decided: bool,
    /// Whether its execution has been unknown before.
    pub was_unknown: bool,
}

/// What of stored figures events can change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Days, such as `2026-01-31`.
    pub days: BTreeSet<String>,
    /// Requests.
    pub requests: BTreeSet<RequestId>,
}

impl Touched {
    /// Adds what an event can change.
    pub fn add(&mut self, event: &AuditEvent) {
        self.days.insert(event.timestamp.day());
        self.requests.extend(remembered(event));
    }

    /// How many items that are.
    pub fn len(&self) -> usize {
        self.days.len() + self.requests.len()
    }

    /// Whether that is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The request of an event for which something is remembered of its request, or that changes what is.
fn remembered(event: &AuditEvent) -> Option<RequestId> {
    let request = event.request.as_ref()?;
    match event.event_type.known()? {
        EventType::ApprovalRequestCreated
        | EventType::ApprovalGranted
        | EventType::ApprovalRejected
        | EventType::ApprovalCancelled
        | EventType::ApprovalExpired
        | EventType::ExecutionUnknown
        | EventType::ExecutionSucceeded
        | EventType::ExecutionFailed => Some(request.request_id),
        EventType::ApprovalWithdrawn
        | EventType::ExecutionStarted
        | EventType::TargetObserved
        | EventType::ExecutionClaimed
        | EventType::ExecutionRenewed
        | EventType::CommentAdded
        | EventType::ParametersErased
        | EventType::AnomalyDetected
        | EventType::AttemptRefused
        | EventType::AuditRead => None,
    }
}

/// Figures, and what is remembered of requests: of all, or of those that events touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FigureState {
    /// Figures by day.
    pub days: BTreeMap<String, DayFigures>,
    /// What is remembered of requests.
    pub requests: BTreeMap<RequestId, RequestProgress>,
}

impl FigureState {
    /// Adds an event. What it touches has to be here, as far as there is any.
    pub fn add(&mut self, event: &AuditEvent) {
        let day = self.days.entry(event.timestamp.day()).or_default();
        day.count_event(event.event_type.as_str());
        match (&event.request, event.event_type.known()) {
            (Some(request), Some(event_type)) => {
                add_of_request(day, &mut self.requests, event, request, event_type)
            }
            (None, Some(EventType::AttemptRefused)) => {
                day.count_person(Figure::Refused, event.user.as_str(), attempts(event));
            }
            (_, None) | (None, Some(_)) => {}
        }
    }
}

fn add_of_request(
    day: &mut DayFigures,
    requests: &mut BTreeMap<RequestId, RequestProgress>,
    event: &AuditEvent,
    request: &AuditedRequest,
    event_type: EventType,
) {
    let (operation, requester) = (request.operation_type.as_str(), request.requested_by.as_str());
    let id = request.request_id;
    // A decision on a request is timed once.
    let decided =
        |day: &mut DayFigures, requests: &BTreeMap<RequestId, RequestProgress>| match requests.get(&id) {
            Some(progress) if !progress.is_decided => {
                day.decided_after(milliseconds_between(progress.requested_at, event.timestamp), operation);
            }
            Some(_) | None => {}
        };
    match event_type {
        EventType::ApprovalRequestCreated => {
            let is_decided = request.status == Status::Approved;
            day.count_request(Figure::Total, operation, requester);
            if is_decided {
                day.count_request(Figure::AutoApproved, operation, requester);
            }
            if let Some(cost) = event.detail("estimated_cost") {
                day.costs(operation, |costs| costs.estimated.record(&cost));
            }
            let requested_at = event.timestamp.as_millisecond();
            requests.insert(id, RequestProgress { requested_at, is_decided, was_unknown: false });
        }
        EventType::ApprovalGranted => {
            day.count_person(Figure::ApprovalsGiven, event.user.as_str(), 1);
            answered(day, requests, event, id);
            let is_first = requests.get(&id).is_none_or(|progress| !progress.is_decided);
            if request.status == Status::Approved && is_first {
                day.count_request(Figure::Approved, operation, requester);
                decided(day, requests);
                if let Some(progress) = requests.get_mut(&id) {
                    progress.is_decided = true;
                }
            }
        }
        EventType::ApprovalRejected => {
            day.count_person(Figure::RejectionsGiven, event.user.as_str(), 1);
            answered(day, requests, event, id);
            day.count_request(Figure::Rejected, operation, requester);
            decided(day, requests);
            requests.remove(&id);
        }
        EventType::ExecutionUnknown => {
            let progress = requests.get_mut(&id);
            if progress.as_ref().is_none_or(|progress| !progress.was_unknown) {
                day.count_request(Figure::Unknown, operation, requester);
            }
            if let Some(progress) = progress {
                progress.was_unknown = true;
            }
        }
        EventType::ApprovalCancelled
        | EventType::ApprovalExpired
        | EventType::ExecutionSucceeded
        | EventType::ExecutionFailed => {
            if let Some(figure) = end(event_type) {
                day.count_request(figure, operation, requester);
            }
            if let Some(cost) = event.detail("actual_cost") {
                day.costs(operation, |costs| costs.actual.record(&cost));
            }
            requests.remove(&id);
        }
        EventType::ApprovalWithdrawn
        | EventType::ExecutionStarted
        | EventType::TargetObserved
        | EventType::ExecutionClaimed
        | EventType::ExecutionRenewed
        | EventType::CommentAdded
        | EventType::ParametersErased
        | EventType::AnomalyDetected
        | EventType::AttemptRefused
        | EventType::AuditRead => {}
    }
}

/// Times what one person decided, for the person and for the groups that the event names. An event about a rejection names none.
fn answered(
    day: &mut DayFigures,
    requests: &BTreeMap<RequestId, RequestProgress>,
    event: &AuditEvent,
    id: RequestId,
) {
    let Some(progress) = requests.get(&id) else { return };
    let details = event.details.to_value();
    let groups = details.get("groups").and_then(|groups| groups.as_array()).into_iter().flatten();
    let groups: Vec<_> = groups.filter_map(|group| group.as_str().map(str::to_owned)).collect();
    let milliseconds = milliseconds_between(progress.requested_at, event.timestamp);
    day.answered_after(milliseconds, event.user.as_str(), &groups);
}

/// The figure of an end that is no decision.
fn end(event_type: EventType) -> Option<Figure> {
    [
        (EventType::ApprovalCancelled, Figure::Cancelled),
        (EventType::ApprovalExpired, Figure::Expired),
        (EventType::ExecutionSucceeded, Figure::Executed),
        (EventType::ExecutionFailed, Figure::Failed),
    ]
    .into_iter()
    .find_map(|(candidate, figure)| (candidate == event_type).then_some(figure))
}

fn milliseconds_between(from: i64, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond().saturating_sub(from)).unwrap_or_default()
}

/// How many attempts an event stands for.
fn attempts(event: &AuditEvent) -> u64 {
    let details = event.details.to_value();
    match details.get("counts").and_then(|counts| counts.as_object()) {
        Some(counts) => counts.values().filter_map(serde_json::Value::as_u64).fold(0, u64::saturating_add),
        None => 1,
    }
}
