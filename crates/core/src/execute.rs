//! Decisions about an execution: whether it may begin, who may report on it, and what a claim, a renewal and the end of
//! its lease come to. That the command may be given in the status that the request has is decided before.

use crate::caller::PrincipalKind;
use crate::command::Command;
use crate::command_context::CommandContext;
use crate::event::Change;
use crate::execution::{Execution, ExecutionOutcome, ExecutionState};
use crate::ids::ExecutionId;
use crate::policy::Policy;
use crate::policy::access::Action;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::requirements::Requirements;
use crate::status::Status;
use crate::timestamp::Timestamp;

/// Whether this actor may do as an executor what others have asked for.
pub(crate) fn executor_permitted(
    request: &Request,
    actor: &Principal,
    now: Timestamp,
    policy: &Policy,
) -> Result<(), Refusal> {
    // INVARIANT: people and agents do not carry out what others ask for, and services decide nothing: an executor
    // is never one of its approvers.
    match actor.kind {
        PrincipalKind::Service => policy.may(Action::Claim, actor, request, now).or_refused(),
        PrincipalKind::Human | PrincipalKind::Agent => {
            Err(Refusal::not_permitted("only a service carries out what others have asked for"))
        }
    }
}

/// Whether this actor may claim the execution: its starter, unless policy names an executor, and executors.
pub(crate) fn claim_permitted(
    request: &Request,
    actor: &Principal,
    now: Timestamp,
    policy: &Policy,
) -> Result<(), Refusal> {
    let is_starter = match &request.execution {
        Some(execution) => policy.is_maker(actor, &execution.started_by),
        None => policy.is_requester(actor, request),
    };
    let is_for_the_starter = request.content.executor.is_none() && is_starter;
    if is_for_the_starter && policy.may_with_own_execution(actor, request, now).is_permitted() {
        return Ok(());
    }
    executor_permitted(request, actor, now, policy)
}

/// Whether this actor may report on the execution: whoever carries it out; and an admin who did not ask for it may
/// end one that is stuck as failed, and settle one that is unknown either way.
pub(crate) fn report_permitted(
    request: &Request,
    command: &Command,
    actor: &Principal,
    now: Timestamp,
    policy: &Policy,
) -> Result<(), Refusal> {
    let permit = |action| policy.may(action, actor, request, now);
    let execution = request.execution.as_ref();
    let is_holder = match execution {
        Some(execution) => policy.is_maker(actor, execution.holder()),
        None => policy.is_requester(actor, request),
    };
    if is_holder {
        let may_report = policy.may_with_own_execution(actor, request, now).is_permitted()
            || permit(Action::Claim).is_permitted();
        // What an executor is to carry out has not happened before it has claimed it.
        let reports_what_cannot_be = request.content.executor.is_some()
            && execution.is_some_and(|execution| execution.claim.is_none())
            && !matches!(command, Command::Finish { outcome: ExecutionOutcome::Failed, .. });
        if may_report && reports_what_cannot_be {
            return Err(Refusal::not_permitted(
                "the executor carries it out and reports; until it has claimed the execution, it can only be ended as failed",
            ));
        }
        if may_report {
            return Ok(());
        }
    }
    let may_settle = match command {
        Command::Finish { outcome: ExecutionOutcome::Failed, .. } => true,
        Command::Finish { outcome: ExecutionOutcome::Succeeded, .. } => is_unknown(request, now),
        Command::Approve { .. }
        | Command::Reject { .. }
        | Command::Withdraw { .. }
        | Command::Cancel { .. }
        | Command::Comment { .. }
        | Command::Observe { .. }
        | Command::Start { .. }
        | Command::Claim { .. }
        | Command::Renew { .. }
        | Command::Expire
        | Command::Erase { .. }
        | Command::EndLease => false,
    };
    let is_settled_by_admin = may_settle
        && !policy.has_conflict_of_interest(actor, request)
        && permit(Action::Administer).is_permitted();
    if is_settled_by_admin {
        return Ok(());
    }
    Err(Refusal::not_permitted(
        "whoever carries out an execution reports on it; an admin other than the requester may finish it as failed, and settle one that is unknown",
    ))
}

/// Whether nothing was heard of the execution for as long as its lease.
pub(crate) fn is_unknown(request: &Request, now: Timestamp) -> bool {
    let state = request.execution.as_ref().map(|execution| execution.state_at(now));
    state == Some(ExecutionState::Unknown)
}

/// The start of the execution, if it is its time, and if who carries it out is still who approvers saw. An executor
/// starts nothing that the requester could not start any more.
pub(crate) fn start(
    request: &Request,
    actor: &Principal,
    context: &CommandContext,
    policy: &Policy,
    requirements: &Requirements,
) -> Result<Change, Refusal> {
    let content = &request.content;
    if policy.rules().executor(content.operation_type.as_str()) != content.executor.as_ref() {
        return Err(Refusal::not_permitted(
            "policy has come to name another executor of this operation; make a new request",
        ));
    }
    if !policy.is_requester(actor, request) {
        let requester = policy.requester_of(request);
        policy.may(Action::Execute, &requester, request, context.now).or_refused().map_err(|refusal| {
            let reasons = refusal.reasons().into_iter();
            let first = "its requester may not start it any more".to_owned();
            Refusal::NotPermitted(std::iter::once(first).chain(reasons).collect())
        })?;
    }
    if let Some(time) = content.schedule.not_before().filter(|time| context.now < *time) {
        return Err(Refusal::NotYet(time));
    }
    // INVARIANT: a lease ends when the permit is of no use any more, or later.
    let unclaimed_seconds = requirements.lease_seconds.max(requirements.permit_seconds);
    Ok(Change::Started {
        execution_id: context.execution_id,
        policy_version: policy.version(),
        permit_expires_at: context.now.plus_seconds(requirements.permit_seconds),
        lease_seconds: requirements.lease_seconds,
        lease_until: context.now.plus_seconds(unclaimed_seconds),
    })
}

/// The claim of an execution that was started: once, while its permit lasts.
pub(crate) fn claim(
    request: &Request,
    status: Status,
    execution_id: ExecutionId,
    now: Timestamp,
) -> Result<Change, Refusal> {
    let execution = request.execution.as_ref().filter(|execution| execution.id == execution_id);
    let execution =
        execution.ok_or_else(|| Refusal::PermitInvalid("it is of another execution".to_owned()))?;
    if execution.claim.is_some() || execution.finish.is_some() {
        return Err(Refusal::PermitSpent(status));
    }
    if !execution.is_claimable(now) {
        return Err(Refusal::PermitExpired(status));
    }
    let lease_until = now.plus_seconds(execution.lease_seconds);
    Ok(Change::Claimed { execution_id, lease_until })
}

/// The execution of this id, if it is not over.
pub(crate) fn running(request: &Request, execution_id: ExecutionId) -> Result<&Execution, Refusal> {
    request
        .execution
        .as_ref()
        .filter(|execution| execution.id == execution_id && execution.finish.is_none())
        .ok_or(Refusal::ExecutionMismatch(request.status))
}

/// A renewal of the lease.
pub(crate) fn renew(request: &Request, execution_id: ExecutionId, now: Timestamp) -> Result<Change, Refusal> {
    let execution = running(request, execution_id)?;
    Ok(Change::Renewed { execution_id, lease_until: now.plus_seconds(execution.lease_seconds) })
}

/// Whether a command renews a lease of which little is used: each event stays for ever.
pub(crate) fn renews_nothing(request: &Request, command: &Command, now: Timestamp) -> bool {
    let Command::Renew { execution_id } = command else { return false };
    request.status == Status::Executing
        && running(request, *execution_id).is_ok_and(|execution| execution.is_lease_fresh(now))
}

/// The end of the lease, if nothing was heard until then.
pub(crate) fn end_lease(request: &Request, now: Timestamp) -> Result<Change, Refusal> {
    let execution = request.execution.as_ref();
    let due = execution.and_then(|execution| Some((execution.id, execution.lease_end()?)));
    let (execution_id, lease_until) =
        due.filter(|(_, lease_until)| now >= *lease_until).ok_or(Refusal::NotDue)?;
    Ok(Change::LeaseEnded { execution_id, lease_until })
}
