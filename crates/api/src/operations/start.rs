//! POST /v1/approvals/{id}/execution

use super::{CommandOperation, shown};
use crate::fields::Fields;
use crate::routes::{self, Route};
use countersign_core::actor::Actor;
use countersign_core::command::Command;

/// Spends the approval; the answer names the execution.
#[derive(Debug)]
pub struct Start;

impl CommandOperation for Start {
    const ROUTE: Route = routes::START;

    fn read(fields: &mut Fields, actor: &Actor) -> Option<Command> {
        fields.caller("executed_by", actor);
        Some(Command::Start { shown: shown(fields)? })
    }
}
