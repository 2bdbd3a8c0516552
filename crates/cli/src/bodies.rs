//! The room for bodies of requests that are on their way: how many are in memory at once, and how many of
//! them are one caller's.

use countersign_core::person::PersonId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bodies are held in memory at once.
const BODIES: usize = 64;
/// How many of them are one caller's. Further ones wait: a caller who never ends a body must not keep
/// others from rejecting and cancelling.
const BODIES_OF_CALLER: usize = 4;

/// The room.
#[derive(Debug)]
pub struct Bodies {
    all: Arc<Semaphore>,
    callers: Mutex<BTreeMap<PersonId, Weak<Semaphore>>>,
}

/// A place for one body. It is free again when this is dropped.
#[derive(Debug)]
pub struct Room {
    _all: OwnedSemaphorePermit,
    _of_caller: OwnedSemaphorePermit,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(BODIES)), callers: Mutex::default() }
    }
}

impl Bodies {
    /// Waits for a place for a body of this caller's. `None` never comes while the service runs.
    pub async fn room(&self, caller: &PersonId) -> Option<Room> {
        // The caller's own place first: who waits for it takes up none that others could have.
        let of_caller = self.of_caller(caller).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Room { _all: all, _of_caller: of_caller })
    }

    fn of_caller(&self, caller: &PersonId) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = callers.get(caller).and_then(Weak::upgrade) {
            return places;
        }
        callers.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(BODIES_OF_CALLER));
        callers.insert(caller.clone(), Arc::downgrade(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Duration, timeout};

    /// THREATS 44, 67.
    #[tokio::test]
    async fn threat_67_a_caller_who_ends_no_body_keeps_others_from_nothing() {
        let person = |name: &str| PersonId::from_email(&format!("{name}@example.com")).unwrap();
        let bodies = Bodies::default();
        let mut held = Vec::new();
        for _ in 0..BODIES_OF_CALLER {
            held.push(bodies.room(&person("eve")).await.unwrap());
        }
        let (ann, eve) = (person("ann"), person("eve"));
        assert!(timeout(Duration::from_millis(20), bodies.room(&eve)).await.is_err(), "the fifth waits");
        assert!(timeout(Duration::from_secs(60), bodies.room(&ann)).await.is_ok());
        held.pop();
        assert!(timeout(Duration::from_secs(60), bodies.room(&eve)).await.is_ok());
        drop(held);
        bodies.room(&ann).await.unwrap();
        assert_eq!(bodies.callers.lock().unwrap().len(), 1, "who holds nothing is forgotten");
    }
}
