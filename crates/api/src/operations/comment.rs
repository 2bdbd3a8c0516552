//! POST /v1/approvals/{id}/comments

use super::{CommandStore, execute_command};
use crate::call::Reply;
use crate::fields::{Fields, free_text};
use crate::problem::Problem;
use crate::routes::{self, Route};
use crate::run::Operation;
use countersign_app::dependencies::Dependencies;
use countersign_core::actor::Actor;
use countersign_core::command::Command;

/// Says something.
#[derive(Debug)]
pub struct Comment;

impl<S: CommandStore> Operation<S> for Comment {
    const ROUTE: Route = routes::COMMENT;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Actor,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        fields.caller("comment_by", actor);
        let text = fields.required("text", free_text);
        let values = (|| Some((id?, Command::Comment { text: text? })))();
        let ((id, command), idempotency) = fields.finish(values)?;
        execute_command(dependencies, actor, id, &command, idempotency.as_ref()).await
    }
}
