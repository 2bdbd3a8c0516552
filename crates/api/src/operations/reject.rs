//! POST /v1/approvals/{id}/reject

use super::{CommandStore, execute_command};
use crate::call::Reply;
use crate::fields::{Fields, free_text};
use crate::problem::Problem;
use crate::routes::{self, Route};
use crate::run::Operation;
use countersign_app::dependencies::Dependencies;
use countersign_core::actor::Actor;
use countersign_core::command::Command;

/// Refuses.
#[derive(Debug)]
pub struct Reject;

impl<S: CommandStore> Operation<S> for Reject {
    const ROUTE: Route = routes::REJECT;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Actor,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        fields.caller("rejected_by", actor);
        let reason = fields.required("reason", free_text);
        let values = (|| Some((id?, Command::Reject { reason: reason? })))();
        let ((id, command), idempotency) = fields.finish(values)?;
        execute_command(dependencies, actor, id, &command, idempotency.as_ref()).await
    }
}
