//! Holding a call until approvers have decided, for no longer than its client waits.

use crate::calls::{Calls, is_passing};
use countersign_agents::notice::Notice;
use countersign_agents::progress::progress;
use countersign_api::outgoing::Api;
use countersign_api::wire::RequestBody;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{RequestContext, RoleServer};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

/// How long one call of the API waits, in seconds: less than any shell's client does.
const WAIT_SECONDS: u64 = 20;
/// How soon the service is asked again that lets no call wait, or has just failed.
const PACE: Duration = Duration::from_secs(1);
/// The same once a call is held for longer than [`SLOW_AFTER`].
const SLOW_PACE: Duration = Duration::from_secs(5);
const SLOW_AFTER: Duration = Duration::from_secs(60);

/// How often clients ask after a task that is so old.
pub(crate) fn pace(age: Duration) -> Duration {
    if age < SLOW_AFTER { PACE } else { SLOW_PACE }
}

/// Whether approvers still have to decide.
pub(crate) fn is_waiting(request: &RequestBody) -> bool {
    request.status == "pending"
}

/// A request with no more of it than is compared and reported while it waits: calls are held by the hundred, and the rest of a
/// request has no limit that is small.
fn compared(request: RequestBody) -> RequestBody {
    RequestBody {
        parameters: None,
        content: None,
        target: None,
        execution_result: None,
        justification: None,
        rollback_plan: None,
        comments: Vec::new(),
        decisions: Vec::new(),
        withdrawals: Vec::new(),
        rules: Vec::new(),
        slots: Vec::new(),
        requester_groups: Vec::new(),
        ..request
    }
}

impl<P: Api> Calls<P> {
    /// How long a call is held: for as long as its client waits, and no longer than the caller asks.
    fn hold_time(&self, token: Option<&ProgressToken>, seconds: Option<u64>) -> Duration {
        let holds = self.settings.holds;
        let most = holds.with_progress.filter(|_| token.is_some()).unwrap_or(holds.silent);
        seconds.map_or(most, |seconds| most.min(Duration::from_secs(seconds)))
    }

    /// The request once it does not wait any more, or as it is when the time is over, or the client is gone; at once where
    /// too many calls are held already.
    pub(crate) async fn hold(
        &self,
        seen: RequestBody,
        seconds: Option<u64>,
        context: &RequestContext<RoleServer>,
    ) -> Result<RequestBody, Box<Notice>> {
        let can_tell = self.settings.holds.with_progress.is_some();
        let me = &self.me().await?.person;
        let Some(_room) = self.settings.underway.hold(me) else { return Ok(seen) };
        self.end_turn();
        let mut seen = compared(seen);
        let token = context.meta.get_progress_token().filter(|_| can_tell);
        let began = Instant::now();
        let end = began + self.hold_time(token.as_ref(), seconds);
        let every = self.settings.holds.interval;
        let mut news = interval_at(began + every, every);
        news.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = 0_u32;
        while is_waiting(&seen) && Instant::now() < end {
            let before = seen.clone();
            let next = self.next(&before, began, end.saturating_duration_since(Instant::now()));
            tokio::pin!(next);
            let answer = loop {
                tokio::select! {
                    answer = &mut next => break answer,
                    () = context.ct.cancelled() => return Ok(seen),
                    () = self.settings.underway.stopped() => return Ok(seen),
                    () = sleep_until(end) => return Ok(seen),
                    _ = news.tick(), if token.is_some() => {
                        told += 1;
                        let Some(token) = token.clone() else { continue };
                        let message = progress(&seen, self.settings.host.now());
                        let notification =
                            ProgressNotificationParam::new(token, f64::from(told)).with_message(message);
                        // A client that is gone cancels the call by itself.
                        let _ = context.peer.notify_progress(notification).await;
                    }
                }
            };
            seen = answer?;
            if is_waiting(&seen) {
                seen = compared(seen);
            }
        }
        Ok(seen)
    }

    /// The request when something has happened to it, or after a while.
    async fn next(
        &self,
        seen: &RequestBody,
        held_since: Instant,
        left: Duration,
    ) -> Result<RequestBody, Box<Notice>> {
        let began = Instant::now();
        // Nothing waits at the service any longer than here.
        let seconds = (left.as_secs() + 1).min(WAIT_SECONDS);
        let answer = match self.request_after(seen, seconds).await {
            // A service that does not know `wait` refuses it.
            Err(notice) if notice.code == "validation_failed" => self.request(&seen.request_id).await,
            answer => answer,
        };
        let is_news =
            answer.as_ref().is_ok_and(|now| (now.version, &now.status) != (seen.version, &seen.status));
        if !is_news {
            sleep_until(began + pace(held_since.elapsed())).await;
        }
        match answer {
            Err(notice) if is_passing(&notice) => Ok(seen.clone()),
            answer => answer,
        }
    }
}
