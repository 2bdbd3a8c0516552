//! Looking at requests whose time has come: an execution that was silent for longer than its lease is written down as
//! unknown.
//!
//! Nothing depends on this for safety: whoever reads a request sees that its lease has ended. It is what tells people.

use crate::command::{CommandStore, command};
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::ports::Timers;
use countersign_core::caller::Channel;
use countersign_core::command::Command;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::timestamp::Timestamp;
use std::time::Duration;

/// How many timers are read at once.
const PAGE: usize = 100;

/// What a sweep of timers did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimerReport {
    /// Executions written down as unknown.
    pub unknown: usize,
    /// Timers that stay, because the request could not be read or written.
    pub failed: usize,
    /// Whether time ran out before the end.
    pub cut_short: bool,
}

/// Looks at what is due, for at most `budget`. A timer goes once its request has been looked at; what is put off by
/// a renewal has a timer of its own. Nothing is looked at that was due before `since`: the time from which on the
/// caller vouches for its clock.
///
/// # Errors
/// [`AppError::Unavailable`] when the timers cannot be read or removed.
pub async fn look<S>(
    dependencies: &Dependencies<S>,
    channel: Channel,
    since: Timestamp,
    budget: Duration,
) -> Result<TimerReport, AppError>
where
    S: CommandStore + Timers,
{
    let host = dependencies.host.as_ref();
    let began = host.elapsed();
    let actor = Principal::expiry(channel);
    let mut report = TimerReport::default();
    let mut after = None;
    loop {
        let due = dependencies.store.due_timers(host.now(), PAGE, after).await?;
        let Some(last) = due.last().copied() else { return Ok(report) };
        for timer in due.into_iter().filter(|timer| timer.at >= since) {
            if host.elapsed().saturating_sub(began) >= budget {
                report.cut_short = true;
                return Ok(report);
            }
            match command(dependencies, timer.request_id, &Command::EndLease, &actor, None).await {
                Ok(_) => report.unknown += 1,
                Err(failure @ (AppError::Unavailable(_) | AppError::Refused(Refusal::ClockSkew))) => {
                    tracing::warn!(request_id = %timer.request_id, error = %failure, "the lease was not ended");
                    report.failed += 1;
                    continue;
                }
                // Heard of since, over, or damaged, which has been recorded: there is nothing more to write.
                Err(AppError::Refused(_)) => {}
                Err(failure) => {
                    tracing::warn!(request_id = %timer.request_id, error = %failure, "the lease was not ended");
                    report.failed += 1;
                    continue;
                }
            }
            dependencies.store.remove_timer(timer).await?;
        }
        after = Some(last);
    }
}
