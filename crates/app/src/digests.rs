//! Reports that are sent regularly: `[digests.NAME]` of `notifications.toml`. Each period is sent once to each place.
//!
//! What is remembered of a table is the time until which its reports are done. A table that is seen for the first time has
//! nothing to make up for, and after an outage only the latest report is sent. A report has come to its places once its
//! deliveries are put and that time is written down. In between they may be put again, with the same id, so that no place
//! gets it twice.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::known_preferences::KnownPreferences;
use crate::ports::{ChannelStore, DigestRecord, NewDelivery, PutDelivery, ReadPreferences, StoreError};
use crate::report::{Counted, ReportStore, counted, made};
use crate::route::{planning, recipient_text};
use countersign_core::ids::EventId;
use countersign_core::origin::Origin;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::part::{Part, PartKind};
use countersign_delivery::state::Delivery;
use countersign_figures::period_report::PeriodReport;
use countersign_figures::report_message::ReportMessage;
use countersign_notifications::configuration::{Configuration, ReportDigest};
use countersign_notifications::reports::DueReport;

/// How long after the end of its period a report is made at the earliest, in seconds: its last events are in the log and in the
/// figures by then.
const SETTLE_SECONDS: u32 = 10 * 60;
/// For how long a report waits for figures that are counted anew, in seconds. Then it says how far they go.
const MAX_WAIT_SECONDS: u32 = 6 * 60 * 60;
/// How far ahead of the clock a time that was written down may be, in seconds. What is further ahead was written by a clock
/// that was wrong.
const MAX_AHEAD_SECONDS: u32 = 60 * 60;
/// How many lines about persons a message has.
const MAX_PEOPLE: usize = 25;

/// What a sweep of reports did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestsReport {
    /// Reports that have come to their places.
    pub sent: usize,
    /// Deliveries that were put for them.
    pub routed: usize,
    /// Reports that are due, and wait for the end of their period or for figures.
    pub waiting: usize,
    /// Reports that could not be made; the next sweep tries again.
    pub failed: usize,
}

/// Puts the deliveries of all reports that are due. Nothing is sent, nor taken for a beginning, by a clock that is not vouched for:
/// `since` is the time from which on it is, and [`Timestamp::EARLIEST`] once it is for good.
///
/// # Errors
/// [`AppError::Unavailable`] when the store does not answer.
pub async fn send<S, D>(
    dependencies: &Dependencies<S>,
    store: &D,
    since: Timestamp,
) -> Result<DigestsReport, AppError>
where
    S: ReportStore,
    D: PutDelivery + ChannelStore + ReadPreferences,
{
    let mut report = DigestsReport::default();
    let Some(configuration) = &dependencies.notifications else { return Ok(report) };
    if since > Timestamp::EARLIEST {
        return Ok(report);
    }
    for digest in &configuration.digests {
        match send_one(dependencies, configuration, store, digest).await {
            Ok(Step::Sent { routed }) => {
                tracing::info!(digest = digest.name, routed, "a report is sent");
                report.sent += 1;
                report.routed += routed;
            }
            Ok(Step::Waits) => report.waiting += 1,
            Ok(Step::NotDue) => {}
            Err(error @ AppError::Unavailable(_)) => return Err(error),
            Err(error) => {
                tracing::error!(digest = digest.name, %error, "a report cannot be made");
                report.failed += 1;
            }
        }
    }
    Ok(report)
}

/// What became of one table.
enum Step {
    /// It has nothing to send now.
    NotDue,
    /// Its report waits.
    Waits,
    /// Its report has come to its places.
    Sent { routed: usize },
}

async fn send_one<S, D>(
    dependencies: &Dependencies<S>,
    configuration: &Configuration,
    store: &D,
    digest: &ReportDigest,
) -> Result<Step, AppError>
where
    S: ReportStore,
    D: PutDelivery + ChannelStore + ReadPreferences,
{
    let now = dependencies.host.now();
    let record = store.digest(&digest.name).await?;
    let is_usable = |record: &DigestRecord| record.done_until <= now.plus_seconds(MAX_AHEAD_SECONDS);
    let record = match record {
        Some(record) if is_usable(&record) => record,
        // What came due before it was there is none of its own.
        record => {
            let revision = record.map_or(0, |record| record.revision);
            let first = DigestRecord { name: digest.name.clone(), done_until: now, revision };
            // Another sweep may have been faster: then its time counts.
            store.put_digest(&first).await?;
            return Ok(Step::NotDue);
        }
    };
    let Some(due) = digest.last_due(now).filter(|due| due.at > record.done_until) else {
        return Ok(Step::NotDue);
    };
    if now < due.span.until.plus_seconds(SETTLE_SECONDS) {
        return Ok(Step::Waits);
    }
    let Some(counted) = figures(dependencies, &due, now).await? else { return Ok(Step::Waits) };
    let report = made(dependencies, &due.span, &counted).await?;
    let routed = put(dependencies, configuration, store, digest, &due, report.shortened(MAX_PEOPLE)).await?;
    // Where this is not written, another sweep has done the same, or does it next.
    store.put_digest(&DigestRecord { done_until: due.at, ..record }).await?;
    Ok(Step::Sent { routed })
}

/// The figures of a period; none while its events are still counted.
async fn figures<S: ReportStore>(
    dependencies: &Dependencies<S>,
    due: &DueReport,
    now: Timestamp,
) -> Result<Option<Counted>, StoreError> {
    let DueReport { at, span } = due;
    // Later days as well: if there are any, the events of the period have been counted before.
    let counted = counted(dependencies, &span.first_day(), &now.day()).await?;
    let last_day = span.last_day();
    let is_counted = counted.missing == 0 || counted.figures.days.keys().any(|day| *day > last_day);
    let has_waited = now >= span.until.max(*at).plus_seconds(MAX_WAIT_SECONDS);
    Ok((is_counted || has_waited).then_some(counted))
}

/// Puts a delivery for each place. How many are new.
async fn put<S, D: PutDelivery + ReadPreferences>(
    dependencies: &Dependencies<S>,
    configuration: &Configuration,
    store: &D,
    digest: &ReportDigest,
    due: &DueReport,
    report: PeriodReport,
) -> Result<usize, AppError> {
    let key = &dependencies.deployment_key;
    let span = &due.span;
    // Of the name and the period: the same, whenever it is made and by whichever sweep.
    let id = EventId::derived(span.until, &format!("report/{}/{}/{}", digest.name, span.period, span.name));
    let now = dependencies.host.now();
    let message = ReportMessage::new(id, Origin::of(key), report);
    let (document, seal) =
        message.sealed(key).map_err(|error| StoreError::Corrupt(format!("report: {error}")))?;
    let mut put = 0;
    let host = dependencies.host.as_ref();
    let preferences = KnownPreferences::default().read(store, configuration, host).await?;
    for message in planning(configuration, &dependencies.policy, &preferences).report(digest) {
        let destination = &message.place.destination;
        let recipient = recipient_text(&message.place.recipient);
        let destination = match DestinationId::named(destination, recipient.as_deref()) {
            Ok(destination) => destination,
            Err(error) => {
                tracing::error!(destination, %error, "a destination cannot be delivered to");
                continue;
            }
        };
        let part = Part { address: message.address, ..Part::new(PartKind::Report) };
        let delivery = Delivery::of_report(destination, id, now).with_part(part, now);
        let new = NewDelivery { delivery: &delivery, document: document.as_str(), seal: Some(seal) };
        put += usize::from(store.put_new(new).await?);
    }
    Ok(put)
}
