//! The claim of a request by an approver who is looking at it: a hint for the other approvers. Elsewhere it is called a hold,
//! since a claim is also what an executor makes of a permit.
//!
//! A hold changes no version of the request, is no event of its trail, and keeps no approver from deciding. Who may approve
//! is asked of [`crate::decide`], and nowhere else.

use crate::approvals::Approvals;
use crate::command::{Command, Shown};
use crate::command_context::CommandContext;
use crate::decide;
use crate::ids::RequestId;
use crate::open_decision::waits;
use crate::person::PersonId;
use crate::policy::Policy;
use crate::policy::request_view::RequestView;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::status::Status;
use crate::timestamp::Timestamp;

/// How long a hold lasts unless its holder says, in minutes.
pub const DEFAULT_MINUTES: u32 = 15;
/// How long a hold lasts at most, in minutes.
pub const MAX_MINUTES: u32 = 60;

/// An approver is looking at a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The request.
    pub request_id: RequestId,
    /// The holder.
    pub by: PersonId,
    /// When the holder began.
    pub since: Timestamp,
    /// The time at which it ends by itself.
    pub until: Timestamp,
}

impl Hold {
    /// Whether it has not ended at `now`.
    pub fn lasts(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Whether it says anything of a request with this status at `now`: it has not ended, the request waits for approvers, and
    /// its holder has not decided.
    pub fn is_shown(
        &self,
        request: &impl RequestView,
        status: Status,
        policy: &Policy,
        now: Timestamp,
    ) -> bool {
        if !self.lasts(now) {
            return false;
        }
        let requirements = policy.requirements_in_force(request);
        let approvals = Approvals::of(request, &requirements, policy);
        let is_theirs = |person: &PersonId| *person == self.by || policy.people().is_same(person, &self.by);
        waits(status, &approvals.slot_assignment(&requirements, None))
            && !approvals.counting.iter().any(|decision| is_theirs(&decision.person))
    }

    /// The same hold, given back at `now`.
    #[must_use]
    pub fn given_back(self, now: Timestamp) -> Self {
        Self { until: self.until.min(now), ..self }
    }
}

/// What a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldTerms {
    /// How long the hold lasts, in minutes.
    pub minutes: u32,
    /// Whether it replaces that of another approver.
    pub takes: bool,
}

impl Default for HoldTerms {
    fn default() -> Self {
        Self { minutes: DEFAULT_MINUTES, takes: false }
    }
}

/// The hold that an actor gets of a request. `before` is the one that was given last. What the same person holds is prolonged
/// and never shortened.
///
/// # Errors
/// What an approval by the actor would be refused for; then [`Refusal::Claimed`].
pub fn hold(
    request: &Request,
    before: Option<&Hold>,
    terms: HoldTerms,
    actor: &Principal,
    context: &CommandContext,
    policy: &Policy,
) -> Result<Hold, Refusal> {
    let approve = Command::Approve { comment: None, shown: Shown::of(request) };
    decide::decide(request, &approve, actor, context, policy, None)?;
    let now = context.now;
    let until = now.plus_seconds(terms.minutes.min(MAX_MINUTES) * 60);
    let hold = Hold { request_id: request.id(), by: actor.person.clone(), since: now, until };
    match before.filter(|before| before.is_shown(request, request.status_at(now), policy, now)) {
        Some(before) if policy.is_actor(actor, &before.by) => {
            Ok(Hold { since: before.since, until: until.max(before.until), ..hold })
        }
        Some(before) if !terms.takes => Err(claimed(before)),
        Some(_) | None => Ok(hold),
    }
}

/// The hold as its holder leaves it; none if there is nothing to give back.
///
/// # Errors
/// [`Refusal::Claimed`] if it is another approver's.
pub fn release(
    request: &Request,
    before: Option<Hold>,
    actor: &Principal,
    now: Timestamp,
    policy: &Policy,
) -> Result<Option<Hold>, Refusal> {
    match before.filter(|before| before.is_shown(request, request.status_at(now), policy, now)) {
        Some(before) if policy.is_actor(actor, &before.by) => Ok(Some(before.given_back(now))),
        Some(before) => Err(claimed(&before)),
        None => Ok(None),
    }
}

fn claimed(hold: &Hold) -> Refusal {
    Refusal::Claimed { holder: hold.by.clone(), until: hold.until }
}
