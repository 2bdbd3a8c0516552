//! A whole log held against its checkpoint, in one pass: entries, tiles, root, and the stream of each event.
//!
//! What is read is given as a function, so that a log may be anywhere. Memory grows with the number of streams alone.

use crate::checkpoint::Checkpoint;
use crate::edge::Edge;
use crate::entry::{Entry, InvalidEntry};
use crate::streams::{OutOfOrder, Streams};
use crate::tile::{Content, Tile, Tiles, WIDTH, bytes_of, entries_of, tiles_of};
use crate::tree::{Hash, consistency_path, inclusion_path, leaf_hash};
use std::collections::BTreeMap;

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeLog {
    /// How many events.
    pub entries: u64,
    /// Of how many streams.
    pub streams: usize,
}

/// What is not as it was written; the first of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A file is not there.
    #[error("{0} is missing")]
    Missing(Tile),
    /// A file is not as long as it must be, or its entries are cut.
    #[error("{0} is not whole")]
    Malformed(Tile),
    /// A tile has another hash than follows from the entries.
    #[error("{tile}: entry {index} is not the one that was logged")]
    Changed {
        /// The tile.
        tile: Tile,
        /// The first entry whose hash differs.
        index: u64,
    },
    /// A tile above the entries' has another hash than follows from those below.
    #[error("{0} is not what follows from the tiles below it")]
    Tile(Tile),
    /// The entries lead to another root than the checkpoint has.
    #[error(
        "the entries do not lead to the root of the checkpoint: one of them was exchanged, and its tile with it"
    )]
    Root,
    /// An entry is no event, or was edited.
    #[error("entry {index}: {reason}")]
    Entry {
        /// Its place.
        index: u64,
        /// What is wrong with it.
        reason: InvalidEntry,
    },
    /// An event does not follow in its stream.
    #[error("entry {index}, event {sequence} of {stream}: {reason}")]
    Stream {
        /// Its place.
        index: u64,
        /// Its stream.
        stream: String,
        /// Its place in the stream.
        sequence: u64,
        /// What is wrong with it.
        reason: OutOfOrder,
    },
    /// An event was recorded by another deployment.
    #[error("entry {index}, event {sequence} of {stream}: another deployment has recorded it")]
    Origin {
        /// Its place.
        index: u64,
        /// Its stream.
        stream: String,
        /// Its place in the stream.
        sequence: u64,
    },
}

/// Why a log is not known to be whole.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure<E> {
    /// It is not.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// It could not be read.
    #[error("{0}")]
    Unread(E),
}

/// Reads a tile as a tree has it. One that is not there as it was, because it has become full, is the beginning of the full
/// one.
///
/// # Errors
/// What reading fails with; [`Damage::Missing`], [`Damage::Malformed`].
pub fn read_tile<E>(
    tile: Tile,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Vec<u8>, Failure<E>> {
    if let Some(bytes) = read(&tile.to_string()).map_err(Failure::Unread)? {
        return Ok(bytes);
    }
    if tile.is_full() {
        return Err(Damage::Missing(tile).into());
    }
    let full = read(&tile.full().to_string()).map_err(Failure::Unread)?.ok_or(Damage::Missing(tile))?;
    tile.beginning_of(&full).ok_or_else(|| Damage::Malformed(tile.full()).into())
}

/// Reads tiles of hashes.
///
/// # Errors
/// As for [`read_tile`].
pub fn read_tiles<E>(
    tiles: impl IntoIterator<Item = Tile>,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Tiles, Failure<E>> {
    let mut found = Tiles::default();
    for tile in tiles {
        let bytes = read_tile(tile, read)?;
        if !found.insert(tile, &bytes) {
            return Err(Damage::Malformed(tile).into());
        }
    }
    Ok(found)
}

/// The proof that the log of a checkpoint begins with the first `old` entries of now.
///
/// # Errors
/// As for [`read_tile`].
pub fn consistency_proof<E>(
    old: u64,
    now: u64,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Vec<Hash>, Failure<E>> {
    let path = consistency_path(old, now).unwrap_or_default();
    let tiles = read_tiles(tiles_of(&path, now), read)?;
    // INVARIANT: all tiles that the path needs have been read.
    Ok(tiles.hashes(&path).unwrap_or_default())
}

/// The proof that the entry at a place is in the log of `size` entries.
///
/// # Errors
/// As for [`read_tile`].
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Vec<Hash>, Failure<E>> {
    let path = inclusion_path(index, size).unwrap_or_default();
    let tiles = read_tiles(tiles_of(&path, size), read)?;
    // INVARIANT: all tiles that the path needs have been read.
    Ok(tiles.hashes(&path).unwrap_or_default())
}

/// The entry at a place of the log of `size` entries; none if there is no such place.
///
/// # Errors
/// As for [`read_tile`].
pub fn entry_at<E>(
    index: u64,
    size: u64,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Option<Vec<u8>>, Failure<E>> {
    let Some(tile) = Tile::of_tree(Content::Entries, index / WIDTH, size) else { return Ok(None) };
    let bundle = read_tile(tile, read)?;
    let entries = entries_of(&bundle, tile.width).ok_or(Damage::Malformed(tile))?;
    let place = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
    Ok(entries.get(place).map(|entry| entry.to_vec()))
}

/// Checks all of the log of a checkpoint that is believed. `each` gets each event with its place.
///
/// # Errors
/// The first [`Damage`], or that the log cannot be read.
pub fn whole_log<E>(
    checkpoint: &Checkpoint,
    mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    mut each: impl FnMut(u64, &Entry<'_>) -> Result<(), Failure<E>>,
) -> Result<WholeLog, Failure<E>> {
    let mut edge = Edge::default();
    let mut streams = Streams::default();
    let mut above = BTreeMap::new();
    for bundle_index in 0..checkpoint.size.div_ceil(WIDTH) {
        // INVARIANT: a bundle of the tree is one, and so is the tile of its hashes.
        let Some(bundle_tile) = Tile::of_tree(Content::Entries, bundle_index, checkpoint.size) else { break };
        let hashes_tile = Tile { content: Content::Hashes { level: 0 }, ..bundle_tile };
        let bundle = read_tile(bundle_tile, &mut read)?;
        let entries = entries_of(&bundle, bundle_tile.width).ok_or(Damage::Malformed(bundle_tile))?;
        let hashes = read_tile(hashes_tile, &mut read)?;
        let hashes =
            crate::tile::hashes_of(&hashes, hashes_tile.width).ok_or(Damage::Malformed(hashes_tile))?;
        for (index, (bytes, hash)) in (bundle_index * WIDTH..).zip(entries.into_iter().zip(hashes)) {
            let entry = Entry::read(bytes).map_err(|reason| Damage::Entry { index, reason })?;
            let leaf = leaf_hash(bytes);
            if leaf != hash {
                return Err(Damage::Changed { tile: hashes_tile, index }.into());
            }
            let place = || (index, entry.stream.to_owned(), entry.sequence);
            if entry.origin != checkpoint.origin {
                let (index, stream, sequence) = place();
                return Err(Damage::Origin { index, stream, sequence }.into());
            }
            streams.follow(&entry).map_err(|reason| {
                let (index, stream, sequence) = place();
                Damage::Stream { index, stream, sequence, reason }
            })?;
            edge.append(leaf, &mut |tile, hashes| {
                if tile.content != (Content::Hashes { level: 0 }) {
                    above.insert(tile, bytes_of(hashes));
                }
            });
            each(index, &entry)?;
        }
    }
    above.extend(edge.partial_bytes().filter(|(tile, _)| tile.content != (Content::Hashes { level: 0 })));
    if edge.root() != checkpoint.root {
        return Err(Damage::Root.into());
    }
    for (tile, expected) in above {
        if read_tile(tile, &mut read)? != expected {
            return Err(Damage::Tile(tile).into());
        }
    }
    Ok(WholeLog { entries: checkpoint.size, streams: streams.count() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::tests::event;
    use crate::tile::push_entry;
    use proptest::prelude::*;
    use serde_json::json;
    use std::convert::Infallible;

    const ORIGIN: &str = "urn:countersign:deployment:0a";

    type Files = BTreeMap<String, Vec<u8>>;

    /// The files of a log of these entries, as the last checkpoint has them.
    fn log(entries: &[String]) -> (Files, Checkpoint) {
        let mut files = Files::new();
        let mut edge = Edge::default();
        for bundle in entries.chunks(256) {
            let mut bytes = Vec::new();
            for entry in bundle {
                push_entry(&mut bytes, entry.as_bytes()).unwrap();
                edge.append(leaf_hash(entry.as_bytes()), &mut |tile, hashes| {
                    files.insert(tile.to_string(), bytes_of(hashes));
                });
            }
            let index = (edge.size() - 1) / WIDTH;
            let tile = Tile::of_tree(Content::Entries, index, edge.size()).unwrap();
            files.insert(tile.to_string(), bytes);
        }
        files.extend(edge.partial_bytes().map(|(tile, bytes)| (tile.to_string(), bytes)));
        (files, Checkpoint { origin: ORIGIN.to_owned(), size: edge.size(), root: edge.root() })
    }

    fn check(files: &Files, checkpoint: &Checkpoint) -> Result<WholeLog, Damage> {
        let read = |path: &str| Ok::<_, Infallible>(files.get(path).cloned());
        whole_log(checkpoint, read, |_, _| Ok(())).map_err(|failure| match failure {
            Failure::Damaged(damage) => damage,
            Failure::Unread(never) => match never {},
        })
    }

    /// So many events of five streams in turn.
    fn events(count: usize) -> Vec<String> {
        let mut heads: BTreeMap<String, (u64, String)> = BTreeMap::new();
        (0..count)
            .map(|place| {
                let stream = format!("request/{}", place % 5);
                let (sequence, head) = heads.get(&stream).cloned().unwrap_or((0, "0".repeat(64)));
                let (text, hash) = event(&stream, sequence + 1, &head, &json!({ "place": place }));
                heads.insert(stream, (sequence + 1, hash));
                text
            })
            .collect()
    }

    #[test]
    fn a_log_is_whole_at_every_size() {
        let entries = events(600);
        for size in [0, 1, 2, 5, 255, 256, 257, 300, 511, 512, 513, 600] {
            let (files, checkpoint) = log(&entries[..size]);
            let whole = WholeLog { entries: size as u64, streams: size.min(5) };
            assert_eq!(check(&files, &checkpoint), Ok(whole));
        }
        // What was read of an earlier tree is found again in the full tiles of a later one.
        let (files, _) = log(&entries);
        let (_, earlier) = log(&entries[..200]);
        let mut files = files;
        files.retain(|path, _| !path.contains(".p/"));
        assert_eq!(check(&files, &earlier).map(|whole| whole.entries), Ok(200));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let entries = events(300);
        let (files, checkpoint) = log(&entries);
        let index_of = |damage: &Damage| match damage {
            Damage::Entry { index, .. } | Damage::Stream { index, .. } | Damage::Origin { index, .. } => {
                Some(*index)
            }
            Damage::Changed { index, .. } => Some(*index),
            Damage::Missing(_) | Damage::Malformed(_) | Damage::Tile(_) | Damage::Root => None,
        };
        // Entries that are edited, gone, twice there or exchanged, in a log that is otherwise consistent.
        let rewritten = |change: &dyn Fn(&mut Vec<String>)| {
            let mut entries = entries.clone();
            change(&mut entries);
            let (files, checkpoint) = log(&entries);
            check(&files, &checkpoint).unwrap_err()
        };
        let edited = rewritten(&|entries| entries[100] = entries[100].replace("19:03:21", "19:03:20"));
        assert_eq!(edited, Damage::Entry { index: 100, reason: InvalidEntry::Edited });
        assert_eq!(index_of(&rewritten(&|entries| drop(entries.remove(100)))), Some(104));
        assert_eq!(index_of(&rewritten(&|entries| entries.insert(101, entries[100].clone()))), Some(101));
        assert_eq!(index_of(&rewritten(&|entries| entries.swap(100, 105))), Some(100));
        let foreign = event("request/9", 1, &"0".repeat(64), &json!({ "origin": "urn:other" })).0;
        let origin = rewritten(&|entries| entries.push(foreign.clone()));
        assert_eq!(origin, Damage::Origin { index: 300, stream: "request/9".to_owned(), sequence: 1 });
        // The same of entries alone, whose tiles are as they were.
        let mut other = files.clone();
        let bundle = other.get_mut("tile/entries/000").unwrap();
        let place = bundle.windows(8).position(|bytes| bytes == b"\"place\":").unwrap() + 8;
        bundle[place] = b'7';
        assert!(matches!(check(&other, &checkpoint), Err(Damage::Entry { index: 0, .. })));
        for path in files.keys() {
            let mut other = files.clone();
            other.remove(path);
            let tile = Tile::parse(path).unwrap();
            assert_eq!(check(&other, &checkpoint), Err(Damage::Missing(tile)), "{path}");
            other.insert(path.clone(), files[path][..files[path].len() - 1].to_vec());
            assert!(check(&other, &checkpoint).is_err(), "{path}");
        }
        // Another log of as many entries, consistent in itself, under the checkpoint of this one.
        let others: Vec<_> = (0..300)
            .map(|place| {
                event(&format!("request/x{place}"), 1, &"0".repeat(64), &json!({ "place": place })).0
            })
            .collect();
        let (files, _) = log(&others);
        assert_eq!(check(&files, &checkpoint), Err(Damage::Root));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn no_changed_bit_is_overlooked(
            size in 1_usize..600, file in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let (mut files, checkpoint) = log(&events(size));
            let path = files.keys().nth(file.index(files.len())).unwrap().clone();
            let bytes = files.get_mut(&path).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assert!(check(&files, &checkpoint).is_err(), "{} {} {}", path, place, bit);
        }
    }
}
