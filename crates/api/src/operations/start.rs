//! POST /v1/approvals/{id}/execution

use super::{CommandOperation, shown};
use crate::fields::Fields;
use crate::routes::{self, Route};
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Spends the approval; the answer names the execution.
#[derive(Debug)]
pub struct Start;

impl CommandOperation for Start {
    const ROUTE: Route = routes::START;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("executed_by", actor);
        Some(Command::Start { shown: shown(fields)? })
    }
}
