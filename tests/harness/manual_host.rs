//! A clock that stands still until a test moves it, and ids that are the same in every run.

use countersign_app::host::{BoxFuture, Clock, Ids, Observer};
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use uuid::Builder;

/// When every manual clock begins.
pub const BEGINNING: &str = "2026-01-01T00:00:00.000Z";

/// A host under a test's control. Clones share the clock and the ids.
#[derive(Debug, Clone)]
pub struct ManualHost {
    millisecond: Arc<AtomicI64>,
    elapsed_millisecond: Arc<AtomicU64>,
    next_id: Arc<AtomicU64>,
}

impl Default for ManualHost {
    fn default() -> Self {
        let beginning = Timestamp::parse(BEGINNING).unwrap().as_millisecond();
        Self {
            millisecond: Arc::new(AtomicI64::new(beginning)),
            elapsed_millisecond: Arc::default(),
            next_id: Arc::default(),
        }
    }
}

impl ManualHost {
    /// Moves the clock; a negative number moves it back.
    pub fn advance_milliseconds(&self, milliseconds: i64) {
        self.millisecond.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Lets time pass for those who measure it, and not for the calendar.
    pub fn advance_elapsed(&self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap();
        self.elapsed_millisecond.fetch_add(milliseconds, Ordering::SeqCst);
    }

    fn number(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::SeqCst)
    }

    fn random_like(&self) -> uuid::Uuid {
        // Multiplication by an odd number keeps ids apart and spreads them.
        let spread = self.number().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&spread.to_be_bytes());
        bytes[8..].copy_from_slice(&spread.rotate_left(32).to_be_bytes());
        Builder::from_random_bytes(bytes).into_uuid()
    }
}

impl Clock for ManualHost {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millisecond.load(Ordering::SeqCst))
    }

    /// Advances by what was paused, so that a test of endless retries ends.
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_millisecond.load(Ordering::SeqCst))
    }

    fn pause(&self, at_most: Duration) -> BoxFuture<'_, ()> {
        let milliseconds = u64::try_from(at_most.as_millis()).unwrap();
        self.elapsed_millisecond.fetch_add(milliseconds, Ordering::SeqCst);
        Box::pin(tokio::task::yield_now())
    }
}

impl Ids for ManualHost {
    fn event_id(&self) -> EventId {
        let number = self.number();
        let mut counter = [0; 10];
        counter[2..].copy_from_slice(&number.to_be_bytes());
        let millisecond = u64::try_from(self.now().as_millisecond()).unwrap();
        EventId::new(Builder::from_unix_timestamp_millis(millisecond, &counter).into_uuid())
    }

    fn request_id(&self) -> RequestId {
        RequestId::new(self.random_like())
    }

    fn execution_id(&self) -> ExecutionId {
        ExecutionId::new(self.random_like())
    }

    fn text_key(&self) -> TextKey {
        TextKey::new(self.random_like().into_bytes())
    }

    fn secret(&self) -> [u8; 32] {
        let halves = [self.random_like().into_bytes(), self.random_like().into_bytes()];
        halves.concat().try_into().unwrap()
    }

    fn nonce(&self) -> [u8; 12] {
        self.random_like().into_bytes()[..12].try_into().unwrap()
    }
}

impl Observer for ManualHost {}
