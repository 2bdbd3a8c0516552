//! GET /v1/approvals/{id}/events

use crate::fields::Fields;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::EventsBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{LoadEvents, LoadRequest};
use countersign_core::principal::Principal;

/// Reads a request's audit trail.
#[derive(Debug)]
pub struct Events;

impl<S: LoadRequest + LoadEvents> Endpoint<S> for Events {
    const OPERATION: Operation = Operation::Events;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let (id, _) = fields.finish(id)?;
        let checked = countersign_app::events::events(dependencies, id, actor).await?;
        for damaged in &checked.trail.damaged {
            tracing::error!(request_id = %id, damaged, "an audit event cannot be read and is left out");
        }
        if let Some(finding) = &checked.finding {
            tracing::error!(request_id = %id, %finding, "a request is not what its trail has made it");
        }
        Ok(Reply::json(200, &EventsBody::from(&checked)))
    }
}
