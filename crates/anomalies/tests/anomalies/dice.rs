//! Random numbers that follow from a seed, so that traffic is the same on every machine.

/// `SplitMix64`: <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 to 1, without 1.
    pub(crate) fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From one number to another, both included.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        least + (self.part() * (most - least + 1) as f64) as i64
    }

    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.part() < probability
    }

    /// How long until something happens that takes this long on average.
    pub(crate) fn wait(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.part())
    }

    /// How often something happens that happens so often on average.
    pub(crate) fn count(&mut self, mean: f64) -> i64 {
        let mut count = 0;
        let mut passed = self.wait(1.0);
        while passed < mean {
            count += 1;
            passed += self.wait(1.0);
        }
        count
    }

    pub(crate) fn choose<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get((self.part() * among.len() as f64) as usize)
    }
}
