//! Calls that have callers, by what they ask for. A client that gives up often repeats at once: what it repeats waits until the
//! call that it gave up is free to be gone on with, and does not become another one.

use crate::waiting::{Gone, becomes_true};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long it may take until it is noticed that a connection is closed.
const NOTICED: Duration = Duration::from_millis(50);
/// How long a call that was given up may take to be free.
const FREED: Duration = Duration::from_secs(2);

/// Calls that have callers.
#[derive(Debug, Clone, Default)]
pub struct Holding {
    held: Arc<Mutex<Vec<Held>>>,
}

#[derive(Debug, Clone)]
struct Held {
    identity: String,
    gone: Gone,
    freed: watch::Receiver<bool>,
}

/// A call that has a caller, until it is dropped.
#[derive(Debug)]
pub struct HeldByCaller {
    holding: Holding,
    freed: watch::Sender<bool>,
}

impl Holding {
    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call that asks for this; those for the same that were given up are free by then.
    pub async fn hold(&self, identity: &str, gone: &Gone) -> HeldByCaller {
        let same: Vec<_> = self.held().iter().filter(|held| held.identity == identity).cloned().collect();
        if !same.is_empty() {
            tokio::time::sleep(NOTICED).await;
        }
        for held in same.into_iter().filter(|held| held.gone.is_gone()) {
            // One that is not free by then is in other hands.
            let _ = tokio::time::timeout(FREED, becomes_true(held.freed)).await;
        }
        let (sender, freed) = watch::channel(false);
        self.held().push(Held { identity: identity.to_owned(), gone: gone.clone(), freed });
        HeldByCaller { holding: self.clone(), freed: sender }
    }
}

impl Drop for HeldByCaller {
    fn drop(&mut self) {
        let freed = self.freed.subscribe();
        self.holding.held().retain(|held| !held.freed.same_channel(&freed));
        self.freed.send_replace(true);
    }
}
