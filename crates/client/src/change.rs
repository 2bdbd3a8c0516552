//! Changes of a request, and what each makes of it: an answer that shows something else is not taken for
//! success. Knows no path and no method.

use crate::content::{ContentError, digest_of_shown};
use countersign_api::wire::RequestBody;
use countersign_core::command::ExecutionOutcome;
use countersign_core::ids::ExecutionId;
use countersign_core::text::escaped_line;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeSet;

/// A change that the service is asked to make, with what its body says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Change {
    /// An approval.
    Approve {
        /// The digest of what was shown.
        content_digest: String,
        /// What is said with it.
        #[serde(skip_serializing_if = "Option::is_none")]
        comments: Option<String>,
    },
    /// A rejection.
    Reject {
        /// The digest of what was shown.
        content_digest: String,
        /// Why.
        reason: String,
    },
    /// A comment.
    Comment {
        /// What is said.
        text: String,
    },
    /// An approval taken back.
    Withdraw {
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A request given up.
    Cancel {
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An approval spent.
    Start {
        /// What the digest of the content must be.
        #[serde(skip_serializing_if = "Option::is_none")]
        content_digest: Option<String>,
        /// What the digest of the parameters must be.
        #[serde(skip_serializing_if = "Option::is_none")]
        parameters_digest: Option<String>,
    },
    /// An execution reported.
    Finish {
        /// Which.
        execution_id: String,
        /// How it ended.
        #[serde(serialize_with = "name")]
        outcome: ExecutionOutcome,
        /// What came of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<Value>,
        /// What it cost.
        #[serde(skip_serializing_if = "Option::is_none")]
        actual_cost: Option<f64>,
    },
}

fn name<S: Serializer>(outcome: &ExecutionOutcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.as_str())
}

/// A change is not seen in the answer to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The request is shown as the change does not make it: what has happened is not known.
    #[error(
        "the service shows {request_id} as {}, which {change} does not make of it; nothing may have been done: \
         `countersign get {request_id}` shows where it stands",
        escaped_line(status)
    )]
    NotMade {
        /// The request.
        request_id: String,
        /// Where it is said to stand.
        status: String,
        /// The change.
        change: &'static str,
    },
    /// What was started is not what its digest names.
    #[error(transparent)]
    Content(#[from] ContentError),
}

impl Change {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "an approval",
            Self::Reject { .. } => "a rejection",
            Self::Comment { .. } => "a comment",
            Self::Withdraw { .. } => "a withdrawal",
            Self::Cancel { .. } => "a cancellation",
            Self::Start { .. } => "a start",
            Self::Finish { .. } => "the end of an execution",
        }
    }

    /// Whether the answer shows what the change makes, of a request that was like this before.
    ///
    /// # Errors
    /// When it does not: what has happened is not known.
    pub fn check(&self, before: Option<&RequestBody>, after: &RequestBody) -> Result<(), ChangeError> {
        if !self.is_made(before, after) {
            return Err(ChangeError::NotMade {
                request_id: after.request_id.clone(),
                status: after.status.clone(),
                change: self.as_str(),
            });
        }
        // What is executed is what is shown here.
        if matches!(self, Self::Start { .. }) && after.parameters.is_some() {
            digest_of_shown(after)?;
        }
        Ok(())
    }

    fn is_made(&self, before: Option<&RequestBody>, after: &RequestBody) -> bool {
        let is_decided = |verdict: &str| {
            let earlier = before.iter().flat_map(|before| &before.decisions);
            let earlier: BTreeSet<_> = earlier.map(|decision| &decision.event_id).collect();
            after.decisions.iter().any(|it| it.decision == verdict && !earlier.contains(&it.event_id))
        };
        let is_more = |count: fn(&RequestBody) -> usize| count(after) > before.map_or(0, count);
        let status = after.status.as_str();
        match self {
            Self::Approve { .. } => {
                is_decided("approved")
                    && matches!(status, "pending" | "approved" | "executing" | "executed" | "failed")
            }
            Self::Reject { .. } => is_decided("rejected") && status == "rejected",
            Self::Comment { .. } => is_more(|request| request.comments.len()),
            Self::Withdraw { .. } => is_more(|request| request.withdrawals.len()),
            Self::Cancel { .. } => status == "cancelled",
            Self::Start { .. } => {
                let id = after.execution_id.as_deref().and_then(|id| ExecutionId::parse(id).ok());
                status == "executing" && id.is_some()
            }
            Self::Finish { outcome: ExecutionOutcome::Succeeded, .. } => status == "executed",
            Self::Finish { outcome: ExecutionOutcome::Failed, .. } => status == "failed",
        }
    }
}
