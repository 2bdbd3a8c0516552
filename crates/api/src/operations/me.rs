//! GET /v1/me

use crate::fields::Fields;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::MeBody;
use countersign_app::dependencies::Dependencies;
use countersign_core::principal::Principal;

/// Says who calls.
#[derive(Debug)]
pub struct Me;

impl<S: Send + Sync> Endpoint<S> for Me {
    const OPERATION: Operation = Operation::Me;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        fields: Fields,
    ) -> Result<Reply, Problem> {
        fields.finish(Some(()))?;
        let me = countersign_app::me::me(dependencies, actor).await;
        Ok(Reply::json(200, &MeBody::of(&me)))
    }
}
