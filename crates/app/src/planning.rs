//! What the executor of an operation says of a request before it is made. It is asked nothing over a network: its rules
//! are functions of values.

use crate::error::AppError;
use countersign_core::command::Draft;
use countersign_core::policy::Policy;
use countersign_executor::planner::Plan;
use countersign_executor::registry::built_in;

/// The calls to come; `None` if nothing is known here of who carries it out.
///
/// # Errors
/// [`AppError::CannotBeCarriedOut`] with all rules that the request breaks.
pub(crate) fn plan(draft: &Draft, policy: &Policy) -> Result<Option<Plan>, AppError> {
    let operation_type = draft.operation_type.as_str();
    let executor = policy.rules().executor(operation_type);
    let Some(planner) = executor.and_then(|executor| built_in(executor.as_str())) else { return Ok(None) };
    let parameters = draft.parameters.to_value();
    let plan = planner.plan(operation_type, draft.instance_id.as_str(), &parameters, None);
    plan.map(Some).map_err(AppError::CannotBeCarriedOut)
}
