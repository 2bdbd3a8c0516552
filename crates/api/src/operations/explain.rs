//! GET /v1/approvals/{id}/explain

use crate::fields::Fields;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::ExplainBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::LoadRequest;
use countersign_core::principal::Principal;

/// Explains a request: what is demanded, what is missing, who can give it, what the caller may do.
#[derive(Debug)]
pub struct Explain;

impl<S: LoadRequest> Endpoint<S> for Explain {
    const OPERATION: Operation = Operation::Explain;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let (id, _) = fields.finish(id)?;
        let version = dependencies.policy.version();
        let body = countersign_app::explain::explain(dependencies, id, actor, |request, explanation| {
            ExplainBody::of(request, explanation, version)
        });
        Ok(Reply::json(200, &body.await?))
    }
}
