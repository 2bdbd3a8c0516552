//! The decision: may this actor do this to this request now, and what happens if so.
//!
//! A function of values. Refusals are found in the order that the API documents: visible, retry,
//! kind of actor, own request, permission, state and deadline, already decided, what policy demands
//! of approvals, digest.
//!
//! What is demanded of a request was pinned to it when it was made. At each decision and at the
//! start the stricter of that and of the policy of now holds ([`Policy::terms_in_force`]).

use crate::access::{Action, Answer, Target};
use crate::actor::{Actor, Kind};
use crate::approvals::Approvals;
use crate::command::{Command, CommandName, Draft, ExecutionOutcome};
use crate::event::{Change, Event, Opening};
use crate::idempotency::{self, Idempotency, IdempotencyRecord, Seen};
use crate::ids::{ExecutionId, RequestId};
use crate::person::PersonId;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::request::{Decision, Execution, MAX_COMMENT_BYTES, MAX_COMMENTS, MAX_DECISIONS, Request, Status};
use crate::rules::{Assessment, MAX_APPROVALS, MAX_MATCHED_RULES, Proposal};
use crate::stamp::Stamp;
use crate::terms::{Terms, Unmet};
use crate::text::CommentText;
use crate::timestamp::Timestamp;

/// What an accepted command comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Something happened.
    Event(Box<Event>),
    /// It had happened before: the same key with the same body.
    Replayed,
}

/// What policy demands of a request that is about to be made.
pub fn assess(draft: &Draft, actor: &Actor, policy: &Policy) -> Assessment {
    policy.assess(&Proposal {
        operation_type: draft.operation_type.as_str(),
        instance_id: draft.instance_id.as_str(),
        declared_risk: draft.declared_risk,
        declared_environment: draft.declared_environment,
        estimated_cost: draft.estimated_cost,
        requester_groups: &actor.groups,
    })
}

/// Everything that speaks against making a request; nothing if it may be made.
pub fn objections(
    draft: &Draft,
    actor: &Actor,
    now: Timestamp,
    policy: &Policy,
    assessment: &Assessment,
) -> Vec<Refusal> {
    let terms = &assessment.terms;
    let target = Target {
        operation_type: draft.operation_type.as_str(),
        instance_id: draft.instance_id.as_str(),
        environment: terms.environment,
        risk_level: terms.risk_level,
        estimated_cost: draft.estimated_cost,
        requested_by: &actor.person,
    };
    let mut objections = Vec::new();
    if let Answer::Denied(reasons) = policy.ask(Action::Create, actor, target, true, now) {
        objections.push(Refusal::NotPermitted(reasons));
    }
    if terms.approvals_required > MAX_APPROVALS {
        let demanded = terms.approvals_required;
        objections.push(Refusal::not_permitted(format!(
            "policy demands {demanded} approvals, and a request holds at most {MAX_APPROVALS}: it could never be approved"
        )));
    }
    if assessment.rules.len() > MAX_MATCHED_RULES {
        objections.push(Refusal::not_permitted(format!(
            "more than {MAX_MATCHED_RULES} rules of the policy match this request"
        )));
    }
    let unmet = terms.unmet(draft.stated());
    if !unmet.is_empty() {
        objections.push(Refusal::Unmet(unmet));
    }
    objections
}

/// Decides whether a request may be made, and what policy demands of it.
///
/// # Errors
/// The first of its [`objections`].
pub fn create(
    id: RequestId,
    draft: Draft,
    actor: &Actor,
    stamp: &Stamp,
    policy: &Policy,
    idempotency: Option<&Idempotency>,
) -> Result<Event, Refusal> {
    let assessment = assess(&draft, actor, policy);
    if let Some(objection) = objections(&draft, actor, stamp.now, policy, &assessment).into_iter().next() {
        return Err(objection);
    }
    let Assessment { terms, rules } = assessment;
    let status = if terms.approvals_required == 0 { Status::Approved } else { Status::Pending };
    let opening = Opening {
        operation_type: draft.operation_type,
        instance_id: draft.instance_id,
        parameters: draft.parameters,
        requested_by: actor.person.clone(),
        filed_by: actor.filed_by.clone(),
        owner: actor.owner.clone(),
        requester_groups: actor.groups.clone(),
        risk_level: terms.risk_level,
        environment: terms.environment,
        justification: draft.justification,
        estimated_cost: draft.estimated_cost,
        estimated_duration: draft.estimated_duration,
        ticket: draft.ticket,
        rollback_plan: draft.rollback_plan,
        approvals_required: terms.approvals_required,
        slots: terms.slots,
        digest_required: terms.digest_required,
        rules,
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
        addresses: actor.addresses.clone(),
        source_ip: actor.source_ip,
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
    policy: &Policy,
    idempotency: Option<&Idempotency>,
) -> Result<Outcome, Refusal> {
    let terms = policy.terms_in_force(request);
    let status = match command {
        // The sweep writes down the deadlines that are on record.
        Command::Expire => request.status_at(stamp.now),
        Command::Approve { .. }
        | Command::Reject { .. }
        | Command::Cancel { .. }
        | Command::Comment { .. }
        | Command::Start { .. }
        | Command::Finish { .. } => request.status_under(&terms, stamp.now),
    };
    if *command == Command::Expire {
        // No door leads here: only the sweep says that a deadline has passed.
        if actor.person != PersonId::expiry() {
            return Err(Refusal::not_permitted("only the system writes down that a deadline has passed"));
        }
    } else {
        if !policy.may(Action::View, actor, request, stamp.now).is_permitted() {
            return Err(Refusal::NotVisible);
        }
        match idempotency::seen(&request.idempotency, actor, command.name(), idempotency) {
            Seen::Never => {}
            Seen::Before => return Ok(Outcome::Replayed),
            Seen::WithAnotherBody => return Err(Refusal::IdempotencyConflict(status)),
        }
        permitted(request, command, actor, stamp.now, policy)?;
    }
    let deciding = Deciding { request, command, actor, stamp, policy, terms: &terms };
    let (status, change) = deciding.transition(status)?;
    Ok(Outcome::Event(Box::new(Event {
        id: stamp.event_id,
        request_id: request.id,
        sequence: request.version + 1,
        at: stamp.now,
        user: actor.person.clone(),
        kind: actor.kind,
        channel: actor.channel,
        addresses: actor.addresses.clone(),
        source_ip: actor.source_ip,
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
fn permitted(
    request: &Request,
    command: &Command,
    actor: &Actor,
    now: Timestamp,
    policy: &Policy,
) -> Result<(), Refusal> {
    let is_requester = policy.is_requester(actor, request);
    let permit = |action| policy.may(action, actor, request, now).or_refused();
    match command {
        Command::Approve { .. } | Command::Reject { .. } => {
            if actor.kind != Kind::Human {
                return Err(Refusal::AgentCannotApprove);
            }
            if policy.has_conflict_of_interest(actor, request) {
                return Err(Refusal::SelfApproval);
            }
            if matches!(command, Command::Approve { .. }) {
                permit(Action::Approve)?;
                return permit(Action::ViewParameters).map_err(not_shown);
            }
            permit(Action::Reject)
        }
        Command::Cancel { .. } => {
            if !is_requester {
                return Err(Refusal::not_permitted("only the requester cancels a request"));
            }
            permit(Action::Cancel)
        }
        Command::Comment { .. } => permit(Action::Comment),
        Command::Start { .. } => {
            if !is_requester {
                return Err(Refusal::not_permitted("only the requester starts the execution"));
            }
            permit(Action::Execute)
        }
        Command::Finish { outcome, .. } => {
            let may_finish = match &request.execution {
                Some(execution) => actor.is(&execution.started_by),
                None => is_requester,
            };
            if may_finish && policy.may_with_own_execution(actor, request, now).is_permitted() {
                return Ok(());
            }
            let clears_a_stuck_one =
                *outcome == ExecutionOutcome::Failed && !policy.has_conflict_of_interest(actor, request);
            if clears_a_stuck_one && permit(Action::Administer).is_ok() {
                return Ok(());
            }
            Err(Refusal::not_permitted(
                "whoever started an execution finishes it; an admin other than the requester may finish it as failed",
            ))
        }
        Command::Expire => Ok(()),
    }
}

/// Nobody approves what they are not shown.
fn not_shown(refusal: Refusal) -> Refusal {
    let reasons = std::iter::once("only who may see the parameters may approve".to_owned());
    Refusal::NotPermitted(reasons.chain(refusal.reasons()).collect())
}

/// A command that may be given, and all that its outcome follows from.
struct Deciding<'a> {
    request: &'a Request,
    command: &'a Command,
    actor: &'a Actor,
    stamp: &'a Stamp,
    policy: &'a Policy,
    terms: &'a Terms,
}

impl Deciding<'_> {
    /// The lifecycle: one arm for every status and command.
    ///
    /// `status` is the effective one: a request past its deadline is expired here.
    fn transition(&self, status: Status) -> Result<(Status, Change), Refusal> {
        use Status::{Approved, Cancelled, Executed, Executing, Expired, Failed, Pending, Rejected};
        let request = self.request;
        match (status, self.command) {
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

            (Pending, Command::Approve { comment, parameters_digest }) => {
                self.approve(comment.as_ref(), parameters_digest.is_some())
            }
            (Pending, Command::Reject { reason }) => {
                if self.has_decided() {
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

            (Approved, Command::Start { .. }) => self.start(),
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

    fn has_decided(&self) -> bool {
        let is_theirs = |decision: &Decision| {
            self.policy.is_actor(self.actor, &decision.person)
                || decision.addresses.iter().any(|address| self.actor.is(address))
        };
        self.request.decisions.iter().any(is_theirs)
    }

    fn approve(
        &self,
        comment: Option<&CommentText>,
        presents_digest: bool,
    ) -> Result<(Status, Change), Refusal> {
        let Self { request, terms, .. } = self;
        if self.has_decided() {
            return Err(Refusal::AlreadyDecided(Status::Pending));
        }
        self.check_demands()?;
        let groups = &self.actor.groups;
        let approvals = Approvals::of(request, terms, self.policy);
        let before = approvals.filling(terms, None);
        let after = approvals.filling(terms, Some(groups));
        // Nobody's approval is spent on a slot that it cannot fill. Where nothing is missing any
        // more, because policy asks for less again, any further approval says so.
        if after.filled == before.filled && !before.is_complete() {
            return Err(Refusal::not_permitted(format!(
                "your approval would fill no open slot; missing: {before}"
            )));
        }
        if request.decisions.len() >= MAX_DECISIONS {
            return Err(Refusal::not_permitted(
                "the request holds as many decisions as it can; make a new one",
            ));
        }
        if !self.command.names_digest(request.parameters_digest) {
            return Err(Refusal::DigestMismatch(Status::Pending));
        }
        if terms.digest_required && !presents_digest {
            let rule = "is required by policy: name the digest of what you were shown".to_owned();
            return Err(Refusal::Unmet(vec![Unmet { field: "parameters_digest", rule }]));
        }
        // INVARIANT: `Approvals` holds one approval for each person, and the actor is none of
        // them, so what is filled is filled by distinct people.
        let enough = after.is_complete();
        let status = if enough { Status::Approved } else { Status::Pending };
        let execute_by = enough.then(|| self.stamp.now.plus_seconds(terms.execute_within_seconds));
        let (comment, groups) = (comment.cloned(), groups.clone());
        Ok((status, Change::Granted { comment, execute_by, groups, digest_presented: presents_digest }))
    }

    /// Spends the approval, if it still is one.
    fn start(&self) -> Result<(Status, Change), Refusal> {
        self.check_demands()?;
        let shortfall = Approvals::of(self.request, self.terms, self.policy).shortfall(self.terms);
        if !shortfall.is_empty() {
            return Err(Refusal::ApprovalsInsufficient(shortfall));
        }
        if !self.command.names_digest(self.request.parameters_digest) {
            return Err(Refusal::DigestMismatch(Status::Approved));
        }
        Ok((Status::Executing, Change::Started { execution_id: self.stamp.execution_id }))
    }

    /// What policy has come to demand of the request's own fields, which nobody can change any more.
    fn check_demands(&self) -> Result<(), Refusal> {
        let unmet = self.terms.unmet(self.request.stated());
        if unmet.is_empty() {
            return Ok(());
        }
        let reasons = unmet.into_iter().map(|unmet| {
            format!("{} {}, and cannot be changed; make a new request", unmet.field, unmet.rule)
        });
        Err(Refusal::NotPermitted(reasons.collect()))
    }
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
