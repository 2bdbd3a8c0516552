//! When a delivery is tried again.

use countersign_core::timestamp::Timestamp;
use std::time::Duration;

/// The wait before each attempt, in seconds: at once, 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h. The schedule that Standard
/// Webhooks 1.0.0 gives as its example (section "Deliverability and reliability"); all of it takes a little more than three days.
pub const DELAYS_SECONDS: [u32; 10] =
    [0, 5, 5 * 60, 30 * 60, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/// How many attempts a round has: after the last one has failed, the delivery is dead.
pub const MAX_ATTEMPTS: u32 = 10;
/// The longest wait that the other side can ask for by `Retry-After`, in seconds: the longest of the schedule. What asks for
/// more is tried again after this time.
pub const MAX_RETRY_AFTER_SECONDS: u32 = 24 * HOUR;

const HOUR: u32 = 60 * 60;
/// A wait is lengthened or shortened by up to a tenth, in steps of a millionth.
const PARTS: u64 = 1_000_000;
const JITTER_PARTS: u64 = PARTS / 10;

/// The times at which a sender can try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    granularity_milliseconds: u64,
}

impl Schedule {
    /// A sender that looks for what is due continuously.
    pub const CONTINUOUS: Self = Self { granularity_milliseconds: 1 };
    /// A sender that looks at the beginning of each minute.
    pub const EVERY_MINUTE: Self = Self { granularity_milliseconds: 60_000 };

    /// A sender that looks at every multiple of so many seconds since the epoch: times are rounded up to the next of them, so
    /// that what is shown as the next attempt is when it is made. 0 is [`Self::CONTINUOUS`].
    pub fn every(granularity_seconds: u32) -> Self {
        Self { granularity_milliseconds: (u64::from(granularity_seconds) * 1000).max(1) }
    }

    /// The time of the next attempt, once `attempts` of the round have been made and the last of them has failed at `now`;
    /// `None` if that was the last one.
    ///
    /// `jitter` is any number: random, or derived from what is delivered. `retry_after` is the wait that the other side has asked
    /// for; it only lengthens, and up to [`MAX_RETRY_AFTER_SECONDS`]. No time is earlier than `now`.
    pub fn next_attempt(
        &self,
        attempts: u32,
        retry_after: Option<Duration>,
        now: Timestamp,
        jitter: u64,
    ) -> Option<Timestamp> {
        let delay_seconds = DELAYS_SECONDS.get(usize::try_from(attempts).ok()?)?;
        let jitter_parts = PARTS - JITTER_PARTS + jitter % (2 * JITTER_PARTS + 1);
        let delay = u64::from(*delay_seconds) * 1000 * jitter_parts / PARTS;
        let wait = delay.max(retry_after.map_or(0, bounded_milliseconds));
        Some(self.at_or_after(later(now, wait)))
    }

    /// The next time at which the sender looks, from `now` on.
    pub fn at_or_after(&self, now: Timestamp) -> Timestamp {
        let millisecond = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let rounded = millisecond.div_ceil(self.granularity_milliseconds) * self.granularity_milliseconds;
        Timestamp::from_millisecond(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}

/// The milliseconds of a `Retry-After`, bounded by [`MAX_RETRY_AFTER_SECONDS`].
pub(crate) fn bounded_milliseconds(retry_after: Duration) -> u64 {
    let bounded = retry_after.min(Duration::from_secs(u64::from(MAX_RETRY_AFTER_SECONDS)));
    u64::try_from(bounded.as_millis()).unwrap_or(u64::MAX)
}

/// A time moved later by some milliseconds.
pub(crate) fn later(time: Timestamp, milliseconds: u64) -> Timestamp {
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(time.as_millisecond().saturating_add(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The jitter that changes nothing.
    const NONE: u64 = JITTER_PARTS;

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-31T09:30:12.345Z").unwrap()
    }

    fn wait(schedule: Schedule, attempts: u32, retry_after: Option<u64>, jitter: u64) -> Option<i64> {
        let retry_after = retry_after.map(Duration::from_secs);
        let next = schedule.next_attempt(attempts, retry_after, now(), jitter)?;
        Some(next.as_millisecond() - now().as_millisecond())
    }

    #[test]
    fn waits_are_those_of_the_schedule() {
        let waits: Vec<_> =
            (0..12).map(|attempts| wait(Schedule::CONTINUOUS, attempts, None, NONE)).collect();
        let hours = |hours: i64| Some(hours * 3_600_000);
        let expected = [
            Some(0),
            Some(5_000),
            Some(300_000),
            Some(1_800_000),
            hours(2),
            hours(5),
            hours(10),
            hours(14),
            hours(20),
            hours(24),
            None,
            None,
        ];
        assert_eq!(waits, expected);
        assert_eq!(usize::try_from(MAX_ATTEMPTS), Ok(DELAYS_SECONDS.len()));
        assert_eq!(wait(Schedule::CONTINUOUS, u32::MAX, None, NONE), None);
    }

    #[test]
    fn jitter_is_a_tenth_either_way() {
        assert_eq!(wait(Schedule::CONTINUOUS, 2, None, 0), Some(270_000));
        assert_eq!(wait(Schedule::CONTINUOUS, 2, None, 2 * JITTER_PARTS), Some(330_000));
        assert_eq!(wait(Schedule::CONTINUOUS, 2, None, 2 * JITTER_PARTS + 1), Some(270_000));
    }

    #[test]
    fn retry_after_lengthens_and_never_shortens() {
        assert_eq!(wait(Schedule::CONTINUOUS, 1, Some(3600), NONE), Some(3_600_000));
        assert_eq!(wait(Schedule::CONTINUOUS, 4, Some(1), NONE), Some(7_200_000));
        assert_eq!(wait(Schedule::CONTINUOUS, 1, Some(u64::MAX), NONE), Some(86_400_000));
        // It brings no attempt back.
        assert_eq!(wait(Schedule::CONTINUOUS, 10, Some(1), NONE), None);
    }

    #[test]
    fn a_sender_of_minutes_tries_at_minutes() {
        for (attempts, expected) in
            [(0, "09:31:00.000Z"), (1, "09:31:00.000Z"), (2, "09:36:00.000Z"), (3, "10:01:00.000Z")]
        {
            let next = Schedule::EVERY_MINUTE.next_attempt(attempts, None, now(), NONE).unwrap();
            assert_eq!(next.to_string(), format!("2026-01-31T{expected}"), "{attempts}");
        }
        let minute = Timestamp::parse("2026-01-31T09:31:00Z").unwrap();
        assert_eq!(Schedule::EVERY_MINUTE.at_or_after(minute), minute);
        assert_eq!(Schedule::every(0), Schedule::CONTINUOUS);
        assert_eq!(Schedule::every(60), Schedule::EVERY_MINUTE);
    }

    proptest! {
        #[test]
        fn the_next_attempt_is_within_its_bounds(
            attempts in 0..10_u32,
            retry_after in proptest::option::of(0..200_000_u64),
            jitter in any::<u64>(),
            granularity in 0..120_u32,
        ) {
            let milliseconds = wait(Schedule::every(granularity), attempts, retry_after, jitter).unwrap();
            let delay = i64::from(DELAYS_SECONDS[attempts as usize]) * 1000;
            let asked = i64::try_from(retry_after.unwrap_or(0).min(86_400)).unwrap() * 1000;
            prop_assert!(milliseconds >= 0 && milliseconds >= asked && milliseconds >= delay * 9 / 10);
            let longest = (delay * 11 / 10).max(asked) + i64::from(granularity) * 1000;
            prop_assert!(milliseconds <= longest);
        }

        #[test]
        fn times_stay_within_the_calendar(millisecond in any::<i64>(), jitter in any::<u64>()) {
            let now = Timestamp::from_millisecond(millisecond);
            for attempts in 0..10 {
                prop_assert!(Schedule::EVERY_MINUTE.next_attempt(attempts, None, now, jitter).unwrap() >= now);
            }
        }
    }
}
