//! The host of the running service: it wakes those who wait for a request, counts what happens, and knows which decisions
//! are under way.
//!
//! Every event of a data directory is decided in this one process, so it is known exactly up to when the trail is
//! settled. Knows neither requests nor the store.

use crate::metrics::Metrics;
use crate::waiters::Waiters;
use countersign_app::host::{BoxFuture, Clock, Deciding, Host, Ids, Observer};
use countersign_core::event::Event;
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::request::Request;
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When the decisions that are under way began.
#[derive(Debug, Default)]
struct Decisions(Mutex<Begun>);

#[derive(Debug, Default)]
struct Begun {
    /// Each by its time, and a number of its own.
    under_way: BTreeSet<(Timestamp, u64)>,
    last: u64,
}

impl Decisions {
    /// INVARIANT: the clock is read under the lock, so that no decision begins at a time that has been settled.
    fn begin(this: &Arc<Self>, now: impl FnOnce() -> Timestamp) -> UnderWay {
        let mut begun = this.begun();
        begun.last += 1;
        let key = (now(), begun.last);
        begun.under_way.insert(key);
        UnderWay { decisions: Arc::clone(this), key }
    }

    /// The millisecond before the first decision that is under way, or before now.
    fn settled_until(&self, now: impl FnOnce() -> Timestamp) -> Timestamp {
        let begun = self.begun();
        let now = now();
        let first = begun.under_way.first().map_or(now, |(began, _)| now.min(*began));
        Timestamp::from_millisecond(first.as_millisecond().saturating_sub(1))
    }

    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them; over once it is dropped.
struct UnderWay {
    decisions: Arc<Decisions>,
    key: (Timestamp, u64),
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.decisions.begun().under_way.remove(&self.key);
    }
}

/// A host that wakes those who wait for what it is told of.
#[derive(Debug)]
pub struct ObservedHost {
    host: Arc<dyn Host>,
    waiters: Arc<Waiters>,
    metrics: Arc<Metrics>,
    unauthenticated: Arc<AtomicU64>,
    decisions: Arc<Decisions>,
}

impl ObservedHost {
    /// This host, who waits, and where it is counted.
    pub fn new(
        host: Arc<dyn Host>,
        waiters: Arc<Waiters>,
        metrics: Arc<Metrics>,
        unauthenticated: Arc<AtomicU64>,
    ) -> Self {
        Self { host, waiters, metrics, unauthenticated, decisions: Arc::default() }
    }
}

impl Clock for ObservedHost {
    fn now(&self) -> Timestamp {
        self.host.now()
    }

    fn deciding(&self) -> Deciding {
        Deciding::until_dropped(Decisions::begin(&self.decisions, || self.host.now()))
    }

    fn settled_until(&self) -> Timestamp {
        self.decisions.settled_until(|| self.host.now())
    }

    fn elapsed(&self) -> Duration {
        self.host.elapsed()
    }

    fn pause(&self, at_most: Duration) -> BoxFuture<'_, ()> {
        self.host.pause(at_most)
    }
}

impl Ids for ObservedHost {
    fn event_id(&self) -> EventId {
        self.host.event_id()
    }

    fn request_id(&self) -> RequestId {
        self.host.request_id()
    }

    fn execution_id(&self) -> ExecutionId {
        self.host.execution_id()
    }

    fn text_key(&self) -> TextKey {
        self.host.text_key()
    }

    fn secret(&self) -> [u8; 32] {
        self.host.secret()
    }

    fn nonce(&self) -> [u8; 12] {
        self.host.nonce()
    }
}

impl Observer for ObservedHost {
    fn on_commit(&self, event: &Event, after: &Request) {
        self.waiters.committed(event.request_id);
        self.metrics.committed(event, after);
        self.host.on_commit(event, after);
    }

    fn on_damaged_request(&self, request_id: RequestId) {
        self.metrics.damaged_request();
        self.host.on_damaged_request(request_id);
    }

    fn on_unauthenticated(&self) -> bool {
        self.unauthenticated.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn on_damaged_rows(&self, count: usize) {
        self.metrics.damaged_rows(count);
        self.host.on_damaged_rows(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond)
    }

    #[test]
    fn what_is_under_way_is_not_settled() {
        let decisions = Arc::<Decisions>::default();
        assert_eq!(decisions.settled_until(|| at(1000)), at(999));
        let first = Decisions::begin(&decisions, || at(1000));
        let second = Decisions::begin(&decisions, || at(1000));
        let third = Decisions::begin(&decisions, || at(1500));
        drop(first);
        assert_eq!(decisions.settled_until(|| at(2000)), at(999), "another began in the same millisecond");
        drop(second);
        assert_eq!(decisions.settled_until(|| at(2000)), at(1499));
        drop(third);
        assert_eq!(decisions.settled_until(|| at(2000)), at(1999));
    }
}
