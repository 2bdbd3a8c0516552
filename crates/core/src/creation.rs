//! The creation of a request: what policy demands of it, every reason to refuse it, and the event that it begins
//! with. What happens to it later is decided in [`crate::decide`].

use crate::command::{CommandName, Draft};
use crate::command_context::CommandContext;
use crate::content::Content;
use crate::event::{Change, Event};
use crate::idempotency::{Idempotency, IdempotencyRecord};
use crate::ids::RequestId;
use crate::policy::Policy;
use crate::policy::access::{AccessDecision, Action, Subject};
use crate::policy::rules::{Assessment, MAX_APPROVALS, MAX_MATCHED_RULES, Proposal};
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::status::Status;
use crate::text_key::KeyedText;
use crate::timestamp::Timestamp;

/// What policy demands of a request that is about to be made.
pub fn assess(draft: &Draft, actor: &Principal, policy: &Policy) -> Assessment {
    policy.assess(&Proposal {
        operation_type: draft.operation_type.as_str(),
        instance_id: draft.instance_id.as_str(),
        declared_risk: draft.declared_risk,
        declared_environment: draft.declared_environment,
        estimated_cost: draft.estimated_cost,
        requester_groups: &actor.groups,
    })
}

/// All reasons to refuse this request; empty if it may be created.
pub fn refusals(
    draft: &Draft,
    actor: &Principal,
    now: Timestamp,
    policy: &Policy,
    assessment: &Assessment,
) -> Vec<Refusal> {
    let requirements = &assessment.requirements;
    let subject = Subject {
        operation_type: draft.operation_type.as_str(),
        instance_id: draft.instance_id.as_str(),
        environment: requirements.environment,
        risk_level: requirements.risk_level,
        estimated_cost: draft.estimated_cost,
        requested_by: &actor.person,
    };
    let mut refusals = Vec::new();
    if let AccessDecision::Denied(reasons) = policy.ask(Action::Create, actor, subject, true, now) {
        refusals.push(Refusal::NotPermitted(reasons));
    }
    if requirements.approvals_required > MAX_APPROVALS {
        let demanded = requirements.approvals_required;
        refusals.push(Refusal::not_permitted(format!(
            "policy demands {demanded} approvals, and a request holds at most {MAX_APPROVALS}: it could never be approved"
        )));
    }
    if assessment.rules.len() > MAX_MATCHED_RULES {
        refusals.push(Refusal::not_permitted(format!(
            "more than {MAX_MATCHED_RULES} rules of the policy match this request"
        )));
    }
    let violations = assessment.violations(draft.stated());
    if !violations.is_empty() {
        refusals.push(Refusal::Violations(violations));
    }
    refusals
}

/// Decides whether a request may be created, as policy assessed it.
///
/// # Errors
/// The first of its [`refusals`].
pub fn create(
    id: RequestId,
    draft: Draft,
    assessment: &Assessment,
    actor: &Principal,
    context: &CommandContext,
    policy: &Policy,
    idempotency: Option<&Idempotency>,
) -> Result<Event, Refusal> {
    if let Some(refusal) = refusals(&draft, actor, context.now, policy, assessment).into_iter().next() {
        return Err(refusal);
    }
    let Assessment { requirements, rules } = assessment.clone();
    let status = if requirements.approvals_required == 0 { Status::Approved } else { Status::Pending };
    let content = Content {
        request_id: id,
        operation_type: draft.operation_type,
        instance_id: draft.instance_id,
        parameters: draft.parameters,
        requested_by: actor.person.clone(),
        requester_addresses: actor.addresses.clone(),
        requester_groups: actor.groups.clone(),
        filed_by: actor.filed_by.clone(),
        owner: actor.owner.clone(),
        requested_at: context.now,
        risk_level: requirements.risk_level,
        environment: requirements.environment,
        justification: KeyedText { text: draft.justification, key: context.text_key },
        estimated_cost: draft.estimated_cost,
        estimated_duration: draft.estimated_duration,
        ticket: draft.ticket,
        rollback_plan: draft.rollback_plan,
        approvals_required: requirements.approvals_required,
        slots: requirements.slots,
        digest_required: requirements.digest_required,
        rules,
        policy_version: policy.version(),
        expires_at: context.now.plus_seconds(requirements.pending_seconds),
        execute_within_seconds: requirements.execute_within_seconds,
    };
    let change = Change::Created(Box::new(content.into()));
    let remembered = IdempotencyRecord::of(&actor.person, CommandName::Create, idempotency);
    Ok(Event::by(actor, context, (id, 1), status, change, remembered))
}
