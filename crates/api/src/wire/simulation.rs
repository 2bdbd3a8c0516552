//! The body that says what would come of making a request.

use super::{FieldError, NotifiesBody, RuleBody, SlotBody, rules, slots};
use crate::problem::Problem;
use countersign_app::simulate::Simulation;
use countersign_core::command::Draft;
use countersign_core::digest::Digest;
use countersign_core::principal::Principal;
use countersign_core::request::Status;
use countersign_core::risk::Cost;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What would come of making a request, in the names of a request's own fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulateBody {
    /// Whether it could be made.
    pub permitted: bool,
    /// The problems that it would meet, the first of which would be the answer.
    pub refusals: Vec<RefusalBody>,
    /// Whether people could be found to approve it.
    pub satisfiable: bool,
    /// The status that it would begin with: `pending`, or `approved`.
    pub status: String,
    /// What is to be done.
    pub operation_type: String,
    /// The instance that the operation is for.
    pub instance_id: String,
    /// Where, as policy sees it.
    pub environment: String,
    /// The risk level of the operation.
    pub risk_level: String,
    /// The requester.
    pub requested_by: String,
    /// The groups of the requester.
    pub requester_groups: Vec<String>,
    /// When it would be made.
    pub requested_at: String,
    /// SHA-256 of the parameters' canonical JSON (RFC 8785).
    pub parameters_digest: String,
    /// How many distinct people must agree, those in `slots` included.
    pub approvals_required: u8,
    /// Which groups some of them must come from.
    pub slots: Vec<SlotBody>,
    /// Whether an approver must name the digest of what they were shown.
    pub digest_required: bool,
    /// When it would expire if it were still pending.
    pub expires_at: String,
    /// By when it must be started, if it would be approved at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute_by: Option<String>,
    /// How long an approval of it would last, in seconds.
    pub execute_within_seconds: u32,
    /// The fields that policy demands.
    pub required_fields: Vec<String>,
    /// The most it may be expected to cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_limit: Option<f64>,
    /// How long its justification must be, in characters. Absent if any will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub justification_min: Option<u16>,
    /// How many pending requests its requester may have, this one included.
    pub pending_limit: u16,
    /// How many approved requests that were not started its requester may have, this one included, if it
    /// is approved at once.
    pub approved_limit: u16,
    /// SHA-256 of the policy.
    pub policy_version: String,
    /// What each part of it demands.
    pub rules: Vec<RuleBody>,
    /// The calls to come, if it is known who carries it out. Several are alternatives, each with its `when`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallBody>,
    /// How many would hear of it: none, if it could not be made. Absent where there is no `notifications.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifies: Option<NotifiesBody>,
}

/// A call that an executor would make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallBody {
    /// The action, such as `rds:ModifyDBInstance`.
    pub action: String,
    /// What it would be called with, as the called system names it.
    pub parameters: Map<String, Value>,
    /// Parameters that the executor's configuration adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configured: Vec<String>,
    /// In which state of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A problem that a request would meet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefusalBody {
    /// The problem's code.
    pub code: String,
    /// What it is, in a sentence.
    pub detail: String,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
    /// The fields that break rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl SimulateBody {
    /// What would come of a draft, under the policy of this version.
    pub fn of(draft: &Draft, actor: &Principal, simulation: Simulation, version: Digest) -> Self {
        let Simulation { now, assessment, refusals, satisfiable, plan, notifies } = simulation;
        let requirements = &assessment.requirements;
        let is_approved = requirements.approvals_required == 0;
        let status = if is_approved { Status::Approved } else { Status::Pending };
        let refusals: Vec<_> = refusals
            .into_iter()
            .map(Problem::from)
            .map(|problem| RefusalBody {
                code: problem.code.as_str().to_owned(),
                detail: problem.detail,
                reasons: problem.reasons,
                errors: problem.errors,
            })
            .collect();
        Self {
            permitted: refusals.is_empty(),
            refusals,
            satisfiable,
            status: status.to_string(),
            operation_type: draft.operation_type.to_string(),
            instance_id: draft.instance_id.to_string(),
            environment: requirements.environment.as_str().to_owned(),
            risk_level: requirements.risk_level.as_str().to_owned(),
            requested_by: actor.person.to_string(),
            requester_groups: actor.groups.iter().cloned().collect(),
            requested_at: now.to_string(),
            parameters_digest: draft.parameters.digest().to_string(),
            approvals_required: requirements.approvals_required,
            slots: slots(&requirements.slots),
            digest_required: requirements.digest_required,
            expires_at: now.plus_seconds(requirements.pending_seconds).to_string(),
            execute_by: is_approved
                .then(|| now.plus_seconds(requirements.execute_within_seconds).to_string()),
            execute_within_seconds: requirements.execute_within_seconds,
            required_fields: requirements.required_fields.iter().map(ToString::to_string).collect(),
            cost_limit: requirements.cost_limit.map(Cost::amount),
            justification_min: Some(requirements.justification_min).filter(|characters| *characters > 0),
            pending_limit: requirements.pending_limit,
            approved_limit: requirements.approved_limit,
            policy_version: version.to_string(),
            rules: rules(&assessment.rules),
            notifies: notifies.map(Into::into),
            calls: plan
                .map(|plan| plan.calls)
                .unwrap_or_default()
                .into_iter()
                .map(|call| CallBody {
                    action: call.action,
                    parameters: call.parameters,
                    configured: call.configured,
                    when: call.when,
                })
                .collect(),
        }
    }
}
