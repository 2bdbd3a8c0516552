//! Changing one webhook: read, change, commit with the event of the trail, and again if another change was faster.

use super::{WebhookStore, load, unreadable};
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::ports::{
    CommitError, ReadWebhooks, StoreError, WebhookChange, WebhookCount, WebhookRecord, WriteWebhooks as _,
};
use crate::retry::Attempts;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;
use countersign_webhook::trail::{Actor, TrailChange, TrailEvent};
use countersign_webhook::webhook::WebhookId;

/// What becomes of a webhook.
#[derive(Debug)]
pub(super) enum Changed {
    /// It stays as it is.
    Nothing,
    /// This record, and this in its trail.
    To {
        /// The record, of which the trail is still that before.
        record: Box<WebhookRecord>,
        /// What the trail says.
        change: TrailChange,
        /// Whether there is one webhook less.
        is_last: bool,
    },
}

impl Changed {
    pub(super) fn to(record: WebhookRecord, change: TrailChange) -> Self {
        Self::To { record: Box::new(record), change, is_last: false }
    }

    pub(super) fn last(record: WebhookRecord, change: TrailChange) -> Self {
        Self::To { record: Box::new(record), change, is_last: true }
    }
}

/// Changes a webhook that is not deleted. The record as it is then.
///
/// # Errors
/// What `decide` answers; [`AppError::NoSuchWebhook`]; [`AppError::Unavailable`].
pub(super) async fn change<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    actor: &Principal,
    decide: impl Fn(&WebhookRecord, Timestamp) -> Result<Changed, AppError>,
) -> Result<WebhookRecord, AppError> {
    let (store, host) = (dependencies.store.webhooks(), dependencies.host.as_ref());
    let mut attempts = Attempts::begin(host);
    let mut attempted: Option<(TrailEvent, WebhookRecord)> = None;
    loop {
        // An attempt that seemed to fail may have gone through.
        if let Some((event, record)) = &attempted
            && is_written(store, event).await?
        {
            return Ok(store.webhook(id).await?.unwrap_or_else(|| record.clone()));
        }
        let before = load(dependencies, id).await?;
        let now = host.now();
        let (record, change, is_last) = match decide(&before, now)? {
            Changed::Nothing => return Ok(before),
            Changed::To { record, change, is_last } => (*record, change, is_last),
        };
        let by = Actor::Caller(actor.person.clone());
        let event = TrailEvent::record(id, &before.trail, by, change, now);
        let record = WebhookRecord { trail: event.head(), ..record };
        let count = if is_last {
            let count = store.webhook_count().await.map_err(unreadable)?;
            Some(WebhookCount { webhooks: count.webhooks.saturating_sub(1), ..count })
        } else {
            None
        };
        let written = WebhookChange::new(&record, Some(&event), count, &dependencies.deployment_key)?;
        let failure = match store.commit_webhook(written).await {
            Ok(()) => return Ok(WebhookRecord { revision: record.revision.saturating_add(1), ..record }),
            Err(CommitError::Store(error @ (StoreError::Corrupt(_) | StoreError::Damaged(_)))) => {
                return Err(error.into());
            }
            Err(error) => error.to_string(),
        };
        attempted = Some((event, record));
        if !attempts.again().await {
            return match attempted {
                Some((event, record)) if is_written(store, &event).await.unwrap_or_default() => Ok(record),
                Some(_) | None => Err(AppError::Unavailable(failure)),
            };
        }
    }
}

/// Whether the event is in the trail.
async fn is_written<W: ReadWebhooks>(store: &W, event: &TrailEvent) -> Result<bool, AppError> {
    let at = store.webhook_trail(event.webhook_id, event.sequence.saturating_sub(1), 1).await?;
    Ok(at.first().is_some_and(|document| document == event.document().as_str()))
}
