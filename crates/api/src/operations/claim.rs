//! POST /v1/approvals/{id}/execution/claim

use super::{reply, shown};
use crate::fields::{Fields, string};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use countersign_app::command::CommandStore;
use countersign_app::dependencies::Dependencies;
use countersign_app::permit;
use countersign_core::command::Shown;
use countersign_core::principal::Principal;

/// Spends the permit of an execution.
#[derive(Debug)]
pub struct Claim;

impl<S: CommandStore> Endpoint<S> for Claim {
    const OPERATION: Operation = Operation::Claim;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let claim = read(&mut fields, actor);
        let ((id, (permit, shown)), idempotency) = fields.finish(id.zip(claim))?;
        let done = permit::claim(dependencies, id, &permit, shown, actor, idempotency.as_ref()).await?;
        Ok(reply(dependencies, actor, &done, 200))
    }
}

/// The permit, and what is about to be carried out.
pub(crate) fn read(fields: &mut Fields, actor: &Principal) -> Option<(String, Shown)> {
    fields.caller("executed_by", actor);
    let permit = fields.required("permit", string);
    let shown = shown(fields);
    permit.zip(shown)
}
