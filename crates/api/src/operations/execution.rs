//! GET /v1/approvals/{id}/execution

use crate::fields::Fields;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::ExecutionBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::permit;
use countersign_app::ports::{LoadEvents, LoadRequest};
use countersign_core::principal::Principal;

/// Reads the execution of a request, with its permit for who may claim it.
#[derive(Debug)]
pub struct Execution;

impl<S: LoadRequest + LoadEvents> Endpoint<S> for Execution {
    const OPERATION: Operation = Operation::Execution;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let (id, _) = fields.finish(id)?;
        let (request, permit) = permit::execution(dependencies, id, actor).await?;
        match ExecutionBody::of(&request, permit, dependencies.host.now()) {
            Some(body) => Ok(Reply::json(200, &body)),
            None => Err(Problem::internal("a started request has no execution")),
        }
    }
}
