//! Managing webhooks: made, changed, rotated, enabled, disabled and deleted, each change together with its event in the trail
//! of the webhook. Everything is for those whom policy lets manage webhooks.

mod change;
mod deliveries;
mod settings;
mod trial;

pub use deliveries::{
    DeliveryLog, LOG_DAYS, LogQuery, MAX_REDELIVERED, Redelivered, Redelivery, deliveries, redeliver,
    redeliver_one,
};
pub use settings::{Patch, checked};
pub use trial::{Trial, test};

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::ports::{
    AllWebhooks, CommitError, DamagedWebhook, Deliveries, ReadWebhooks, StoreError, WebhookChange,
    WebhookCount, WebhookRecord, WriteWebhooks,
};
use crate::retry::Attempts;
use change::{Changed, change};
use countersign_core::policy::access::AccessDecision;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::health::Health;
use countersign_webhook::secret::{InvalidOverlap, SealedSecret, SecretKey, Secrets, WebhookSecret};
use countersign_webhook::settings::{Draft, Settings};
use countersign_webhook::trail::{Actor, TrailChange, TrailEvent, TrailHead, verify_chain};
use countersign_webhook::webhook::{DisabledReason, MAX_WEBHOOKS, Webhook, WebhookId};
use std::collections::BTreeMap;

/// The most events of a trail that are read: what comes after is not shown, and is said to be there.
pub const MAX_TRAIL: usize = 5000;
/// How many events of a trail are read at once.
const TRAIL_PAGE: usize = 500;

/// A store that has webhooks and their deliveries as well.
pub trait WebhookStore: Send + Sync {
    /// What keeps them.
    type Webhooks: ReadWebhooks + WriteWebhooks + Deliveries;

    /// What keeps them.
    fn webhooks(&self) -> &Self::Webhooks;
}

/// A webhook with a fresh secret, which is shown this once.
#[derive(Debug)]
pub struct WithSecret {
    /// The webhook.
    pub record: WebhookRecord,
    /// Its secret.
    pub secret: WebhookSecret,
}

/// The trail of a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookTrail {
    /// Its events as documents, the oldest first.
    pub documents: Vec<String>,
    /// What is not as it was written; nothing of a trail that is whole.
    pub finding: Option<String>,
}

/// Refuses whom policy does not let manage webhooks.
fn permit<S>(dependencies: &Dependencies<S>, actor: &Principal) -> Result<(), AppError> {
    match dependencies.policy.may_manage_webhooks(actor, dependencies.host.now()) {
        AccessDecision::Permitted => Ok(()),
        AccessDecision::Denied(reasons) => Err(Refusal::NotPermitted(reasons).into()),
    }
}

/// A webhook, deleted or not, as this deployment wrote it.
async fn load_any<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
) -> Result<WebhookRecord, AppError> {
    let record = dependencies.store.webhooks().webhook(id).await.map_err(unreadable)?;
    let record = record.ok_or(AppError::NoSuchWebhook)?;
    Ok(record.unaltered(&dependencies.deployment_key).map_err(unreadable)?)
}

/// A webhook that is not deleted.
async fn load<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
) -> Result<WebhookRecord, AppError> {
    let record = load_any(dependencies, id).await?;
    if record.deleted_at.is_none() { Ok(record) } else { Err(AppError::NoSuchWebhook) }
}

/// What is damaged is no request, as callers would be answered otherwise.
fn unreadable(error: StoreError) -> StoreError {
    if let StoreError::Damaged(reason) = error { StoreError::Corrupt(reason) } else { error }
}

fn sealed<S>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    generation: u32,
) -> Result<(WebhookSecret, SealedSecret), AppError> {
    let secret = WebhookSecret::new(dependencies.host.secret());
    let key = SecretKey::derived(&dependencies.deployment_key);
    let sealed = SealedSecret::seal(&secret, &key, id, generation, dependencies.host.nonce());
    Ok((secret, sealed.map_err(|error| AppError::Corrupt(error.to_string()))?))
}

/// Makes a webhook.
///
/// # Errors
/// [`AppError::WebhookLimit`]; [`AppError::Unavailable`] when the store fails or others are faster for too long.
pub async fn create<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    settings: Settings,
    actor: &Principal,
) -> Result<WithSecret, AppError> {
    permit(dependencies, actor)?;
    let (store, host) = (dependencies.store.webhooks(), dependencies.host.as_ref());
    // One id for all attempts: whichever of them commits, it is this webhook.
    let id = host.webhook_id().map_err(|error| AppError::Corrupt(error.to_string()))?;
    let (secret, first) = sealed(dependencies, id, 1)?;
    let host_name = settings.url.host().to_owned();
    let mut attempts = Attempts::begin(host);
    let mut was_attempted = false;
    loop {
        if was_attempted && let Some(record) = store.webhook(id).await? {
            return Ok(WithSecret { record, secret });
        }
        let count = store.webhook_count().await.map_err(unreadable)?;
        if usize::try_from(count.webhooks).is_ok_and(|webhooks| webhooks >= MAX_WEBHOOKS) {
            return Err(AppError::WebhookLimit { limit: MAX_WEBHOOKS });
        }
        let now = host.now();
        let made = TrailChange::Created { host: host_name.clone() };
        let by = Actor::Caller(actor.person.clone());
        let event = TrailEvent::record(id, &TrailHead::EMPTY, by, made, now);
        let mut record = WebhookRecord {
            webhook: Webhook::new(id, settings.clone(), actor.person.clone(), now),
            secrets: Secrets::new(first.clone()),
            health: Health::default(),
            trail: event.head(),
            deleted_at: None,
            seal: None,
            revision: 0,
        };
        let count = WebhookCount { webhooks: count.webhooks.saturating_add(1), ..count };
        let change = WebhookChange::new(&record, Some(&event), Some(count), &dependencies.deployment_key)?;
        let failure = match store.commit_webhook(change).await {
            Ok(()) => {
                record.revision = 1;
                return Ok(WithSecret { record, secret });
            }
            Err(CommitError::Store(error @ (StoreError::Corrupt(_) | StoreError::Damaged(_)))) => {
                return Err(error.into());
            }
            Err(error) => error.to_string(),
        };
        was_attempted = true;
        if !attempts.again().await {
            return match store.webhook(id).await {
                Ok(Some(record)) => Ok(WithSecret { record, secret }),
                Ok(None) | Err(_) => Err(AppError::Unavailable(failure)),
            };
        }
    }
}

/// All webhooks that are not deleted, by id, so the oldest first. What this deployment did not write as it stands is damaged.
///
/// # Errors
/// [`Refusal::NotPermitted`]; [`AppError::Unavailable`].
pub async fn list<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
) -> Result<AllWebhooks, AppError> {
    permit(dependencies, actor)?;
    let AllWebhooks { records, mut damaged } = dependencies.store.webhooks().webhooks().await?;
    let mut written = Vec::with_capacity(records.len());
    for record in records {
        let id = record.webhook.id;
        match record.unaltered(&dependencies.deployment_key) {
            Ok(record) => written.push(record),
            Err(error) => damaged.push(DamagedWebhook { id: Some(id), reason: error.to_string() }),
        }
    }
    written.retain(|record| record.deleted_at.is_none());
    written.sort_by_key(|record| record.webhook.id);
    damaged.sort_by_key(|damaged| damaged.id);
    Ok(AllWebhooks { records: written, damaged })
}

/// One webhook.
///
/// # Errors
/// As for [`list`]; [`AppError::NoSuchWebhook`].
pub async fn get<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    actor: &Principal,
) -> Result<WebhookRecord, AppError> {
    permit(dependencies, actor)?;
    load(dependencies, id).await
}

/// Changes settings. Who changes `version` has seen what is changed.
///
/// # Errors
/// As for [`get`]; [`AppError::WebhookChanged`] for another version; [`AppError::InvalidWebhook`] for settings that break a rule.
pub async fn patch<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    version: u64,
    patch: &Patch,
    actor: &Principal,
) -> Result<WebhookRecord, AppError> {
    permit(dependencies, actor)?;
    change(dependencies, id, actor, |record, now| {
        let settings = settings::merged(dependencies, &record.webhook.settings, patch)?;
        let host = settings.url.host().to_owned();
        let is_other_url = settings.url != record.webhook.settings.url;
        let changed = record.webhook.clone().change(settings, version, now);
        let (webhook, members) =
            changed.map_err(|mismatch| AppError::WebhookChanged { version: mismatch.current })?;
        if members.is_empty() {
            return Ok(Changed::Nothing);
        }
        // Another endpoint has not failed.
        let health = if is_other_url { record.health.clone().enabled() } else { record.health.clone() };
        let host = is_other_url.then_some(host);
        let after = WebhookRecord { webhook, health, ..record.clone() };
        Ok(Changed::to(after, TrailChange::Changed { members, host }))
    })
    .await
}

/// Replaces the secret; the one before signs for `overlap_seconds` more.
///
/// # Errors
/// As for [`get`]; [`AppError::InvalidWebhook`] for an overlap that is too long.
pub async fn rotate<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    overlap_seconds: u32,
    actor: &Principal,
) -> Result<WithSecret, AppError> {
    permit(dependencies, actor)?;
    let secret = WebhookSecret::new(dependencies.host.secret());
    let key = SecretKey::derived(&dependencies.deployment_key);
    let record = change(dependencies, id, actor, |record, now| {
        let generation = record.secrets.next_generation();
        let next = SealedSecret::seal(&secret, &key, id, generation, dependencies.host.nonce());
        let next = next.map_err(|error| AppError::Corrupt(error.to_string()))?;
        let rotated = record.secrets.clone().rotate(next, overlap_seconds, now);
        let secrets = rotated.map_err(|error: InvalidOverlap| {
            AppError::InvalidWebhook(vec![("/overlap_seconds".to_owned(), error.to_string())])
        })?;
        let webhook = record.webhook.clone().updated(now);
        let after = WebhookRecord { webhook, secrets, ..record.clone() };
        Ok(Changed::to(after, TrailChange::Rotated { generation, overlap_seconds }))
    })
    .await?;
    Ok(WithSecret { record, secret })
}

/// Has deliveries attempted again, from now on. One that is enabled stays as it is.
///
/// # Errors
/// As for [`get`].
pub async fn enable<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    actor: &Principal,
) -> Result<WebhookRecord, AppError> {
    permit(dependencies, actor)?;
    change(dependencies, id, actor, |record, now| {
        if record.webhook.is_enabled() {
            return Ok(Changed::Nothing);
        }
        let (webhook, health) = (record.webhook.clone().enable(now), record.health.clone().enabled());
        Ok(Changed::to(WebhookRecord { webhook, health, ..record.clone() }, TrailChange::Enabled {}))
    })
    .await
}

/// Has deliveries attempted no more. One that is disabled stays as it is.
///
/// # Errors
/// As for [`get`].
pub async fn disable<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    actor: &Principal,
) -> Result<WebhookRecord, AppError> {
    permit(dependencies, actor)?;
    let reason = DisabledReason::Operator;
    change(dependencies, id, actor, |record, now| {
        if !record.webhook.is_enabled() {
            return Ok(Changed::Nothing);
        }
        let webhook = record.webhook.clone().disable(reason, now);
        Ok(Changed::to(WebhookRecord { webhook, ..record.clone() }, TrailChange::Disabled { reason }))
    })
    .await
}

/// Deletes a webhook. What is left of it is read by those who read its trail and its log: neither secrets nor headers, and of
/// the address only the host.
///
/// # Errors
/// As for [`get`].
pub async fn delete<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    actor: &Principal,
) -> Result<WebhookRecord, AppError> {
    permit(dependencies, actor)?;
    change(dependencies, id, actor, |record, now| {
        let draft = Draft {
            url: format!("https://{}/", record.webhook.settings.url.host()),
            headers: BTreeMap::new(),
            ..record.webhook.settings.draft()
        };
        let left = Settings::new(&draft).unwrap_or_else(|_| record.webhook.settings.clone());
        let webhook = Webhook { settings: left, ..record.webhook.clone() }.updated(now);
        let nothing = SealedSecret::from_stored("");
        let secrets = Secrets { generation: record.secrets.generation, current: nothing, previous: None };
        let after = WebhookRecord { webhook, secrets, deleted_at: Some(now), ..record.clone() };
        Ok(Changed::last(after, TrailChange::Deleted {}))
    })
    .await
}

/// The trail of a webhook, deleted or not.
///
/// # Errors
/// As for [`get`].
pub async fn trail<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    actor: &Principal,
) -> Result<WebhookTrail, AppError> {
    permit(dependencies, actor)?;
    let store = dependencies.store.webhooks();
    let record = load_any(dependencies, id).await?;
    let end = record.trail.sequence;
    let wanted = usize::try_from(end).unwrap_or(usize::MAX).min(MAX_TRAIL);
    let mut documents: Vec<String> = Vec::new();
    while documents.len() < wanted {
        let (after, limit) = (documents.len(), (wanted - documents.len()).min(TRAIL_PAGE));
        let page = store.webhook_trail(id, u64::try_from(after).unwrap_or(u64::MAX), limit).await;
        let page = page.map_err(unreadable)?;
        if page.is_empty() {
            break;
        }
        documents.extend(page);
    }
    let events: Result<Vec<_>, _> = documents.iter().map(|document| TrailEvent::read(document)).collect();
    let head = (u64::try_from(wanted) == Ok(end)).then_some(&record.trail);
    let finding = match events {
        Ok(events) => verify_chain(id, &events, head).err().map(|broken| broken.to_string()),
        Err(error) => Some(format!("an event of the trail {error}")),
    };
    Ok(WebhookTrail { documents, finding })
}

/// The bounds of a range of times that a caller leaves open.
pub(crate) fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.minus_seconds(days.saturating_mul(24 * 60 * 60))
}
