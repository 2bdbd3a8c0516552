//! PUT /v1/approvals/{id}/execution

use super::create::cost;
use super::{CommandEndpoint, shown};
use crate::fields::{Fields, one_of, string};
use crate::operation::Operation;
use countersign_core::command::{self, Command, ExecutionOutcome};
use countersign_core::ids::ExecutionId;
use countersign_core::principal::Principal;

/// Reports what came of the execution.
#[derive(Debug)]
pub struct Finish;

impl CommandEndpoint for Finish {
    const OPERATION: Operation = Operation::Finish;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("executed_by", actor);
        let execution_id = fields.required("execution_id", |value| {
            ExecutionId::parse(&string(value)?).map_err(|error| error.to_string())
        });
        let outcome = fields.required("outcome", one_of::<ExecutionOutcome>);
        let result = fields.optional("result", command::result_document);
        let actual_cost = fields.optional("actual_cost", cost);
        let shown = shown(fields);
        Some(Command::Finish {
            execution_id: execution_id?,
            outcome: outcome?,
            result: result?,
            actual_cost: actual_cost?,
            shown: shown?,
        })
    }
}
