//! Writing down that deadlines have passed.
//!
//! Nothing depends on this for safety: every decision tests the deadlines itself. It keeps the
//! lists short and tells the requesters.

use crate::command::command;
use crate::damage;
use crate::dependencies::Dependencies;
use crate::failure::Failure;
use crate::ports::{CommitChange, FindDue, FindEvent, LoadRequest};
use countersign_core::actor::{Actor, Channel};
use countersign_core::command::Command;
use countersign_core::request::Status;
use std::time::Duration;

/// How many overdue requests are read at once.
const PAGE: usize = 100;

/// What an expiry sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpiryReport {
    /// Requests written down as expired.
    pub expired: usize,
    /// Requests that could not be written; the next sweep finds them again.
    pub failed: usize,
    /// Whether time ran out before the end.
    pub cut_short: bool,
}

/// Expires what is overdue, for at most `budget`. The next run carries on where this one stops:
/// what is expired is no longer due.
///
/// # Errors
/// [`Failure::Unavailable`] when what is due cannot be read.
pub async fn expire<S>(
    dependencies: &Dependencies<S>,
    channel: Channel,
    budget: Duration,
) -> Result<ExpiryReport, Failure>
where
    S: LoadRequest + CommitChange + FindEvent + FindDue,
{
    let host = dependencies.host.as_ref();
    let began = host.elapsed();
    let actor = Actor::expiry(channel);
    let mut report = ExpiryReport::default();
    for status in [Status::Pending, Status::Approved] {
        let mut cursor = None;
        loop {
            let page = dependencies.store.find_due(status, host.now(), PAGE, cursor).await?;
            damage::tell(host, &page.damaged);
            for id in page.ids {
                if host.elapsed().saturating_sub(began) >= budget {
                    report.cut_short = true;
                    return Ok(report);
                }
                match command(dependencies, id, &Command::Expire, &actor, None).await {
                    Ok(_) => report.expired += 1,
                    // Decided or expired by somebody else since the index was read.
                    Err(Failure::Refused(_)) => {}
                    Err(failure) => {
                        tracing::warn!(request_id = %id, error = %failure, "expiry failed");
                        report.failed += 1;
                    }
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(report)
}
