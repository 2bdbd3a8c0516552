//! The operations about webhooks: `/v1/webhooks` and what is below it. One function carries them out.

mod deliveries;
mod fields;

#[cfg(test)]
pub(crate) use deliveries::{DEFAULT_LIMIT, MAX_LIMIT, redelivery, states};
pub use deliveries::{RedeliverDelivery, RedeliverWebhook, WebhookDeliveries};
pub(crate) use fields::{draft, overlap, patch};

use crate::fields::Fields;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::{ChangeMade, Reply};
use crate::run::Endpoint;
use crate::wire::{WebhookBody, WebhookEventsBody, WebhookTrialBody, WebhooksBody};
use countersign_app::dependencies::Dependencies;
use countersign_app::webhooks::{self, WebhookStore};
use countersign_core::principal::Principal;
use countersign_webhook::secret::DEFAULT_OVERLAP_SECONDS;
use countersign_webhook::webhook::WebhookId;

/// The answer to a change of a webhook.
fn changed(status: u16, id: WebhookId, body: &impl serde::Serialize) -> Reply {
    Reply { change: Some(ChangeMade::Webhook(id)), ..Reply::json(status, body) }
}

/// `POST /v1/webhooks`: 201, with the secret.
#[derive(Debug)]
pub struct CreateWebhook;

impl<S: WebhookStore> Endpoint<S> for CreateWebhook {
    const OPERATION: Operation = Operation::CreateWebhook;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let settings = draft(&mut fields).and_then(|draft| {
            webhooks::checked(dependencies, &draft).map_err(|rules| fields.refuse_all(&rules)).ok()
        });
        let (settings, _) = fields.finish(settings)?;
        let made = webhooks::create(dependencies, settings, actor).await?;
        let (id, now) = (made.record.webhook.id, dependencies.host.now());
        let body = WebhookBody::with_secret(&made, now);
        let location = Operation::CreateWebhook.path_template();
        Ok(changed(201, id, &body).with_header("location", format!("{location}/{id}")))
    }
}

/// `GET /v1/webhooks`.
#[derive(Debug)]
pub struct ListWebhooks;

impl<S: WebhookStore> Endpoint<S> for ListWebhooks {
    const OPERATION: Operation = Operation::ListWebhooks;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        fields: Fields,
    ) -> Result<Reply, Problem> {
        fields.finish(Some(()))?;
        let all = webhooks::list(dependencies, actor).await?;
        Ok(Reply::json(200, &WebhooksBody::of(&all, dependencies.host.now())))
    }
}

/// `GET /v1/webhooks/{webhook_id}`.
#[derive(Debug)]
pub struct GetWebhook;

impl<S: WebhookStore> Endpoint<S> for GetWebhook {
    const OPERATION: Operation = Operation::GetWebhook;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let (id, _) = fields.finish(id)?;
        let record = webhooks::get(dependencies, id, actor).await?;
        Ok(Reply::json(200, &WebhookBody::of(&record, dependencies.host.now())))
    }
}

/// `PATCH /v1/webhooks/{webhook_id}`.
#[derive(Debug)]
pub struct ChangeWebhook;

impl<S: WebhookStore> Endpoint<S> for ChangeWebhook {
    const OPERATION: Operation = Operation::ChangeWebhook;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let change = patch(&mut fields);
        let ((id, (version, patch)), _) = fields.finish(id.zip(change))?;
        let record = webhooks::patch(dependencies, id, version, &patch, actor).await?;
        Ok(changed(200, id, &WebhookBody::of(&record, dependencies.host.now())))
    }
}

/// `DELETE /v1/webhooks/{webhook_id}`: 200, with what is left of it.
#[derive(Debug)]
pub struct DeleteWebhook;

impl<S: WebhookStore> Endpoint<S> for DeleteWebhook {
    const OPERATION: Operation = Operation::DeleteWebhook;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let (id, _) = fields.finish(id)?;
        let record = webhooks::delete(dependencies, id, actor).await?;
        Ok(changed(200, id, &WebhookBody::of(&record, dependencies.host.now())))
    }
}

/// `POST /v1/webhooks/{webhook_id}/rotate`: 200, with the new secret.
#[derive(Debug)]
pub struct RotateWebhook;

impl<S: WebhookStore> Endpoint<S> for RotateWebhook {
    const OPERATION: Operation = Operation::RotateWebhook;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let overlap = overlap(&mut fields);
        let ((id, overlap), _) = fields.finish(id.zip(overlap))?;
        let overlap = overlap.unwrap_or(DEFAULT_OVERLAP_SECONDS);
        let rotated = webhooks::rotate(dependencies, id, overlap, actor).await?;
        let body = WebhookBody::with_secret(&rotated, dependencies.host.now());
        Ok(changed(200, id, &body))
    }
}

/// `POST /v1/webhooks/{webhook_id}/enable`.
#[derive(Debug)]
pub struct EnableWebhook;

impl<S: WebhookStore> Endpoint<S> for EnableWebhook {
    const OPERATION: Operation = Operation::EnableWebhook;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let (id, _) = fields.finish(id)?;
        let record = webhooks::enable(dependencies, id, actor).await?;
        Ok(changed(200, id, &WebhookBody::of(&record, dependencies.host.now())))
    }
}

/// `POST /v1/webhooks/{webhook_id}/disable`.
#[derive(Debug)]
pub struct DisableWebhook;

impl<S: WebhookStore> Endpoint<S> for DisableWebhook {
    const OPERATION: Operation = Operation::DisableWebhook;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let (id, _) = fields.finish(id)?;
        let record = webhooks::disable(dependencies, id, actor).await?;
        Ok(changed(200, id, &WebhookBody::of(&record, dependencies.host.now())))
    }
}

/// `POST /v1/webhooks/{webhook_id}/test`.
#[derive(Debug)]
pub struct TestWebhook;

impl<S: WebhookStore> Endpoint<S> for TestWebhook {
    const OPERATION: Operation = Operation::TestWebhook;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let (id, _) = fields.finish(id)?;
        let trial = webhooks::test(dependencies, id, actor).await?;
        Ok(changed(200, id, &WebhookTrialBody::of(&trial)))
    }
}

/// `GET /v1/webhooks/{webhook_id}/events`.
#[derive(Debug)]
pub struct WebhookEvents;

impl<S: WebhookStore> Endpoint<S> for WebhookEvents {
    const OPERATION: Operation = Operation::WebhookEvents;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.webhook_id();
        let (id, _) = fields.finish(id)?;
        let trail = webhooks::trail(dependencies, id, actor).await?;
        Ok(Reply::json(200, &WebhookEventsBody::of(&trail)))
    }
}
