//! GET /v1/approvals/{id}/events

use crate::call::Reply;
use crate::fields::Fields;
use crate::problem::Problem;
use crate::routes::{self, Route};
use crate::run::Operation;
use crate::wire::{EventBody, EventsBody};
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{LoadEvents, LoadRequest};
use countersign_core::actor::Actor;

/// Reads a request's audit trail.
#[derive(Debug)]
pub struct Events;

impl<S: LoadRequest + LoadEvents> Operation<S> for Events {
    const ROUTE: Route = routes::EVENTS;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Actor,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let (id, _) = fields.finish(id)?;
        let events = countersign_app::events::events(dependencies, id, actor).await?;
        Ok(Reply::json(200, &EventsBody { items: events.iter().map(EventBody::from).collect() }))
    }
}
