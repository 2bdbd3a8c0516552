//! The creation of a request: what policy demands of it, every reason to refuse it, and the event that it begins
//! with. What happens to it later is decided in [`crate::decide`].

use crate::audit::unusual::RecentAnomaly;
use crate::command::{CommandName, Draft};
use crate::command_context::CommandContext;
use crate::content::Content;
use crate::event::{Change, Event};
use crate::execution::{ExecutionMode, Schedule};
use crate::idempotency::{Idempotency, IdempotencyRecord};
use crate::ids::RequestId;
use crate::policy::Policy;
use crate::policy::access::{AccessDecision, Action, Subject};
use crate::policy::rules::{ANOMALIES, Assessment, DECLARED, MAX_APPROVALS, MAX_MATCHED_RULES, Proposal};
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::requirements::{Requirements, Violation};
use crate::status::Status;
use crate::text_key::{DigestedDocument, KeyedText};
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

/// The same where something unusual was found about its requester: one level of risk more, and never less.
pub fn assess_after(
    anomaly: Option<&RecentAnomaly>,
    draft: &Draft,
    actor: &Principal,
    policy: &Policy,
) -> Assessment {
    let assessment = assess(draft, actor, policy);
    let raised = anomaly.zip(assessment.requirements.risk_level.next());
    let Some((RecentAnomaly { rule, at }, risk_level)) = raised else { return assessment };
    let declared = Draft { declared_risk: Some(risk_level), ..draft.clone() };
    let mut assessment = assess(&declared, actor, policy);
    for matched in assessment.rules.iter_mut().filter(|matched| matched.name == DECLARED) {
        matched.name = ANOMALIES.to_owned();
        matched.demands = vec![format!("risk {}, because {rule} was found at {at}", risk_level.as_str())];
    }
    assessment
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
    if requirements.approvals_required > 0 && !policy.restrictions().workflow_enabled {
        refusals.push(Refusal::WorkflowDisabled);
    }
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
    let mut violations = assessment.violations(draft.stated());
    let executor = policy.rules().executor(draft.operation_type.as_str());
    violations.extend(schedule_violations(&draft.schedule, executor.is_some(), requirements, now));
    if !violations.is_empty() {
        refusals.push(Refusal::Violations(violations));
    }
    refusals
}

/// What cannot be of a schedule: no approval lasts until then, it is over, or nothing would start it.
fn schedule_violations(
    schedule: &Schedule,
    has_executor: bool,
    requirements: &Requirements,
    now: Timestamp,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut refuse = |field, rule: String| violations.push(Violation { field, rule });
    if schedule.mode == ExecutionMode::Automatic && !has_executor {
        refuse("execution", "must be manual: policy names no executor of this operation".to_owned());
    }
    let within = requirements.execute_within_seconds;
    let last = now.plus_seconds(within);
    let too_late = format!("must be within {within} seconds: an approval lasts no longer");
    if let Some(execute_at) = schedule.execute_at {
        if execute_at <= now {
            refuse("execute_at", "must be in the future".to_owned());
        } else if execute_at > last {
            refuse("execute_at", too_late.clone());
        }
    }
    if let Some(window) = schedule.window {
        if window.to <= window.from {
            refuse("window", "must end after it begins".to_owned());
        } else if window.to <= now {
            refuse("window", "must end in the future".to_owned());
        } else if window.to > last {
            refuse("window", too_late);
        }
        if schedule.execute_at.is_some_and(|at| at < window.from || at > window.to) {
            refuse("execute_at", "must be within the window".to_owned());
        }
    }
    violations
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
    let executor = policy.rules().executor(draft.operation_type.as_str()).cloned();
    let content = Content {
        request_id: id,
        operation_type: draft.operation_type,
        instance_id: draft.instance_id,
        parameters: DigestedDocument::Kept(draft.parameters),
        requested_by: actor.person.clone(),
        requester_addresses: actor.addresses.clone(),
        requester_groups: actor.groups.clone(),
        filed_by: actor.filed_by.clone(),
        owner: actor.owner.clone(),
        requested_at: context.now,
        risk_level: requirements.risk_level,
        environment: requirements.environment,
        justification: KeyedText::Kept { text: draft.justification, key: context.text_key },
        estimated_cost: draft.estimated_cost,
        estimated_duration: draft.estimated_duration,
        ticket: draft.ticket,
        rollback_plan: draft.rollback_plan,
        priority: draft.priority,
        approvals_required: requirements.approvals_required,
        slots: requirements.slots,
        digest_required: requirements.digest_required,
        rules,
        policy_version: policy.version(),
        expires_at: draft.schedule.limit(context.now.plus_seconds(requirements.pending_seconds)),
        execute_within_seconds: requirements.execute_within_seconds,
        executor,
        schedule: draft.schedule,
    };
    let change = Change::Created(Box::new(content.into()));
    let remembered = IdempotencyRecord::of(&actor.person, CommandName::Create, idempotency);
    Ok(Event::by(actor, context, (id, 1), status, change, remembered))
}
