//! How long an invocation may still take.

use countersign_core::timestamp::Timestamp;
use std::time::Duration;

/// What is kept back for the end: a command that has begun, with all its retries, and the answer.
const RESERVE: Duration = Duration::from_secs(15);

/// The time until the deadline, given in milliseconds since the epoch.
pub fn left(now: Timestamp, deadline_milliseconds: u64) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Duration::from_millis(deadline_milliseconds.saturating_sub(now))
}

/// The time for work that can be left to the next run: until the deadline, given in milliseconds
/// since the epoch, less a reserve of 15 s, or of a third if there is less than 45 s.
pub fn budget(now: Timestamp, deadline_milliseconds: u64) -> Duration {
    let left = left(now, deadline_milliseconds);
    left.saturating_sub(RESERVE.min(left / 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_invocation_is_kept_free() {
        let now = Timestamp::from_millisecond(1_000_000);
        for (left_seconds, budget_seconds) in [(300, 285), (45, 30), (30, 20), (3, 2), (0, 0)] {
            let deadline = 1_000_000 + left_seconds * 1000;
            assert_eq!(budget(now, deadline), Duration::from_secs(budget_seconds), "{left_seconds}");
        }
        assert_eq!(budget(now, 0), Duration::ZERO, "a deadline that has passed");
    }
}
