//! The shortest and the longest of durations, exactly: buckets know them within a few percent only.

use serde::{Deserialize, Serialize};

/// The shortest and the longest, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extremes {
    #[serde(skip_serializing_if = "Option::is_none")]
    shortest: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longest: Option<u64>,
}

impl Extremes {
    /// Adds one duration.
    pub fn record(&mut self, milliseconds: u64) {
        self.merge(&Self { shortest: Some(milliseconds), longest: Some(milliseconds) });
    }

    /// Adds all of others.
    pub fn merge(&mut self, others: &Self) {
        let both = [self.shortest, others.shortest];
        self.shortest = both.into_iter().flatten().min();
        self.longest = self.longest.max(others.longest);
    }

    /// The shortest. `None` if there is no duration.
    pub fn shortest(&self) -> Option<u64> {
        self.shortest
    }

    /// The longest. `None` if there is no duration.
    pub fn longest(&self) -> Option<u64> {
        self.longest
    }

    /// Whether there is no duration.
    pub fn is_empty(&self) -> bool {
        self.longest.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_have_the_extremes_of_all(durations in prop::collection::vec(0..1_000_000_u64, 0..30), place in 0..30_usize) {
            let [mut one, mut other] = [Extremes::default(); 2];
            for (number, duration) in durations.iter().enumerate() {
                if number < place { one.record(*duration) } else { other.record(*duration) }
            }
            one.merge(&other);
            prop_assert_eq!((one.shortest(), one.longest()), (durations.iter().min().copied(), durations.iter().max().copied()));
            prop_assert_eq!(one.is_empty(), durations.is_empty());
            let text = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(serde_json::from_str::<Extremes>(&text).unwrap(), one);
        }
    }
}
