//! Counts that fade: what happened longer ago counts less. In thousandths and by whole days, so that documents have whole
//! numbers only.

use serde::{Deserialize, Serialize};

/// One event, in thousandths.
const ONE: u64 = 1_000;

/// The half-life of rates: how much a person usually does.
pub(crate) const RATE_HALF_LIFE_DAYS: f64 = 14.0;
/// The half-life of habits: when, for whom and how a person usually acts.
pub(crate) const HABIT_HALF_LIFE_DAYS: f64 = 90.0;

/// A count of events that fades, in thousandths of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Weight(u64);

impl Weight {
    /// Counts so many events more.
    pub(crate) fn add(&mut self, events: u64) {
        self.0 = self.0.saturating_add(events.saturating_mul(ONE));
    }

    /// Multiplies by a factor from 0 to 1, rounded down.
    pub(crate) fn fade(&mut self, factor: f64) {
        self.0 = (self.0 as f64 * factor) as u64;
    }

    /// How many events that are.
    pub(crate) fn events(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// How many events that are, in whole numbers.
    pub(crate) fn whole_events(self) -> u64 {
        self.0.saturating_add(ONE / 2) / ONE
    }

    /// How many events are left without those of another count.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether nothing is left.
    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// What is left of one after so many days.
pub(crate) fn factor(days: u32, half_life_days: f64) -> f64 {
    libm::exp2(-f64::from(days) / half_life_days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_halves_in_its_half_life_by_one_step_or_by_many() {
        let mut at_once = Weight::default();
        at_once.add(1_000);
        let mut by_days = at_once;
        at_once.fade(factor(14, RATE_HALF_LIFE_DAYS));
        for _ in 0..14 {
            by_days.fade(factor(1, RATE_HALF_LIFE_DAYS));
        }
        assert_eq!(at_once.whole_events(), 500);
        assert!((by_days.events() - 500.0).abs() < 0.02, "{}", by_days.events());
    }

    #[test]
    fn a_weight_does_not_overflow_and_ends_at_nothing() {
        let mut weight = Weight::default();
        weight.add(u64::MAX);
        weight.add(1);
        weight.fade(factor(u32::MAX, HABIT_HALF_LIFE_DAYS));
        assert!(weight.is_zero());
        assert!(Weight::default().without(Weight(1)).is_zero());
    }
}
