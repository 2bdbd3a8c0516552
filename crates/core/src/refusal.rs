//! Why a command is refused.

use crate::request::Status;

/// The reason of a refusal. State reasons carry the status they found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The actor may not know that the request exists.
    #[error("no such request, or it is not visible to you")]
    NotVisible,
    /// An agent or a service tried to decide.
    #[error("only people approve and reject; agents and services never do")]
    AgentCannotApprove,
    /// The actor made the request, or it was filed for them.
    #[error("nobody decides on their own request; another approver has to")]
    SelfApproval,
    /// None of the actor's groups allows it.
    #[error("{0}")]
    NotPermitted(&'static str),
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
    /// The digest is not that of the stored parameters.
    #[error("parameters_digest is not the digest of this request's parameters; look at it again")]
    DigestMismatch(Status),
    /// No execution of that id is running.
    #[error("the request is {0}, and no execution of this id is running")]
    ExecutionMismatch(Status),
    /// The idempotency key was used with another body.
    #[error("this idempotency key was already used with a different body; use a new key")]
    IdempotencyConflict(Status),
    /// The request holds as many comments as it can.
    #[error("the request holds as many comments as it can: 100, or 32 KiB together")]
    CommentsFull,
    /// No deadline has passed.
    #[error("no deadline of the request has passed")]
    NotDue,
}

impl Refusal {
    /// The status the refusal found, when the reason is the request's state.
    pub fn current_status(self) -> Option<Status> {
        match self {
            Self::Expired => Some(Status::Expired),
            Self::NotPending(status)
            | Self::NotApproved(status)
            | Self::AlreadyDecided(status)
            | Self::DigestMismatch(status)
            | Self::ExecutionMismatch(status)
            | Self::IdempotencyConflict(status) => Some(status),
            Self::NotVisible
            | Self::AgentCannotApprove
            | Self::SelfApproval
            | Self::NotPermitted(_)
            | Self::CommentsFull
            | Self::NotDue => None,
        }
    }
}
