//! A time of day that a measurement moves on: deadlines of days pass at once, and durations stay real.

use countersign_app::host::{BoxFuture, Clock, Ids, Observer};
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use countersign_system::system::SystemHost;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// When a clock that stands begins, in milliseconds: the afternoon of a Monday, 2026-03-09T14:00:00Z.
const STANDING: i64 = 1_773_064_800_000;

/// A host whose time of day is ahead of the machine's, or stands.
#[derive(Debug, Default)]
pub(crate) struct MovedHost {
    system: SystemHost,
    ahead_milliseconds: AtomicI64,
    standing: Option<Standing>,
}

/// What makes every run of a measurement the same: the time, and the ids of events, by which they are spread.
#[derive(Debug, Default)]
struct Standing {
    next_event: AtomicU64,
}

impl MovedHost {
    /// A host whose clock stands until it is moved, and whose events have the same ids in every run.
    pub(crate) fn standing() -> Self {
        Self { standing: Some(Standing::default()), ..Self::default() }
    }

    /// Moves the time of day on, once more.
    pub(crate) fn advance_seconds(&self, seconds: u32) {
        self.ahead_milliseconds.fetch_add(i64::from(seconds) * 1000, Ordering::Relaxed);
    }
}

impl Clock for MovedHost {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_milliseconds.load(Ordering::Relaxed);
        let now = if self.standing.is_some() { STANDING } else { self.system.now().as_millisecond() };
        Timestamp::from_millisecond(now.saturating_add(ahead))
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
        let fresh = self.system.event_id();
        let Some(standing) = &self.standing else { return fresh };
        // A UUIDv7: the time first, then what tells those of a millisecond apart, in their order.
        let time = self.now().as_millisecond();
        let number = standing.next_event.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (time >> 16, time & 0xffff);
        EventId::parse(&format!("{high:08x}-{low:04x}-7000-8000-{number:012x}")).unwrap_or(fresh)
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

    fn secret(&self) -> [u8; 32] {
        self.system.secret()
    }

    fn nonce(&self) -> [u8; 12] {
        self.system.nonce()
    }
}

impl Observer for MovedHost {}
