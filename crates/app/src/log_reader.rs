//! The entries of the audit log, in their order, as far as its checkpoint goes.

use crate::audit_keys::AuditKeys;
use crate::log::{self, LogStorage, LogStorageError};
use crate::signing::SigningError;
use countersign_audit::checkpoint::{Checkpoint, InvalidCheckpoint};
use countersign_audit::tile::{Content, Tile, WIDTH, entries_of, hashes_of};
use countersign_audit::tree::leaf_hash;
use countersign_core::audit::AuditEvent;
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::DeploymentKey;
use countersign_core::origin::Origin;

/// Why entries are not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogReadError {
    /// The files.
    #[error("the files of the log: {0}")]
    Storage(#[from] LogStorageError),
    /// The keys.
    #[error("the keys of the log: {0}")]
    Signing(#[from] SigningError),
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// It is another deployment's.
    #[error("the log is of {0}, another deployment")]
    Origin(String),
    /// A file of the log is not what it was.
    #[error("{0} of the log is missing, or not what was written")]
    Changed(String),
    /// An entry is no event.
    #[error("entry {0} of the log is no event that this version reads")]
    Unreadable(u64),
}

/// A log that is read in its order.
#[derive(Debug)]
pub struct LogReader<'a, L> {
    /// The files of the log.
    pub storage: &'a L,
    /// By which its checkpoint is believed.
    pub keys: &'a dyn AuditKeys,
    /// Whose log it is.
    pub key: &'a DeploymentKey,
}

impl<L: LogStorage> LogReader<'_, L> {
    /// How many entries the log has, by its checkpoint.
    ///
    /// # Errors
    /// [`LogReadError`].
    pub async fn size(&self) -> Result<u64, LogReadError> {
        let Some(stored) = self.storage.checkpoint().await? else { return Ok(0) };
        let checkpoint = Checkpoint::open(&stored.note, &self.keys.published().await?)?;
        if checkpoint.origin != Origin::of(self.key).as_str() {
            return Err(LogReadError::Origin(checkpoint.origin));
        }
        Ok(checkpoint.size)
    }

    /// The events from one place to the end of its bundle, in a log of `size`. Each is held against its hash in the tree.
    ///
    /// # Errors
    /// [`LogReadError`].
    pub async fn events(&self, from: u64, size: u64) -> Result<Vec<AuditEvent>, LogReadError> {
        let index = from / WIDTH;
        let bundle = self.file(Content::Entries, index, size).await?;
        let hashes = self.file(Content::Hashes { level: 0 }, index, size).await?;
        let (entries, hashes) = (entries_of(&bundle.1, bundle.0.width), hashes_of(&hashes.1, hashes.0.width));
        let changed = || LogReadError::Changed(bundle.0.to_string());
        let (entries, hashes) = entries.zip(hashes).ok_or_else(changed)?;
        let mut events = Vec::new();
        for (place, (entry, hash)) in (index * WIDTH..).zip(entries.into_iter().zip(hashes)) {
            if place < from {
                continue;
            }
            if leaf_hash(entry) != hash {
                return Err(changed());
            }
            let document =
                std::str::from_utf8(entry).ok().and_then(|text| CanonicalJson::from_stored(text).ok());
            let event = document.and_then(|document| AuditEvent::read(&document));
            events.push(event.ok_or(LogReadError::Unreadable(place))?);
        }
        if events.is_empty() { Err(changed()) } else { Ok(events) }
    }

    /// A file of the log as it was at a size: itself, or the beginning of the full one that stands for it.
    async fn file(&self, content: Content, index: u64, size: u64) -> Result<(Tile, Vec<u8>), LogReadError> {
        let changed = || LogReadError::Changed(format!("tile {index}"));
        let tile = Tile::of_tree(content, index, size).ok_or_else(changed)?;
        let bytes = log::tile(self.storage, tile).await?;
        Ok((tile, bytes.ok_or_else(|| LogReadError::Changed(tile.to_string()))?))
    }
}
