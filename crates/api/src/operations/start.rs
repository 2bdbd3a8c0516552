//! POST /v1/approvals/{id}/execution

use super::{CommandEndpoint, shown};
use crate::fields::Fields;
use crate::operation::Operation;
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Spends the approval; the answer names the execution.
#[derive(Debug)]
pub struct Start;

impl CommandEndpoint for Start {
    const OPERATION: Operation = Operation::Start;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("executed_by", actor);
        Some(Command::Start { shown: shown(fields)? })
    }
}
