//! The log of the deliveries of a webhook, and beginning deliveries anew.

use super::change::{Changed, change};
use super::{WebhookStore, days_before, load, load_any, permit, unreadable};
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::ports::{DeliveryKey, DeliveryQuery, ReadDeliveries, StoredDelivery};
use countersign_core::ids::EventId;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::state::{Delivery, DeliveryState};
use countersign_webhook::trail::TrailChange;
use countersign_webhook::webhook::WebhookId;

/// How long the log of deliveries reaches back, in days.
pub const LOG_DAYS: u32 = 30;
/// How many deliveries one call begins anew, at most.
pub const MAX_REDELIVERED: usize = 1000;
/// How many deliveries one call looks at, at most.
const MAX_LOOKED_AT: usize = 5000;
/// How many deliveries are read at once.
const PAGE: usize = 200;
/// How often a delivery that has changed since it was read is read again.
const REREADS: usize = 5;

/// What is asked of the log of deliveries, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// From when; as far as the log reaches, if that is left out.
    pub from: Option<Timestamp>,
    /// Until when.
    pub to: Option<Timestamp>,
    /// In which states; in any, if there is none.
    pub states: Vec<DeliveryState>,
    /// After which event of the page before.
    pub after: Option<EventId>,
    /// How many, at most.
    pub limit: usize,
}

/// A page of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryLog {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// After which event the next page begins.
    pub next: Option<EventId>,
}

/// Which deliveries are begun anew, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redelivery {
    /// From when.
    pub from: Timestamp,
    /// Until when; until now, if that is left out.
    pub to: Option<Timestamp>,
    /// In which states; dead and skipped ones, if there is none.
    pub states: Vec<DeliveryState>,
    /// After which event: where the call before has ended.
    pub after: Option<EventId>,
}

/// What was begun anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redelivered {
    /// How many deliveries.
    pub redelivered: u64,
    /// After which event there is more.
    pub next: Option<EventId>,
}

/// Where reading begins: a page goes on after an event only if that is one of the range.
enum Beginning {
    /// At the beginning of the range.
    First,
    /// After this event.
    After(EventId),
    /// Nowhere: the event is beyond the end.
    Nowhere,
}

impl Beginning {
    fn of(after: Option<EventId>, from: Timestamp, to: Timestamp, is_newest_first: bool) -> Self {
        let Some(event_id) = after else { return Self::First };
        let at = event_id.made_at();
        if from <= at && at <= to {
            Self::After(event_id)
        } else if (at > to) == is_newest_first {
            Self::First
        } else {
            Self::Nowhere
        }
    }
}

fn destination(id: WebhookId) -> Result<DestinationId, AppError> {
    id.destination().map_err(|error| AppError::Corrupt(error.to_string()))
}

/// The log of the deliveries of a webhook, deleted or not.
///
/// # Errors
/// As for [`super::get`].
pub async fn deliveries<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    query: &LogQuery,
    actor: &Principal,
) -> Result<DeliveryLog, AppError> {
    permit(dependencies, actor)?;
    let (store, now) = (dependencies.store.webhooks(), dependencies.host.now());
    load_any(dependencies, id).await?;
    let earliest = days_before(now, LOG_DAYS);
    let mut page = DeliveryQuery {
        destination: destination(id)?,
        from: query.from.map_or(earliest, |from| from.max(earliest)),
        to: query.to.unwrap_or(now),
        is_newest_first: true,
        after: None,
        limit: PAGE.min(query.limit.max(1)),
    };
    let mut log = DeliveryLog { deliveries: Vec::new(), next: None };
    match Beginning::of(query.after, page.from, page.to, true) {
        Beginning::First => page.after = None,
        Beginning::After(event_id) => page.after = Some(event_id),
        Beginning::Nowhere => return Ok(log),
    }
    let mut looked_at = 0;
    while page.from <= page.to {
        let found = store.deliveries(&page).await?;
        note_damaged(id, found.damaged);
        looked_at += page.limit;
        for stored in found.deliveries {
            let delivery = stored.delivery;
            if !query.states.is_empty() && !query.states.contains(&delivery.state) {
                continue;
            }
            if log.deliveries.len() == query.limit {
                log.next = log.deliveries.last().map(|last| last.event_id);
                return Ok(log);
            }
            log.deliveries.push(delivery);
        }
        log.next = found.next;
        if found.next.is_none() || log.deliveries.len() >= query.limit || looked_at >= MAX_LOOKED_AT {
            break;
        }
        page.after = found.next;
    }
    Ok(log)
}

fn note_damaged(id: WebhookId, deliveries: usize) {
    if deliveries > 0 {
        tracing::error!(webhook_id = %id, deliveries, "deliveries cannot be read and are left out");
    }
}

/// Begins a delivery anew, unless its state, which may have changed since, is not among these. Whether it was.
async fn begin_anew<W: crate::ports::Deliveries>(
    store: &W,
    mut stored: StoredDelivery,
    states: &[DeliveryState],
    now: Timestamp,
) -> Result<bool, AppError> {
    for _ in 0..REREADS {
        if !states.contains(&stored.delivery.state) {
            return Ok(false);
        }
        // INVARIANT: no delivery to a webhook is superseded; one that was would stay so.
        let Ok(after) = stored.delivery.clone().redeliver(now) else { return Ok(false) };
        if store.replace(&stored, &after).await? {
            return Ok(true);
        }
        let Delivery { destination, event_id, .. } = stored.delivery;
        let again = store.delivery(&DeliveryKey { destination, event_id }).await.map_err(unreadable)?;
        let Some(again) = again else { return Ok(false) };
        stored = again;
    }
    Err(AppError::Unavailable("a delivery changes too often".to_owned()))
}

/// Begins the deliveries of a range of times anew, the oldest first, at most [`MAX_REDELIVERED`].
///
/// # Errors
/// As for [`super::get`]; [`AppError::WebhookDisabled`]. What was begun by then is.
pub async fn redeliver<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    redelivery: &Redelivery,
    actor: &Principal,
) -> Result<Redelivered, AppError> {
    permit(dependencies, actor)?;
    let (store, now) = (dependencies.store.webhooks(), dependencies.host.now());
    let webhook = load(dependencies, id).await?.webhook;
    if !webhook.is_enabled() {
        return Err(AppError::WebhookDisabled);
    }
    let states = match redelivery.states.as_slice() {
        [] => vec![DeliveryState::Dead, DeliveryState::Skipped],
        states => states.to_vec(),
    };
    let (from, to) = (redelivery.from, redelivery.to.unwrap_or(now));
    let mut page = DeliveryQuery {
        destination: destination(id)?,
        from,
        to,
        is_newest_first: false,
        after: None,
        limit: PAGE,
    };
    let mut done = Redelivered { redelivered: 0, next: None };
    match Beginning::of(redelivery.after, from, to, false) {
        Beginning::First => page.after = None,
        Beginning::After(event_id) => page.after = Some(event_id),
        Beginning::Nowhere => return Ok(done),
    }
    let mut result = Ok(());
    let mut looked_at = 0;
    'pages: while page.from <= page.to {
        let found = match store.deliveries(&page).await {
            Ok(found) => found,
            Err(error) => {
                result = Err(error.into());
                break;
            }
        };
        note_damaged(id, found.damaged);
        looked_at += PAGE;
        let mut last = page.after;
        for stored in found.deliveries {
            if done.redelivered >= u64::try_from(MAX_REDELIVERED).unwrap_or(u64::MAX) {
                done.next = last;
                break 'pages;
            }
            last = Some(stored.delivery.event_id);
            // It was given one while its record could not be read.
            if stored.event.as_ref().is_ok_and(|event| !webhook.takes(event)) {
                continue;
            }
            match begin_anew(store, stored, &states, now).await {
                Ok(is_begun) => done.redelivered += u64::from(is_begun),
                Err(error) => {
                    result = Err(error);
                    break 'pages;
                }
            }
        }
        done.next = found.next;
        if found.next.is_none() || looked_at >= MAX_LOOKED_AT {
            break;
        }
        page.after = found.next;
    }
    if done.redelivered > 0 {
        let deliveries = done.redelivered;
        let change_of = |record: &crate::ports::WebhookRecord, _| {
            let states = states.clone();
            Ok(Changed::to(record.clone(), TrailChange::Redelivered { from, to, states, deliveries }))
        };
        change(dependencies, id, actor, change_of).await?;
    }
    result.map(|()| done)
}

/// Begins one delivery anew.
///
/// # Errors
/// As for [`redeliver`]; [`AppError::NoSuchDelivery`].
pub async fn redeliver_one<S: WebhookStore>(
    dependencies: &Dependencies<S>,
    id: WebhookId,
    event_id: EventId,
    actor: &Principal,
) -> Result<Delivery, AppError> {
    permit(dependencies, actor)?;
    let (store, now) = (dependencies.store.webhooks(), dependencies.host.now());
    if !load(dependencies, id).await?.webhook.is_enabled() {
        return Err(AppError::WebhookDisabled);
    }
    let key = DeliveryKey { destination: destination(id)?, event_id };
    let stored = store.delivery(&key).await.map_err(unreadable)?.ok_or(AppError::NoSuchDelivery)?;
    let states =
        [DeliveryState::Waiting, DeliveryState::Delivered, DeliveryState::Dead, DeliveryState::Skipped];
    if !begin_anew(store, stored, &states, now).await? {
        return Err(AppError::NoSuchDelivery);
    }
    change(dependencies, id, actor, |record, _| {
        Ok(Changed::to(record.clone(), TrailChange::RedeliveredOne { event_id }))
    })
    .await?;
    let stored = store.delivery(&key).await?.ok_or(AppError::NoSuchDelivery)?;
    Ok(stored.delivery)
}
