//! What a change makes of a request: an answer that shows something else is not taken for success.

use crate::client::content::digest_of_shown;
use crate::exit::Exit;
use countersign_api::wire::RequestBody;
use countersign_core::command::ExecutionOutcome;
use countersign_core::ids::ExecutionId;
use countersign_core::text::escaped_line;
use std::collections::BTreeSet;

/// A change that the service is asked to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An approval.
    Approve,
    /// A rejection.
    Reject,
    /// A comment.
    Comment,
    /// An approval taken back.
    Withdraw,
    /// A request given up.
    Cancel,
    /// An approval spent.
    Start,
    /// An execution reported.
    Finish(ExecutionOutcome),
}

impl Change {
    /// The end of its path.
    pub fn route(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Comment => "comments",
            Self::Withdraw => "withdraw",
            Self::Cancel => "cancel",
            Self::Start | Self::Finish(_) => "execution",
        }
    }

    /// Its method.
    pub fn method(self) -> &'static str {
        if matches!(self, Self::Finish(_)) { "PUT" } else { "POST" }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "an approval",
            Self::Reject => "a rejection",
            Self::Comment => "a comment",
            Self::Withdraw => "a withdrawal",
            Self::Cancel => "a cancellation",
            Self::Start => "a start",
            Self::Finish(_) => "the end of an execution",
        }
    }

    /// Whether the answer shows what the change makes, of a request that was like this before.
    ///
    /// # Errors
    /// When it does not: what has happened is not known.
    pub fn check(self, before: Option<&RequestBody>, after: &RequestBody) -> Result<(), Exit> {
        if !self.is_made(before, after) {
            return Err(Exit::from(format!(
                "the service shows {} as {}, which {} does not make of it; nothing may have been done: `countersign get \
                 {}` shows where it stands",
                after.request_id,
                escaped_line(&after.status),
                self.as_str(),
                after.request_id
            )));
        }
        // What is executed is what is shown here.
        if self == Self::Start && after.parameters.is_some() {
            digest_of_shown(after)?;
        }
        Ok(())
    }

    fn is_made(self, before: Option<&RequestBody>, after: &RequestBody) -> bool {
        let is_decided = |verdict: &str| {
            let earlier = before.iter().flat_map(|before| &before.decisions);
            let earlier: BTreeSet<_> = earlier.map(|decision| &decision.event_id).collect();
            after.decisions.iter().any(|it| it.decision == verdict && !earlier.contains(&it.event_id))
        };
        let is_more = |count: fn(&RequestBody) -> usize| count(after) > before.map_or(0, count);
        let status = after.status.as_str();
        match self {
            Self::Approve => {
                is_decided("approved")
                    && matches!(status, "pending" | "approved" | "executing" | "executed" | "failed")
            }
            Self::Reject => is_decided("rejected") && status == "rejected",
            Self::Comment => is_more(|request| request.comments.len()),
            Self::Withdraw => is_more(|request| request.withdrawals.len()),
            Self::Cancel => status == "cancelled",
            Self::Start => {
                let id = after.execution_id.as_deref().and_then(|id| ExecutionId::parse(id).ok());
                status == "executing" && id.is_some()
            }
            Self::Finish(ExecutionOutcome::Succeeded) => status == "executed",
            Self::Finish(ExecutionOutcome::Failed) => status == "failed",
        }
    }
}
