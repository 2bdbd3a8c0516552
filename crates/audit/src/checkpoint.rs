//! Checkpoints (C2SP `tlog-checkpoint`): whose log, how many entries, and the root over them.

use crate::key::{PublicKey, Purpose};
use crate::key_set::KeySet;
use crate::note::{self, InvalidNote};
use crate::tree::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// What a log says of itself at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The deployment whose log it is, as its events name it.
    pub origin: String,
    /// How many entries the log has.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCheckpoint {
    /// The note that it is in.
    #[error("the checkpoint is not believed: {0}")]
    Note(#[from] InvalidNote),
    /// The text is no checkpoint.
    #[error("the checkpoint is not believed: it has not the lines of one")]
    Malformed,
}

impl Checkpoint {
    /// The text that is signed: three lines.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root_text())
    }

    /// The signed note. The name of the signature is the origin.
    #[must_use]
    pub fn signed(&self, key: &PublicKey, signature: &[u8; 64]) -> String {
        note::signed(&self.text(), &self.origin, key, signature)
    }

    /// The root as it is written.
    #[must_use]
    pub fn root_text(&self) -> String {
        STANDARD.encode(self.root)
    }

    /// Reads the text.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root: STANDARD.decode(root).ok()?.try_into().ok()?,
        };
        // What is written anew has one spelling, and no line more.
        (!origin.is_empty() && checkpoint.text() == text).then_some(checkpoint)
    }

    /// A checkpoint that a key of the log has signed. Keys of another purpose have signed nothing.
    ///
    /// # Errors
    /// [`InvalidCheckpoint`].
    pub fn open(note: &str, keys: &KeySet) -> Result<Self, InvalidCheckpoint> {
        let text = note::text_of(note).ok_or(InvalidNote::Malformed)?;
        let checkpoint = Self::of_text(text).ok_or(InvalidCheckpoint::Malformed)?;
        let keys: Vec<_> = keys.of_purpose(Purpose::Log).collect();
        note::open(note, &checkpoint.origin, keys.iter().copied())?;
        Ok(checkpoint)
    }
}

/// Size and root, for people.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries with root {}", self.size, self.root_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyStatus, PrivateKey};

    #[test]
    fn a_checkpoint_is_read_back_under_a_key_of_the_log() {
        let private = PrivateKey::from_bytes(&[7; 32]);
        let origin = "urn:countersign:deployment:4f0c8a6e2b1d4f0c8a6e2b1d4f0c8a6e".to_owned();
        let checkpoint = Checkpoint { origin, size: 20, root: [9; 32] };
        let set = |purpose| KeySet::new(vec![private.public(purpose, KeyStatus::Past)]);
        let key = private.public(Purpose::Log, KeyStatus::Current);
        let note = checkpoint.signed(&key, &private.sign(checkpoint.text().as_bytes()));
        assert_eq!(Checkpoint::open(&note, &set(Purpose::Log)), Ok(checkpoint));
        let refused = Checkpoint::open(&note, &set(Purpose::Evidence));
        assert_eq!(refused, Err(InvalidCheckpoint::Note(InvalidNote::Unknown)));
    }

    #[test]
    fn a_checkpoint_has_one_spelling() {
        let root = STANDARD.encode([9; 32]);
        assert!(Checkpoint::of_text(&format!("a\n0\n{root}\n")).is_some());
        for text in [
            String::new(),
            format!("\n0\n{root}\n"),
            format!("a\n00\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n1\n{root}"),
            format!("a\n1\n{root}\nmore\n"),
            format!("a\n1\n{}\n", root.trim_end_matches('=')),
            format!("a\n1\n{}\n", STANDARD.encode([9; 31])),
            "a\n1\n".to_owned(),
        ] {
            assert_eq!(Checkpoint::of_text(&text), None, "{text:?}");
        }
    }
}
