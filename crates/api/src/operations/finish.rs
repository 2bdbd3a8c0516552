//! PUT /v1/approvals/{id}/execution

use super::create::cost;
use super::{CommandEndpoint, shown};
use crate::fields::{Fields, free_text, one_of, string};
use crate::operation::Operation;
use countersign_core::command::{self, Command, ExecutionOutcome};
use countersign_core::ids::ExecutionId;
use countersign_core::principal::Principal;
use strum::{EnumIter, EnumString, IntoStaticStr};

/// Reports on the execution: that it is under way, or what came of it.
#[derive(Debug)]
pub struct Finish;

/// What is reported of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum Report {
    /// It is under way.
    Running,
    /// It did what was approved.
    Succeeded,
    /// It did not, or not wholly.
    Failed,
}

impl CommandEndpoint for Finish {
    const OPERATION: Operation = Operation::Finish;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("executed_by", actor);
        let execution_id = fields.required("execution_id", |value| {
            ExecutionId::parse(&string(value)?).map_err(|error| error.to_string())
        });
        let outcome = fields.required("outcome", one_of::<Report>);
        if outcome == Some(Report::Running) {
            // What is under way has no result: a member that says one is none of this report.
            return Some(Command::Renew { execution_id: execution_id? });
        }
        let result = fields.optional("result", command::result_document);
        let actual_cost = fields.optional("actual_cost", cost);
        let note = fields.optional("note", free_text);
        let shown = shown(fields);
        let outcome = match outcome? {
            Report::Running => return None,
            Report::Succeeded => ExecutionOutcome::Succeeded,
            Report::Failed => ExecutionOutcome::Failed,
        };
        Some(Command::Finish {
            execution_id: execution_id?,
            outcome,
            result: result?,
            actual_cost: actual_cost?,
            note: note?,
            shown: shown?,
        })
    }
}
