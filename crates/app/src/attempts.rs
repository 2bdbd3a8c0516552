//! Recording what changes no request: refused attempts, and reading across requests.
//!
//! A person's first refused attempts of a day are events of their own. What comes after is counted, so that a caller in a
//! loop fills no trail; counts become events by and by.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::ports::{
    CountAttempts, CountedAttempts, CountedAttemptsStore, LoadEvents, RecordEvent, Sequel, StoreError,
};
use crate::retry::Attempts;
use countersign_core::audit::AuditEvent;
use countersign_core::audit::call_record::{Attempt, AttemptCounts, CallRecord, Reading};
use countersign_core::caller::Channel;
use countersign_core::principal::Principal;

/// How many refused attempts of a person on a day are events of their own.
pub const SINGLE_ATTEMPTS: u64 = 20;
/// How long attempts are counted before the count is an event, in seconds.
const COUNTING_SECONDS: u32 = 10 * 60;
/// How long a reading stands for others with the same filters, in seconds.
const READING_SECONDS: u32 = 60 * 60;

/// Records a refused attempt. The attempt is refused whether or not it can be recorded: a failure is logged.
///
/// What reads is not given the means to write events, so its refusals are only counted.
pub async fn refused<S: RecordEvent + CountAttempts>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    attempt: Attempt,
    is_counted: bool,
) {
    let recorded = if is_counted { Ok(false) } else { single(dependencies, actor, attempt).await };
    let recorded = match recorded {
        Ok(true) => Ok(()),
        // Counted where they are many, and where others are faster for too long.
        Ok(false) => count(dependencies, actor, attempt.code).await,
        Err(error) => Err(error),
    };
    if let Err(error) = recorded {
        tracing::error!(operation = attempt.operation, code = attempt.code, %error, "a refused attempt is not recorded");
    }
}

/// Counts a call of a caller who is not known.
pub async fn unauthenticated<S: CountAttempts>(
    dependencies: &Dependencies<S>,
    channel: Channel,
    code: &'static str,
    calls: u64,
) {
    let actor = Principal::unauthenticated(channel);
    let now = dependencies.host.now();
    if let Err(error) = dependencies.store.count_attempts(&actor, code, calls, now).await {
        tracing::error!(%error, "calls without authentication are not counted");
    }
}

async fn count<S: CountAttempts>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    code: &'static str,
) -> Result<(), StoreError> {
    dependencies.store.count_attempts(actor, code, 1, dependencies.host.now()).await
}

/// Records an attempt by itself. `false` if the person has too many today.
async fn single<S: RecordEvent>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    attempt: Attempt,
) -> Result<bool, StoreError> {
    let is_one_too_many =
        |last: Option<&AuditEvent>| last.is_some_and(|last| last.sequence >= SINGLE_ATTEMPTS);
    append(dependencies, actor, &CallRecord::Refused(attempt), Sequel::Keep, is_one_too_many).await
}

/// Adds an event to the end of its stream, unless what the stream ends with speaks against it, or others are faster for too
/// long: then `false`.
async fn append<S: RecordEvent>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    record: &CallRecord,
    sequel: Sequel<'_>,
    is_left_out: impl Fn(Option<&AuditEvent>) -> bool,
) -> Result<bool, StoreError> {
    let host = dependencies.host.as_ref();
    let _deciding = host.deciding();
    let event_id = host.event_id();
    let mut attempts = Attempts::begin(host);
    loop {
        let now = host.now();
        let last = dependencies.store.last_event(&record.stream(now, actor)).await?;
        // The attempt before has been written, and only its answer was lost.
        if last.as_ref().is_some_and(|last| last.event_id == event_id) {
            return Ok(true);
        }
        if is_left_out(last.as_ref()) {
            return Ok(false);
        }
        let event = record.record(event_id, now, actor, last.as_ref(), &dependencies.deployment_key);
        match dependencies.store.record_event(&event, sequel).await {
            Ok(true) => return Ok(true),
            Ok(false) if attempts.again().await => {}
            Ok(false) => return Ok(false),
            Err(StoreError::Unavailable(_)) if attempts.again().await => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes events of the counts that are old enough.
///
/// # Errors
/// [`AppError::Unavailable`] when the counts cannot be read.
pub async fn record_counts<S: CountedAttemptsStore>(
    dependencies: &Dependencies<S>,
) -> Result<usize, AppError> {
    let mut recorded = 0;
    for counted in dependencies.store.counted_attempts().await? {
        let now = dependencies.host.now();
        let is_due = counted.since.plus_seconds(COUNTING_SECONDS) <= now || counted.since.day() != now.day();
        if is_due && record_count(dependencies, &counted).await? {
            recorded += 1;
        }
    }
    Ok(recorded)
}

/// The event of a count is in the stream of the day of the attempts. `false` if more was counted meanwhile: next time.
async fn record_count<S: RecordEvent>(
    dependencies: &Dependencies<S>,
    counted: &CountedAttempts,
) -> Result<bool, AppError> {
    let host = dependencies.host.as_ref();
    let _deciding = host.deciding();
    let actor = Principal::assumed(counted.person.clone(), counted.kind, counted.channel, []);
    let record =
        CallRecord::Counted(AttemptCounts { by_code: counted.by_code.clone(), since: counted.since });
    let stream = record.stream(counted.since, &actor);
    let last = dependencies.store.last_event(&stream).await?;
    let key = &dependencies.deployment_key;
    let event = record.record_in(stream, host.event_id(), host.now(), &actor, last.as_ref(), key);
    Ok(dependencies.store.record_event(&event, Sequel::Settle(counted)).await?)
}

/// Records that an actor reads across requests, unless they have read the same within the hour.
///
/// # Errors
/// [`AppError::Unavailable`]: what cannot be recorded is not to be read.
pub async fn reading<S: RecordEvent + LoadEvents>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    reading: &Reading,
) -> Result<(), AppError> {
    let now = dependencies.host.now();
    let record = CallRecord::Read(reading.clone());
    let since = now.minus_seconds(READING_SECONDS);
    // The hour may have begun on the day before.
    let mut streams = vec![record.stream(now, actor)];
    if since.day() != now.day() {
        streams.push(record.stream(since, actor));
    }
    for stream in streams {
        let trail = dependencies.store.load_stream(&stream).await?;
        let recent = trail.events.iter().filter(|event| event.timestamp >= since);
        if recent.into_iter().any(|event| reading.is_recorded_by(event)) {
            return Ok(());
        }
    }
    match append(dependencies, actor, &record, Sequel::Keep, |_| false).await? {
        true => Ok(()),
        false => Err(AppError::Unavailable("the reading cannot be recorded".to_owned())),
    }
}
