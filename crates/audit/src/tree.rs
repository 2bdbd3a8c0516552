//! The hashes of the tree, and proofs about them (RFC 6962 section 2.1; verified as RFC 9162 sections 2.1.3.2 and 2.1.4.2
//! have it). Refuses to know how hashes are kept.

use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// A SHA-256 hash of the tree.
pub type Hash = [u8; 32];

/// What stands before an entry, and before two hashes, when they are hashed: no entry is taken for two hashes.
const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

/// The root of the tree without entries.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The hash of an entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update(LEAF).chain_update(entry).finalize().into()
}

/// The hash of two subtrees beside each other.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update(NODE).chain_update(left).chain_update(right).finalize().into()
}

/// The root over some hashes, each the root of a subtree of the same height.
#[must_use]
pub fn root_of(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [hash] => *hash,
        _ => {
            let (left, right) =
                hashes.split_at_checked(left_of(hashes.len() as u64) as usize).unwrap_or_default();
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// How many of `n` leaves are in the left subtree: the largest power of two below `n`. For two leaves and more.
#[must_use]
pub fn left_of(n: u64) -> u64 {
    n.saturating_sub(1).checked_ilog2().map_or(1, |height| 1 << height)
}

/// The subtrees, as ranges of leaves, whose hashes show that the entry at `index` is in the tree of `size` leaves: from
/// the leaf's sibling to a child of the root. None if there is no such entry.
#[must_use]
pub fn inclusion_path(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let mut path = Vec::new();
    let mut subtree = 0..size;
    while subtree.end - subtree.start > 1 {
        let middle = subtree.start + left_of(subtree.end - subtree.start);
        let (left, right) = (subtree.start..middle, middle..subtree.end);
        let (inside, beside) = if index < middle { (left, right) } else { (right, left) };
        path.push(beside);
        subtree = inside;
    }
    path.reverse();
    Some(path)
}

/// The subtrees whose hashes show that the tree of `new` leaves begins with that of `old`. Nothing needs to be shown of an
/// empty tree, or of one tree. None if there are fewer leaves than before.
#[must_use]
pub fn consistency_path(old: u64, new: u64) -> Option<Vec<Range<u64>>> {
    if old > new {
        return None;
    }
    let mut path = Vec::new();
    let mut subtree = 0..new;
    // Whether the subtree is the old tree itself, whose root the verifier knows.
    let mut is_known = true;
    while old > 0 && old < new && subtree.end != old {
        let middle = subtree.start + left_of(subtree.end - subtree.start);
        let (left, right) = (subtree.start..middle, middle..subtree.end);
        if old <= middle {
            path.push(right);
            subtree = left;
        } else {
            path.push(left);
            subtree = right;
            is_known = false;
        }
    }
    if !is_known {
        path.push(subtree);
    }
    path.reverse();
    Some(path)
}

/// The root of the tree of `size` leaves, as it follows from the hash of the leaf at `index` and the hashes of
/// [`inclusion_path`]. None if there are too few or too many.
#[must_use]
pub fn root_of_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    let mut place = index;
    let mut last = size.checked_sub(1).filter(|last| index <= *last)?;
    let mut root = leaf;
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            root = node_hash(sibling, &root);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

/// Whether the hashes of [`consistency_path`] show that the tree of `new` leaves and this root begins with that of `old`.
#[must_use]
pub fn is_consistent(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    let mut place = old_size - 1;
    let mut last = new_size - 1;
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    // The old tree is itself a subtree of the new one: its root is not in the proof.
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        let Some((first, rest)) = proof.split_first() else { return false };
        (first, rest)
    };
    let (mut of_old, mut of_new) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            of_old = node_hash(hash, &of_old);
            of_new = node_hash(hash, &of_new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            of_new = node_hash(&of_new, hash);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && of_old == *old_root && of_new == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 6962 section 2.1, as it is written there.
    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node_hash(&naive(&leaves[..k]), &naive(&leaves[k..]))
            }
        }
    }

    /// RFC 6962 section 2.1.1.
    fn naive_inclusion(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let k = left_of(leaves.len() as u64) as usize;
        let (mut path, other) = if m < k {
            (naive_inclusion(m, &leaves[..k]), naive(&leaves[k..]))
        } else {
            (naive_inclusion(m - k, &leaves[k..]), naive(&leaves[..k]))
        };
        path.push(other);
        path
    }

    /// RFC 6962 section 2.1.2.
    fn naive_consistency(m: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
        if m == leaves.len() {
            return if is_known { Vec::new() } else { vec![naive(leaves)] };
        }
        let k = left_of(leaves.len() as u64) as usize;
        let (mut path, other) = if m <= k {
            (naive_consistency(m, &leaves[..k], is_known), naive(&leaves[k..]))
        } else {
            (naive_consistency(m - k, &leaves[k..], false), naive(&leaves[..k]))
        };
        path.push(other);
        path
    }

    fn leaves(n: usize) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&(i as u64).to_be_bytes())).collect()
    }

    fn hashes(paths: Vec<Range<u64>>, leaves: &[Hash]) -> Vec<Hash> {
        paths.into_iter().map(|range| naive(&leaves[range.start as usize..range.end as usize])).collect()
    }

    /// The entries and roots that implementations of RFC 6962 test each other with.
    #[test]
    fn known_roots() {
        let entries = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(&hex::decode(entry).unwrap())).collect();
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(hex::encode(root_of(&leaves[..size])), *root, "{size}");
        }
    }

    #[test]
    fn every_proof_of_small_trees_is_that_of_the_standard() {
        for size in 1..=40 {
            let leaves = leaves(size);
            let root = naive(&leaves);
            for index in 0..size {
                let proof = hashes(inclusion_path(index as u64, size as u64).unwrap(), &leaves);
                assert_eq!(proof, naive_inclusion(index, &leaves));
                assert_eq!(root_of_inclusion(leaves[index], index as u64, size as u64, &proof), Some(root));
            }
            for old in 1..=size {
                let proof = hashes(consistency_path(old as u64, size as u64).unwrap(), &leaves);
                assert_eq!(proof, naive_consistency(old, &leaves, true), "{old} {size}");
                let old_root = naive(&leaves[..old]);
                assert!(is_consistent((old as u64, &old_root), (size as u64, &root), &proof), "{old} {size}");
            }
        }
        assert_eq!(inclusion_path(1, 1), None);
        assert_eq!(consistency_path(2, 1), None);
        let root = naive(&leaves(3));
        assert!(is_consistent((0, &empty_root()), (3, &root), &[]));
        assert!(!is_consistent((0, &root), (3, &root), &[]) && !is_consistent((3, &root), (2, &root), &[]));
        assert_eq!(root_of_inclusion(root, 0, 0, &[]), None);
    }

    proptest! {
        #[test]
        fn a_proof_of_something_else_shows_nothing(
            size in 1_usize..600, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>(),
            changed in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let leaves = leaves(size);
            let root = naive(&leaves);
            let (index, old) = (at.index(size), 1 + old.index(size));
            let proof = hashes(inclusion_path(index as u64, size as u64).unwrap(), &leaves);
            let shown = |index: usize, proof: &[Hash]| root_of_inclusion(leaves[at.index(size)], index as u64, size as u64, proof) == Some(root);
            prop_assert!(shown(index, &proof));
            if index + 1 < size {
                prop_assert!(!shown(index + 1, &proof));
            }
            prop_assert!(!shown(index, &[proof.as_slice(), &[root]].concat()));
            let old_root = naive(&leaves[..old]);
            let consistency = hashes(consistency_path(old as u64, size as u64).unwrap(), &leaves);
            let follows = |old_root: &Hash, proof: &[Hash]| is_consistent((old as u64, old_root), (size as u64, &root), proof);
            prop_assert!(follows(&old_root, &consistency));
            prop_assert!(!follows(&leaf_hash(b"another"), &consistency));
            prop_assert!(!follows(&old_root, &[consistency.as_slice(), &[root]].concat()));
            for (proof, shown) in [(proof, true), (consistency, false)] {
                if proof.is_empty() {
                    continue;
                }
                let mut other = proof.clone();
                let place = changed.index(other.len());
                other[place][0] ^= 1 << bit;
                let shorter = &proof[1..];
                if shown {
                    prop_assert!(root_of_inclusion(leaves[index], index as u64, size as u64, &other) != Some(root));
                    prop_assert!(root_of_inclusion(leaves[index], index as u64, size as u64, shorter) != Some(root));
                } else {
                    prop_assert!(!follows(&old_root, &other) && !follows(&old_root, shorter));
                }
            }
        }
    }
}
