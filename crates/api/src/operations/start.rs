//! POST /v1/approvals/{id}/execution

use super::CommandOperation;
use crate::fields::{Fields, string};
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
        let parameters_digest = fields.optional("parameters_digest", string);
        Some(Command::Start { parameters_digest: parameters_digest? })
    }
}
