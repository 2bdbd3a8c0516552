//! Requests in a list, and a page of it.

use super::explanation::MissingBody;
use super::hold::HoldBody;
use super::{Counting, text};
use countersign_app::list::{Listed, ListedRequest};
use countersign_core::policy::Policy;
use countersign_core::policy::request_view::RequestView as _;
use countersign_core::risk::Cost;
use serde::{Deserialize, Serialize};

/// A request in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryBody {
    /// Names it.
    pub request_id: String,
    /// Where it is in its life, deadlines included.
    pub status: String,
    /// What is to be done.
    pub operation_type: String,
    /// The instance that the operation is for.
    pub instance_id: String,
    /// The environment of the instance.
    pub environment: String,
    /// The risk level of the operation.
    pub risk_level: String,
    /// The requester.
    pub requested_by: String,
    /// When it was made.
    pub requested_at: String,
    /// What it is expected to cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<f64>,
    /// How many distinct people must agree.
    pub approvals_required: u8,
    /// How many of those on record count: while it is pending or approved, under the policy of now.
    pub approvals_received: usize,
    /// Who has approved.
    pub approved_by: Vec<String>,
    /// Why it cannot go ahead even with all approvals: its requester or their owner is disabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,
    /// When it expires if it is still pending.
    pub expires_at: String,
    /// By when it must be started, once approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute_by: Option<String>,
    /// When its execution was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_started_at: Option<String>,
    /// When it was executed, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed_at: Option<String>,
    /// When it closed, if it has; an expired request closed at the deadline it missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
    /// What the caller may do, in a list of what waits for them: `approve`, `reject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may: Option<Vec<String>>,
    /// Which approvals are missing, in such a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<MissingBody>,
    /// The approver who is looking at it, while it waits for approvers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldBody>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListBody {
    /// The requests.
    pub items: Vec<SummaryBody>,
    /// Send it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
    /// How many rows were left out of this page because they cannot be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub damaged: usize,
}

impl SummaryBody {
    /// An entry of a list, with the approvals that count under this policy.
    fn of(ListedRequest { summary, open_decision, hold }: &ListedRequest, policy: &Policy) -> Self {
        let requirements = policy.requirements_in_force(summary);
        let counting = Counting::of(summary, &requirements, policy);
        Self {
            request_id: summary.id.to_string(),
            status: summary.status.to_string(),
            operation_type: summary.operation_type.to_string(),
            instance_id: summary.instance_id.to_string(),
            environment: requirements.environment.as_str().to_owned(),
            risk_level: requirements.risk_level.as_str().to_owned(),
            requested_by: summary.requested_by.to_string(),
            requested_at: summary.requested_at.to_string(),
            estimated_cost: summary.estimated_cost.map(Cost::amount),
            approvals_required: requirements.approvals_required,
            approvals_received: counting.received,
            approved_by: summary.approvals().map(|decision| decision.person.to_string()).collect(),
            blocked_by: if summary.status.is_decidable() { policy.blocked_by(summary) } else { Vec::new() },
            expires_at: summary.expires_at.to_string(),
            execute_by: text(summary.execute_by),
            execution_started_at: text(summary.execution_started_at),
            executed_at: text(summary.executed_at),
            closed_at: text(summary.closed_at),
            may: open_decision.as_ref().map(|open| {
                let actions = [("approve", open.may_approve), ("reject", open.may_reject)];
                actions.into_iter().filter(|(_, may)| *may).map(|(name, _)| name.to_owned()).collect()
            }),
            hold: hold.as_ref().map(HoldBody::of),
            missing: open_decision.as_ref().map(|open| MissingBody::of(&open.slot_assignment)),
        }
    }
}

impl ListBody {
    /// A page of a list.
    pub fn of(page: &Listed, policy: &Policy) -> Self {
        let Listed { items, next_cursor, damaged } = page;
        Self {
            items: items.iter().map(|entry| SummaryBody::of(entry, policy)).collect(),
            next_cursor: next_cursor.clone(),
            damaged: *damaged,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
