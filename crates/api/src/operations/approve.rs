//! POST /v1/approvals/{id}/approve

use super::{CommandStore, execute_command};
use crate::call::Reply;
use crate::fields::{Fields, free_text, string};
use crate::problem::Problem;
use crate::routes::{self, Route};
use crate::run::Operation;
use countersign_app::dependencies::Dependencies;
use countersign_core::actor::Actor;
use countersign_core::command::Command;

/// Agrees.
#[derive(Debug)]
pub struct Approve;

impl<S: CommandStore> Operation<S> for Approve {
    const ROUTE: Route = routes::APPROVE;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Actor,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        fields.caller("approved_by", actor);
        let comment = fields.optional("comments", free_text);
        let parameters_digest = fields.optional("parameters_digest", string);
        let values = (|| {
            let (comment, parameters_digest) = (comment?, parameters_digest?);
            Some((id?, Command::Approve { comment, parameters_digest }))
        })();
        let ((id, command), idempotency) = fields.finish(values)?;
        execute_command(dependencies, actor, id, &command, idempotency.as_ref()).await
    }
}
