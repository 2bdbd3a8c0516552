//! How often and how long a command is tried again.

use crate::host::Clock;
use std::time::Duration;

/// How often a command is decided again after a conflict or a failure of the store.
pub const MAX_RETRIES: u32 = 7;

/// No further attempt begins after this time. What may follow is an attempt and a last look, five
/// calls at most: with a client that gives up a call after a second the answer comes within 10 s.
const MAX_ELAPSED: Duration = Duration::from_secs(5);

/// The first pause is at most this long; each further one at most twice the one before …
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// … and none longer than this.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// The attempts at one command.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    clock: &'a dyn Clock,
    began: Duration,
    retries: u32,
}

impl<'a> Attempts<'a> {
    pub(crate) fn begin(clock: &'a dyn Clock) -> Self {
        Self { clock, began: clock.elapsed(), retries: 0 }
    }

    /// Whether there may be another attempt; waits before it.
    pub(crate) async fn again(&mut self) -> bool {
        if self.retries >= MAX_RETRIES || self.clock.elapsed().saturating_sub(self.began) > MAX_ELAPSED {
            return false;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.retries).min(LONGEST_PAUSE);
        self.retries += 1;
        self.clock.pause(pause).await;
        true
    }
}
