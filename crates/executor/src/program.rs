//! Operations that a program of the operator's carries out: it alone knows their parameters, and it runs with the
//! executor, not where requests are made. So nothing is refused there, and a plan names the program's own call.

use crate::planner::{Call, Fault, Plan, Planner};
use crate::target::Target;
use serde_json::Value;

/// The planner of programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Program;

impl Planner for Program {
    fn knows(&self, _: &str) -> bool {
        true
    }

    fn validate(&self, _: &str, _: &Value) -> Result<(), Vec<Fault>> {
        Ok(())
    }

    fn plan(
        &self,
        operation_type: &str,
        instance_id: &str,
        parameters: &Value,
        _: Option<&Target>,
    ) -> Result<Plan, Vec<Fault>> {
        let call = Call::new(&format!("program:{operation_type}"))
            .with("instance_id", instance_id)
            .with("parameters", parameters.clone());
        Ok(Plan::of(call))
    }
}
