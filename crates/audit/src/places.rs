//! Which event stands where in a log: what a store is held against, for millions of events.

use crate::entry::Entry;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// Half of a SHA-256 digest: still 2^64 attempts for two events with one name.
type Half = [u8; 16];

/// Where an event stands, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its place in the log.
    pub index: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

#[derive(Debug)]
struct Kept {
    place: Place,
    has_event: bool,
    has_leaf: bool,
}

/// The events of a log. What is found in the store of them is noted, so that in the end there is what is missing.
#[derive(Debug, Default)]
pub struct Places(HashMap<Half, Kept>);

fn name(stream: &str, sequence: u64) -> Half {
    let digest = Sha256::new().chain_update(sequence.to_be_bytes()).chain_update(stream).finalize();
    let mut half = [0; 16];
    half.iter_mut().zip(digest).for_each(|(byte, of_digest)| *byte = of_digest);
    half
}

impl Places {
    /// Adds an entry of a log that has been verified.
    pub fn insert(&mut self, index: u64, entry: &Entry<'_>) {
        let place = Place { index, hash: entry.hash };
        let kept = Kept { place, has_event: false, has_leaf: false };
        self.0.insert(name(entry.stream, entry.sequence), kept);
    }

    /// Where an event stands.
    #[must_use]
    pub fn get(&self, stream: &str, sequence: u64) -> Option<Place> {
        self.0.get(&name(stream, sequence)).map(|kept| kept.place)
    }

    /// The same, for an event that the store has.
    pub fn of_event(&mut self, stream: &str, sequence: u64) -> Option<Place> {
        let kept = self.0.get_mut(&name(stream, sequence))?;
        kept.has_event = true;
        Some(kept.place)
    }

    /// The same, for an event whose place the store has.
    pub fn of_leaf(&mut self, stream: &str, sequence: u64) -> Option<Place> {
        let kept = self.0.get_mut(&name(stream, sequence))?;
        kept.has_leaf = true;
        Some(kept.place)
    }

    /// The places of the entries whose events the store has not, and of those whose places it has not; in order.
    #[must_use]
    pub fn missing(&self) -> (Vec<u64>, Vec<u64>) {
        let of = |is_missing: fn(&Kept) -> bool| {
            let mut missing: Vec<_> =
                self.0.values().filter(|kept| is_missing(kept)).map(|kept| kept.place.index).collect();
            missing.sort_unstable();
            missing
        };
        (of(|kept| !kept.has_event), of(|kept| kept.has_event && !kept.has_leaf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_missing() {
        let mut places = Places::default();
        for sequence in 1..=4_u8 {
            let entry = Entry {
                origin: "o",
                stream: "a",
                sequence: sequence.into(),
                timestamp: 1,
                prev_hash: [0; 32],
                hash: [sequence; 32],
            };
            places.insert(10 - u64::from(sequence), &entry);
        }
        assert_eq!(places.get("a", 2), Some(Place { index: 8, hash: [2; 32] }));
        assert_eq!((places.get("a", 5), places.get("b", 2)), (None, None));
        assert_eq!(places.missing(), (vec![6, 7, 8, 9], vec![]));
        for sequence in [1, 2] {
            assert!(places.of_event("a", sequence).is_some());
        }
        assert!(places.of_leaf("a", 2).is_some() && places.of_leaf("b", 2).is_none());
        assert_eq!(places.missing(), (vec![6, 7], vec![9]));
    }
}
