//! How long those who decide took to answer: how many answers there are, and their mean. A person gives few in a day, of which
//! quantiles would say little.

use serde::{Deserialize, Serialize};

/// The times from the creation of requests to what was decided on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// How many there are.
    count: u64,
    /// All times together.
    milliseconds: u64,
}

impl Answers {
    /// Adds one.
    pub fn record(&mut self, milliseconds: u64) {
        self.merge(&Self { count: 1, milliseconds });
    }

    /// Adds all of others.
    pub fn merge(&mut self, others: &Self) {
        self.count = self.count.saturating_add(others.count);
        self.milliseconds = self.milliseconds.saturating_add(others.milliseconds);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean, exact but for what is less than a millisecond. `None` if there is none.
    pub fn average(&self) -> Option<u64> {
        self.milliseconds.checked_div(self.count)
    }
}
