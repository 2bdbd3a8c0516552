//! The decision: may this actor do this to this request now, and what happens if so.
//!
//! A function of values. Refusals are found in the order that the API documents: visible, retry,
//! kind of actor, own request, permission, state and deadline, already decided, what policy demands
//! of approvals, digest, a clock that is behind the last event.
//!
//! What is demanded of a request was pinned to it when it was made. At each decision and at the
//! start the stricter of that and of the policy of now holds ([`Policy::requirements_in_force`]).

use crate::approvals::Approvals;
use crate::caller::PrincipalKind;
use crate::canonical::CanonicalJson;
use crate::command::{Command, ExecutionOutcome, MAX_RESULT_BYTES, Shown};
use crate::command_context::CommandContext;
use crate::event::{Change, Event};
use crate::execute;
use crate::execution::ExecutionMode;
use crate::idempotency::{self, Idempotency, IdempotencyRecord, Seen};
use crate::ids::EventId;
use crate::person::PersonId;
use crate::policy::Policy;
use crate::policy::access::Action;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::request::{
    Decision, MAX_COMMENT_BYTES, MAX_COMMENTS, MAX_DECISIONS, MAX_WITHDRAWALS, Request, Status, Verdict,
};
use crate::requirements::{Requirements, Violation};
use crate::text::CommentText;
use crate::timestamp::Timestamp;

/// How far a clock may be behind the last event of a request. Clocks that are kept by NTP differ by
/// less; what is behind by more decides nothing.
pub const MAX_CLOCK_SKEW_SECONDS: u32 = 5;

/// What an accepted command comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The event that the command makes.
    Event(Box<Event>),
    /// An earlier command with the same key and the same body made it.
    AlreadyApplied,
}

/// Decides a command on an existing request.
///
/// # Errors
/// The first [`Refusal`] in the documented order.
pub fn decide(
    request: &Request,
    command: &Command,
    actor: &Principal,
    context: &CommandContext,
    policy: &Policy,
    idempotency: Option<&Idempotency>,
) -> Result<Outcome, Refusal> {
    let requirements = policy.requirements_in_force(request);
    if command.is_of_the_sweep() {
        // No caller can ask for it: only a sweep says that a time has passed.
        let is_erasure = matches!(command, Command::Erase { .. });
        let sweep = if is_erasure { PersonId::retention() } else { PersonId::expiry() };
        if actor.person != sweep {
            return Err(Refusal::not_permitted("only the system writes down that a time has passed"));
        }
    } else {
        if !is_visible(request, command, actor, context.now, policy) {
            return Err(Refusal::NotVisible);
        }
        let is_sender = |person: &PersonId| policy.is_maker(actor, person);
        match idempotency::seen(&request.idempotency, is_sender, command.name(), idempotency) {
            Seen::Never => {}
            Seen::Before => return Ok(Outcome::AlreadyApplied),
            Seen::WithAnotherBody => {
                return Err(Refusal::IdempotencyConflict(request.status_at(context.now)));
            }
        }
        permitted(request, command, actor, context.now, policy)?;
        let goes_ahead =
            matches!(command, Command::Approve { .. } | Command::Start { .. } | Command::Claim { .. });
        if goes_ahead && requirements.approvals_required > 0 && !policy.restrictions().workflow_enabled {
            return Err(Refusal::WorkflowDisabled);
        }
    }
    let is_behind = context.now.plus_seconds(MAX_CLOCK_SKEW_SECONDS) < request.updated_at;
    // INVARIANT: time never goes back within a trail, so what is decided is decided at the last event or
    // after it.
    let context = &CommandContext { now: context.now.max(request.updated_at), ..*context };
    let deciding = Deciding { request, command, actor, context, policy, requirements: &requirements };
    let status = request.status_under(&requirements, context.now);
    if execute::renews_nothing(request, command, context.now) {
        return if is_behind { Err(Refusal::ClockSkew) } else { Ok(Outcome::AlreadyApplied) };
    }
    let (status, change) = deciding.transition(status)?;
    // What the state refuses, it refuses at any time; by a clock that is behind the trail nothing happens.
    if is_behind {
        return Err(Refusal::ClockSkew);
    }
    // A renewal has the same effect each time, and there may be any number of them.
    let idempotency = idempotency.filter(|_| !matches!(command, Command::Renew { .. }));
    let remembered = IdempotencyRecord::of(&actor.person, command.name(), idempotency);
    let place = (request.id(), request.version + 1);
    Ok(Outcome::Event(Box::new(Event::by(actor, context, place, status, change, remembered))))
}

/// Whether this actor may know of the request when they give this command. An approver who has lost the
/// sight of a request still knows of their own approval, and may take it back.
pub fn is_visible(
    request: &Request,
    command: &Command,
    actor: &Principal,
    now: Timestamp,
    policy: &Policy,
) -> bool {
    let takes_back =
        matches!(command, Command::Withdraw { .. }) && own_approvals(request, actor, policy).next().is_some();
    command.is_of_the_sweep() || takes_back || policy.may(Action::View, actor, request, now).is_permitted()
}

/// The approvals on record that are this actor's to take back. What was given under an address that has
/// gone to another person is not that person's.
fn own_approvals<'a>(
    request: &'a Request,
    actor: &'a Principal,
    policy: &'a Policy,
) -> impl Iterator<Item = &'a Decision> {
    request
        .decisions
        .iter()
        .filter(|decision| decision.verdict == Verdict::Approved && policy.is_maker(actor, &decision.person))
}

/// Whether this actor may give this command at all, whatever the request's state.
fn permitted(
    request: &Request,
    command: &Command,
    actor: &Principal,
    now: Timestamp,
    policy: &Policy,
) -> Result<(), Refusal> {
    let is_requester = policy.is_requester(actor, request);
    let permit = |action| policy.may(action, actor, request, now).or_refused();
    match command {
        Command::Approve { .. } | Command::Reject { .. } => {
            if actor.kind != PrincipalKind::Human {
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
        // To stop is always safe: an approver needs no permission to have approved less.
        Command::Withdraw { .. } => Ok(()),
        Command::Cancel { .. } => {
            if policy.is_own(actor, request) && permit(Action::Cancel).is_ok() {
                return Ok(());
            }
            if permit(Action::Administer).is_ok() {
                return Ok(());
            }
            if policy.is_own(actor, request) {
                return permit(Action::Cancel);
            }
            Err(Refusal::not_permitted(
                "only the requester, the owner of the agent or service that asks, or an admin cancels a request",
            ))
        }
        Command::Comment { .. } => permit(Action::Comment),
        Command::Start { .. } => {
            if is_requester {
                return permit(Action::Execute);
            }
            if request.content.schedule.mode == ExecutionMode::Manual {
                return Err(Refusal::not_permitted("only the requester starts the execution"));
            }
            execute::executor_permitted(request, actor, now, policy)
        }
        Command::Observe { .. } => execute::executor_permitted(request, actor, now, policy),
        Command::Claim { .. } => execute::claim_permitted(request, actor, now, policy),
        Command::Renew { .. } | Command::Finish { .. } => {
            execute::report_permitted(request, command, actor, now, policy)
        }
        Command::Expire | Command::EndLease | Command::Erase { .. } => Ok(()),
    }
}

/// An approver approves only what they are shown.
fn not_shown(refusal: Refusal) -> Refusal {
    let reasons = std::iter::once("only who may see the parameters may approve".to_owned());
    Refusal::NotPermitted(reasons.chain(refusal.reasons()).collect())
}

/// A command that may be given, and all that its outcome follows from.
struct Deciding<'a> {
    request: &'a Request,
    command: &'a Command,
    actor: &'a Principal,
    context: &'a CommandContext,
    policy: &'a Policy,
    requirements: &'a Requirements,
}

impl Deciding<'_> {
    /// The lifecycle: one arm for every status and command.
    ///
    /// `status` is the effective one: a request past its deadline is expired here.
    fn transition(&self, status: Status) -> Result<(Status, Change), Refusal> {
        use Status::{Approved, Cancelled, Executed, Executing, Expired, Failed, Pending, Rejected};
        let request = self.request;
        match (status, self.command) {
            (Expired, Command::Expire) if request.status != Expired => {
                let (expires_at, execute_by) = request.deadlines_under(self.requirements);
                let deadline =
                    if request.status == Pending { expires_at } else { execute_by.unwrap_or(expires_at) };
                Ok((Expired, Change::Expired { deadline }))
            }
            (
                Pending | Approved | Executing | Rejected | Expired | Cancelled | Executed | Failed,
                Command::Expire,
            ) => Err(Refusal::NotDue),

            (
                Expired,
                Command::Approve { .. }
                | Command::Reject { .. }
                | Command::Withdraw { .. }
                | Command::Cancel { .. }
                | Command::Comment { .. }
                | Command::Observe { .. }
                | Command::Start { .. }
                | Command::Claim { .. }
                | Command::Renew { .. }
                | Command::Finish { .. },
            ) => Err(Refusal::Expired),
            (_, Command::Erase { closed_before }) => self.erase(*closed_before),
            (Executing, Command::EndLease) => Ok((status, execute::end_lease(request, self.context.now)?)),
            (Pending | Approved | Rejected | Expired | Cancelled | Executed | Failed, Command::EndLease) => {
                Err(Refusal::NotDue)
            }

            (Pending, Command::Approve { comment, shown }) => self.approve(status, comment.as_ref(), shown),
            (Pending, Command::Reject { reason, .. }) => self.reject(status, reason),
            // Approved on record, and too few of the approvals count now: it waits for people again.
            (Approved, Command::Approve { comment, shown }) if self.has_shortfall() => {
                self.approve(status, comment.as_ref(), shown)
            }
            (Approved, Command::Reject { reason, .. }) if self.has_shortfall() => self.reject(status, reason),
            (
                Approved | Executing | Rejected | Cancelled | Executed | Failed,
                Command::Approve { .. } | Command::Reject { .. },
            ) => Err(Refusal::NotPending(status)),

            (Pending | Approved, Command::Withdraw { reason }) => self.withdraw(status, reason.as_ref()),
            (Executing | Rejected | Cancelled | Executed | Failed, Command::Withdraw { .. }) => {
                Err(Refusal::NotPending(status))
            }

            (Pending | Approved, Command::Cancel { reason }) => {
                Ok((Cancelled, Change::Cancelled { reason: reason.clone() }))
            }
            (Executing | Rejected | Cancelled | Executed | Failed, Command::Cancel { .. }) => {
                Err(Refusal::NotPending(status))
            }

            // What is erased is erased once: nothing is written after it.
            (Rejected | Cancelled | Executed | Failed, Command::Comment { .. })
                if request.erased_at.is_some() =>
            {
                Err(Refusal::NotPending(status))
            }
            (
                Pending | Approved | Executing | Rejected | Cancelled | Executed | Failed,
                Command::Comment { text },
            ) => comment(request, status, text),

            (Pending | Approved, Command::Observe { target }) => {
                if request.target.is_some() {
                    return Err(Refusal::AlreadyObserved(status));
                }
                Ok((status, Change::TargetObserved { target: target.clone() }))
            }
            (Executing | Rejected | Cancelled | Executed | Failed, Command::Observe { .. }) => {
                Err(Refusal::NotPending(status))
            }

            (Approved, Command::Start { .. }) => self.start(),
            (Pending | Executing | Rejected | Cancelled | Executed | Failed, Command::Start { .. }) => {
                Err(Refusal::NotApproved(status))
            }

            (Executing | Executed | Failed, Command::Claim { execution_id, .. }) => {
                let change = execute::claim(request, status, *execution_id, self.context.now)?;
                self.check_shown(status)?;
                Ok((status, change))
            }
            (Pending | Approved | Rejected | Cancelled, Command::Claim { .. }) => {
                Err(Refusal::PermitInvalid("no execution of the request was started".to_owned()))
            }

            (Executing, Command::Renew { execution_id }) => {
                Ok((status, execute::renew(request, *execution_id, self.context.now)?))
            }
            (Pending | Rejected | Cancelled, Command::Renew { .. }) => Err(Refusal::NotApproved(status)),
            (Approved | Executed | Failed, Command::Renew { .. }) => Err(Refusal::ExecutionMismatch(status)),

            (Executing, Command::Finish { execution_id, outcome, result, actual_cost, note, .. }) => {
                let execution = execute::running(request, *execution_id)?;
                self.check_shown(status)?;
                self.check_size_of_report(result.as_ref(), note.as_ref())?;
                let is_settled_by_other = !self.policy.is_maker(self.actor, execution.holder())
                    && execute::is_unknown(request, self.context.now);
                if is_settled_by_other && note.is_none() {
                    let rule =
                        "is required to settle an execution that is unknown: say what was found".to_owned();
                    return Err(Refusal::Violations(vec![Violation { field: "note", rule }]));
                }
                let after = match outcome {
                    ExecutionOutcome::Succeeded => Executed,
                    ExecutionOutcome::Failed => Failed,
                };
                let change = Change::Finished {
                    outcome: *outcome,
                    result: result.clone(),
                    actual_cost: *actual_cost,
                    note: note.clone(),
                };
                Ok((after, change))
            }
            (Pending | Rejected | Cancelled, Command::Finish { .. }) => Err(Refusal::NotApproved(status)),
            (Approved | Executed | Failed, Command::Finish { .. }) => Err(Refusal::ExecutionMismatch(status)),
        }
    }

    /// Erases what is kept no longer. What is open is kept, and so is what has missed its deadline until that is written down.
    fn erase(&self, closed_before: Timestamp) -> Result<(Status, Change), Refusal> {
        let is_due = self.request.closed_at().is_some_and(|closed_at| closed_at < closed_before);
        if !is_due || self.request.erased_at.is_some() {
            return Err(Refusal::NotDue);
        }
        Ok((self.request.status, Change::Erased))
    }

    /// Whether a decision is the actor's, by any address that was theirs then or is now.
    fn is_theirs(&self, decision: &Decision) -> bool {
        self.policy.is_actor(self.actor, &decision.person)
            || decision.addresses.iter().any(|address| self.actor.is(address))
    }

    /// The actor's own earlier approvals, of which none counts now: the events to take them off the
    /// record.
    fn own_discounted(&self, status: Status) -> Result<Vec<EventId>, Refusal> {
        let approvals = Approvals::of(self.request, self.requirements, self.policy);
        if approvals.counting.iter().any(|decision| self.is_theirs(decision)) {
            return Err(Refusal::AlreadyDecided(status));
        }
        let theirs = self.request.decisions.iter().filter(|decision| self.is_theirs(decision));
        Ok(theirs.map(|decision| decision.event_id).collect())
    }

    fn has_shortfall(&self) -> bool {
        !self.shortfall().is_empty()
    }

    /// Why the approvals on record are not enough under the policy of now; nothing if they are.
    fn shortfall(&self) -> Vec<String> {
        let Self { request, requirements, policy, .. } = self;
        let approvals = Approvals::of(*request, requirements, policy);
        let mut shortfall = approvals.shortfall(requirements);
        // No approval counts and none is missing: policy itself approved it.
        if shortfall.is_empty()
            && approvals.counting.is_empty()
            && let Some(restored_at) = policy.lapsed_by_restore(request.content.requested_at)
        {
            shortfall.push(format!(
                "policy approved it at once before the store was restored at {restored_at}; make a new request"
            ));
        }
        shortfall
    }

    fn check_shown(&self, status: Status) -> Result<(), Refusal> {
        let Some(shown) = self.command.shown() else { return Ok(()) };
        if !shown.is_of(self.request) {
            return Err(Refusal::DigestMismatch(status));
        }
        if shown.is_current(self.request) { Ok(()) } else { Err(Refusal::VersionMismatch(status)) }
    }

    /// What does not go ahead: the request of a requester, or of an owner, who is disabled.
    fn check_requester(&self) -> Result<(), Refusal> {
        match self.policy.blocked_by(self.request) {
            blocked if blocked.is_empty() => Ok(()),
            blocked => Err(Refusal::NotPermitted(blocked)),
        }
    }

    fn reject(&self, status: Status, reason: &CommentText) -> Result<(Status, Change), Refusal> {
        let replaces = self.own_discounted(status)?;
        if self.request.decisions.len() - replaces.len() >= MAX_DECISIONS {
            return Err(Refusal::not_permitted("the request holds as many decisions as it can"));
        }
        self.check_shown(status)?;
        let policy_version = self.policy.version();
        Ok((Status::Rejected, Change::Rejected { reason: reason.clone(), policy_version, replaces }))
    }

    /// Takes the actor's approvals back. What is left may be too few.
    fn withdraw(&self, status: Status, reason: Option<&CommentText>) -> Result<(Status, Change), Refusal> {
        let Self { request, requirements, policy, .. } = self;
        let withdraws: Vec<EventId> =
            own_approvals(request, self.actor, policy).map(|approval| approval.event_id).collect();
        if withdraws.is_empty() {
            return Err(Refusal::NotDecided(status));
        }
        if request.withdrawals.len() >= MAX_WITHDRAWALS {
            return Err(Refusal::not_permitted(format!(
                "approvals of a request can be withdrawn {MAX_WITHDRAWALS} times; ask for the request to be cancelled"
            )));
        }
        if let Some(reason) = reason {
            check_comments(request, reason)?;
        }
        let mut left = (*request).clone();
        left.decisions.retain(|decision| !withdraws.contains(&decision.event_id));
        let is_enough =
            Approvals::of(&left, requirements, policy).slot_assignment(requirements, None).is_complete();
        let change = Change::Withdrawn { reason: reason.cloned(), withdraws };
        // Pending again, unless the time for that is over.
        let is_pending_over = self.context.now >= request.deadlines_under(requirements).0;
        let after = match (status == Status::Approved && is_enough, is_pending_over) {
            (true, _) => Status::Approved,
            (false, true) => Status::Expired,
            (false, false) => Status::Pending,
        };
        Ok((after, change))
    }

    fn approve(
        &self,
        status: Status,
        comment: Option<&CommentText>,
        shown: &Shown,
    ) -> Result<(Status, Change), Refusal> {
        let Self { request, requirements, .. } = self;
        let presents_digest = shown.content_digest.is_some();
        let replaces = self.own_discounted(status)?;
        self.check_demands()?;
        self.check_requester()?;
        let groups = &self.actor.groups;
        let approvals = Approvals::of(*request, requirements, self.policy);
        let before = approvals.slot_assignment(requirements, None);
        let after = approvals.slot_assignment(requirements, Some(groups));
        // No approval is spent on a slot that it cannot fill. Where nothing is missing any
        // more, because policy asks for less again, any further approval says so.
        if after.filled == before.filled && !before.is_complete() {
            return Err(Refusal::not_permitted(format!(
                "your approval would fill no open slot; missing: {before}"
            )));
        }
        // Room is left for a rejection.
        if request.decisions.len() - replaces.len() + 1 >= MAX_DECISIONS {
            return Err(Refusal::not_permitted(
                "the request holds as many decisions as it can; make a new one",
            ));
        }
        self.check_shown(status)?;
        if requirements.digest_required && !presents_digest {
            let rule = "is required by policy: name the digest of what you were shown".to_owned();
            return Err(Refusal::Violations(vec![Violation { field: "content_digest", rule }]));
        }
        // INVARIANT: `Approvals` holds one approval for each person, and the actor is none of
        // them, so what is filled is filled by distinct people.
        let is_enough = after.is_complete();
        if !is_enough && self.context.now >= request.deadlines_under(requirements).0 {
            return Err(Refusal::ApprovalsInsufficient(approvals.shortfall(requirements)));
        }
        // An approval that is renewed lasts no longer than it did.
        let execute_by = (is_enough && request.execute_by.is_none())
            .then(|| request.content.execute_by(self.context.now, requirements.execute_within_seconds));
        let status = if is_enough { Status::Approved } else { Status::Pending };
        let change = Change::Granted {
            comment: comment.cloned(),
            execute_by,
            groups: groups.clone(),
            digest_presented: presents_digest,
            policy_version: self.policy.version(),
            replaces,
        };
        Ok((status, change))
    }

    /// Spends the approval, if it still is one.
    fn start(&self) -> Result<(Status, Change), Refusal> {
        self.check_demands()?;
        self.check_requester()?;
        let shortfall = self.shortfall();
        if !shortfall.is_empty() {
            return Err(Refusal::ApprovalsInsufficient(shortfall));
        }
        self.check_shown(Status::Approved)?;
        let Self { request, requirements, context, policy, actor, .. } = self;
        let change = execute::start(request, actor, context, policy, requirements)?;
        Ok((Status::Executing, change))
    }

    /// What is reported has the room that the observation of the target leaves, so that every request fits into an
    /// item of the store.
    fn check_size_of_report(
        &self,
        result: Option<&CanonicalJson>,
        note: Option<&CommentText>,
    ) -> Result<(), Refusal> {
        let target = self.request.target.as_ref().and_then(|target| target.document.kept());
        let target = target.map_or(0, |document| document.as_str().len());
        let size =
            result.map_or(0, |result| result.as_str().len()) + note.map_or(0, |note| note.as_str().len());
        if target + size <= MAX_RESULT_BYTES {
            return Ok(());
        }
        let left = MAX_RESULT_BYTES - target.min(MAX_RESULT_BYTES);
        let rule =
            format!("must be at most {left} bytes together with `note`, beside the target that was observed");
        Err(Refusal::Violations(vec![Violation { field: "result", rule }]))
    }

    /// What policy has come to demand of the request's own fields, which no command can change any more.
    fn check_demands(&self) -> Result<(), Refusal> {
        let violations = self.requirements.violations(self.request.stated());
        if violations.is_empty() {
            return Ok(());
        }
        let reasons = violations.into_iter().map(|violations| {
            format!("{} {}, and cannot be changed; make a new request", violations.field, violations.rule)
        });
        Err(Refusal::NotPermitted(reasons.collect()))
    }
}

fn comment(request: &Request, status: Status, text: &CommentText) -> Result<(Status, Change), Refusal> {
    check_comments(request, text)?;
    Ok((status, Change::Commented { text: text.clone() }))
}

/// Whether one more comment fits onto the request.
fn check_comments(request: &Request, text: &CommentText) -> Result<(), Refusal> {
    let bytes: usize = request.comments.iter().filter_map(|comment| comment.text.text()).map(str::len).sum();
    if request.comments.len() >= MAX_COMMENTS || bytes + text.as_str().len() > MAX_COMMENT_BYTES {
        return Err(Refusal::CommentsFull);
    }
    Ok(())
}

impl Command {
    /// Whether only a sweep gives it.
    pub fn is_of_the_sweep(&self) -> bool {
        matches!(self, Self::Expire | Self::EndLease | Self::Erase { .. })
    }
}
