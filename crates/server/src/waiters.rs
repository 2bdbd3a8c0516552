//! The calls that wait for a request to change, and what wakes them: a commit of this process, a deadline, another
//! policy, the end of the service. The store is written by this process alone, so nothing else has to be looked at.

use crate::callers::Turn;
use countersign_app::host::BoxFuture;
use countersign_app::waiting::{Waiting, Watch, Woken};
use countersign_core::ids::RequestId;
use countersign_core::policy::Policy;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Counts the commits on one request.
type Commits = watch::Sender<u64>;

/// All of them.
#[derive(Debug)]
pub struct Waiters {
    /// The requests that calls wait for.
    watched: Mutex<BTreeMap<RequestId, Weak<Commits>>>,
    /// The policy that was put in force last, if one was since the start.
    policy: watch::Sender<Option<Arc<Policy>>>,
    is_ending: watch::Sender<bool>,
}

impl Default for Waiters {
    fn default() -> Self {
        Self {
            watched: Mutex::default(),
            policy: watch::Sender::new(None),
            is_ending: watch::Sender::new(false),
        }
    }
}

impl Waiters {
    /// What lets one call wait. It is made before the call takes a policy: it hears of each that comes later.
    pub fn of_call(self: &Arc<Self>) -> CallWaiting {
        CallWaiting { waiters: Arc::clone(self), policy: self.policy.subscribe(), turn: None }
    }

    /// This policy is in force from now on.
    pub fn policy_replaced(&self, policy: Arc<Policy>) {
        self.policy.send_replace(Some(policy));
    }

    /// The service stops: those who wait are answered, and no call waits any more.
    pub fn end(&self) {
        self.is_ending.send_replace(true);
    }

    pub(crate) fn committed(&self, request_id: RequestId) {
        let watched = self.watched().get(&request_id).and_then(Weak::upgrade);
        if let Some(commits) = watched {
            commits.send_modify(|count| *count += 1);
        }
    }

    fn commits(&self, request_id: RequestId) -> Arc<Commits> {
        let mut watched = self.watched();
        if let Some(commits) = watched.get(&request_id).and_then(Weak::upgrade) {
            return commits;
        }
        watched.retain(|_, commits| commits.strong_count() > 0);
        let commits = Arc::new(Commits::new(0));
        watched.insert(request_id, Arc::downgrade(&commits));
        commits
    }

    fn watched(&self) -> MutexGuard<'_, BTreeMap<RequestId, Weak<Commits>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What lets one call wait.
#[derive(Debug)]
pub struct CallWaiting {
    waiters: Arc<Waiters>,
    policy: watch::Receiver<Option<Arc<Policy>>>,
    turn: Option<Arc<Turn>>,
}

impl CallWaiting {
    /// The call has this turn, which it gives back while it waits. Without one it does not wait.
    pub fn in_turn(self, turn: Option<&Arc<Turn>>) -> Self {
        Self { turn: turn.map(Arc::clone), ..self }
    }
}

impl Waiting for CallWaiting {
    fn watch(&self, request_id: RequestId, at_most: Duration) -> Option<Box<dyn Watch>> {
        let may_wait = self.turn.as_ref().is_some_and(|turn| turn.begin_to_wait());
        may_wait.then(|| {
            let commits = self.waiters.commits(request_id);
            Box::new(Watching {
                changes: commits.subscribe(),
                _commits: commits,
                policy: self.policy.clone(),
                is_ending: self.waiters.is_ending.subscribe(),
                end: Instant::now() + at_most,
            }) as Box<dyn Watch>
        })
    }
}

/// One call that waits.
struct Watching {
    changes: watch::Receiver<u64>,
    /// Keeps the request among those that are watched.
    _commits: Arc<Commits>,
    policy: watch::Receiver<Option<Arc<Policy>>>,
    is_ending: watch::Receiver<bool>,
    end: Instant,
}

impl Watch for Watching {
    fn next(&mut self, deadline_in: Option<Duration>) -> BoxFuture<'_, Woken> {
        let deadline = deadline_in.map(|left| Instant::now() + left).filter(|deadline| *deadline < self.end);
        Box::pin(async move {
            // What is at the other end of these lives as long as the service. If it did not, that would be the end.
            tokio::select! {
                _ = self.is_ending.wait_for(|is_ending| *is_ending) => Woken::End,
                changed = self.policy.changed() => match (changed, self.policy.borrow_and_update().clone()) {
                    (Ok(()), Some(policy)) => Woken::Policy(policy),
                    _ => Woken::End,
                },
                changed = self.changes.changed() => match changed {
                    Ok(()) => Woken::Change,
                    Err(_) => Woken::End,
                },
                () = sleep_until(deadline.unwrap_or(self.end)) => match deadline {
                    Some(_) => Woken::Deadline,
                    None => Woken::End,
                },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callers::Callers;
    use countersign_core::person::PersonId;
    use countersign_policy::load;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(10);

    fn request_id(last: u8) -> RequestId {
        RequestId::parse(&format!("01930000-0000-4000-8000-0000000000{last:02}")).unwrap()
    }

    async fn turn() -> Option<Arc<Turn>> {
        let ann = PersonId::from_email("ann@example.com").unwrap();
        Callers::default().turn(&ann).await.map(Arc::new)
    }

    #[tokio::test]
    async fn what_happens_after_a_watch_has_begun_wakes_it_and_nothing_else_does() {
        let waiters = Arc::<Waiters>::default();
        let call = waiters.of_call();
        waiters.policy_replaced(Arc::new(load::bundled().unwrap()));
        let call = call.in_turn(turn().await.as_ref());
        let mut watch = call.watch(request_id(1), LONG).unwrap();
        // Before it sleeps.
        waiters.committed(request_id(1));
        waiters.committed(request_id(2));
        let mut woken = Vec::new();
        for _ in 0..2 {
            woken.push(watch.next(None).await);
        }
        woken.sort_by_key(|woken| matches!(woken, Woken::Policy(_)));
        assert!(matches!(woken.as_slice(), [Woken::Change, Woken::Policy(_)]), "each once: {}", woken.len());
        assert!(matches!(watch.next(Some(SHORT)).await, Woken::Deadline), "and no third time");
        let later = waiters.of_call().in_turn(turn().await.as_ref());
        assert!(matches!(later.watch(request_id(1), SHORT).unwrap().next(Some(LONG)).await, Woken::End));
        waiters.end();
        assert!(matches!(watch.next(Some(LONG)).await, Woken::End));
        assert!(matches!(later.watch(request_id(1), LONG).unwrap().next(None).await, Woken::End));
        assert!(
            waiters.of_call().watch(request_id(1), LONG).is_none(),
            "a call without a turn does not wait"
        );
    }

    #[tokio::test]
    async fn a_request_that_no_call_waits_for_is_forgotten() {
        let waiters = Arc::<Waiters>::default();
        let call = waiters.of_call().in_turn(turn().await.as_ref());
        let first = call.watch(request_id(1), LONG).unwrap();
        let again = call.watch(request_id(1), LONG).unwrap();
        assert_eq!(waiters.watched().len(), 1);
        drop(first);
        waiters.committed(request_id(1));
        drop(again);
        let _other = call.watch(request_id(2), LONG).unwrap();
        assert_eq!(waiters.watched().len(), 1);
    }
}
