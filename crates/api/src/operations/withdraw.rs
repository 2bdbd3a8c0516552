//! POST /v1/approvals/{id}/withdraw

use super::CommandEndpoint;
use crate::fields::{Fields, free_text};
use crate::operation::Operation;
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Takes the caller's own approval back.
#[derive(Debug)]
pub struct Withdraw;

impl CommandEndpoint for Withdraw {
    const OPERATION: Operation = Operation::Withdraw;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("withdrawn_by", actor);
        let reason = fields.optional("reason", free_text);
        Some(Command::Withdraw { reason: reason? })
    }
}
