//! POST /v1/approvals/{id}/approve

use super::{CommandEndpoint, shown};
use crate::fields::{Fields, free_text};
use crate::operation::Operation;
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Agrees.
#[derive(Debug)]
pub struct Approve;

impl CommandEndpoint for Approve {
    const OPERATION: Operation = Operation::Approve;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("approved_by", actor);
        let comment = fields.optional("comments", free_text);
        let shown = shown(fields);
        Some(Command::Approve { comment: comment?, shown: shown? })
    }
}
