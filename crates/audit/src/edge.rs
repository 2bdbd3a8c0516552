//! The right edge of a tree: all that is needed of it to add entries. Refuses to know where tiles go.

use crate::tile::{Content, Tile, WIDTH, bytes_of, hashes_of};
use crate::tree::{Hash, empty_root, node_hash, root_of};

/// The tiles of a tree that are not full, one of each level at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The tiles that a tree of `size` entries has and that are not full.
    pub fn tiles(size: u64) -> impl Iterator<Item = Tile> {
        (0..=7).filter_map(move |level| {
            let there = size.checked_shr(8 * u32::from(level))?;
            let tile = Tile::of_tree(Content::Hashes { level }, there / WIDTH, size)?;
            (!tile.is_full()).then_some(tile)
        })
    }

    /// The edge of a tree of `size` entries, of what [`Self::tiles`] hold; none if a tile is not as long as it must be, or
    /// is not there.
    #[must_use]
    pub fn of_tiles(size: u64, mut bytes_of: impl FnMut(Tile) -> Option<Vec<u8>>) -> Option<Self> {
        let mut edge = Self { size, levels: Vec::new() };
        for tile in Self::tiles(size) {
            let Content::Hashes { level } = tile.content else { continue };
            *edge.level(usize::from(level)) = hashes_of(&bytes_of(tile)?, tile.width)?;
        }
        Some(edge)
    }

    fn level(&mut self, level: usize) -> &mut Vec<Hash> {
        while self.levels.len() <= level {
            self.levels.push(Vec::new());
        }
        // INVARIANT: it was made just above.
        #[expect(clippy::indexing_slicing, reason = "the level was made just above")]
        &mut self.levels[level]
    }

    /// How many entries the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the hash of an entry. `full` gets each tile that has become full, those of a lower level first.
    pub fn append(&mut self, leaf: Hash, full: &mut impl FnMut(Tile, &[Hash])) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0..=7_u8 {
            let there = self.size >> (8 * u32::from(level));
            let hashes = self.level(usize::from(level));
            hashes.push(hash);
            if (hashes.len() as u64) < WIDTH {
                return;
            }
            let tile =
                Tile { content: Content::Hashes { level }, index: there / WIDTH - 1, width: WIDTH as u16 };
            full(tile, hashes);
            hash = root_of(hashes);
            hashes.clear();
        }
    }

    /// The tiles that are not full, with what they hold.
    pub fn partial_tiles(&self) -> impl Iterator<Item = (Tile, Vec<Hash>)> {
        Self::tiles(self.size).filter_map(|tile| {
            let Content::Hashes { level } = tile.content else { return None };
            Some((tile, self.levels.get(usize::from(level))?.clone()))
        })
    }

    /// The same as bytes.
    pub fn partial_bytes(&self) -> impl Iterator<Item = (Tile, Vec<u8>)> {
        self.partial_tiles().map(|(tile, hashes)| (tile, bytes_of(&hashes)))
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for hashes in &self.levels {
            // The perfect subtrees of a level, the largest first: their sizes are the bits of their number.
            let mut subtrees = Vec::new();
            let mut rest = hashes.as_slice();
            while let Some(bit) = rest.len().checked_ilog2() {
                let (subtree, after) = rest.split_at_checked(1 << bit).unwrap_or((rest, &[]));
                subtrees.push(root_of(subtree));
                rest = after;
            }
            for subtree in subtrees.into_iter().rev() {
                root = Some(root.map_or(subtree, |right| node_hash(&subtree, &right)));
            }
        }
        root.unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf_hash;
    use std::collections::BTreeMap;

    #[test]
    fn an_edge_that_is_read_back_goes_on_as_if_it_had_never_been_away() {
        let mut edge = Edge::default();
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut leaves = Vec::new();
        for size in 0..1_100_u64 {
            assert_eq!(edge.root(), root_of(&leaves), "{size}");
            assert_eq!(
                Edge::of_tiles(size, |tile| files.get(&tile.to_string()).cloned()).as_ref().map(Edge::root),
                Some(edge.root())
            );
            let leaf = leaf_hash(&size.to_be_bytes());
            leaves.push(leaf);
            edge.append(leaf, &mut |tile, hashes| drop(files.insert(tile.to_string(), bytes_of(hashes))));
            files.extend(edge.partial_bytes().map(|(tile, bytes)| (tile.to_string(), bytes)));
        }
        assert!(files.contains_key("tile/0/003") && files.contains_key("tile/1/000.p/4"));
        assert_eq!(Edge::of_tiles(300, |_| None), None);
        assert_eq!(Edge::of_tiles(300, |_| Some(vec![0; 32])), None);
    }
}
