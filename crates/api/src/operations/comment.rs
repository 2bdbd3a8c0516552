//! POST /v1/approvals/{id}/comments

use super::CommandEndpoint;
use crate::fields::{Fields, free_text};
use crate::operation::Operation;
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Comments on a request.
#[derive(Debug)]
pub struct Comment;

impl CommandEndpoint for Comment {
    const OPERATION: Operation = Operation::Comment;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("comment_by", actor);
        let text = fields.required("text", free_text);
        Some(Command::Comment { text: text? })
    }
}
