//! The decision: may this actor do this to this request now, and what happens if so.
//!
//! A function of values. Refusals are found in the order that the API documents: visible, retry,
//! kind of actor, own request, permission, state and deadline, already decided, digest.

use crate::access::{self, Action};
use crate::actor::{Actor, Kind};
use crate::command::{Command, CommandName, Draft, ExecutionOutcome};
use crate::event::{Change, Event, Opening};
use crate::idempotency::{self, Idempotency, IdempotencyRecord, Seen};
use crate::ids::{ExecutionId, RequestId};
use crate::person::PersonId;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::request::{Execution, MAX_COMMENT_BYTES, MAX_COMMENTS, Request, Status};
use crate::stamp::Stamp;
use crate::text::CommentText;

/// What an accepted command comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Something happened.
    Event(Box<Event>),
    /// It had happened before: the same key with the same body.
    Replayed,
}

/// Decides whether a request may be made, and what policy demands of it.
///
/// # Errors
/// [`Refusal::NotPermitted`] when none of the actor's groups may create requests.
pub fn create(
    id: RequestId,
    draft: Draft,
    actor: &Actor,
    stamp: &Stamp,
    policy: &Policy,
    idempotency: Option<&Idempotency>,
) -> Result<Event, Refusal> {
    if !access::allows(actor, Action::Create) {
        return Err(Refusal::NotPermitted("none of your groups may create requests"));
    }
    let terms = policy.assess(
        draft.operation_type.as_str(),
        draft.instance_id.as_str(),
        draft.declared_risk,
        draft.declared_environment,
    );
    let status = if terms.approvals_required == 0 { Status::Approved } else { Status::Pending };
    let opening = Opening {
        operation_type: draft.operation_type,
        instance_id: draft.instance_id,
        parameters: draft.parameters,
        requested_by: actor.person.clone(),
        filed_by: actor.filed_by.clone(),
        risk_level: terms.risk_level,
        environment: terms.environment,
        justification: draft.justification,
        estimated_cost: draft.estimated_cost,
        estimated_duration: draft.estimated_duration,
        approvals_required: terms.approvals_required,
        policy_version: policy.version(),
        expires_at: stamp.now.plus_seconds(terms.pending_seconds),
        execute_within_seconds: terms.execute_within_seconds,
    };
    Ok(Event {
        id: stamp.event_id,
        request_id: id,
        sequence: 1,
        at: stamp.now,
        user: actor.person.clone(),
        kind: actor.kind,
        channel: actor.channel,
        status,
        change: Change::Created(Box::new(opening)),
        idempotency: remembered(actor, CommandName::Create, idempotency),
    })
}

/// Decides a command on an existing request.
///
/// # Errors
/// The first [`Refusal`] in the documented order.
pub fn decide(
    request: &Request,
    command: &Command,
    actor: &Actor,
    stamp: &Stamp,
    idempotency: Option<&Idempotency>,
) -> Result<Outcome, Refusal> {
    let status = request.status_at(stamp.now);
    if *command == Command::Expire {
        // No door leads here: only the sweep says that a deadline has passed.
        if actor.person != PersonId::expiry() {
            return Err(Refusal::NotPermitted("only the system writes down that a deadline has passed"));
        }
    } else {
        if !access::may_view(actor, request) {
            return Err(Refusal::NotVisible);
        }
        match idempotency::seen(&request.idempotency, &actor.person, command.name(), idempotency) {
            Seen::Never => {}
            Seen::Before => return Ok(Outcome::Replayed),
            Seen::WithAnotherBody => return Err(Refusal::IdempotencyConflict(status)),
        }
        permitted(request, command, actor)?;
    }
    let (status, change) = transition(request, status, command, actor, stamp)?;
    Ok(Outcome::Event(Box::new(Event {
        id: stamp.event_id,
        request_id: request.id,
        sequence: request.version + 1,
        at: stamp.now,
        user: actor.person.clone(),
        kind: actor.kind,
        channel: actor.channel,
        status,
        change,
        idempotency: remembered(actor, command.name(), idempotency),
    })))
}

fn remembered(
    actor: &Actor,
    command: CommandName,
    idempotency: Option<&Idempotency>,
) -> Option<IdempotencyRecord> {
    idempotency.map(|idempotency| IdempotencyRecord {
        person: actor.person.clone(),
        command,
        idempotency: idempotency.clone(),
    })
}

/// Whether this actor may give this command at all, whatever the request's state.
fn permitted(request: &Request, command: &Command, actor: &Actor) -> Result<(), Refusal> {
    let is_requester = request.requested_by == actor.person;
    match command {
        Command::Approve { .. } | Command::Reject { .. } => {
            if actor.kind != Kind::Human {
                return Err(Refusal::AgentCannotApprove);
            }
            if access::is_own(actor, request) {
                return Err(Refusal::SelfApproval);
            }
            if !access::allows(actor, Action::Decide) {
                return Err(Refusal::NotPermitted("none of your groups may approve or reject"));
            }
        }
        Command::Cancel { .. } => {
            if !is_requester {
                return Err(Refusal::NotPermitted("only the requester cancels a request"));
            }
            if !access::allows(actor, Action::CancelOwn) {
                return Err(Refusal::NotPermitted("none of your groups may cancel requests"));
            }
        }
        Command::Comment { .. } => {
            if !access::may_comment(actor, request) {
                return Err(Refusal::NotPermitted("none of your groups may comment on this request"));
            }
        }
        Command::Start { .. } => {
            if !is_requester {
                return Err(Refusal::NotPermitted("only the requester starts the execution"));
            }
            if !access::allows(actor, Action::ExecuteOwn) {
                return Err(Refusal::NotPermitted("none of your groups may execute requests"));
            }
        }
        Command::Finish { outcome, .. } => {
            let may_finish = match &request.execution {
                Some(execution) => execution.started_by == actor.person,
                None => is_requester,
            };
            let clears_a_stuck_one = access::allows(actor, Action::Administer)
                && !access::is_own(actor, request)
                && *outcome == ExecutionOutcome::Failed;
            let finishes_own = may_finish && access::allows(actor, Action::ExecuteOwn);
            if !finishes_own && !clears_a_stuck_one {
                return Err(Refusal::NotPermitted(
                    "whoever started an execution finishes it; an admin other than the requester may finish it as failed",
                ));
            }
        }
        Command::Expire => {}
    }
    Ok(())
}

/// The lifecycle: one arm for every status and command.
///
/// `status` is the effective one: a request past its deadline is expired here.
fn transition(
    request: &Request,
    status: Status,
    command: &Command,
    actor: &Actor,
    stamp: &Stamp,
) -> Result<(Status, Change), Refusal> {
    use Status::{Approved, Cancelled, Executed, Executing, Expired, Failed, Pending, Rejected};
    match (status, command) {
        (Expired, Command::Expire) if request.status != Expired => Ok((Expired, Change::Expired)),
        (
            Pending | Approved | Executing | Rejected | Expired | Cancelled | Executed | Failed,
            Command::Expire,
        ) => Err(Refusal::NotDue),

        (
            Expired,
            Command::Approve { .. }
            | Command::Reject { .. }
            | Command::Cancel { .. }
            | Command::Comment { .. }
            | Command::Start { .. }
            | Command::Finish { .. },
        ) => Err(Refusal::Expired),

        (Pending, Command::Approve { comment, .. }) => {
            approve(request, command, actor, stamp, comment.as_ref())
        }
        (Pending, Command::Reject { reason }) => {
            if request.is_decided_by(&actor.person) {
                return Err(Refusal::AlreadyDecided(status));
            }
            Ok((Rejected, Change::Rejected { reason: reason.clone() }))
        }
        (
            Approved | Executing | Rejected | Cancelled | Executed | Failed,
            Command::Approve { .. } | Command::Reject { .. },
        ) => Err(Refusal::NotPending(status)),

        (Pending | Approved, Command::Cancel { reason }) => {
            Ok((Cancelled, Change::Cancelled { reason: reason.clone() }))
        }
        (Executing | Rejected | Cancelled | Executed | Failed, Command::Cancel { .. }) => {
            Err(Refusal::NotPending(status))
        }

        (
            Pending | Approved | Executing | Rejected | Cancelled | Executed | Failed,
            Command::Comment { text },
        ) => comment(request, status, text),

        (Approved, Command::Start { .. }) => {
            if !command.names_digest(request.parameters_digest) {
                return Err(Refusal::DigestMismatch(status));
            }
            Ok((Executing, Change::Started { execution_id: stamp.execution_id }))
        }
        (Pending | Executing | Rejected | Cancelled | Executed | Failed, Command::Start { .. }) => {
            Err(Refusal::NotApproved(status))
        }

        (Executing, Command::Finish { execution_id, outcome, result, actual_cost }) => {
            if !is_running(request.execution.as_ref(), *execution_id) {
                return Err(Refusal::ExecutionMismatch(status));
            }
            let after = match outcome {
                ExecutionOutcome::Succeeded => Executed,
                ExecutionOutcome::Failed => Failed,
            };
            let change =
                Change::Finished { outcome: *outcome, result: result.clone(), actual_cost: *actual_cost };
            Ok((after, change))
        }
        (Pending | Rejected | Cancelled, Command::Finish { .. }) => Err(Refusal::NotApproved(status)),
        (Approved | Executed | Failed, Command::Finish { .. }) => Err(Refusal::ExecutionMismatch(status)),
    }
}

fn approve(
    request: &Request,
    command: &Command,
    actor: &Actor,
    stamp: &Stamp,
    comment: Option<&CommentText>,
) -> Result<(Status, Change), Refusal> {
    if request.is_decided_by(&actor.person) {
        return Err(Refusal::AlreadyDecided(Status::Pending));
    }
    if !command.names_digest(request.parameters_digest) {
        return Err(Refusal::DigestMismatch(Status::Pending));
    }
    // INVARIANT: decisions hold one entry per person, so this counts distinct people.
    let received = request.approvals_received() + 1;
    let enough = received >= usize::from(request.approvals_required);
    let status = if enough { Status::Approved } else { Status::Pending };
    let execute_by = enough.then(|| stamp.now.plus_seconds(request.execute_within_seconds));
    Ok((status, Change::Granted { comment: comment.cloned(), execute_by }))
}

fn comment(request: &Request, status: Status, text: &CommentText) -> Result<(Status, Change), Refusal> {
    let bytes: usize = request.comments.iter().map(|comment| comment.text.as_str().len()).sum();
    if request.comments.len() >= MAX_COMMENTS || bytes + text.as_str().len() > MAX_COMMENT_BYTES {
        return Err(Refusal::CommentsFull);
    }
    Ok((status, Change::Commented { text: text.clone() }))
}

fn is_running(execution: Option<&Execution>, id: ExecutionId) -> bool {
    execution.is_some_and(|execution| execution.id == id && execution.finish.is_none())
}
