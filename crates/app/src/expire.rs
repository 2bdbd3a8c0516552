//! Writing down that deadlines have passed.
//!
//! Nothing depends on this for safety: every decision tests the deadlines itself. It keeps the
//! lists short and tells the requesters.

use crate::command::{CommandStore, command};
use crate::damage;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::ports::FindDue;
use countersign_core::caller::Channel;
use countersign_core::command::Command;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use std::time::Duration;

pub(crate) fn differs(one: Timestamp, other: Timestamp) -> bool {
    let difference = one.as_millisecond().abs_diff(other.as_millisecond());
    u128::from(difference) > MAX_CLOCK_DIFFERENCE.as_millis()
}

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

/// How far the clock here may be from the store's before nothing is written down.
pub const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);

/// Expires what is overdue, for at most `budget`. The next run carries on where this one stops:
/// what is expired is no longer due.
///
/// Expiry is final, and a wrong clock says of everything that it is overdue. So nothing is written
/// that missed its deadline before `since`: the time from which on the caller vouches for its clock.
/// And nothing is written while the clock is more than [`MAX_CLOCK_DIFFERENCE`] from the store's, as
/// far as the answers of the store tell the time.
///
/// # Errors
/// [`AppError::Unavailable`] when what is due cannot be read, and [`Refusal::ClockSkew`].
pub async fn expire<S>(
    dependencies: &Dependencies<S>,
    channel: Channel,
    since: Timestamp,
    budget: Duration,
) -> Result<ExpiryReport, AppError>
where
    S: CommandStore + FindDue,
{
    let host = dependencies.host.as_ref();
    let began = host.elapsed();
    let actor = Principal::expiry(channel);
    let mut report = ExpiryReport::default();
    for status in [Status::Pending, Status::Approved] {
        let mut cursor = None;
        loop {
            let now = host.now();
            if now < since {
                return Ok(report);
            }
            let page = dependencies.store.find_due(status, (since, now), PAGE, cursor).await?;
            if page.answered_at.is_some_and(|answered_at| differs(answered_at, host.now())) {
                return Err(Refusal::ClockSkew.into());
            }
            damage::report(host, &page.damaged);
            for id in page.ids {
                if host.elapsed().saturating_sub(began) >= budget {
                    report.cut_short = true;
                    return Ok(report);
                }
                match command(dependencies, id, &Command::Expire, &actor, None).await {
                    Ok(_) => report.expired += 1,
                    Err(failure @ AppError::Refused(Refusal::Integrity(_) | Refusal::ClockSkew)) => {
                        tracing::warn!(request_id = %id, error = %failure, "expiry failed");
                        report.failed += 1;
                    }
                    // Decided or expired by another caller since the index was read.
                    Err(AppError::Refused(_)) => {}
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
