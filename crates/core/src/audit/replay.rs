//! A request held against its own trail: before its approval is spent, and whenever an operator or
//! an auditor asks.
//!
//! The trail is replayed: each event changes what is known, and what is known at the end must be
//! what stands on the request. Texts are not in events, so they are held against the state's digest.

use super::{AuditEvent, AuditedRequest, BrokenChain, Stream, verify};
use crate::event::EventType;
use crate::execution::ExecutionOutcome;
use crate::ids::{EventId, ExecutionId};
use crate::origin::Origin;
use crate::person::PersonId;
use crate::request::{Request, Status, Verdict};
use crate::timestamp::Timestamp;

/// How a request, its trail or its outbox entry is not what this deployment has written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The stored item cannot be read, or contradicts itself.
    #[error("{0}")]
    Unreadable(String),
    /// The trail is broken.
    #[error(transparent)]
    Chain(#[from] BrokenChain),
    /// The state was not sealed by this deployment.
    #[error("the request's seal does not fit: its state was changed by something else than this deployment")]
    Seal,
    /// The request has another number of events than its version says.
    #[error("the request is at version {version} and its trail has {events} events")]
    Length {
        /// The version on the request.
        version: u64,
        /// How many events there are.
        events: u64,
    },
    /// An event names other content than the request has.
    #[error("event {sequence} of the trail is about other content than the request has")]
    Content {
        /// The event's sequence.
        sequence: u64,
    },
    /// What an event did is not known.
    #[error("event {sequence} of the trail has a type that this version does not know")]
    UnknownType {
        /// The event's sequence.
        sequence: u64,
    },
    /// A transition that no rule has.
    #[error("event {sequence} of the trail cannot follow the one before it")]
    Transition {
        /// The event's sequence.
        sequence: u64,
    },
    /// The last event leaves another state than the request has.
    #[error("the trail does not lead to the request's {0}")]
    State(&'static str),
    /// An event that is about no request stands in a stream of another kind.
    #[error("event {sequence} is of a type that its stream does not have")]
    WrongStream {
        /// The event's sequence.
        sequence: u64,
    },
    /// There are events and no request.
    #[error("the trail has no request")]
    NoRequest,
    /// A message does not belong to the event that it names.
    #[error("the message of event {0} is not what was written with the event")]
    Message(EventId),
    /// A message was published of an event that the trail does not have.
    #[error("event {sequence} with hash {hash} was published, and is not in the store")]
    Forgotten {
        /// The event's sequence.
        sequence: u64,
        /// Its hash.
        hash: String,
    },
}

/// What the events of a trail say of a request.
#[derive(Debug, PartialEq)]
struct Replayed {
    status: Status,
    decisions: Vec<(PersonId, Verdict, Timestamp, EventId)>,
    approved_at: Option<Timestamp>,
    execute_by: Option<Timestamp>,
    erased_at: Option<Timestamp>,
    comments: usize,
    withdrawals: usize,
    cancelled_at: Option<(PersonId, Timestamp)>,
    target: Option<(PersonId, Timestamp, String)>,
    execution: Option<(ExecutionId, PersonId, Timestamp)>,
    claimed: Option<(PersonId, Timestamp)>,
    lease_until: Option<Timestamp>,
    unknown_since: Option<Timestamp>,
    finished: Option<(Timestamp, ExecutionOutcome)>,
}

/// Checks that a request is what its whole trail, first event first, has made it, and that the trail is of
/// `origin`, if that is known.
///
/// # Errors
/// The first thing that does not agree.
pub fn check(request: &Request, events: &[AuditEvent], origin: Option<&Origin>) -> Result<(), Finding> {
    verify(&Stream::request(request.id()), origin, events, request.audit_head)?;
    let length = events.len() as u64;
    if length != request.version {
        return Err(Finding::Length { version: request.version, events: length });
    }
    let content_digest = request.content.digest().to_string();
    let remaining_digest = request.content.document().digest().to_string();
    let mut replayed: Option<Replayed> = None;
    for event in events {
        let sequence = event.sequence;
        let Some(event_type) = event.event_type.known() else {
            return Err(Finding::UnknownType { sequence });
        };
        let is_content = match event_type {
            EventType::ApprovalRequestCreated
            | EventType::ApprovalGranted
            | EventType::ApprovalRejected
            | EventType::ExecutionStarted => event.detail("content_digest").as_ref() == Some(&content_digest),
            EventType::ParametersErased => {
                event.detail("content_digest").as_ref() == Some(&content_digest)
                    && event.detail("remaining_content_digest").as_ref() == Some(&remaining_digest)
            }
            EventType::ApprovalWithdrawn
            | EventType::ApprovalCancelled
            | EventType::ApprovalExpired
            | EventType::TargetObserved
            | EventType::ExecutionClaimed
            | EventType::ExecutionRenewed
            | EventType::ExecutionUnknown
            | EventType::ExecutionSucceeded
            | EventType::ExecutionFailed
            | EventType::CommentAdded
            | EventType::AnomalyDetected
            | EventType::AttemptRefused
            | EventType::AuditRead => true,
        };
        let about = event.request.as_ref().filter(|about| is_about(request, about));
        let Some(about) = about.filter(|_| is_content) else {
            return Err(Finding::Content { sequence });
        };
        replayed = match replayed {
            None => first(event, event_type, about.status),
            Some(replayed) => next(replayed, event, event_type, about.status),
        };
        if replayed.is_none() {
            return Err(Finding::Transition { sequence });
        }
    }
    let (Some(replayed), Some(last)) = (replayed, events.last()) else {
        return Err(Finding::Length { version: request.version, events: length });
    };
    let recorded = recorded(request);
    let agrees = [
        ("status", replayed.status == recorded.status),
        ("decisions", replayed.decisions == recorded.decisions),
        ("approved_at", replayed.approved_at == recorded.approved_at),
        ("execute_by", replayed.execute_by == recorded.execute_by),
        ("erasure", replayed.erased_at == recorded.erased_at),
        ("comments", replayed.comments == recorded.comments),
        ("withdrawals", replayed.withdrawals == recorded.withdrawals),
        ("cancellation", replayed.cancelled_at == recorded.cancelled_at),
        ("target", replayed.target == recorded.target),
        ("execution", replayed.execution == recorded.execution),
        ("claim", replayed.claimed == recorded.claimed),
        ("lease", replayed.lease_until == recorded.lease_until),
        ("execution's state", replayed.unknown_since == recorded.unknown_since),
        ("outcome", replayed.finished == recorded.finished),
        ("last event", last.event_id == request.last_event_id && last.timestamp == request.updated_at),
        ("state", last.state_digest == Some(request.state_digest())),
    ];
    match agrees.into_iter().find(|(_, agrees)| !agrees) {
        Some((what, _)) => Err(Finding::State(what)),
        None => Ok(()),
    }
}

/// Whether the members that every event repeats of its request are this request's.
fn is_about(request: &Request, about: &AuditedRequest) -> bool {
    about.request_id == request.id()
        && about.operation_type == request.content.operation_type
        && about.instance_id == request.content.instance_id
        && about.environment == request.content.environment
        && about.risk_level == request.content.risk_level
        && about.requested_by == request.content.requested_by
}

fn first(event: &AuditEvent, event_type: EventType, status: Status) -> Option<Replayed> {
    let is_creation = event_type == EventType::ApprovalRequestCreated;
    let is_approved = status == Status::Approved;
    if !is_creation || !(is_approved || status == Status::Pending) {
        return None;
    }
    Some(Replayed {
        status,
        decisions: Vec::new(),
        approved_at: is_approved.then_some(event.timestamp),
        execute_by: time(event, "execute_by"),
        erased_at: None,
        comments: 0,
        withdrawals: 0,
        cancelled_at: None,
        target: None,
        claimed: None,
        lease_until: None,
        unknown_since: None,
        execution: None,
        finished: None,
    })
}

/// What an event makes of what the events before it have made; `None` for what no rule lets happen.
fn next(
    mut replayed: Replayed,
    event: &AuditEvent,
    event_type: EventType,
    after: Status,
) -> Option<Replayed> {
    use Status::{Approved, Cancelled, Executed, Executing, Expired, Failed, Pending, Rejected};
    let before = replayed.status;
    let at = event.timestamp;
    let is_undecided = matches!(before, Pending | Approved);
    let is_legal = match event_type {
        EventType::ApprovalGranted => is_undecided && matches!(after, Pending | Approved),
        EventType::ApprovalRejected => is_undecided && after == Rejected,
        EventType::ApprovalWithdrawn => is_undecided && matches!(after, Pending | Approved | Expired),
        EventType::ApprovalCancelled => is_undecided && after == Cancelled,
        EventType::ApprovalExpired => is_undecided && after == Expired,
        EventType::TargetObserved => is_undecided && after == before && replayed.target.is_none(),
        EventType::ExecutionStarted => before == Approved && after == Executing,
        EventType::ExecutionClaimed => {
            before == Executing && after == Executing && replayed.claimed.is_none()
        }
        EventType::ExecutionRenewed => before == Executing && after == Executing,
        EventType::ExecutionUnknown => {
            before == Executing
                && after == Executing
                && replayed.unknown_since.is_none()
                && time(event, "lease_until") == replayed.lease_until
        }
        EventType::ExecutionSucceeded => before == Executing && after == Executed,
        EventType::ExecutionFailed => before == Executing && after == Failed,
        EventType::CommentAdded => after == before && before != Expired && replayed.erased_at.is_none(),
        EventType::ParametersErased => after == before && !before.is_open() && replayed.erased_at.is_none(),
        EventType::ApprovalRequestCreated
        | EventType::AnomalyDetected
        | EventType::AttemptRefused
        | EventType::AuditRead => false,
    };
    // What happens to an execution happens to the one that was started.
    let execution = replayed.execution.as_ref().map(|(id, ..)| id.to_string());
    let is_of_execution = before != Executing
        || event_type == EventType::CommentAdded
        || event.detail("execution_id") == execution;
    if !is_legal || !is_of_execution {
        return None;
    }
    replayed.status = after;
    let mut forget = |name: &str| {
        let forgotten = event.detail_events(name);
        replayed.decisions.retain(|(.., event_id)| !forgotten.contains(event_id));
    };
    let decision = |verdict| (event.user.clone(), verdict, at, event.event_id);
    match event_type {
        EventType::ApprovalGranted => {
            forget("replaces");
            replayed.decisions.push(decision(Verdict::Approved));
            if let Some(execute_by) = time(event, "execute_by") {
                replayed.approved_at = Some(at);
                replayed.execute_by = Some(execute_by);
            }
        }
        EventType::ApprovalRejected => {
            forget("replaces");
            replayed.decisions.push(decision(Verdict::Rejected));
        }
        EventType::ApprovalWithdrawn => {
            forget("withdraws");
            replayed.withdrawals += 1;
            replayed.comments += usize::from(event.detail("reason_digest").is_some());
        }
        EventType::ApprovalCancelled => replayed.cancelled_at = Some((event.user.clone(), at)),
        EventType::ExecutionStarted => {
            let id = ExecutionId::parse(&event.detail("execution_id")?).ok()?;
            replayed.execution = Some((id, event.user.clone(), at));
            replayed.lease_until = time(event, "lease_until");
        }
        EventType::TargetObserved => {
            replayed.target = Some((event.user.clone(), at, event.detail("target_digest")?));
        }
        EventType::ExecutionClaimed => {
            replayed.claimed = Some((event.user.clone(), at));
            replayed.lease_until = time(event, "lease_until");
        }
        EventType::ExecutionRenewed => {
            replayed.lease_until = time(event, "lease_until");
            replayed.unknown_since = None;
        }
        EventType::ExecutionUnknown => replayed.unknown_since = Some(at),
        EventType::ExecutionSucceeded => replayed.finished = Some((at, ExecutionOutcome::Succeeded)),
        EventType::ExecutionFailed => replayed.finished = Some((at, ExecutionOutcome::Failed)),
        EventType::CommentAdded => replayed.comments += 1,
        EventType::ApprovalExpired
        | EventType::ApprovalRequestCreated
        | EventType::AnomalyDetected
        | EventType::AttemptRefused
        | EventType::AuditRead => {}
        EventType::ParametersErased => replayed.erased_at = Some(at),
    }
    let waits_again =
        matches!(event_type, EventType::ApprovalGranted | EventType::ApprovalWithdrawn) && after != Approved;
    if waits_again {
        replayed.approved_at = None;
        replayed.execute_by = None;
    }
    Some(replayed)
}

fn time(event: &AuditEvent, name: &str) -> Option<Timestamp> {
    Timestamp::parse(&event.detail(name)?).ok()
}

/// The same of what stands on the request.
fn recorded(request: &Request) -> Replayed {
    let execution = request.execution.as_ref();
    Replayed {
        status: request.status,
        decisions: request
            .decisions
            .iter()
            .map(|decision| (decision.person.clone(), decision.verdict, decision.at, decision.event_id))
            .collect(),
        approved_at: request.approved_at,
        execute_by: request.execute_by,
        erased_at: request.erased_at,
        comments: request.comments.len(),
        withdrawals: request.withdrawals.len(),
        cancelled_at: request.cancellation.as_ref().map(|end| (end.by.clone(), end.at)),
        target: request
            .target
            .as_ref()
            .map(|target| (target.by.clone(), target.at, target.digest().to_string())),
        claimed: execution
            .and_then(|execution| execution.claim.as_ref())
            .map(|claim| (claim.by.clone(), claim.at)),
        lease_until: execution.map(|execution| execution.lease_until),
        unknown_since: execution.and_then(|execution| execution.unknown_since),
        execution: execution
            .map(|execution| (execution.id, execution.started_by.clone(), execution.started_at)),
        finished: request.finish().map(|finish| (finish.at, finish.outcome)),
    }
}
