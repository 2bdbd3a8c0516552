//! The log of deliveries to a webhook, and deliveries that begin anew.

use super::changed;
use crate::fields::{Fields, string, whole_number};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::{DeliveriesBody, DeliveryBody, RedeliveredBody};
use countersign_app::dependencies::Dependencies;
use countersign_app::webhooks::{self, LogQuery, Redelivery, WebhookStore};
use countersign_core::ids::EventId;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::state::DeliveryState;
use serde_json::Value;
use strum::IntoEnumIterator as _;

/// The size of a page, unless another is asked for.
pub(crate) const DEFAULT_LIMIT: u64 = 50;
/// The largest page.
pub(crate) const MAX_LIMIT: u64 = 200;

/// The states that a delivery to a webhook may have.
pub(crate) fn states() -> impl Iterator<Item = DeliveryState> {
    DeliveryState::iter().filter(|state| *state != DeliveryState::Superseded)
}

fn state(value: &Value) -> Result<DeliveryState, String> {
    let text = string(value)?;
    states().find(|state| state.as_str() == text).ok_or_else(|| {
        let names: Vec<_> = states().map(DeliveryState::as_str).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn time(value: &Value) -> Result<Timestamp, String> {
    Timestamp::parse(&string(value)?).map_err(|error| error.to_string())
}

fn event_id(value: &Value) -> Result<EventId, String> {
    EventId::parse(&string(value)?).map_err(|error| error.to_string())
}

fn limit(value: &Value) -> Result<u64, String> {
    let limit = whole_number(value, MAX_LIMIT).ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))
}

/// `GET /v1/webhooks/{webhook_id}/deliveries`, and `…/logs`.
#[derive(Debug)]
pub struct WebhookDeliveries;

impl<S: WebhookStore> Endpoint<S> for WebhookDeliveries {
    const OPERATION: Operation = Operation::WebhookDeliveries;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let query = query(&mut fields);
        let ((id, query), _) = fields.finish(id.zip(query))?;
        let log = webhooks::deliveries(dependencies, id, &query, actor).await?;
        Ok(Reply::json(200, &DeliveriesBody::of(&log)))
    }
}

fn query(fields: &mut Fields) -> Option<LogQuery> {
    let from = fields.optional("from", time);
    let to = fields.optional("to", time);
    let states = fields.several("status", state);
    let after = fields.optional("after", event_id);
    let limit = fields.optional("limit", limit);
    Some(LogQuery {
        from: from?,
        to: to?,
        states: states?,
        after: after?,
        limit: usize::try_from(limit?.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX),
    })
}

/// `POST /v1/webhooks/{webhook_id}/redeliver`.
#[derive(Debug)]
pub struct RedeliverWebhook;

impl<S: WebhookStore> Endpoint<S> for RedeliverWebhook {
    const OPERATION: Operation = Operation::RedeliverWebhook;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let redelivery = redelivery(&mut fields);
        let ((id, redelivery), _) = fields.finish(id.zip(redelivery))?;
        let redelivered = webhooks::redeliver(dependencies, id, &redelivery, actor).await?;
        Ok(changed(200, id, &RedeliveredBody::of(&redelivered)))
    }
}

/// Which deliveries begin anew.
pub(crate) fn redelivery(fields: &mut Fields) -> Option<Redelivery> {
    let from = fields.required("from", time);
    let to = fields.optional("to", time);
    let states = fields.several("statuses", state);
    let after = fields.optional("after", event_id);
    Some(Redelivery { from: from?, to: to?, states: states?, after: after? })
}

/// `POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver`.
#[derive(Debug)]
pub struct RedeliverDelivery;

impl<S: WebhookStore> Endpoint<S> for RedeliverDelivery {
    const OPERATION: Operation = Operation::RedeliverDelivery;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let (id, delivery_id) = (fields.webhook_id(), fields.delivery_id());
        let ((id, delivery_id), _) = fields.finish(id.zip(delivery_id))?;
        let delivery = webhooks::redeliver_one(dependencies, id, delivery_id, actor).await?;
        Ok(changed(200, id, &DeliveryBody::of(&delivery)))
    }
}
