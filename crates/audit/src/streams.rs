//! The streams of a log, followed one entry at a time: each event comes once, after the one before it.
//!
//! Of a stream so much is kept as tells the next event from every other: some 50 bytes, for millions of streams.

use crate::entry::Entry;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// Half of a SHA-256 digest: still 2^64 attempts for two streams with one name.
type Half = [u8; 16];

#[derive(Debug)]
struct Head {
    sequence: u64,
    timestamp: u64,
    hash: Half,
}

/// The streams that have been seen, and how far each is.
#[derive(Debug, Default)]
pub struct Streams(HashMap<Half, Head>);

/// Why an event cannot come now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfOrder {
    /// It was there already.
    #[error("its stream had this event before")]
    Repeated,
    /// Others should have come first.
    #[error("the event before it in its stream is not in the log")]
    Missing,
    /// It follows another event than the one that is there.
    #[error("it does not follow the event before it in its stream")]
    Unlinked,
    /// Time goes back.
    #[error("it is older than the event before it in its stream")]
    BackInTime,
}

fn half(digest: [u8; 32]) -> Half {
    let mut half = [0; 16];
    half.iter_mut().zip(digest).for_each(|(byte, of_digest)| *byte = of_digest);
    half
}

impl Streams {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds the next event of a stream.
    ///
    /// # Errors
    /// [`OutOfOrder`].
    pub fn follow(&mut self, entry: &Entry<'_>) -> Result<(), OutOfOrder> {
        let stream = half(Sha256::digest(entry.stream).into());
        let (expected, timestamp, before) = match self.0.get(&stream) {
            Some(head) => (head.sequence + 1, head.timestamp, head.hash),
            None => (1, 0, [0; 16]),
        };
        if entry.sequence < expected {
            return Err(OutOfOrder::Repeated);
        }
        if entry.sequence > expected {
            return Err(OutOfOrder::Missing);
        }
        if half(entry.prev_hash) != before || (expected == 1 && entry.prev_hash != [0; 32]) {
            return Err(OutOfOrder::Unlinked);
        }
        if entry.timestamp < timestamp {
            return Err(OutOfOrder::BackInTime);
        }
        let head = Head { sequence: entry.sequence, timestamp: entry.timestamp, hash: half(entry.hash) };
        self.0.insert(stream, head);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(stream: &str, sequence: u64, timestamp: u64, prev_hash: u8, hash: u8) -> Entry<'_> {
        Entry { origin: "o", stream, sequence, timestamp, prev_hash: [prev_hash; 32], hash: [hash; 32] }
    }

    #[test]
    fn each_event_comes_once_and_after_the_one_before() {
        let mut streams = Streams::default();
        for good in [entry("a", 1, 5, 0, 1), entry("b", 1, 1, 0, 2), entry("a", 2, 5, 1, 3)] {
            assert_eq!(streams.follow(&good), Ok(()));
        }
        assert_eq!(streams.count(), 2);
        for (bad, why) in [
            (entry("a", 2, 6, 1, 3), OutOfOrder::Repeated),
            (entry("a", 4, 6, 3, 4), OutOfOrder::Missing),
            (entry("c", 2, 6, 3, 4), OutOfOrder::Missing),
            (entry("c", 1, 6, 3, 4), OutOfOrder::Unlinked),
            (entry("a", 3, 6, 1, 4), OutOfOrder::Unlinked),
            (entry("a", 3, 4, 3, 4), OutOfOrder::BackInTime),
        ] {
            assert_eq!(streams.follow(&bad), Err(why));
        }
        assert_eq!(streams.follow(&entry("a", 3, 5, 3, 4)), Ok(()));
    }
}
