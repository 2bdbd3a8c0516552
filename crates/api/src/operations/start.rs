//! POST /v1/approvals/{id}/execution

use super::{CommandStore, execute_command};
use crate::call::Reply;
use crate::fields::{Fields, string};
use crate::problem::Problem;
use crate::routes::{self, Route};
use crate::run::Operation;
use countersign_app::dependencies::Dependencies;
use countersign_core::actor::Actor;
use countersign_core::command::Command;

/// Spends the approval; the answer names the execution.
#[derive(Debug)]
pub struct Start;

impl<S: CommandStore> Operation<S> for Start {
    const ROUTE: Route = routes::START;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Actor,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        fields.caller("executed_by", actor);
        let parameters_digest = fields.optional("parameters_digest", string);
        let values = (|| Some((id?, Command::Start { parameters_digest: parameters_digest? })))();
        let ((id, command), idempotency) = fields.finish(values)?;
        execute_command(dependencies, actor, id, &command, idempotency.as_ref()).await
    }
}
