//! The real clock, real random ids and real pauses.

use countersign_app::host::{BoxFuture, Clock, Ids, Observer};
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// The machine's clock and random source.
#[derive(Debug)]
pub struct SystemHost {
    started: Instant,
}

impl Default for SystemHost {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the room that reads the clock and makes ids")]
impl Clock for SystemHost {
    fn now(&self) -> Timestamp {
        // A clock before 1970 is taken for 1970: everything is then pending for long, and nothing
        // is lost.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millisecond(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn pause(&self, at_most: Duration) -> BoxFuture<'_, ()> {
        let share = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        Box::pin(tokio::time::sleep(at_most.mul_f64(share)))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the room that reads the clock and makes ids")]
impl Ids for SystemHost {
    fn event_id(&self) -> EventId {
        EventId::new(Uuid::now_v7())
    }

    fn request_id(&self) -> RequestId {
        RequestId::new(Uuid::new_v4())
    }

    fn execution_id(&self) -> ExecutionId {
        ExecutionId::new(Uuid::new_v4())
    }

    fn text_key(&self) -> TextKey {
        TextKey::new(random_bytes())
    }

    fn secret(&self) -> [u8; 32] {
        random_bytes()
    }

    fn nonce(&self) -> [u8; 12] {
        random_bytes()
    }
}

impl Observer for SystemHost {}

#[expect(clippy::disallowed_methods, reason = "this is the room that makes ids")]
fn random_bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    while getrandom::fill(&mut bytes).is_err() {
        // Its source is the same: it ends the command where there is none.
        let _ends = Uuid::new_v4();
    }
    bytes
}
