//! Holding a whole store against itself: requests against their seals and trails, messages against the
//! events that they tell of, and the store against what was published from it.

use crate::error::AppError;
use crate::host::Host;
use crate::integrity::{SETTLING, check_seal, compare};
use crate::ports::{LoadEvents, LoadRequest, Outbox, OutboxEntry, ScanStore, StoreError};
use countersign_core::audit::{self, Finding, Stream};
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::notification::Notice;
use countersign_core::origin::Origin;
use countersign_core::refusal::Refusal;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;

/// What was published of one event, as a subscriber or a log has kept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The request.
    pub request_id: RequestId,
    /// The place of the event in its trail.
    pub sequence: u64,
    /// The hash of the event.
    pub hash: String,
}

/// What was checked, and what was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verification {
    /// How many requests were checked.
    pub requests: usize,
    /// How many streams that are of no request were checked.
    pub streams: usize,
    /// How many messages were checked.
    pub messages: usize,
    /// How many published events were looked for.
    pub published: usize,
    /// What is not as it was written: the id of a request or of an event, and how.
    pub findings: Vec<(String, Finding)>,
}

/// Checks one request. A command may come between the reads of the request and of its trail, so a finding
/// counts if the request is found with it twice in the same version.
///
/// # Errors
/// [`Refusal::NotVisible`] if there is none, [`AppError::Unavailable`].
pub async fn request<S: LoadRequest + LoadEvents>(
    host: &dyn Host,
    store: &S,
    key: &DeploymentKey,
    id: RequestId,
) -> Result<Option<Finding>, AppError> {
    let mut before = None;
    loop {
        let (version, finding) = request_once(store, key, id).await?;
        if finding.is_none() || before == Some(version) {
            return Ok(finding);
        }
        before = Some(version);
        host.pause(SETTLING).await;
    }
}

/// The version of a request, if it can be read, and what is not as it was written.
async fn request_once<S: LoadRequest + LoadEvents>(
    store: &S,
    key: &DeploymentKey,
    id: RequestId,
) -> Result<(Option<u64>, Option<Finding>), AppError> {
    let request = match store.load(id).await {
        Ok(request) => request,
        Err(StoreError::Damaged(reason)) => return Ok((None, Some(Finding::Unreadable(reason)))),
        Err(error) => return Err(error.into()),
    };
    let trail = store.load_events(id).await?;
    let Some(request) = request else {
        let is_unknown = trail.events.is_empty() && trail.damaged.is_empty();
        return if is_unknown {
            Err(Refusal::NotVisible.into())
        } else {
            Ok((None, Some(Finding::NoRequest)))
        };
    };
    if let Err(Refusal::Integrity(finding)) = check_seal(&request, key) {
        return Ok((Some(request.version), Some(finding)));
    }
    Ok((Some(request.version), compare(&request, &trail, Some(&Origin::of(key))).err()))
}

/// Checks a stream that is of no request. Nothing else names its head, so whether its end is missing shows in the log alone.
///
/// # Errors
/// [`AppError::Unavailable`].
async fn stream<S: LoadEvents>(
    store: &S,
    key: &DeploymentKey,
    name: &Stream,
) -> Result<Option<Finding>, AppError> {
    let trail = store.load_stream(name).await?;
    if let Some(damaged) = trail.damaged.first() {
        return Ok(Some(Finding::Unreadable(damaged.clone())));
    }
    Ok(audit::verify_records(name, &Origin::of(key), &trail.events).err())
}

/// Checks every request, every trail and every message of a store.
///
/// # Errors
/// [`AppError::Unavailable`].
pub async fn all<S: ScanStore, O: Outbox>(
    host: &dyn Host,
    store: &S,
    outbox: &O,
    key: &DeploymentKey,
) -> Result<Verification, AppError> {
    let mut verification = Verification::default();
    for id in all_ids(store).await? {
        let finding = match (RequestId::parse(&id), Stream::parse(&id)) {
            (Err(_), Ok(name)) => {
                verification.streams += 1;
                stream(store, key, &name).await?
            }
            (parsed, _) => {
                verification.requests += 1;
                match parsed {
                    Ok(id) => request(host, store, key, id).await?,
                    Err(error) => Some(Finding::Unreadable(error.to_string())),
                }
            }
        };
        verification.findings.extend(finding.map(|finding| (id, finding)));
    }
    for shard in outbox.shards() {
        let mut after = None;
        loop {
            let page = outbox.undelivered(&shard, Timestamp::LATEST, after.as_ref()).await?;
            verification.check_messages(store, key, page.entries).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let page = outbox.unlogged(&shard, after.as_ref()).await?;
            let published = page.entries.into_iter().filter(|entry| entry.is_published).collect();
            verification.check_messages(store, key, published).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    let mut after = None;
    loop {
        let page = outbox.dead(after.as_ref()).await?;
        verification.check_messages(store, key, page.entries).await?;
        after = page.next;
        if after.is_none() {
            return Ok(verification);
        }
    }
}

async fn all_ids<S: ScanStore>(store: &S) -> Result<BTreeSet<String>, AppError> {
    let mut ids = BTreeSet::new();
    let mut cursor = None;
    loop {
        let (page, next) = store.scan_ids(cursor).await?;
        ids.extend(page);
        cursor = next;
        if cursor.is_none() {
            return Ok(ids);
        }
    }
}

impl Verification {
    async fn check_messages<S: LoadEvents>(
        &mut self,
        store: &S,
        key: &DeploymentKey,
        entries: Vec<OutboxEntry>,
    ) -> Result<(), AppError> {
        for entry in entries {
            self.messages += 1;
            let place = entry.key.event_id.clone();
            let finding = match (&entry.event, EventId::parse(&place)) {
                (Ok(event), Ok(event_id)) => message(store, key, &entry, &event.notice, event_id).await?,
                (Err(reason), _) => Some(Finding::Unreadable(reason.clone())),
                (_, Err(error)) => Some(Finding::Unreadable(error.to_string())),
            };
            self.findings.extend(finding.map(|finding| (place, finding)));
        }
        Ok(())
    }

    /// Looks for each published event in the store: one that is not there was taken out of it after it
    /// had been published, as by a rollback of a request together with its trail.
    ///
    /// # Errors
    /// [`AppError::Unavailable`].
    pub async fn check_published<S: LoadEvents>(
        &mut self,
        store: &S,
        published: &[Published],
    ) -> Result<(), AppError> {
        for event in published {
            self.published += 1;
            let trail = store.load_events(event.request_id).await?;
            let is_there = trail
                .events
                .iter()
                .any(|stored| stored.sequence == event.sequence && stored.hash.to_string() == event.hash);
            if !is_there {
                let finding = Finding::Forgotten { sequence: event.sequence, hash: event.hash.clone() };
                self.findings.push((event.request_id.to_string(), finding));
            }
        }
        Ok(())
    }
}

/// A message is what this deployment wrote with the event, which is in its trail.
async fn message<S: LoadEvents>(
    store: &S,
    key: &DeploymentKey,
    entry: &OutboxEntry,
    notice: &Notice,
    event_id: EventId,
) -> Result<Option<Finding>, AppError> {
    let is_sealed = entry.is_sealed_under(key);
    let is_on_record = match notice {
        Notice::Anomaly(_) => true,
        Notice::Event(notification) => {
            let trail = store.load_events(notification.request_id).await?;
            trail.events.iter().any(|event| {
                event.event_id == notification.event_id
                    && event.sequence == notification.sequence
                    && event.hash == notification.hash
            })
        }
    };
    Ok((!is_sealed || !is_on_record).then_some(Finding::Message(event_id)))
}
