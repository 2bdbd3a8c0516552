//! A proof that an entry is in the log (C2SP `tlog-proof`): its place, the hashes beside its way to the root, and the
//! checkpoint with that root.

use crate::checkpoint::{Checkpoint, InvalidCheckpoint};
use crate::key_set::KeySet;
use crate::note::MAX_NOTE_BYTES;
use crate::tree::{Hash, leaf_hash, root_of_inclusion};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// The most hashes that a proof has: those of a tree of 2^64 entries.
const MAX_HASHES: usize = 64;

/// A proof that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The place of the entry.
    pub index: u64,
    /// The hashes beside its way to the root, from the bottom.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// Why a proof shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// The text is no proof.
    #[error("it is not a proof")]
    Malformed,
    /// Its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The hashes lead to another root, or from another entry.
    #[error("the entry is not in the log of the checkpoint")]
    NotIncluded,
}

impl Proof {
    /// The proof as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nindex {}\n", self.index);
        for hash in &self.hashes {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads a proof. A line of further data, which proves nothing, is passed over.
    ///
    /// # Errors
    /// [`InvalidProof::Malformed`].
    pub fn parse(text: &str) -> Result<Self, InvalidProof> {
        Self::read(text).ok_or(InvalidProof::Malformed)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_NOTE_BYTES {
            return None;
        }
        let (proof, checkpoint) = text.split_once("\n\n")?;
        let mut lines = proof.split('\n').peekable();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        if let Some(extra) = lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            STANDARD.decode(extra).ok()?;
            lines.next();
        }
        let digits = lines.next()?.strip_prefix("index ")?;
        let index: u64 = digits.parse().ok().filter(|index: &u64| index.to_string() == digits)?;
        let hashes: Vec<Hash> = lines
            .map(|line| STANDARD.decode(line).ok().and_then(|hash| hash.try_into().ok()))
            .collect::<Option<_>>()?;
        (hashes.len() <= MAX_HASHES).then(|| Self { index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that an entry is in the log, under a checkpoint that one of these keys has signed.
    ///
    /// # Errors
    /// [`InvalidProof`].
    pub fn verify(&self, entry: &[u8], keys: &KeySet) -> Result<Checkpoint, InvalidProof> {
        let checkpoint = Checkpoint::open(&self.checkpoint, keys)?;
        let root = root_of_inclusion(leaf_hash(entry), self.index, checkpoint.size, &self.hashes);
        if root == Some(checkpoint.root) { Ok(checkpoint) } else { Err(InvalidProof::NotIncluded) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyStatus, PrivateKey, Purpose};
    use crate::tree::{inclusion_path, root_of};

    #[test]
    fn a_proof_is_read_back_and_shows_its_entry_only() {
        let entries: Vec<_> = (0..7).map(|entry| format!("entry {entry}")).collect();
        let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry.as_bytes())).collect();
        let private = PrivateKey::from_bytes(&[7; 32]);
        let key = private.public(Purpose::Log, KeyStatus::Current);
        let keys = KeySet::new(vec![key.clone()]);
        let checkpoint = Checkpoint { origin: "example.com/log".to_owned(), size: 7, root: root_of(&leaves) };
        let note = checkpoint.signed(&key, &private.sign(checkpoint.text().as_bytes()));
        for (index, entry) in entries.iter().enumerate() {
            let path = inclusion_path(index as u64, 7).unwrap();
            let hashes =
                path.into_iter().map(|range| root_of(&leaves[range.start as usize..range.end as usize]));
            let proof = Proof { index: index as u64, hashes: hashes.collect(), checkpoint: note.clone() };
            let text = proof.text();
            assert!(
                text.starts_with(&format!("c2sp.org/tlog-proof@v1\nindex {index}\n"))
                    && text.ends_with(&note)
            );
            assert_eq!(Proof::parse(&text), Ok(proof.clone()));
            let with_more = text.replacen('\n', "\nextra bW9yZQ==\n", 1);
            assert_eq!(Proof::parse(&with_more), Ok(proof.clone()));
            assert_eq!(proof.verify(entry.as_bytes(), &keys), Ok(checkpoint.clone()));
            assert_eq!(proof.verify(b"another", &keys), Err(InvalidProof::NotIncluded));
            let moved = Proof { index: (index as u64 + 1) % 7, ..proof.clone() };
            assert_eq!(moved.verify(entry.as_bytes(), &keys), Err(InvalidProof::NotIncluded));
            assert!(matches!(
                proof.verify(entry.as_bytes(), &KeySet::default()),
                Err(InvalidProof::Checkpoint(_))
            ));
            for odd in ["", "index 0", &text.replace("index ", "index 0"), &text.replace("@v1", "@v2"), &note]
            {
                assert_eq!(Proof::parse(odd), Err(InvalidProof::Malformed), "{odd}");
            }
        }
    }
}
