//! The body that explains a request.

use super::{RuleBody, SlotBody, rules, slots, text};
use crate::problem::Problem;
use countersign_core::digest::Digest;
use countersign_core::explain::Explanation;
use countersign_core::request::{Request, Status};
use countersign_core::slots::SlotAssignment;
use serde::{Deserialize, Serialize};

/// Why a request stands where it stands, under the policy of now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainBody {
    /// Names the request.
    pub request_id: String,
    /// Where it is in its life.
    pub status: String,
    /// The risk level of the operation.
    pub risk_level: String,
    /// The environment of the instance.
    pub environment: String,
    /// How many distinct people must agree.
    pub approvals_required: u8,
    /// Which groups some of them must come from.
    pub slots: Vec<SlotBody>,
    /// Whether an approver must name the digest of what they were shown.
    pub digest_required: bool,
    /// SHA-256 of the policy that it was made under.
    pub policy_version: String,
    /// What each part of that policy demanded.
    pub rules: Vec<RuleBody>,
    /// SHA-256 of the policy of now.
    pub current_policy_version: String,
    /// What each part of the policy of now would demand. While the request is pending or approved,
    /// the stricter of both holds.
    pub current_rules: Vec<RuleBody>,
    /// Why it cannot go ahead even with all approvals: its requester or their owner is disabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,
    /// The approvals on record, and whether they count.
    pub approvals: Vec<ApprovalBody>,
    /// What is missing.
    pub missing: MissingBody,
    /// Who can still give it: approvers who are in all groups of one of these. Empty unless it is pending.
    pub approvers: Vec<Vec<String>>,
    /// What the caller may do to it.
    pub actions: Vec<ActionBody>,
    /// What happens if no call changes it.
    pub otherwise: String,
    /// When. Absent where nothing happens by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
}

/// An approval on record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalBody {
    /// The approver.
    pub person: String,
    /// The groups that they were in.
    pub groups: Vec<String>,
    /// Whether it counts.
    pub counts: bool,
    /// Why it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The approvals that are missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissingBody {
    /// Slots that are open.
    pub slots: Vec<SlotBody>,
    /// How many more, which anybody may give who may approve.
    pub from_anybody: usize,
}

impl MissingBody {
    /// What an assignment leaves open.
    pub(super) fn of(slot_assignment: &SlotAssignment) -> Self {
        Self {
            slots: slots(&slot_assignment.missing_slots),
            from_anybody: slot_assignment.missing_from_anybody,
        }
    }
}

/// Whether the caller may do something to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionBody {
    /// The command.
    pub action: String,
    /// Whether it would be accepted now.
    pub permitted: bool,
    /// The code of the problem that it would be answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why not: the `reasons` of that problem.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl ExplainBody {
    /// The explanation of a request under the policy of this version.
    pub fn of(request: &Request, explanation: &Explanation<'_>, current: Digest) -> Self {
        let requirements = &explanation.requirements;
        let approvals = &explanation.approvals;
        let counting = approvals.counting.iter().map(|decision| (*decision, None));
        let discounted =
            approvals.discounted.iter().map(|(decision, reason)| (*decision, Some(reason.clone())));
        Self {
            request_id: request.id().to_string(),
            status: explanation.status.to_string(),
            risk_level: requirements.risk_level.as_str().to_owned(),
            environment: requirements.environment.as_str().to_owned(),
            approvals_required: requirements.approvals_required,
            slots: slots(&requirements.slots),
            digest_required: requirements.digest_required,
            policy_version: request.content.policy_version.to_string(),
            rules: rules(&request.content.rules),
            current_policy_version: current.to_string(),
            current_rules: rules(&explanation.current_rules),
            blocked_by: explanation.blocked.clone(),
            approvals: counting
                .chain(discounted)
                .map(|(decision, reason)| ApprovalBody {
                    person: decision.person.to_string(),
                    groups: decision.groups.iter().cloned().collect(),
                    counts: reason.is_none(),
                    reason,
                })
                .collect(),
            missing: MissingBody::of(&explanation.slot_assignment),
            approvers: explanation.approvers.iter().map(|groups| groups.iter().cloned().collect()).collect(),
            actions: explanation
                .actions
                .iter()
                .map(|(command, outcome)| {
                    let problem = outcome.clone().err().map(Problem::from);
                    ActionBody {
                        action: command.to_string(),
                        permitted: problem.is_none(),
                        code: problem.as_ref().map(|problem| problem.code.as_str().to_owned()),
                        reasons: problem.map(|problem| problem.reasons).unwrap_or_default(),
                    }
                })
                .collect(),
            otherwise: otherwise(explanation.status).to_owned(),
            deadline: text(explanation.deadline),
        }
    }
}

/// What happens to a request of this status if no call changes it.
fn otherwise(status: Status) -> &'static str {
    match status {
        Status::Pending => "it expires, and nothing is run",
        Status::Approved => "it expires, and would have to be asked for again",
        Status::Executing => "it stays executing until somebody reports what came of it",
        Status::Rejected | Status::Expired | Status::Cancelled | Status::Executed | Status::Failed => {
            "nothing: it is closed"
        }
    }
}
