//! How many calls are under way at once, and how many of them are held: a call has its arguments in memory, and a caller is known
//! with any token. What ends all that are held is here as well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How many calls of one caller are carried out at once. Further ones wait. A call that is held is none of them.
const CALLS_OF_CALLER: usize = 8;
/// How many calls of all callers are.
const CALLS: usize = 128;
/// How many calls of one caller are held. Further ones are answered at once.
const HELD_OF_CALLER: usize = 64;
/// How many calls of all callers are.
const HELD: usize = 512;

/// The calls of one shell. Clones are one.
#[derive(Debug, Clone)]
pub struct Underway(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    calls: Arc<Semaphore>,
    held: Arc<Semaphore>,
    shares: Mutex<BTreeMap<String, Weak<Share>>>,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct Share {
    calls: Arc<Semaphore>,
    held: Arc<Semaphore>,
}

/// A part of what a caller may have at once. It is free again when this is dropped.
#[derive(Debug)]
pub struct Turn {
    // A caller's share lasts as long as anything of it is taken.
    _share: Arc<Share>,
    _of_caller: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Underway {
    fn default() -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        Self(Arc::new(Shared {
            calls: permits(CALLS),
            held: permits(HELD),
            shares: Mutex::default(),
            stop: watch::Sender::new(false),
        }))
    }
}

impl Underway {
    /// Waits until a call of this caller may begin. `None` never comes: no semaphore is closed.
    pub async fn begin(&self, caller: &str) -> Option<Turn> {
        let share = self.share(caller);
        // The caller's own share first: a caller who waits for it takes up nothing that others could have.
        let of_caller = Arc::clone(&share.calls).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.0.calls).acquire_owned().await.ok()?;
        Some(Turn { _share: share, _of_caller: of_caller, _of_all: of_all })
    }

    /// Room for one more call that is held, if there is any.
    pub(crate) fn hold(&self, caller: &str) -> Option<Turn> {
        let share = self.share(caller);
        let of_caller = Arc::clone(&share.held).try_acquire_owned().ok()?;
        let of_all = Arc::clone(&self.0.held).try_acquire_owned().ok()?;
        Some(Turn { _share: share, _of_caller: of_caller, _of_all: of_all })
    }

    /// Ends the calls that are held, and those to come: each is answered as if its time were over.
    pub(crate) fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    /// Once that has been said.
    pub(crate) async fn stopped(&self) {
        // The sender is this very object's.
        let _ = self.0.stop.subscribe().wait_for(|is_stopped| *is_stopped).await;
    }

    fn share(&self, caller: &str) -> Arc<Share> {
        let mut shares = self.0.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(caller).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let permits = |count| Arc::new(Semaphore::new(count));
        let share = Arc::new(Share { calls: permits(CALLS_OF_CALLER), held: permits(HELD_OF_CALLER) });
        shares.insert(caller.to_owned(), Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_caller_has_no_more_than_a_share() {
        let underway = Underway::default();
        let mut held: Vec<_> = (0..HELD_OF_CALLER).map(|_| underway.hold("eve").unwrap()).collect();
        assert!(underway.hold("eve").is_none() && underway.hold("ann").is_some());
        held.pop();
        assert!(underway.hold("eve").is_some(), "what has ended is free");
        let others = (1..HELD / HELD_OF_CALLER).flat_map(|caller| {
            let underway = &underway;
            (0..HELD_OF_CALLER).map(move |_| underway.hold(&format!("caller {caller}")).unwrap())
        });
        held.extend(others);
        held.push(underway.hold("ann").unwrap());
        assert!(underway.hold("bob").is_none(), "no more than that in all");
        drop(held);
        assert!(underway.hold("bob").is_some());

        let mut calls = Vec::new();
        for _ in 0..CALLS_OF_CALLER {
            calls.push(underway.begin("eve").await.unwrap());
        }
        assert!(timeout(SHORT, underway.begin("eve")).await.is_err());
        assert!(timeout(SHORT, underway.begin("ann")).await.is_ok());
        calls.pop();
        assert!(timeout(SHORT, underway.begin("eve")).await.is_ok());
    }

    #[tokio::test]
    async fn a_stop_is_heard_before_and_after() {
        let underway = Underway::default();
        assert!(timeout(SHORT, underway.stopped()).await.is_err());
        underway.clone().stop();
        assert!(timeout(SHORT, underway.stopped()).await.is_ok());
    }
}
