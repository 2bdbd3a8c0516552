//! POST /v1/approvals/{id}/cancel

use super::CommandOperation;
use crate::fields::{Fields, free_text};
use crate::routes::{self, Route};
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Withdraws.
#[derive(Debug)]
pub struct Cancel;

impl CommandOperation for Cancel {
    const ROUTE: Route = routes::CANCEL;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("cancelled_by", actor);
        let reason = fields.optional("reason", free_text);
        Some(Command::Cancel { reason: reason? })
    }
}
