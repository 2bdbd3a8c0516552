//! `unusual_hour`: the time of day at which a person acts, against the density of the person's own times of day.

use crate::finding::Measure;
use crate::probability::THRESHOLD;
use crate::weight::Weight;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The day in half hours of UTC.
const SLOTS: usize = 48;
const SLOT_MILLISECONDS: i64 = 30 * 60 * 1_000;
/// Fewer half hours than this say nothing of a person's habits.
const LEAST: f64 = 30.0;
/// The concentration of the kernel, a von Mises density: about that of a normal density with a standard deviation of an
/// hour, which is 2π / 24.
const CONCENTRATION: f64 = 14.6;

/// The kernel by its distance in half hours. Its sum around the day is 1, which stands for the Bessel function that norms a
/// von Mises density.
static KERNEL: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let angle = |slot: usize| slot as f64 * std::f64::consts::TAU / SLOTS as f64;
    let height = |slot: usize| libm::exp(CONCENTRATION * (libm::cos(angle(slot)) - 1.0));
    let sum: f64 = (0..SLOTS).map(height).sum();
    (0..SLOTS).map(|slot| height(slot) / sum).collect()
});

/// When in the day a person has acted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HourHistory {
    /// How often, by half hour of the day. Empty before the first.
    slots: Vec<Weight>,
    /// The last half hour, since 1970.
    last: Option<i64>,
}

impl HourHistory {
    pub(crate) fn fade(&mut self, factor: f64) {
        for weight in &mut self.slots {
            weight.fade(factor);
        }
    }

    /// Learns when a person has acted: each half hour once, however much the person does in it. Says how unlikely it is, if
    /// it is unusual.
    pub(crate) fn add(&mut self, at_millisecond: i64) -> Option<Measure> {
        let half_hour = at_millisecond.div_euclid(SLOT_MILLISECONDS);
        if self.last == Some(half_hour) {
            return None;
        }
        self.last = Some(half_hour);
        let slot = usize::try_from(half_hour.rem_euclid(SLOTS as i64)).unwrap_or_default();
        let measure = self.unusual(slot);
        self.slots.resize(SLOTS, Weight::default());
        if let Some(weight) = self.slots.get_mut(slot) {
            weight.add(1);
        }
        measure
    }

    /// The part of the density that is no higher than it is in this half hour, if that is next to nothing.
    fn unusual(&self, slot: usize) -> Option<Measure> {
        let all: f64 = self.slots.iter().map(|weight| weight.events()).sum();
        if all < LEAST {
            return None;
        }
        let density = self.density(slot) / all;
        // The part has at least this half hour in it.
        if density >= THRESHOLD {
            return None;
        }
        let densities: Vec<f64> = (0..SLOTS).map(|other| self.density(other) / all).collect();
        let probability: f64 = densities.iter().filter(|other| **other <= density).sum();
        let most_usual = (0..SLOTS).zip(&densities).max_by(|(_, one), (_, other)| one.total_cmp(other));
        let hour = |slot: usize| slot as f64 / 2.0;
        let expected = most_usual.map_or(0.0, |(slot, _)| hour(slot));
        (probability < THRESHOLD).then_some(Measure { observed: hour(slot), expected, probability })
    }

    fn density(&self, slot: usize) -> f64 {
        let kernel = KERNEL.iter().cycle().skip(SLOTS - slot);
        self.slots.iter().zip(kernel).map(|(weight, height)| weight.events() * height).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 2 * SLOT_MILLISECONDS;

    fn worker(hours: std::ops::Range<i64>, days: i64) -> HourHistory {
        let mut history = HourHistory::default();
        for day in 0..days {
            for hour in hours.clone() {
                assert_eq!(history.add((day * 24 + hour) * HOUR), None);
            }
        }
        history
    }

    fn unusual_hours(history: &HourHistory) -> Vec<i64> {
        (0..24).filter(|hour| history.clone().add((1_000 * 24 + hour) * HOUR).is_some()).collect()
    }

    #[test]
    fn hours_far_from_all_that_a_person_works_are_unusual() {
        let unusual = unusual_hours(&worker(8..17, 30));
        assert_eq!(unusual, [0, 1, 2, 3, 4, 20, 21, 22, 23]);
        let night = worker(20..30, 30);
        assert_eq!(unusual_hours(&night), [9, 10, 11, 12, 13, 14, 15, 16]);
        let measure = worker(8..17, 30).add(1_000 * 24 * HOUR + 2 * HOUR).unwrap();
        assert_eq!((measure.observed, measure.expected), (2.0, 12.0));
        assert!(measure.probability < 1e-6);
    }

    #[test]
    fn a_person_who_was_seen_too_little_or_around_the_clock_is_not_judged() {
        assert!(unusual_hours(&worker(8..17, 3)).is_empty());
        assert!(unusual_hours(&worker(0..24, 30)).is_empty());
        let mut busy = HourHistory::default();
        for minute in 0..29 {
            assert_eq!(busy.add(9 * HOUR + minute * 60_000), None);
        }
        assert_eq!(busy.slots.iter().map(|weight| weight.whole_events()).sum::<u64>(), 1);
    }

    #[test]
    fn what_was_found_once_is_a_habit_then() {
        let mut history = worker(8..17, 30);
        assert!(history.add((1_000 * 24 + 2) * HOUR).is_some());
        assert_eq!(history.add((1_001 * 24 + 2) * HOUR), None);
    }

    #[test]
    fn the_kernel_is_a_density_around_the_day() {
        assert!((KERNEL.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((KERNEL[1] - KERNEL[47]).abs() < 1e-15 && KERNEL[0] > KERNEL[2] && KERNEL[24] < 1e-12);
    }
}
