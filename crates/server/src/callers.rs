//! What the callers who are known may take at once: how many calls of each are under way, how many of them wait for a
//! request to change, and how many bodies of requests there are, of each and of all. A caller is known with any token,
//! so that no caller's share may be all there is.

use countersign_core::person::PersonId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many calls of one caller are under way until their answers have been taken. Further ones wait: what
/// is not read must not fill the memory.
const CALLS_OF_CALLER: usize = 32;
/// How long a call waits for its turn, or for room for its body.
pub(crate) const TURN_TIMEOUT: Duration = Duration::from_secs(20);
/// How many calls of one caller wait for a change. Further ones are answered at once.
const WAITING_OF_CALLER: usize = 64;
/// How many calls of all callers do: each holds a request in memory.
const WAITING: usize = 512;
/// How many bodies are held in memory at once.
const BODIES: usize = 64;
/// How many of them are one caller's. Further ones wait: a caller who never ends a body must not keep
/// others from rejecting and cancelling.
const BODIES_OF_CALLER: usize = 4;

/// All of them.
#[derive(Debug)]
pub struct Callers {
    bodies: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    shares: Mutex<BTreeMap<PersonId, Weak<Share>>>,
}

#[derive(Debug)]
struct Share {
    calls: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

/// A call of a caller that is under way until this is dropped.
#[derive(Debug)]
pub struct Turn {
    share: Arc<Share>,
    waiting_of_all: Arc<Semaphore>,
    held: Mutex<Held>,
}

/// What a call takes.
#[derive(Debug)]
enum Held {
    /// A part of what its caller's calls have.
    Call { _permit: OwnedSemaphorePermit },
    /// A part of what calls that wait have.
    Waiting { _of_all: OwnedSemaphorePermit, _of_caller: OwnedSemaphorePermit },
}

impl Turn {
    /// Whether the call may wait. From then on it takes nothing of what its caller has for other calls: a caller who
    /// waits can still reject and cancel.
    pub fn begin_to_wait(&self) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*held, Held::Waiting { .. }) {
            return true;
        }
        let of_caller = Arc::clone(&self.share.waiting).try_acquire_owned();
        let of_all = Arc::clone(&self.waiting_of_all).try_acquire_owned();
        let (Ok(of_caller), Ok(of_all)) = (of_caller, of_all) else { return false };
        *held = Held::Waiting { _of_all: of_all, _of_caller: of_caller };
        true
    }

    /// Whether the call waits, or has waited.
    pub fn has_waited(&self) -> bool {
        matches!(*self.held.lock().unwrap_or_else(PoisonError::into_inner), Held::Waiting { .. })
    }
}

/// The room for one body. It is free again when this is dropped.
#[derive(Debug)]
pub struct Room {
    _of_all: OwnedSemaphorePermit,
    _of_caller: OwnedSemaphorePermit,
}

impl Default for Callers {
    fn default() -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        Self { bodies: permits(BODIES), waiting: permits(WAITING), shares: Mutex::default() }
    }
}

impl Callers {
    /// Waits until a call of this caller may begin. `None` never comes: no semaphore is closed.
    pub async fn turn(&self, caller: &PersonId) -> Option<Turn> {
        let share = self.share(caller);
        let call = Arc::clone(&share.calls).acquire_owned().await.ok()?;
        let held = Mutex::new(Held::Call { _permit: call });
        Some(Turn { share, waiting_of_all: Arc::clone(&self.waiting), held })
    }

    /// Waits for room for the body of a call. `None` never comes.
    pub async fn room(&self, turn: &Turn) -> Option<Room> {
        // The caller's own share first: a caller who waits for it takes up nothing that others could have.
        let of_caller = Arc::clone(&turn.share.bodies).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.bodies).acquire_owned().await.ok()?;
        Some(Room { _of_all: of_all, _of_caller: of_caller })
    }

    fn share(&self, caller: &PersonId) -> Arc<Share> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(caller).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let permits = |count| Arc::new(Semaphore::new(count));
        let share = Arc::new(Share {
            calls: permits(CALLS_OF_CALLER),
            waiting: permits(WAITING_OF_CALLER),
            bodies: permits(BODIES_OF_CALLER),
        });
        shares.insert(caller.clone(), Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Duration, timeout};

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    fn person(name: &str) -> PersonId {
        PersonId::from_email(&format!("{name}@example.com")).unwrap()
    }

    /// THREATS 44, 67.
    #[tokio::test]
    async fn threat_67_a_caller_who_ends_nothing_keeps_others_from_nothing() {
        let callers = Callers::default();
        let (ann, eve) = (person("ann"), person("eve"));
        let mut turns = Vec::new();
        for _ in 0..CALLS_OF_CALLER {
            turns.push(callers.turn(&eve).await.unwrap());
        }
        assert!(timeout(SHORT, callers.turn(&eve)).await.is_err(), "one more waits");
        let mut rooms = Vec::new();
        for _ in 0..BODIES_OF_CALLER {
            rooms.push(callers.room(&turns[0]).await.unwrap());
        }
        assert!(timeout(SHORT, callers.room(&turns[1])).await.is_err(), "one more waits");
        let turn = timeout(LONG, callers.turn(&ann)).await.unwrap().unwrap();
        assert!(timeout(LONG, callers.room(&turn)).await.is_ok());
        rooms.pop();
        assert!(timeout(LONG, callers.room(&turns[1])).await.is_ok());
        turns.pop();
        assert!(timeout(LONG, callers.turn(&eve)).await.is_ok());
        drop((turns, rooms, turn));
        callers.turn(&ann).await.unwrap();
        assert_eq!(callers.shares.lock().unwrap().len(), 1, "a caller who takes nothing is forgotten");
    }

    #[tokio::test]
    async fn threat_67_a_caller_who_waits_can_still_call_and_takes_no_waiting_from_others() {
        let callers = Callers::default();
        let (ann, eve) = (person("ann"), person("eve"));
        let mut turns = Vec::new();
        for _ in 0..WAITING_OF_CALLER {
            let turn = callers.turn(&eve).await.unwrap();
            assert!(turn.begin_to_wait() && turn.begin_to_wait(), "once for each call");
            turns.push(turn);
        }
        for _ in 0..CALLS_OF_CALLER {
            let turn = timeout(LONG, callers.turn(&eve)).await.unwrap().unwrap();
            assert!(!turn.begin_to_wait(), "one more is answered at once");
            turns.push(turn);
        }
        assert!(timeout(SHORT, callers.turn(&eve)).await.is_err(), "those count as calls");
        assert!(callers.turn(&ann).await.unwrap().begin_to_wait());
        let left = callers.waiting.available_permits();
        assert_eq!(left, WAITING - WAITING_OF_CALLER, "what was not had is given back");
        drop(turns);
        assert_eq!(callers.waiting.available_permits(), WAITING);
    }
}
