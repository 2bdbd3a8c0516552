//! What the executor of an operation says of a request before it is made. It is asked nothing over a network: its rules
//! are functions of values.

use crate::error::AppError;
use countersign_core::command::Draft;
use countersign_core::policy::Policy;
use countersign_executor::planner::Plan;
use countersign_executor::registry::{self, Assignment};

/// The calls to come; `None` if nothing is known here of who carries it out.
///
/// # Errors
/// [`AppError::CannotBeCarriedOut`] with all rules that the request breaks.
pub(crate) fn plan(draft: &Draft, policy: &Policy) -> Result<Option<Plan>, AppError> {
    let operation_type = draft.operation_type.as_str();
    let rules = policy.rules();
    let Some(executor) = rules.executor(operation_type) else { return Ok(None) };
    let assignment = Assignment { executor: executor.as_str(), runbook: rules.runbook(operation_type) };
    let plan =
        registry::plan(assignment, operation_type, draft.instance_id.as_str(), &draft.parameters.to_value());
    plan.map_err(AppError::CannotBeCarriedOut)
}
