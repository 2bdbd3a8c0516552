//! POST /v1/approvals/{id}/cancel

use super::CommandEndpoint;
use crate::fields::{Fields, free_text};
use crate::operation::Operation;
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Withdraws.
#[derive(Debug)]
pub struct Cancel;

impl CommandEndpoint for Cancel {
    const OPERATION: Operation = Operation::Cancel;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("cancelled_by", actor);
        let reason = fields.optional("reason", free_text);
        Some(Command::Cancel { reason: reason? })
    }
}
