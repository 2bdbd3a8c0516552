//! Waiting for approvers: as long as a caller is there, and is not to be answered first.

use crate::outbox::Outbox;
use countersign_agents::progress::progress;
use countersign_app::host::Clock as _;
use countersign_system::system::SystemHost;
use countersign_tool_calls::{CallError, Standing, WaitingCall};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

/// How often a caller hears that it still waits.
const PROGRESS: Duration = Duration::from_secs(10);
/// How soon a service that could not be reached is asked again.
const AGAIN: Duration = Duration::from_secs(2);
/// Longer than any request waits.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Becomes true once no answer is wanted any more.
#[derive(Debug, Clone)]
pub struct Gone {
    /// The caller has said so, or its conversation has ended.
    pub left: watch::Receiver<bool>,
    /// Where the answer would go.
    pub reply: Option<Outbox>,
}

impl Gone {
    /// Waits until the caller is gone.
    pub async fn wait(&self) {
        let has_left = becomes_true(self.left.clone());
        match &self.reply {
            Some(reply) => tokio::select! { () = has_left => {}, () = reply.closed() => {} },
            None => has_left.await,
        }
    }

    /// Whether the caller is gone.
    pub fn is_gone(&self) -> bool {
        *self.left.borrow() || self.reply.as_ref().is_some_and(Outbox::is_closed)
    }
}

/// Waits until something is said to be so, or what could say it is gone.
pub async fn becomes_true(mut said: watch::Receiver<bool>) {
    let _ = said.wait_for(|is_so| *is_so).await;
}

/// How waiting has ended.
#[derive(Debug)]
pub enum Waited {
    /// It is not pending any more.
    Decided(Box<WaitingCall>),
    /// The caller is to be answered now.
    Held(Box<WaitingCall>),
    /// The caller is gone.
    Gone(Box<WaitingCall>),
    /// This program is about to end.
    Stopped(Box<WaitingCall>),
    /// It cannot be waited for.
    Failed(CallError),
}

/// Waits. `tell` gets a number that rises, and how far the request is.
pub async fn until_decided(
    mut waiting: Box<WaitingCall>,
    hold: Option<Duration>,
    gone: &Gone,
    stop: &watch::Receiver<bool>,
    tell: impl Fn(u64, &str),
) -> Waited {
    let end = Instant::now() + hold.unwrap_or(FOREVER);
    let mut ticks = interval_at(Instant::now() + PROGRESS, PROGRESS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = 0;
    while waiting.standing() == Standing::Pending {
        let watch = waiting.watch();
        let mut news = tokio::task::spawn_blocking(move || watch.next());
        loop {
            tokio::select! {
                biased;
                result = &mut news => {
                    match result {
                        Ok(Ok(request)) => {
                            if let Err(error) = waiting.update(request) {
                                return Waited::Failed(error);
                            }
                        }
                        Ok(Err(error)) if !error.is_passing() => return Waited::Failed(error.into()),
                        // It may be back before the caller is to be answered.
                        Ok(Err(_)) | Err(_) => tokio::select! {
                            () = sleep(AGAIN) => {}
                            () = gone.wait() => return Waited::Gone(waiting),
                            () = sleep_until(end) => return Waited::Held(waiting),
                        },
                    }
                    break;
                }
                () = gone.wait() => return Waited::Gone(waiting),
                () = becomes_true(stop.clone()) => return Waited::Stopped(waiting),
                () = sleep_until(end) => return Waited::Held(waiting),
                _ = ticks.tick() => {
                    told += 1;
                    tell(told, &progress(waiting.request(), SystemHost::default().now()));
                }
            }
        }
    }
    Waited::Decided(waiting)
}
