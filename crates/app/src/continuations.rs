//! Resuming those who wait for a request outside of Countersign: the events that they wait for release them, and what is
//! released is sent, at least once.
//!
//! Releasing and sending are two steps: a state machine that cannot be reached holds up no event.

use crate::error::AppError;
use crate::host::Clock;
use crate::ports::{Publish, PublishError, StoreError};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::continuation::{Handle, Outcome, ResumeOn};
use countersign_core::ids::RequestId;
use countersign_core::notification::Notice;
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;
use std::future::Future;
use std::time::Duration;

/// How long it is tried to send what was released, in seconds: 14 days.
pub const GIVE_UP_AFTER_SECONDS: u32 = 14 * 24 * 60 * 60;

/// Those who wait for requests.
pub trait Continuations: Send + Sync {
    /// The name of the partition that holds what is released.
    fn released_shard(&self) -> &'static str;

    /// Releases whoever waits for a request to have a status such as this. Nothing happens if that is none.
    fn release(
        &self,
        request_id: RequestId,
        status: Status,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Some of what is released, in one order, from after a request.
    fn released(
        &self,
        after: Option<RequestId>,
    ) -> impl Future<Output = Result<Vec<Result<Released, RequestId>>, StoreError>> + Send;

    /// What is released for a request; strongly consistent.
    fn released_for(
        &self,
        request_id: RequestId,
    ) -> impl Future<Output = Result<Option<Result<Released, RequestId>>, StoreError>> + Send;

    /// Erases what was released. Nothing happens if it is gone already.
    fn erase(&self, request_id: RequestId) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Somebody who is to be resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// What resumes them.
    pub handle: Handle,
    /// What they get to know.
    pub outcome: Outcome,
    /// Whether they go on, or learn that it failed.
    pub goes_on: bool,
    /// When they were released.
    pub at: Timestamp,
}

/// Resumes those who wait.
pub trait Resume: Send + Sync {
    /// Resumes one of them.
    fn resume(&self, released: &Released) -> impl Future<Output = Result<(), ResumeError>> + Send;
}

/// Why nobody was resumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// They do not wait any more: resumed before, timed out, or gone. There is nothing left to do.
    #[error("{0}")]
    Gone(String),
    /// They were not reached, or not permitted to be.
    #[error("{0}")]
    Unreached(String),
}

/// Publishes events, after it has released whoever waits for them.
#[derive(Debug, Clone)]
pub struct Releasing<C, P> {
    continuations: C,
    publisher: P,
}

impl<C, P> Releasing<C, P> {
    /// Over this publisher.
    pub fn new(continuations: C, publisher: P) -> Self {
        Self { continuations, publisher }
    }
}

impl<C: Continuations, P: Publish> Publish for Releasing<C, P> {
    async fn publish(&self, event: &CloudEvent) -> Result<(), PublishError> {
        if let Notice::Event(notification) = &event.notice
            && ResumeOn::Decision.is_reached_by(notification.status)
        {
            let (id, status, at) = (notification.request_id, notification.status, notification.timestamp);
            let released = self.continuations.release(id, status, at).await;
            released.map_err(|error| PublishError::Unreachable(error.to_string()))?;
        }
        self.publisher.publish(event).await
    }
}

/// What a sweep of those who are released did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResumeReport {
    /// Resumed now, or gone before.
    pub settled: usize,
    /// Not reached; they are tried again.
    pub failed: usize,
    /// Erased without having been reached: for too long, or unreadable.
    pub given_up: usize,
    /// Whether time ran out before the end.
    pub cut_short: bool,
}

/// Resumes all who are released, for at most `budget`.
///
/// # Errors
/// [`AppError::Unavailable`] when they cannot be read or erased.
pub async fn resume<C: Continuations, R: Resume>(
    continuations: &C,
    resumer: &R,
    clock: &dyn Clock,
    budget: Duration,
) -> Result<ResumeReport, AppError> {
    let began = clock.elapsed();
    let mut report = ResumeReport::default();
    let mut after = None;
    loop {
        let page = continuations.released(after).await?;
        let Some(last) = page.last().map(request_id) else { return Ok(report) };
        for released in page {
            if clock.elapsed().saturating_sub(began) >= budget {
                report.cut_short = true;
                return Ok(report);
            }
            match resume_one(continuations, resumer, clock, released).await? {
                End::Settled => report.settled += 1,
                End::GivenUp => report.given_up += 1,
                End::Unreached => report.failed += 1,
            }
        }
        after = Some(last);
    }
}

/// Resumes those who were just released for these requests; returns for each whether that is settled. What is not stays
/// for the sweep.
pub async fn resume_each<C: Continuations, R: Resume>(
    continuations: &C,
    resumer: &R,
    clock: &dyn Clock,
    request_ids: &[RequestId],
) -> Vec<bool> {
    let mut settled = Vec::with_capacity(request_ids.len());
    for request_id in request_ids {
        let end = match continuations.released_for(*request_id).await {
            Ok(None) => Ok(End::Settled),
            Ok(Some(released)) => resume_one(continuations, resumer, clock, released).await,
            Err(error) => Err(error),
        };
        settled.push(match end {
            Ok(end) => end != End::Unreached,
            Err(error) => {
                tracing::warn!(%request_id, %error, "the outbox does not answer");
                false
            }
        });
    }
    settled
}

fn request_id(released: &Result<Released, RequestId>) -> RequestId {
    released.as_ref().map_or_else(|request_id| *request_id, |released| released.outcome.request_id)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Settled,
    GivenUp,
    Unreached,
}

async fn resume_one<C: Continuations, R: Resume>(
    continuations: &C,
    resumer: &R,
    clock: &dyn Clock,
    released: Result<Released, RequestId>,
) -> Result<End, StoreError> {
    let request_id = request_id(&released);
    let Ok(released) = released else {
        tracing::error!(%request_id, "a continuation cannot be read, and is erased");
        continuations.erase(request_id).await?;
        return Ok(End::GivenUp);
    };
    let end = match resumer.resume(&released).await {
        Ok(()) => End::Settled,
        Err(ResumeError::Gone(why)) => {
            tracing::info!(%request_id, why, "nobody waits any more");
            End::Settled
        }
        Err(ResumeError::Unreached(error)) => {
            let is_over = clock.now() > released.at.plus_seconds(GIVE_UP_AFTER_SECONDS);
            tracing::warn!(%request_id, is_given_up = is_over, error, "a continuation was not resumed");
            if !is_over {
                return Ok(End::Unreached);
            }
            End::GivenUp
        }
    };
    continuations.erase(request_id).await?;
    Ok(end)
}
