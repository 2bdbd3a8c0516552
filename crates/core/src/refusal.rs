//! Why a command is refused.

use crate::audit::Finding;
use crate::person::PersonId;
use crate::policy::access::AccessDecision;
use crate::request::Status;
use crate::requirements::Violation;
use crate::timestamp::Timestamp;

/// The reason of a refusal. State reasons carry the status they found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The actor may not know that the request exists.
    #[error("no such request, or it is not visible to you")]
    NotVisible,
    /// An agent or a service tried to decide.
    #[error("only people approve and reject; agents and services never do")]
    AgentCannotApprove,
    /// The actor made the request, it was filed for them, or they answer for its requester.
    #[error(
        "nobody decides on their own request, nor on one of an agent or service they answer for; another approver has to"
    )]
    SelfApproval,
    /// Policy does not permit it, or the request is not theirs. At least one reason.
    #[error("{}", .0.join("; "))]
    NotPermitted(Vec<String>),
    /// Policy demands something of the fields that they do not meet.
    #[error("{}", in_words(.0))]
    Violations(Vec<Violation>),
    /// A deadline has passed.
    #[error("the request has expired; make a new one")]
    Expired,
    /// The request is no longer pending.
    #[error("the request is {0}, so this can no longer be done")]
    NotPending(Status),
    /// The request is not approved.
    #[error("the request is {0}, not approved")]
    NotApproved(Status),
    /// This person has decided already.
    #[error("you have already decided on this request; each person counts once")]
    AlreadyDecided(Status),
    /// This person has no approval on the request.
    #[error("you have no approval on this request to withdraw")]
    NotDecided(Status),
    /// The clock is behind the last event of the request by more than
    /// [`crate::decide::MAX_CLOCK_SKEW_SECONDS`].
    #[error("the clock here is behind the last event of the request; nothing was changed")]
    ClockSkew,
    /// The request is not what its events have made it: the store was changed by other means.
    #[error(
        "the stored record of this request is damaged; nothing was changed. An operator finds what with `countersign verify`"
    )]
    Integrity(Finding),
    /// The approvals on record are not enough under the policy of now. At least one reason.
    #[error("the approvals on record are not enough any more: {}; it takes further approvals until its time is over", .0.join("; "))]
    ApprovalsInsufficient(Vec<String>),
    /// A digest is not that of the stored request.
    #[error("the digest is not that of this request; look at it again")]
    DigestMismatch(Status),
    /// Something has happened to the request since the caller has seen it.
    #[error("something has happened to the request since you have seen it; look at it again")]
    VersionMismatch(Status),
    /// Its time has not come.
    #[error("the request is not to be started before {0}")]
    NotYet(Timestamp),
    /// What is presented is no permit of this execution. Why not.
    #[error("this is no permit for the execution of this request: {0}")]
    PermitInvalid(String),
    /// The permit has been used, or is of no use any more.
    #[error("the permit is spent: the execution has been claimed, or has ended")]
    PermitSpent(Status),
    /// The permit's time is over.
    #[error(
        "the permit has expired, and the execution was not claimed in time; nothing is carried out by it any more"
    )]
    PermitExpired(Status),
    /// There is an observation of the target.
    #[error("the target has been observed already; approvers see what was found then")]
    AlreadyObserved(Status),
    /// The deployment carries out nothing that needs approvals.
    #[error("approvals are switched off in this deployment, so nothing that needs an approval goes ahead")]
    WorkflowDisabled,
    /// No execution of that id is running.
    #[error("the request is {0}, and no execution of this id is running")]
    ExecutionMismatch(Status),
    /// The idempotency key was used with another body.
    #[error("this idempotency key was already used with a different body; use a new key")]
    IdempotencyConflict(Status),
    /// The request holds as many comments as it can.
    #[error("the request holds as many comments as it can: 100, or 32 KiB together")]
    CommentsFull,
    /// Another approver is looking at the request.
    #[error(
        "{holder} has claimed the request until {until}; `take` replaces the claim, and no approver needs one to decide"
    )]
    Claimed {
        /// The holder of the claim.
        holder: PersonId,
        /// When it ends by itself.
        until: Timestamp,
    },
    /// No deadline has passed, and no time to keep what it was made with.
    #[error("no deadline of the request has passed")]
    NotDue,
}

fn in_words(violations: &[Violation]) -> String {
    let words: Vec<_> =
        violations.iter().map(|violations| format!("{} {}", violations.field, violations.rule)).collect();
    words.join("; ")
}

impl Refusal {
    /// Not permitted, for one reason.
    pub fn not_permitted(reason: impl Into<String>) -> Self {
        Self::NotPermitted(vec![reason.into()])
    }

    /// Why, one sentence each.
    pub fn reasons(&self) -> Vec<String> {
        match self {
            Self::NotPermitted(reasons) | Self::ApprovalsInsufficient(reasons) => reasons.clone(),
            Self::Violations(violations) => violations
                .iter()
                .map(|violations| format!("{} {}", violations.field, violations.rule))
                .collect(),
            Self::NotVisible
            | Self::AgentCannotApprove
            | Self::SelfApproval
            | Self::Expired
            | Self::NotPending(_)
            | Self::NotApproved(_)
            | Self::AlreadyDecided(_)
            | Self::NotDecided(_)
            | Self::ClockSkew
            | Self::Integrity(_)
            | Self::DigestMismatch(_)
            | Self::VersionMismatch(_)
            | Self::NotYet(_)
            | Self::PermitInvalid(_)
            | Self::PermitSpent(_)
            | Self::PermitExpired(_)
            | Self::AlreadyObserved(_)
            | Self::WorkflowDisabled
            | Self::ExecutionMismatch(_)
            | Self::IdempotencyConflict(_)
            | Self::CommentsFull
            | Self::Claimed { .. }
            | Self::NotDue => vec![self.to_string()],
        }
    }

    /// The name that the API gives it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotVisible => "not_found",
            Self::AgentCannotApprove => "agent_cannot_approve",
            Self::SelfApproval => "self_approval",
            Self::NotPermitted(_) => "not_permitted",
            Self::Violations(_) | Self::CommentsFull => "validation_failed",
            Self::Expired => "expired",
            Self::NotPending(_) => "not_pending",
            Self::NotApproved(_) => "not_approved",
            Self::AlreadyDecided(_) => "already_decided",
            Self::NotDecided(_) => "not_decided",
            Self::ClockSkew => "clock_skew",
            Self::Integrity(_) => "integrity",
            Self::ApprovalsInsufficient(_) => "approvals_insufficient",
            Self::DigestMismatch(_) => "digest_mismatch",
            Self::VersionMismatch(_) => "version_mismatch",
            Self::NotYet(_) => "not_yet",
            Self::PermitInvalid(_) => "permit_invalid",
            Self::PermitSpent(_) => "permit_spent",
            Self::PermitExpired(_) => "permit_expired",
            Self::AlreadyObserved(_) => "already_observed",
            Self::WorkflowDisabled => "workflow_disabled",
            Self::ExecutionMismatch(_) => "execution_mismatch",
            Self::IdempotencyConflict(_) => "idempotency_conflict",
            Self::Claimed { .. } => "claimed",
            Self::NotDue => "internal",
        }
    }

    /// The status the refusal found, when the reason is the request's state.
    pub fn current_status(&self) -> Option<Status> {
        match self {
            Self::Expired => Some(Status::Expired),
            Self::ApprovalsInsufficient(_) | Self::NotYet(_) => Some(Status::Approved),
            Self::NotPending(status)
            | Self::NotApproved(status)
            | Self::AlreadyDecided(status)
            | Self::NotDecided(status)
            | Self::DigestMismatch(status)
            | Self::VersionMismatch(status)
            | Self::PermitSpent(status)
            | Self::PermitExpired(status)
            | Self::AlreadyObserved(status)
            | Self::ExecutionMismatch(status)
            | Self::IdempotencyConflict(status) => Some(*status),
            Self::NotVisible
            | Self::AgentCannotApprove
            | Self::SelfApproval
            | Self::NotPermitted(_)
            | Self::Violations(_)
            | Self::CommentsFull
            | Self::ClockSkew
            | Self::Integrity(_)
            | Self::PermitInvalid(_)
            | Self::WorkflowDisabled
            | Self::Claimed { .. }
            | Self::NotDue => None,
        }
    }
}

impl AccessDecision {
    /// The decision as a refusal, unless it permits.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] with the reasons of the decision.
    pub fn or_refused(self) -> Result<(), Refusal> {
        match self {
            Self::Permitted => Ok(()),
            Self::Denied(reasons) => Err(Refusal::NotPermitted(reasons)),
        }
    }
}
