//! Holding a store against its audit log, which has been verified by itself: each event in the log, each entry in the store,
//! and each place that the store names.

use crate::error::AppError;
use crate::log::{LogIndex, Scan, ScanLeaves};
use crate::ports::{LoadEvents, Outbox, OutboxKey};
use countersign_audit::places::Places;
use countersign_core::audit::Stream;
use std::collections::{BTreeMap, BTreeSet};

/// What of store and log does not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFinding {
    /// An event has no entry, and none is on its way.
    #[error("event {0} is not in the log")]
    NotLogged(u64),
    /// An event is another than its entry.
    #[error("event {0} is not the one that was logged")]
    Exchanged(u64),
    /// What the store says of where an event stands in the log is wrong, or is not there.
    #[error("the place of event {0} in the log is not as it was written")]
    Leaf(u64),
    /// A name of a stream, or of a place in the log, is none.
    #[error("this is not as anything is written")]
    Unreadable,
}

/// What was found.
#[derive(Debug, Default)]
pub struct LogComparison {
    /// How many events of the store are in the log.
    pub events: u64,
    /// How many have been written since, and are still to be logged.
    pub waiting: u64,
    /// What does not belong together: a stream, and what is wrong with it.
    pub findings: Vec<(String, LogFinding)>,
    /// The places of entries whose events are not in the store.
    pub forgotten: Vec<u64>,
    /// The places of entries that the store does not name.
    pub unplaced: Vec<u64>,
}

/// Holds a whole store against the entries of its log, of which there were `size`.
///
/// A service may go on meanwhile: an event that is not in the log yet is one for which the outbox has an entry, or that has
/// its place in the log by now.
///
/// # Errors
/// [`AppError::Unavailable`].
pub async fn all<S: LogIndex + ScanLeaves + LoadEvents, O: Outbox>(
    store: &S,
    outbox: &O,
    places: &mut Places,
    size: u64,
) -> Result<LogComparison, AppError> {
    let mut comparison = LogComparison::default();
    let mut absent = Vec::new();
    for name in streams(store).await? {
        let Ok(stream) = Stream::parse(&name) else {
            comparison.findings.push((name, LogFinding::Unreadable));
            continue;
        };
        for event in store.load_stream(&stream).await?.events {
            match places.of_event(&name, event.sequence) {
                None => absent.push((stream.clone(), event.sequence)),
                Some(place) if place.hash == *event.hash.as_bytes() => comparison.events += 1,
                Some(_) => {
                    comparison.findings.push((name.clone(), LogFinding::Exchanged(event.sequence)));
                }
            }
        }
    }
    // The hints first: one is gone when its event has its place.
    let hints = if absent.is_empty() { Hints::default() } else { Hints::of(store, outbox).await? };
    for (stream, sequence) in absent {
        let name = stream.to_string();
        let is_placed = store.leaf(&stream, sequence).await?.is_some_and(|leaf| leaf.index >= size);
        if is_placed || hints.announce(&name, sequence) {
            comparison.waiting += 1;
        } else {
            comparison.findings.push((name, LogFinding::NotLogged(sequence)));
        }
    }
    let mut cursor = None;
    loop {
        let (page, next) = store.scan_leaves(cursor).await?;
        for leaf in page {
            let leaf = match leaf {
                Ok(leaf) => leaf,
                Err(partition) => {
                    comparison.findings.push((partition, LogFinding::Unreadable));
                    continue;
                }
            };
            let name = leaf.stream.to_string();
            let is_right = match places.of_leaf(&name, leaf.sequence) {
                Some(place) => (place.index, place.hash) == (leaf.index, *leaf.hash.as_bytes()),
                None => leaf.index >= size,
            };
            if !is_right {
                comparison.findings.push((name, LogFinding::Leaf(leaf.sequence)));
            }
        }
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    (comparison.forgotten, comparison.unplaced) = places.missing();
    Ok(comparison)
}

async fn streams<S: LogIndex>(store: &S) -> Result<BTreeSet<String>, AppError> {
    let mut names = BTreeSet::new();
    let mut cursor = None;
    loop {
        let (page, next) = store.scan_streams(cursor).await?;
        names.extend(page);
        cursor = next;
        if cursor.is_none() {
            return Ok(names);
        }
    }
}

/// Up to where streams are to be logged, as far as that is known.
#[derive(Debug, Default)]
pub struct Hints {
    /// Whether all that there is may still be to be logged.
    all: bool,
    until: BTreeMap<String, u64>,
}

impl Hints {
    /// What the outbox names now.
    ///
    /// # Errors
    /// [`AppError::Unavailable`].
    pub async fn of<S: LogIndex, O: Outbox>(store: &S, outbox: &O) -> Result<Self, AppError> {
        let mut hints = Self::default();
        for shard in outbox.shards().into_iter().chain([outbox.dead_shard()]) {
            let mut after: Option<OutboxKey> = None;
            loop {
                let page = outbox.unlogged(&shard, after.as_ref()).await?;
                for event in page.entries.into_iter().filter_map(|entry| entry.event.ok()) {
                    let place = event.notice.place();
                    hints.add(place.stream.to_string(), place.sequence);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        let mut after = None;
        loop {
            let page = outbox.recorded(after.as_ref()).await?;
            for place in page.entries.into_iter().filter_map(|entry| entry.place) {
                hints.add(place.stream.to_string(), place.sequence);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        hints.all = store.log_head().await?.is_none_or(|head| head.scan != Scan::Done);
        Ok(hints)
    }

    fn add(&mut self, stream: String, sequence: u64) {
        let until = self.until.entry(stream).or_default();
        *until = sequence.max(*until);
    }

    /// Whether an event is to be logged.
    #[must_use]
    pub fn announce(&self, stream: &str, sequence: u64) -> bool {
        self.all || self.until.get(stream).is_some_and(|until| sequence <= *until)
    }
}
