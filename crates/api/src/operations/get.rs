//! GET /v1/approvals/{id}

use crate::fields::Fields;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::RequestBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::LoadRequest;
use countersign_core::principal::Principal;

/// Reads a request.
#[derive(Debug)]
pub struct Get;

impl<S: LoadRequest> Endpoint<S> for Get {
    const OPERATION: Operation = Operation::Get;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let (id, _) = fields.finish(id)?;
        let request = countersign_app::get::get(dependencies, id, actor).await?;
        let body = RequestBody::of(&request, actor, &dependencies.policy, dependencies.host.now());
        Ok(Reply::json(200, &body))
    }
}
