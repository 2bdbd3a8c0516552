//! POST /v1/approvals/{id}/reject

use super::{CommandEndpoint, shown};
use crate::fields::{Fields, free_text};
use crate::operation::Operation;
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Refuses.
#[derive(Debug)]
pub struct Reject;

impl CommandEndpoint for Reject {
    const OPERATION: Operation = Operation::Reject;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("rejected_by", actor);
        let reason = fields.required("reason", free_text);
        let shown = shown(fields);
        Some(Command::Reject { reason: reason?, shown: shown? })
    }
}
