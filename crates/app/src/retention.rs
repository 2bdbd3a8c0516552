//! Erasing what requests were made with, once they have been closed for as long as the operator keeps it.
//!
//! What has closed is in the order of its closing. How far it has been erased is remembered, so that a pass does not begin
//! where there has been nothing to erase for long.

use crate::command::{CommandStore, command};
use crate::damage;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::ports::{DuePage, StoreError};
use countersign_core::caller::Channel;
use countersign_core::command::Command;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

/// How many requests are read at once.
const PAGE: usize = 100;

/// How much of what is behind the mark a pass looks at again, in seconds: a request that expires closes at the deadline
/// that it missed, and that may be written down as much later as a service can have been stopped.
const OVERLAP_SECONDS: u32 = 45 * 24 * 60 * 60;

/// Before this time nothing can have closed: the beginning of 2025, in milliseconds since 1970.
const FIRST_MILLISECOND: i64 = 1_735_689_600_000;

/// Finds what has closed and is not erased.
pub trait FindClosed: Send + Sync {
    /// Ids of requests that closed as `status` between two times, both included, and are not erased: the oldest first, at
    /// most `limit`, from after `cursor`. May lag behind.
    fn find_closed(
        &self,
        status: Status,
        closed: (Timestamp, Timestamp),
        limit: usize,
        cursor: Option<String>,
    ) -> impl Future<Output = Result<DuePage, StoreError>> + Send;
}

/// Remembers how far closed requests have been erased.
pub trait ErasureMark: Send + Sync {
    /// The time up to which all that had closed has been erased; none before the first pass.
    fn erased_until(&self) -> impl Future<Output = Result<Option<Timestamp>, StoreError>> + Send;

    /// Puts another time in its place.
    fn mark_erased_until(&self, until: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// How long parameters, texts and results are kept once their request has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    days: u16,
}

/// The text is no number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of days from 1 to {MAX_DAYS}")]
pub struct InvalidRetention;

/// The longest retention, in days.
const MAX_DAYS: u16 = 9999;

impl FromStr for Retention {
    type Err = InvalidRetention;

    fn from_str(text: &str) -> Result<Self, InvalidRetention> {
        let days = text.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
        days.map(|days| Self { days }).ok_or(InvalidRetention)
    }
}

impl Retention {
    /// The time before which what has closed is kept no longer.
    pub fn begin(self, now: Timestamp) -> Timestamp {
        now.minus_seconds(u32::from(self.days) * 24 * 60 * 60)
    }
}

/// What a pass of erasure did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasureReport {
    /// Requests whose parameters and texts were erased.
    pub erased: usize,
    /// Requests that could not be written; the next pass finds them again.
    pub failed: usize,
    /// Requests that are not what their trail has made them: what is damaged is kept, and recorded.
    pub damaged: usize,
    /// Whether time ran out before the end.
    pub cut_short: bool,
}

/// Erases parameters, texts and results of what has been closed for as long as `retention` says, for at most `budget`. The
/// next pass carries on.
///
/// Erasing is final, and a wrong clock says of everything that it was kept for long enough: nothing is erased while the clock
/// is more than [`crate::expire::MAX_CLOCK_DIFFERENCE`] from the store's, as far as the answers of the store tell the time.
/// Where they do not, the caller vouches for its clock.
///
/// # Errors
/// [`AppError::Unavailable`] when what has closed cannot be read, and [`Refusal::ClockSkew`].
pub async fn erase<S>(
    dependencies: &Dependencies<S>,
    channel: Channel,
    retention: Retention,
    budget: Duration,
) -> Result<ErasureReport, AppError>
where
    S: CommandStore + FindClosed + ErasureMark,
{
    let host = dependencies.host.as_ref();
    let store = &dependencies.store;
    let began = host.elapsed();
    let actor = Principal::retention(channel);
    let closed_before = retention.begin(host.now());
    let mark = store.erased_until().await?;
    let first = Timestamp::from_millisecond(FIRST_MILLISECOND);
    let from = mark.map_or(first, |mark| mark.minus_seconds(OVERLAP_SECONDS));
    let mut report = ErasureReport::default();
    for status in Status::CLOSED {
        let mut cursor = None;
        loop {
            let page = store.find_closed(status, (from, closed_before), PAGE, cursor).await?;
            if page.answered_at.is_some_and(|answered_at| crate::expire::differs(answered_at, host.now())) {
                return Err(Refusal::ClockSkew.into());
            }
            damage::report(host, &page.damaged);
            for id in page.ids {
                if host.elapsed().saturating_sub(began) >= budget {
                    report.cut_short = true;
                    return Ok(report);
                }
                match command(dependencies, id, &Command::Erase { closed_before }, &actor, None).await {
                    Ok(_) => report.erased += 1,
                    // Erased before.
                    Err(AppError::Refused(Refusal::NotDue)) => {}
                    Err(AppError::Refused(Refusal::Integrity(_))) => report.damaged += 1,
                    Err(failure) => {
                        tracing::warn!(request_id = %id, error = %failure, "erasure failed");
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
    if report.failed == 0 && mark.is_none_or(|mark| mark < closed_before) {
        store.mark_erased_until(closed_before).await?;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_whole_number_of_days() {
        let now = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        let begin = |days: &str| days.parse::<Retention>().map(|retention| retention.begin(now).to_string());
        assert_eq!(begin("1").unwrap(), "2026-02-28T00:00:00.000Z");
        assert_eq!(begin("9999").unwrap(), "1998-10-15T00:00:00.000Z");
        for text in ["", "0", "-1", "1.5", "10000", "90d", "65536"] {
            assert_eq!(begin(text), Err(InvalidRetention), "{text}");
        }
    }
}
