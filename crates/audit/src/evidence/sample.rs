//! Which requests of a population an auditor takes a closer look at. A program that knows the ids and the seed takes the
//! same. Refuses to know where the ids come from.

use sha2::{Digest as _, Sha256};

/// What stands before seed and id when they are hashed.
const CONTEXT: &[u8] = b"countersign.sample.v1\0";

/// So many ids of a population: those with the smallest digests under the seed, in that order. A larger sample of the same
/// seed begins with a smaller one.
#[must_use]
pub fn sample<'a>(ids: impl IntoIterator<Item = &'a str>, size: usize, seed: &str) -> Vec<&'a str> {
    let rank = |id: &'a str| -> ([u8; 32], &'a str) {
        let hash = Sha256::new().chain_update(CONTEXT).chain_update(seed).chain_update([0]).chain_update(id);
        (hash.finalize().into(), id)
    };
    let mut ranked: Vec<_> = ids.into_iter().map(rank).collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(size).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// As `sorted(ids, key=…)` of docs/evidence.md gives it.
    #[test]
    fn known_answer() {
        let ids = ["a", "b", "c", "d", "e"];
        assert_eq!(sample(ids, 3, "2026"), ["d", "e", "c"]);
    }

    #[test]
    fn a_sample_follows_from_ids_and_seed_and_from_nothing_else() {
        let ids: Vec<_> = (0..500).map(|id| format!("request {id}")).collect();
        let of = |size, seed: String| sample(ids.iter().map(String::as_str), size, &seed);
        assert_eq!(of(20, "s".to_owned()), sample(ids.iter().rev().chain(&ids).map(String::as_str), 20, "s"));
        assert_eq!(of(20, "s".to_owned())[..10], of(10, "s".to_owned()));
        assert_ne!(of(20, "s".to_owned()), of(20, "t".to_owned()));
        assert_eq!((of(600, "s".to_owned()).len(), of(0, "s".to_owned()).len()), (500, 0));
        // Each request is as likely as any other: 2,000 samples of ten take each 40 times, give or take.
        let mut taken = BTreeMap::new();
        for seed in 0..2_000 {
            of(10, seed.to_string()).into_iter().for_each(|id| *taken.entry(id).or_insert(0) += 1);
        }
        assert!(taken.len() == 500 && taken.values().all(|times| (10..80).contains(times)), "{taken:?}");
    }
}
