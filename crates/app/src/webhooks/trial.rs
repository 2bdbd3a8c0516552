//! Trying a webhook out: one message that is about no request, sent at once.

use super::change::{Changed, change};
use super::{WebhookStore, load, permit};
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::webhook_message::message;
use countersign_core::ids::EventId;
use countersign_core::origin::Origin;
use countersign_core::principal::Principal;
use countersign_delivery::outcome::FailureClass;
use countersign_webhook::body::Body;
use countersign_webhook::secret::SecretKey;
use countersign_webhook::trail::TrailChange;
use countersign_webhook::webhook::WebhookId;

/// What came of trying a webhook out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The id of the message.
    pub id: EventId,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// How long it took.
    pub milliseconds: u64,
    /// Why it failed, if it did.
    pub failure: Option<FailureClass>,
    /// The failure in words.
    pub detail: Option<String>,
}

/// Sends a message to a webhook, as deliveries are sent, and says what came of it. Neither the log of its deliveries nor its
/// health changes; its trail says that it was tried out.
///
/// # Errors
/// As for [`super::get`]; [`AppError::WebhookDisabled`].
pub async fn test<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    actor: &Principal,
) -> Result<Trial, AppError> {
    permit(dependencies, actor)?;
    let host = dependencies.host.as_ref();
    let record = load(dependencies, id).await?;
    if !record.webhook.is_enabled() {
        return Err(AppError::WebhookDisabled);
    }
    let (event_id, now) = (host.event_id(), host.now());
    let origin = Origin::of(&dependencies.deployment_key);
    let body = Body::ping(event_id, &origin, id, now, record.webhook.settings.format);
    let key = SecretKey::derived(&dependencies.deployment_key);
    let (headers, body) = message(&record, body, event_id, &key, now)
        .map_err(|error| AppError::Corrupt(format!("webhook {id}: {error}")))?;
    let began = host.elapsed();
    let attempt =
        dependencies.webhook_client.post(record.webhook.settings.url.as_str(), &headers, body, now).await;
    let took = host.elapsed().saturating_sub(began);
    let failure = attempt.outcome.failure();
    let trial = Trial {
        id: event_id,
        status: attempt.outcome.status(),
        milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        failure: failure.map(|failure| failure.class),
        detail: failure.map(|failure| failure.detail.clone()),
    };
    let (status, failure) = (trial.status, trial.failure);
    let written = change(dependencies, id, actor, |record, _| {
        Ok(Changed::to(record.clone(), TrailChange::Tested { status, failure }))
    });
    match written.await {
        // Deleted while it was tried out: its trail has ended.
        Ok(_) | Err(AppError::NoSuchWebhook) => Ok(trial),
        Err(error) => Err(error),
    }
}
