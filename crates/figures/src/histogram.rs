//! Durations in buckets that grow with them: quantiles within 5 %, in little space, and sums that are exact.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much longer the durations of a bucket are than those of the bucket before, in percent. The middle of a bucket is then
/// within 4 % of each of its durations.
const GROWTH_PERCENT: u64 = 8;
/// The first millisecond that is not told apart from longer durations: a hundred years.
const LONGEST: u64 = 100 * 366 * 24 * 60 * 60 * 1000;

/// Durations, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// How many there are.
    count: u64,
    /// All of them together.
    sum: u64,
    /// How many are in each bucket; those that have none are not there.
    buckets: BTreeMap<u32, u64>,
}

/// The first duration of the bucket after the one that begins with this.
fn next(first: u64) -> u64 {
    first + (first * GROWTH_PERCENT / 100).max(1)
}

/// A bucket by its number: its first duration, and the first of the next.
fn bounds(bucket: u32) -> (u64, u64) {
    let mut first = 0;
    for _ in 0..bucket {
        if first >= LONGEST {
            break;
        }
        first = next(first);
    }
    (first, next(first))
}

/// The bucket that a duration is in.
fn bucket_of(milliseconds: u64) -> u32 {
    let (mut bucket, mut first) = (0, 0);
    while next(first) <= milliseconds.min(LONGEST) {
        first = next(first);
        bucket += 1;
    }
    bucket
}

impl Histogram {
    /// Adds one duration.
    pub fn record(&mut self, milliseconds: u64) {
        let milliseconds = milliseconds.min(LONGEST);
        self.count += 1;
        self.sum = self.sum.saturating_add(milliseconds);
        *self.buckets.entry(bucket_of(milliseconds)).or_default() += 1;
    }

    /// Adds all durations of another.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        for (bucket, more) in &other.buckets {
            let count = self.buckets.entry(*bucket).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean, exact but for what is less than a millisecond. `None` if there is no duration.
    pub fn average(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }

    /// The duration that `percent` of all are not above: that of the nearest rank, within 5 %. `None` if there is none.
    pub fn quantile(&self, percent: u64) -> Option<u64> {
        let rank = (self.count.saturating_mul(percent)).div_ceil(100).clamp(1, self.count.max(1));
        let mut seen = 0_u64;
        for (bucket, count) in &self.buckets {
            seen = seen.saturating_add(*count);
            if seen >= rank {
                let (first, next) = bounds(*bucket);
                return Some(u64::midpoint(first, next - 1));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut expected = 0;
        for bucket in 0..400 {
            let (first, next) = bounds(bucket);
            if first >= LONGEST {
                break;
            }
            assert_eq!(first, expected);
            assert_eq!((bucket_of(first), bucket_of(next - 1)), (bucket, bucket));
            expected = next;
        }
        assert!(bucket_of(u64::MAX) < 400, "a histogram has few buckets: {}", bucket_of(u64::MAX));
    }

    proptest! {
        #[test]
        fn quantiles_are_within_five_percent_and_the_average_is_exact(
            durations in prop::collection::vec(prop_oneof![0..100_u64, 0..10_000_000_u64, 0..400_000_000_u64], 1..300),
            parts in 1..5_usize,
        ) {
            let mut histogram = Histogram::default();
            for part in durations.chunks(durations.len().div_ceil(parts)) {
                let mut one = Histogram::default();
                part.iter().for_each(|duration| one.record(*duration));
                histogram.merge(&one);
            }
            let mut sorted = durations;
            sorted.sort_unstable();
            prop_assert_eq!(histogram.average(), Some(sorted.iter().sum::<u64>() / sorted.len() as u64));
            for percent in [1, 50, 95, 99, 100] {
                let exact = sorted[(sorted.len() * percent as usize).div_ceil(100) - 1];
                let given = histogram.quantile(percent).unwrap();
                prop_assert!(given.abs_diff(exact) * 20 <= exact, "p{}: {} for {}", percent, given, exact);
            }
        }
    }

    #[test]
    fn without_durations_nothing_is_said() {
        let empty = Histogram::default();
        assert_eq!((empty.count(), empty.average(), empty.quantile(50)), (0, None, None));
    }
}
