//! A source of numbers that are the same for the same seed, on every machine: `SplitMix64`
//! (<https://doi.org/10.1145/2714064.2660195>). For simulations, and for nothing that must not be guessed.

/// The source.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0, and less than 1.
    fn fraction(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let bits = (self.next() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// Whether something happens that does so with this probability.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// A whole number from `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        // The highest bits of a product are a fair choice but for one part in 2^64 of them.
        let choices = u128::from(most.saturating_sub(least)) + 1;
        let chosen = (u128::from(self.next()) * choices) >> 64;
        least + u64::try_from(chosen).unwrap_or(0)
    }

    /// How long until something happens that does so at any moment alike, on average after `mean`.
    pub(crate) fn after(&mut self, mean: u64) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "means are hours at most")]
        let mean = mean as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is not negative, and at most 37 means"
        )]
        let after = (-(1.0 - self.fraction()).ln() * mean) as u64;
        after
    }

    /// The place of one of these, each as probable as its weight.
    pub(crate) fn weighted(&mut self, weights: &[u64]) -> usize {
        let total: u64 = weights.iter().sum();
        let mut chosen = self.between(1, total.max(1));
        for (place, weight) in weights.iter().enumerate() {
            if chosen <= *weight {
                return place;
            }
            chosen -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let mut random = Random::new(0);
        // The first numbers of the reference implementation.
        assert_eq!([random.next(), random.next()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn numbers_are_where_they_should_be() {
        let mut random = Random::new(1);
        let rolls: Vec<u64> = (0..6000).map(|_| random.between(1, 6)).collect();
        for face in 1..=6 {
            let count = rolls.iter().filter(|roll| **roll == face).count();
            assert!((900..1100).contains(&count), "{face}: {count}");
        }
        let total: u64 = (0..10_000).map(|_| random.after(1000)).sum();
        assert!((9_500_000..10_500_000).contains(&total), "{total}");
        let places: Vec<usize> = (0..1000).map(|_| random.weighted(&[0, 1, 0, 3])).collect();
        assert!(places.iter().all(|place| [1, 3].contains(place)));
        assert!((650..850).contains(&places.iter().filter(|place| **place == 3).count()));
    }
}
