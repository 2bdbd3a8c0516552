//! POST /v1/approvals/{id}/target

use super::CommandEndpoint;
use crate::fields::Fields;
use crate::operation::Operation;
use countersign_core::command::{self, Command};
use countersign_core::principal::Principal;

/// Records what an executor has found of the target.
#[derive(Debug)]
pub struct Observe;

impl CommandEndpoint for Observe {
    const OPERATION: Operation = Operation::Observe;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("executed_by", actor);
        Some(Command::Observe { target: fields.required("target", command::target_document)? })
    }
}
