//! POST /v1/approvals/{id}/approve

use super::{CommandOperation, shown};
use crate::fields::{Fields, free_text};
use crate::routes::{self, Route};
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Agrees.
#[derive(Debug)]
pub struct Approve;

impl CommandOperation for Approve {
    const ROUTE: Route = routes::APPROVE;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("approved_by", actor);
        let comment = fields.optional("comments", free_text);
        let shown = shown(fields);
        Some(Command::Approve { comment: comment?, shown: shown? })
    }
}
