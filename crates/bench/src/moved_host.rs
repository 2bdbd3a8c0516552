//! The machine's clock, which a measurement moves on: deadlines of days pass at once, and durations stay real.

use countersign_app::host::{BoxFuture, Clock, Ids, Observer};
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use countersign_system::system::SystemHost;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A host whose time of day is ahead of the machine's.
#[derive(Debug, Default)]
pub(crate) struct MovedHost {
    system: SystemHost,
    ahead_milliseconds: AtomicI64,
}

impl MovedHost {
    /// Moves the time of day on, once more.
    pub(crate) fn advance_seconds(&self, seconds: u32) {
        self.ahead_milliseconds.fetch_add(i64::from(seconds) * 1000, Ordering::Relaxed);
    }
}

impl Clock for MovedHost {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_milliseconds.load(Ordering::Relaxed);
        Timestamp::from_millisecond(self.system.now().as_millisecond().saturating_add(ahead))
    }

    fn elapsed(&self) -> Duration {
        self.system.elapsed()
    }

    fn pause(&self, at_most: Duration) -> BoxFuture<'_, ()> {
        self.system.pause(at_most)
    }
}

impl Ids for MovedHost {
    fn event_id(&self) -> EventId {
        self.system.event_id()
    }

    fn request_id(&self) -> RequestId {
        self.system.request_id()
    }

    fn execution_id(&self) -> ExecutionId {
        self.system.execution_id()
    }

    fn text_key(&self) -> TextKey {
        self.system.text_key()
    }
}

impl Observer for MovedHost {}
