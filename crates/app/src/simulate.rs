//! What would come of making a request. Counts what the requester has open, and writes
//! nothing.

use crate::anomalies;
use crate::create::one_too_many;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::notifies;
use crate::planning;
use crate::ports::{CountOpen, LastEvent};
use countersign_core::command::Draft;
use countersign_core::creation;
use countersign_core::explain;
use countersign_core::policy::access::Subject;
use countersign_core::policy::rules::Assessment;
use countersign_core::principal::Principal;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use countersign_executor::planner::Plan;
use countersign_notifications::plan::Notifies;

/// What would come of making a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// When it would be made.
    pub now: Timestamp,
    /// What policy would demand of it.
    pub assessment: Assessment,
    /// All reasons to refuse it; empty if it could be made.
    pub refusals: Vec<AppError>,
    /// Whether people could be found to approve it.
    pub satisfiable: bool,
    /// The calls to come, if it is known here who carries it out.
    pub plan: Option<Plan>,
    /// How many would hear of it: none, if it could not be made. `None` where the deployment sends no messages to people.
    pub notifies: Option<Notifies>,
}

/// Simulates the creation of a request.
///
/// # Errors
/// [`AppError::Unavailable`] when the open requests cannot be counted, or what was found unusual cannot be read.
pub async fn simulate<S: CountOpen + LastEvent>(
    dependencies: &Dependencies<S>,
    draft: &Draft,
    actor: &Principal,
) -> Result<Simulation, AppError> {
    let policy = &dependencies.policy;
    let now = dependencies.host.now();
    let anomaly = anomalies::recent(dependencies, actor, now).await?;
    let assessment = creation::assess_after(anomaly.as_ref(), draft, actor, policy);
    let requirements = &assessment.requirements;
    let refusals = creation::refusals(draft, actor, now, policy, &assessment);
    let mut refusals: Vec<AppError> = refusals.into_iter().map(AppError::from).collect();
    let plan = planning::plan(draft, policy).unwrap_or_else(|failure| {
        refusals.push(failure);
        None
    });
    let status = if requirements.approvals_required > 0 { Status::Pending } else { Status::Approved };
    refusals.extend(one_too_many(dependencies, actor, requirements, status, now).await?);
    let subject = Subject {
        operation_type: draft.operation_type.as_str(),
        instance_id: draft.instance_id.as_str(),
        environment: requirements.environment,
        risk_level: requirements.risk_level,
        estimated_cost: draft.estimated_cost,
        requested_by: &actor.person,
    };
    let satisfiable = explain::could_be_satisfied(requirements, &subject, actor, now, policy);
    let notifies = match (refusals.is_empty(), &dependencies.notifications) {
        (_, None) => None,
        (false, Some(_)) => Some(Notifies::NONE),
        (true, Some(_)) => notified(dependencies, draft, actor, &assessment),
    };
    Ok(Simulation { now, assessment, refusals, satisfiable, plan, notifies })
}

/// How many would hear of the request that would be made.
fn notified<S>(
    dependencies: &Dependencies<S>,
    draft: &Draft,
    actor: &Principal,
    assessment: &Assessment,
) -> Option<Notifies> {
    let (host, policy) = (&dependencies.host, &dependencies.policy);
    let context = host.command_context();
    let event = creation::create(host.request_id(), draft.clone(), assessment, actor, &context, policy, None);
    notifies::of_creation(dependencies, &Request::create(&event.ok()?).ok()?)
}
