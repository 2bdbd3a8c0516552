//! Which executor carries out an operation, by the name that policy gives, and what can be said where requests are made.

use crate::planner::{Fault, Plan, Planner as _};
use crate::rds::Rds;
use crate::ssm_automation::{self, SsmAutomation};
use countersign_core::runbook::Runbook;
use serde_json::Value;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The built-in executors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum ExecutorName {
    /// Calls of Amazon RDS.
    Rds,
    /// Runbooks of AWS Systems Manager.
    SsmAutomation,
    /// A program of the operator's.
    Program,
}

/// An operation, and who carries it out as policy has it.
#[derive(Debug, Clone, Copy)]
pub struct Assignment<'a> {
    /// The executor.
    pub executor: &'a str,
    /// The runbook that it runs, if policy names one.
    pub runbook: Option<&'a Runbook>,
}

/// The calls to come, as far as they are known without a target. `None` if nothing is known of them: a program of the
/// operator's, or the configuration of the executor, says what is called.
///
/// # Errors
/// With all rules that the parameters break.
pub fn plan(
    assignment: Assignment<'_>,
    operation_type: &str,
    instance_id: &str,
    parameters: &Value,
) -> Result<Option<Plan>, Vec<Fault>> {
    let by_runbook = |runbook: &Runbook| {
        let runbooks = [(operation_type.to_owned(), runbook.clone())].into();
        SsmAutomation { runbooks }.plan(operation_type, instance_id, parameters, None).map(Some)
    };
    match (assignment.executor.parse(), assignment.runbook) {
        (Ok(ExecutorName::Rds), _) => Rds.plan(operation_type, instance_id, parameters, None).map(Some),
        (Ok(ExecutorName::SsmAutomation), None) => ssm_automation::check(parameters).map(|()| None),
        (Ok(ExecutorName::SsmAutomation) | Err(_), Some(runbook)) => by_runbook(runbook),
        (Ok(ExecutorName::Program), _) | (Err(_), None) => Ok(None),
    }
}
