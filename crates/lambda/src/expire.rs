//! The scheduled function that writes down passed deadlines and leases.

use crate::metrics::Metrics;
use countersign_api::problem::Code;
use countersign_app::attempts;
use countersign_app::command::CommandStore;
use countersign_app::dependencies::Dependencies;
use countersign_app::digests::{self, DigestsReport};
use countersign_app::error::AppError;
use countersign_app::expire::{self, ExpiryReport};
use countersign_app::figures;
use countersign_app::ports::{
    ChannelStore, CountedAttemptsStore, FindDue, ListHolds, LoadHold, PutDelivery, ReadPreferences, Replicas,
    Timers,
};
use countersign_app::report::ReportStore;
use countersign_app::retention::{self, ErasureMark, ErasureReport, FindClosed, Retention};
use countersign_app::timers::{self, TimerReport};
use countersign_app::urge::{self, NextLooks, UrgeReport};
use countersign_core::caller::Channel;
use countersign_core::timestamp::Timestamp;
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use std::time::Duration;

/// Expires what is due, reminds and escalates, sends reports, erases what is kept for longer than `retention`, and measures what is open. What invoked it says
/// nothing that would be needed.
///
/// # Errors
/// When what is due cannot be read, so that the run counts as failed; the next one does its work. And
/// when the table of requests is replicated: that is not supported, and the alarm on failed runs says so.
pub async fn handle<S, D>(
    dependencies: &Dependencies<S>,
    urging: Option<(&D, &NextLooks)>,
    metrics: &Metrics,
    budget: Duration,
    retention: Option<Retention>,
) -> Result<Value, Diagnostic>
where
    S: ErasureMark
        + CommandStore
        + CountedAttemptsStore
        + FindClosed
        + FindDue
        + ListHolds
        + LoadHold
        + Replicas
        + ReportStore
        + Timers,
    D: PutDelivery + ChannelStore + ReadPreferences,
{
    let regions = dependencies.store.replica_regions().await.map_err(|error| failed(&error.into()))?;
    if !regions.is_empty() {
        let message = format!(
            "the table of requests is replicated with {}: two regions could each accept a decision; remove the \
             replicas",
            regions.join(", ")
        );
        tracing::error!(error = message, "the expiry sweep does not run");
        return Err(Diagnostic { error_type: "replicated_table".to_owned(), error_message: message });
    }
    let host = dependencies.host.as_ref();
    let began = host.elapsed();
    // The Lambda service keeps the clock of its machines, from their start on.
    let report = expire::expire(dependencies, Channel::Direct, Timestamp::EARLIEST, budget)
        .await
        .map_err(|error| failed(&error))?;
    let ExpiryReport { expired, failed: not_written, cut_short } = report;
    tracing::info!(expired, failed = not_written, cut_short, "expired");
    let left = budget.saturating_sub(host.elapsed().saturating_sub(began));
    let TimerReport { unknown, failed: not_looked_at, cut_short: timers_cut_short } =
        timers::look(dependencies, Channel::Direct, Timestamp::EARLIEST, left)
            .await
            .map_err(|error| failed(&error))?;
    tracing::info!(unknown, failed = not_looked_at, cut_short = timers_cut_short, "leases ended");
    // What has expired by now is not announced any more.
    let left = budget.saturating_sub(host.elapsed().saturating_sub(began));
    if let Some((deliveries, looks)) = urging {
        let urged = urge::urge(dependencies, deliveries, looks, Timestamp::EARLIEST, left).await;
        match urged {
            Ok(UrgeReport { fired, routed, failed, cut_short }) => {
                tracing::info!(fired, routed, failed, cut_short, "reminders and escalations");
            }
            Err(error) => tracing::error!(%error, "reminders and escalations are left to the next run"),
        }
        match digests::send(dependencies, deliveries, Timestamp::EARLIEST).await {
            Ok(DigestsReport { sent, routed, waiting, failed }) => {
                tracing::info!(sent, routed, waiting, failed, "reports");
            }
            Err(error) => tracing::error!(%error, "reports are left to the next run"),
        }
    }
    // They wait for the next sweep where this one has no time left.
    let counted = match attempts::record_counts(dependencies).await {
        Ok(counted) => counted,
        Err(error) => {
            tracing::error!(%error, "counts of refused attempts are not recorded");
            0
        }
    };
    tracing::info!(counted, "refused attempts");
    let left = budget.saturating_sub(host.elapsed().saturating_sub(began));
    // What expires late closes in the past: nothing is erased before it is written down.
    let erasing = retention.filter(|_| !cut_short && not_written == 0);
    let erased = match erasing {
        Some(retention) => retention::erase(dependencies, Channel::Direct, retention, left)
            .await
            .map_err(|error| failed(&error))?,
        None => ErasureReport::default(),
    };
    let ErasureReport { erased, failed: not_erased, damaged, cut_short: erasure_cut_short } = erased;
    if retention.is_some() {
        tracing::info!(erased, failed = not_erased, damaged, cut_short = erasure_cut_short, "erased");
    }
    // What is expired is expired; a measurement that is missing has an alarm of its own.
    match figures::open_requests(dependencies, COUNTED).await {
        Ok(open) => metrics.open_requests(open, host.now()),
        Err(error) => tracing::error!(%error, "what is open cannot be read"),
    }
    Ok(json!({
        "expired": expired,
        "unknown": unknown,
        "erased": erased,
        "failed": not_written + not_looked_at + not_erased,
        "cut_short": cut_short || timers_cut_short || erasure_cut_short,
    }))
}

/// How many requests of each open status are counted.
const COUNTED: usize = 100;

fn failed(error: &AppError) -> Diagnostic {
    tracing::error!(%error, "the expiry sweep failed");
    let error_type = match error {
        AppError::Refused(refusal) => refusal.code(),
        _ => Code::StoreUnavailable.as_str(),
    };
    Diagnostic { error_type: error_type.to_owned(), error_message: error.to_string() }
}
