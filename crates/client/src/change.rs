//! Changes of a request, and what each makes of it: an answer that shows something else is not taken for
//! success. Knows no path and no method.

use crate::content::{ContentError, digest_of_shown};
use countersign_api::bodies::{
    ApproveBody, CancelBody, ClaimBody, CommentBody, FinishBody, ObserveBody, RejectBody, StartBody,
    WithdrawBody,
};
use countersign_api::operations::finish::Report;
use countersign_api::wire::RequestBody;
use countersign_core::ids::ExecutionId;
use countersign_core::text::escaped_line;
use serde::Serialize;
use std::collections::BTreeSet;

/// A change that the service is asked to make, with its body.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Change {
    /// An approval.
    Approve(ApproveBody),
    /// A rejection.
    Reject(RejectBody),
    /// A comment.
    Comment(CommentBody),
    /// An approval taken back.
    Withdraw(WithdrawBody),
    /// A request given up.
    Cancel(CancelBody),
    /// An approval spent.
    Start(StartBody),
    /// A permit spent.
    Claim(ClaimBody),
    /// A target observed.
    Observe(ObserveBody),
    /// An execution reported.
    Finish(FinishBody),
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
            Self::Approve(_) => "an approval",
            Self::Reject(_) => "a rejection",
            Self::Comment(_) => "a comment",
            Self::Withdraw(_) => "a withdrawal",
            Self::Cancel(_) => "a cancellation",
            Self::Start(_) => "a start",
            Self::Claim(_) => "a claim",
            Self::Observe(_) => "an observation of the target",
            Self::Finish(_) => "a report on the execution",
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
        if matches!(self, Self::Start(_) | Self::Claim(_)) && after.parameters.is_some() {
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
            Self::Approve(_) => {
                is_decided("approved")
                    && matches!(status, "pending" | "approved" | "executing" | "executed" | "failed")
            }
            Self::Reject(_) => is_decided("rejected") && status == "rejected",
            Self::Comment(_) => is_more(|request| request.comments.len()),
            Self::Withdraw(_) => is_more(|request| request.withdrawals.len()),
            Self::Cancel(_) => status == "cancelled",
            Self::Start(_) => {
                let id = after.execution_id.as_deref().and_then(|id| ExecutionId::parse(id).ok());
                status == "executing" && id.is_some()
            }
            Self::Claim(_) => after.claimed_by.is_some() && status == "executing",
            Self::Observe(_) => after.target_observed_at.is_some(),
            Self::Finish(body) => match body.outcome.parse() {
                Ok(Report::Running) => status == "executing",
                Ok(Report::Succeeded) => status == "executed",
                Ok(Report::Failed) | Err(_) => status == "failed",
            },
        }
    }
}
