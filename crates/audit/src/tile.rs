//! Tiles: the hashes of the tree and its entries, in files that never change (C2SP `tlog-tiles`). Owns their names and
//! bytes. Refuses to know where they are.

use crate::tree::{self, Hash, left_of, node_hash, root_of};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

/// How many hashes, or entries, a full tile has.
pub const WIDTH: u64 = 256;
/// The height of a tile: two to this power is its width.
const HEIGHT: u32 = 8;
/// The highest level: that of a tree of 2^64 entries.
const MAX_LEVEL: u8 = 7;
/// The longest entry, in bytes: its length is written in two.
pub const MAX_ENTRY_BYTES: usize = 65_535;
/// The longest file of a log, in bytes: a bundle of the longest entries.
pub const MAX_TILE_BYTES: usize = WIDTH as usize * (MAX_ENTRY_BYTES + 2);

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// Entries.
    Entries,
    /// Hashes: of entries at level 0, of full tiles of the level below at every other.
    Hashes {
        /// The level.
        level: u8,
    },
}

/// A tile by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// What it holds.
    pub content: Content,
    /// Its place among those of its level.
    pub index: u64,
    /// How much it holds: from 1 to [`WIDTH`].
    pub width: u16,
}

impl Tile {
    /// The tile of this place in a tree of `size` entries; none if the tree does not reach it.
    #[must_use]
    pub fn of_tree(content: Content, index: u64, size: u64) -> Option<Self> {
        let level = match content {
            Content::Entries => 0,
            Content::Hashes { level } => u32::from(level),
        };
        let there = size.checked_shr(HEIGHT * level)?;
        let width = there.saturating_sub(index.checked_mul(WIDTH)?).min(WIDTH);
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { content, index, width })
    }

    /// The same tile when it is full.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: WIDTH as u16, ..self }
    }

    /// Whether nothing will be added to it.
    #[must_use]
    pub fn is_full(self) -> bool {
        u64::from(self.width) == WIDTH
    }

    /// So much of the bytes of the full tile as this one has.
    #[must_use]
    pub fn beginning_of(self, full: &[u8]) -> Option<Vec<u8>> {
        match self.content {
            Content::Hashes { .. } => full.get(..32 * usize::from(self.width)).map(<[u8]>::to_vec),
            Content::Entries => {
                let mut bundle = Vec::new();
                for entry in entries_of(full, WIDTH as u16)?.into_iter().take(usize::from(self.width)) {
                    push_entry(&mut bundle, entry).ok()?;
                }
                Some(bundle)
            }
        }
    }

    /// Reads a path back, which has one spelling.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("tile/")?.split('/').peekable();
        let content = match parts.next()? {
            "entries" => Content::Entries,
            level => Content::Hashes { level: level.parse().ok().filter(|level| *level <= MAX_LEVEL)? },
        };
        let mut index: u64 = 0;
        let mut width = WIDTH as u16;
        loop {
            let part = parts.next()?;
            let (part, is_last) = match (part.strip_prefix('x'), part.strip_suffix(".p")) {
                (Some(part), _) => (part, false),
                (None, Some(part)) => {
                    width =
                        parts.next()?.parse().ok().filter(|width| (1..WIDTH).contains(&u64::from(*width)))?;
                    (part, true)
                }
                (None, None) => (part, true),
            };
            let digits: u64 = part.parse().ok().filter(|_| part.len() == 3)?;
            index = index.checked_mul(1000)?.checked_add(digits)?;
            if is_last {
                break;
            }
        }
        let tile = Self { content, index, width };
        (tile.to_string() == path).then_some(tile)
    }
}

/// The path below the log's own.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Entries => f.write_str("tile/entries/")?,
            Content::Hashes { level } => write!(f, "tile/{level}/")?,
        }
        let mut above = Vec::new();
        let mut index = self.index / 1000;
        while index > 0 {
            above.push(index % 1000);
            index /= 1000;
        }
        for part in above.into_iter().rev() {
            write!(f, "x{part:03}/")?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// The bytes of a tile of hashes.
#[must_use]
pub fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// The hashes of a tile; none if there are not as many as it must have.
#[must_use]
pub fn hashes_of(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == usize::from(width)).then(|| hashes.to_vec())
}

/// An entry is longer than a log takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry has more than 65,535 bytes")]
pub struct EntryTooLong;

/// Adds an entry to the bytes of a bundle.
///
/// # Errors
/// [`EntryTooLong`].
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLong> {
    let length = u16::try_from(entry.len()).map_err(|_| EntryTooLong)?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle; none if it has not as many as it must have, or ends in the middle of one.
#[must_use]
pub fn entries_of(bundle: &[u8], width: u16) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bundle;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        rest = after;
    }
    (rest.is_empty() && entries.len() == usize::from(width)).then_some(entries)
}

/// The tiles of hashes that subtrees of a tree of `size` entries are in.
#[must_use]
pub fn tiles_of(subtrees: &[Range<u64>], size: u64) -> BTreeSet<Tile> {
    let perfect = subtrees.iter().flat_map(|subtree| perfect_subtrees(subtree.clone()));
    perfect
        .filter_map(|node| {
            let (level, hashes) = node.place()?;
            Tile::of_tree(Content::Hashes { level }, hashes.start / WIDTH, size)
        })
        .collect()
}

/// A subtree with two to the power of `height` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    height: u32,
    index: u64,
}

impl Node {
    /// The level at which it is found, and the hashes of that level that it is the root of.
    fn place(self) -> Option<(u8, Range<u64>)> {
        let above = self.height % HEIGHT;
        let start = self.index.checked_shl(above)?;
        Some((u8::try_from(self.height / HEIGHT).ok()?, start..start + (1 << above)))
    }
}

/// The perfect subtrees that a subtree is made of, from the left.
fn perfect_subtrees(mut subtree: Range<u64>) -> Vec<Node> {
    let mut nodes = Vec::new();
    while subtree.start < subtree.end {
        let leaves = subtree.end - subtree.start;
        let leaves = if leaves.is_power_of_two() { leaves } else { left_of(leaves) };
        let height = leaves.trailing_zeros();
        nodes.push(Node { height, index: subtree.start >> height });
        subtree.start += leaves;
    }
    nodes
}

/// Tiles of hashes that have been read.
#[derive(Debug, Default)]
pub struct Tiles(BTreeMap<(u8, u64), Vec<Hash>>);

impl Tiles {
    /// Adds one. `false` if the bytes are not those of such a tile.
    pub fn insert(&mut self, tile: Tile, bytes: &[u8]) -> bool {
        let Content::Hashes { level } = tile.content else { return false };
        let Some(hashes) = hashes_of(bytes, tile.width) else { return false };
        self.0.insert((level, tile.index), hashes);
        true
    }

    /// The root of a subtree; none if a tile of it is not here.
    #[must_use]
    pub fn hash(&self, subtree: Range<u64>) -> Option<Hash> {
        if subtree.is_empty() {
            return Some(tree::empty_root());
        }
        let nodes = perfect_subtrees(subtree);
        let hashes: Vec<_> = nodes.into_iter().map(|node| self.node(node)).collect::<Option<_>>()?;
        hashes.into_iter().rev().reduce(|right, left| node_hash(&left, &right))
    }

    /// The roots of subtrees: a proof of [`tree::inclusion_path`] or [`tree::consistency_path`].
    #[must_use]
    pub fn hashes(&self, subtrees: &[Range<u64>]) -> Option<Vec<Hash>> {
        subtrees.iter().map(|subtree| self.hash(subtree.clone())).collect()
    }

    fn node(&self, node: Node) -> Option<Hash> {
        let (level, hashes) = node.place()?;
        let tile = self.0.get(&(level, hashes.start / WIDTH))?;
        let first = usize::try_from(hashes.start % WIDTH).ok()?;
        let count = usize::try_from(hashes.end - hashes.start).ok()?;
        tile.get(first..first + count).map(root_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::Edge;
    use crate::tree::{consistency_path, inclusion_path, is_consistent, leaf_hash, root_of_inclusion};
    use proptest::prelude::*;

    fn hashes(level: u8, index: u64, width: u16) -> Tile {
        Tile { content: Content::Hashes { level }, index, width }
    }

    #[test]
    fn a_path_is_that_of_the_specification() {
        for (tile, path) in [
            (hashes(0, 1_234_067, 256), "tile/0/x001/x234/067"),
            (hashes(0, 0, 256), "tile/0/000"),
            (hashes(2, 999, 1), "tile/2/999.p/1"),
            (hashes(1, 1000, 255), "tile/1/x001/000.p/255"),
            (Tile { content: Content::Entries, index: 273, width: 112 }, "tile/entries/273.p/112"),
        ] {
            assert_eq!(tile.to_string(), path);
            assert_eq!(Tile::parse(path), Some(tile), "{path}");
        }
        for path in [
            "",
            "checkpoint",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/00",
            "tile/0/0000",
            "tile/8/000",
            "tile/00/000",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/1/",
            "tile/0/x000/000",
            "tile/0/x001",
            "tile/0/001/000",
            "tile/0/+01",
            "tile/entries/../000",
            "tile/0/x001.p/1/000",
            "/tile/0/000",
            "tile/0/000/",
            "tile/data/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
            "tile/-1/000",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_tree_has_the_tiles_of_the_specification() {
        let width =
            |level, index, size| Tile::of_tree(Content::Hashes { level }, index, size).map(|tile| tile.width);
        assert_eq!(width(0, 272, 70_000), Some(256));
        assert_eq!(width(0, 273, 70_000), Some(112));
        assert_eq!(width(0, 274, 70_000), None);
        assert_eq!((width(1, 0, 70_000), width(1, 1, 70_000)), (Some(256), Some(17)));
        assert_eq!((width(2, 0, 70_000), width(3, 0, 70_000)), (Some(1), None));
        assert_eq!((width(0, 0, 256), width(1, 0, 256)), (Some(256), Some(1)));
    }

    #[test]
    fn a_bundle_is_read_back_and_what_is_cut_is_refused() {
        let mut bundle = Vec::new();
        let entries: [&[u8]; 3] = [b"one", b"", &[7; MAX_ENTRY_BYTES]];
        for entry in entries {
            push_entry(&mut bundle, entry).unwrap();
        }
        assert_eq!(bundle[..5], *b"\0\x03one");
        assert_eq!(entries_of(&bundle, 3), Some(entries.to_vec()));
        assert_eq!(entries_of(&bundle, 2), None);
        for cut in [0, 1, 4, 6, bundle.len() - 1] {
            assert_eq!(entries_of(&bundle[..cut], 3), None, "{cut}");
        }
        assert_eq!(push_entry(&mut bundle, &[0; MAX_ENTRY_BYTES + 1]), Err(EntryTooLong));
        assert_eq!(hashes_of(&[0; 64], 2), Some(vec![[0; 32]; 2]));
        assert!(hashes_of(&[0; 64], 1).is_none() && hashes_of(&[0; 63], 1).is_none());
    }

    /// All tiles that a tree of `size` entries has.
    fn tiles_of_tree(size: u64) -> (Tiles, Vec<Hash>) {
        let leaves: Vec<_> = (0..size).map(|entry| leaf_hash(&entry.to_be_bytes())).collect();
        let mut edge = Edge::default();
        let mut tiles = Tiles::default();
        for leaf in &leaves {
            edge.append(*leaf, &mut |tile, hashes| assert!(tiles.insert(tile, &bytes_of(hashes))));
        }
        for (tile, hashes) in edge.partial_tiles() {
            assert!(tiles.insert(tile, &bytes_of(&hashes)));
        }
        assert_eq!(tiles.hash(0..size), Some(edge.root()));
        assert_eq!(edge.root(), root_of(&leaves));
        (tiles, leaves)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn proofs_come_of_the_tiles_that_they_are_said_to_need(
            size in 1_u64..70_000, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>(),
        ) {
            let (all, leaves) = tiles_of_tree(size);
            let root = all.hash(0..size).unwrap();
            let (index, old) = (at.index(size as usize) as u64, 1 + old.index(size as usize) as u64);
            let only = |needed: BTreeSet<Tile>| {
                let mut tiles = Tiles::default();
                for tile in needed {
                    let Content::Hashes { level } = tile.content else { panic!() };
                    assert!(tiles.insert(tile, &bytes_of(&all.0[&(level, tile.index)])));
                }
                tiles
            };
            let path = inclusion_path(index, size).unwrap();
            let proof = only(tiles_of(&path, size)).hashes(&path).unwrap();
            prop_assert_eq!(root_of_inclusion(leaves[index as usize], index, size, &proof), Some(root));
            let path = consistency_path(old, size).unwrap();
            let proof = only(tiles_of(&path, size)).hashes(&path).unwrap();
            let old_root = root_of(&leaves[..old as usize]);
            prop_assert!(is_consistent((old, &old_root), (size, &root), &proof));
            prop_assert_eq!(only(tiles_of(std::slice::from_ref(&(0..old)), size)).hash(0..old), Some(old_root));
        }
    }
}
