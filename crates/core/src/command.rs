//! What can be asked of a request.

use crate::canonical::CanonicalJson;
pub use crate::execution::ExecutionOutcome;
use crate::execution::Schedule;
use crate::ids::ExecutionId;
use crate::priority::Priority;
use crate::requirements::StatedFields;
use crate::risk::{Cost, Environment, RiskLevel};
use crate::text::{
    CommentText, DurationText, Identifier, InstanceId, InvalidText, Justification, RollbackPlan, Ticket,
};
use crate::timestamp::Timestamp;
use serde_json::Value;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The largest parameters, in bytes of canonical JSON.
pub const MAX_PARAMETERS_BYTES: usize = 64 * 1024;
/// The largest execution result, in bytes of canonical JSON.
pub const MAX_RESULT_BYTES: usize = 16 * 1024;

/// The largest observation of a target, in bytes of canonical JSON.
pub const MAX_TARGET_BYTES: usize = 6 * 1024;

/// A request as its requester describes it, before policy has said what it demands.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What is to be done, such as `modify_instance_class`.
    pub operation_type: Identifier,
    /// To what, such as `production-db-01`.
    pub instance_id: InstanceId,
    /// Exactly how: the object that is digested, shown and handed to the executor.
    pub parameters: CanonicalJson,
    /// The environment the requester believes it is; may raise what policy says.
    pub declared_environment: Environment,
    /// The risk the requester believes it has; may raise what policy says.
    pub declared_risk: Option<RiskLevel>,
    /// Why the operation is needed.
    pub justification: Justification,
    /// What it is expected to cost.
    pub estimated_cost: Option<Cost>,
    /// How long it is expected to take.
    pub estimated_duration: Option<DurationText>,
    /// The ticket it belongs to, in some other system.
    pub ticket: Option<Ticket>,
    /// How to go back.
    pub rollback_plan: Option<RollbackPlan>,
    /// How soon it needs an answer, if the requester says so. Decides who is reminded and when, never what is demanded.
    pub priority: Option<Priority>,
    /// How and when it is to be carried out.
    pub schedule: Schedule,
}

/// A draft's field breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDraft {
    /// A text or identifier.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// The parameters.
    #[error(transparent)]
    Document(#[from] InvalidDocument),
    /// The environment.
    #[error("environment must be production or non-production")]
    Environment,
}

impl Draft {
    /// A draft with the required fields only.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn new(
        operation_type: &str,
        instance_id: &str,
        parameters: &Value,
        environment: &str,
        justification: &str,
    ) -> Result<Self, InvalidDraft> {
        Ok(Self {
            operation_type: Identifier::parse(operation_type)?,
            instance_id: InstanceId::parse(instance_id)?,
            parameters: parameters_document(parameters)?,
            declared_environment: environment.parse().map_err(|_| InvalidDraft::Environment)?,
            declared_risk: None,
            justification: Justification::parse(justification)?,
            estimated_cost: None,
            estimated_duration: None,
            ticket: None,
            rollback_plan: None,
            priority: None,
            schedule: Schedule::default(),
        })
    }
}

impl Draft {
    /// What it says of itself, for demands that it do.
    pub fn stated(&self) -> StatedFields {
        StatedFields {
            justification_length: self.justification.length(),
            ticket: self.ticket.is_some(),
            rollback_plan: self.rollback_plan.is_some(),
            estimated_cost: self.estimated_cost,
            estimated_duration: self.estimated_duration.is_some(),
        }
    }
}

/// A JSON document does not fit where it is meant to go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// Parameters that are not an object.
    #[error("must be an object")]
    NotAnObject,
    /// A result that says nothing.
    #[error("must not be null")]
    Null,
    /// Too many bytes of canonical JSON.
    #[error("must be at most {limit} bytes as canonical JSON, not {size}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// Checks a request's parameters: an object of at most [`MAX_PARAMETERS_BYTES`].
pub fn parameters_document(value: &Value) -> Result<CanonicalJson, InvalidDocument> {
    if !value.is_object() {
        return Err(InvalidDocument::NotAnObject);
    }
    document_within(value, MAX_PARAMETERS_BYTES)
}

/// Checks an execution's result: anything but null, at most [`MAX_RESULT_BYTES`].
pub fn result_document(value: &Value) -> Result<CanonicalJson, InvalidDocument> {
    if value.is_null() {
        return Err(InvalidDocument::Null);
    }
    document_within(value, MAX_RESULT_BYTES)
}

/// Checks what an executor has found of a target: an object of at most [`MAX_TARGET_BYTES`].
pub fn target_document(value: &Value) -> Result<CanonicalJson, InvalidDocument> {
    if !value.is_object() {
        return Err(InvalidDocument::NotAnObject);
    }
    document_within(value, MAX_TARGET_BYTES)
}

fn document_within(value: &Value, limit: usize) -> Result<CanonicalJson, InvalidDocument> {
    let document = CanonicalJson::of(value);
    let size = document.as_str().len();
    if size > limit {
        return Err(InvalidDocument::TooLarge { size, limit });
    }
    Ok(document)
}

/// What the caller names of what they were shown. Both are compared as text, so that any other
/// spelling is a mismatch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The digest of all that the request was made with, see [`crate::content`].
    pub content_digest: Option<String>,
    /// The digest of its parameters alone.
    pub parameters_digest: Option<String>,
    /// How many events had happened to it.
    pub version: Option<u64>,
}

/// What is asked of an existing request.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Agree.
    Approve {
        /// What the approver has to say.
        comment: Option<CommentText>,
        /// What the approver was shown.
        shown: Shown,
    },
    /// Refuse.
    Reject {
        /// The reason for the rejection.
        reason: CommentText,
        /// What the approver was shown.
        shown: Shown,
    },
    /// Take an approval back.
    Withdraw {
        /// Why. Kept as a comment.
        reason: Option<CommentText>,
    },
    /// Give the request up.
    Cancel {
        /// The reason for the cancellation.
        reason: Option<CommentText>,
    },
    /// Comment on the request.
    Comment {
        /// The text.
        text: CommentText,
    },
    /// Spend the approval.
    Start {
        /// What is about to be run.
        shown: Shown,
    },
    /// Record what an executor has found of the target, once.
    Observe {
        /// What it has found.
        target: CanonicalJson,
    },
    /// Spend the permit of the execution. Given only once the permit itself has been verified.
    Claim {
        /// The execution that the permit names.
        execution_id: ExecutionId,
        /// What is about to be carried out.
        shown: Shown,
    },
    /// Say that the execution is still under way.
    Renew {
        /// The execution that [`Command::Start`] began.
        execution_id: ExecutionId,
    },
    /// Report what came of it.
    Finish {
        /// The execution that [`Command::Start`] began.
        execution_id: ExecutionId,
        /// How it ended.
        outcome: ExecutionOutcome,
        /// What it gave.
        result: Option<CanonicalJson>,
        /// What it cost.
        actual_cost: Option<Cost>,
        /// What was found out. An admin who settles an execution that is unknown has to say it.
        note: Option<CommentText>,
        /// What was run.
        shown: Shown,
    },
    /// Write down that nothing was heard of an execution for as long as its lease. Only the sweep asks for it.
    EndLease,
    /// Write down that a deadline has passed. Only the sweep asks for it.
    Expire,
    /// Erase parameters, texts and result, if the request closed before a time. Only the sweep asks for it.
    Erase {
        /// Since when what has closed is kept.
        closed_before: Timestamp,
    },
}

impl Command {
    /// Which command it is.
    pub fn name(&self) -> CommandName {
        match self {
            Self::Approve { .. } => CommandName::Approve,
            Self::Reject { .. } => CommandName::Reject,
            Self::Withdraw { .. } => CommandName::Withdraw,
            Self::Cancel { .. } => CommandName::Cancel,
            Self::Comment { .. } => CommandName::Comment,
            Self::Start { .. } => CommandName::Start,
            Self::Observe { .. } => CommandName::Observe,
            Self::Claim { .. } => CommandName::Claim,
            Self::Renew { .. } => CommandName::Renew,
            Self::Finish { .. } => CommandName::Finish,
            Self::EndLease => CommandName::EndLease,
            Self::Expire => CommandName::Expire,
            Self::Erase { .. } => CommandName::Erase,
        }
    }
}

/// The names of all commands, creation included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum CommandName {
    /// Make a request.
    Create,
    /// See [`Command::Approve`].
    Approve,
    /// See [`Command::Reject`].
    Reject,
    /// See [`Command::Withdraw`].
    Withdraw,
    /// See [`Command::Cancel`].
    Cancel,
    /// See [`Command::Comment`].
    Comment,
    /// See [`Command::Start`].
    Start,
    /// See [`Command::Observe`].
    Observe,
    /// See [`Command::Claim`].
    Claim,
    /// See [`Command::Renew`].
    Renew,
    /// See [`Command::Finish`].
    Finish,
    /// See [`Command::EndLease`].
    #[strum(serialize = "end_lease")]
    EndLease,
    /// See [`Command::Expire`].
    Expire,
    /// See [`Command::Erase`].
    Erase,
}
