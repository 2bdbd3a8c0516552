//! POST /v1/approvals/simulate

use super::create;
use crate::fields::Fields;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::SimulateBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{CountOpen, LastEvent};
use countersign_core::principal::Principal;

/// Says what would come of making a request. Takes the body of a creation, and writes nothing.
#[derive(Debug)]
pub struct Simulate;

impl<S: CountOpen + LastEvent> Endpoint<S> for Simulate {
    const OPERATION: Operation = Operation::Simulate;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let draft = create::read(&mut fields, actor);
        let continuation = create::continuation(&mut fields);
        let ((draft, _), _) = fields.finish(draft.zip(continuation))?;
        let simulation = countersign_app::simulate::simulate(dependencies, &draft, actor).await?;
        let version = dependencies.policy.version();
        Ok(Reply::json(200, &SimulateBody::of(&draft, actor, simulation, version)))
    }
}
