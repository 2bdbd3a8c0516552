//! POST /v1/approvals/{id}/withdraw

use super::CommandOperation;
use crate::fields::{Fields, free_text};
use crate::routes::{self, Route};
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Takes the caller's own approval back.
#[derive(Debug)]
pub struct Withdraw;

impl CommandOperation for Withdraw {
    const ROUTE: Route = routes::WITHDRAW;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("withdrawn_by", actor);
        let reason = fields.optional("reason", free_text);
        Some(Command::Withdraw { reason: reason? })
    }
}
