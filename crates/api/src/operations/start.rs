//! POST /v1/approvals/{id}/execution

use super::{CommandEndpoint, reply_with, shown};
use crate::fields::Fields;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::wire::RequestBody;
use countersign_app::command::{CommandStore, Done};
use countersign_app::dependencies::Dependencies;
use countersign_app::permit;
use countersign_core::command::Command;
use countersign_core::principal::Principal;

/// Spends the approval; the answer names the execution and has its permit.
#[derive(Debug)]
pub struct Start;

impl CommandEndpoint for Start {
    const OPERATION: Operation = Operation::Start;

    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command> {
        fields.caller("executed_by", actor);
        Some(Command::Start { shown: shown(fields)? })
    }

    /// The start is written down before the permit is signed: what cannot be signed now is signed when the caller
    /// asks again.
    async fn reply<S: CommandStore>(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        done: &Done,
    ) -> Result<Reply, Problem> {
        let permit = permit::of_start(dependencies, done, actor).await?;
        Ok(reply_with(dependencies, actor, done, 200, |body| RequestBody { permit, ..body }))
    }
}
