//! Delivering what is committed: every event at least once, or visibly dead.

use crate::dependencies::Dependencies;
use crate::failure::Failure;
use crate::ports::{Outbox, OutboxEntry, Publish, StoreError};
use countersign_core::timestamp::Timestamp;
use std::time::Duration;

/// How often a delivery may fail before the entry becomes a dead letter.
pub const MAX_ATTEMPTS: u32 = 10;

/// What a delivery sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Entries delivered.
    pub published: usize,
    /// Entries whose delivery failed and will be tried again.
    pub failed: usize,
    /// Entries that became dead letters.
    pub buried: usize,
    /// Whether time ran out before the end.
    pub cut_short: bool,
}

/// Delivers everything in the outbox that was made before `before`, for at most `budget`.
///
/// An entry that fails stays, is counted, and holds up no other; after [`MAX_ATTEMPTS`] failures,
/// or at once if it cannot be read, it becomes a dead letter.
///
/// # Errors
/// [`Failure::Unavailable`] when the outbox cannot be read or written.
pub async fn deliver<S: Outbox, P: Publish>(
    dependencies: &Dependencies<S>,
    publisher: &P,
    before: Timestamp,
    budget: Duration,
) -> Result<DeliveryReport, Failure> {
    let host = dependencies.host.as_ref();
    let began = host.elapsed();
    let mut report = DeliveryReport::default();
    for shard in dependencies.store.shards() {
        let mut after = None;
        loop {
            let page = dependencies.store.undelivered(&shard, before, after.as_ref()).await?;
            for entry in page.entries {
                if host.elapsed().saturating_sub(began) >= budget {
                    report.cut_short = true;
                    return Ok(report);
                }
                deliver_one(&dependencies.store, publisher, &entry, &mut report).await?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(report)
}

/// Delivers one entry and settles it in the outbox.
///
/// # Errors
/// When the outbox cannot be written. The entry then stays and is delivered again.
pub async fn deliver_one<S: Outbox, P: Publish>(
    store: &S,
    publisher: &P,
    entry: &OutboxEntry,
    report: &mut DeliveryReport,
) -> Result<(), StoreError> {
    let error = match &entry.notification {
        Ok(notification) => match publisher.publish(notification).await {
            Ok(()) => {
                store.remove(&entry.key).await?;
                report.published += 1;
                return Ok(());
            }
            Err(error) => error.to_string(),
        },
        Err(unreadable) => unreadable.clone(),
    };
    let is_dead = entry.notification.is_err() || entry.attempts + 1 >= MAX_ATTEMPTS;
    tracing::warn!(event_id = %entry.key.event_id, attempts = entry.attempts + 1, is_dead, error, "delivery failed");
    if is_dead {
        store.bury(&entry.key).await?;
        report.buried += 1;
    } else {
        store.count_failure(&entry.key).await?;
        report.failed += 1;
    }
    Ok(())
}
