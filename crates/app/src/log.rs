//! What sealing needs: an index of the log beside the events, and a place for its files. One trait each.

use crate::ports::{CommitError, StoreError};
use countersign_audit::tile::Tile;
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::digest::Digest;
use std::collections::BTreeSet;
use std::future::Future;

/// The most events that become leaves at once: a transaction has 100 items, and one of them is the head.
pub const MAX_BATCH: usize = 99;

/// That an event is in the log, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The stream of the event.
    pub stream: Stream,
    /// Its place in the stream.
    pub sequence: u64,
    /// Its place in the log.
    pub index: u64,
    /// Its hash.
    pub hash: Digest,
}

/// How far the log is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogHead {
    /// Grows by one with each change.
    pub version: u64,
    /// How many events are in the log.
    pub size: u64,
    /// The last of them, by stream and sequence: those whose files may not be written yet.
    pub batch: Vec<(Stream, u64)>,
    /// How far the events that were there before the log have been looked for.
    pub scan: Scan,
}

/// How far the store has been searched for streams.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scan {
    /// Not at all.
    #[default]
    Due,
    /// Up to a cursor of [`LogIndex::scan_streams`].
    After(String),
    /// To its end: what comes since has an entry in the outbox.
    Done,
}

/// Events of a stream in their order; of one that cannot be read, why.
pub type StreamEvents = Vec<Result<AuditEvent, String>>;

/// The events, and which of them is in the log where. Reads are strongly consistent.
pub trait LogIndex: Send + Sync {
    /// How far the log is; `None` if nothing was ever sealed.
    fn log_head(&self) -> impl Future<Output = Result<Option<LogHead>, StoreError>> + Send;

    /// The last event of a stream that is in the log.
    fn last_leaf(&self, stream: &Stream) -> impl Future<Output = Result<Option<Leaf>, StoreError>> + Send;

    /// The leaf of one event.
    fn leaf(
        &self,
        stream: &Stream,
        sequence: u64,
    ) -> impl Future<Output = Result<Option<Leaf>, StoreError>> + Send;

    /// All leaves of a stream, in its order.
    fn leaves(&self, stream: &Stream) -> impl Future<Output = Result<Vec<Leaf>, StoreError>> + Send;

    /// At most `limit` events of a stream, from a place on.
    fn stream_events(
        &self,
        stream: &Stream,
        from: u64,
        limit: usize,
    ) -> impl Future<Output = Result<StreamEvents, StoreError>> + Send;

    /// Writes leaves and the new head in one transaction, if the head is still `before` and no event has a leaf yet.
    fn commit_leaves(
        &self,
        before: Option<&LogHead>,
        head: &LogHead,
        leaves: &[Leaf],
    ) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// A page of the names of all streams that have events, from after `cursor`.
    fn scan_streams(
        &self,
        cursor: Option<String>,
    ) -> impl Future<Output = Result<(BTreeSet<String>, Option<String>), StoreError>> + Send;
}

/// Leaves, and the partitions of what stands where leaves are and is none; and where the next page begins.
pub type LeafPage = (Vec<Result<Leaf, String>>, Option<String>);

/// Reads all leaves, for a check of them.
pub trait ScanLeaves: Send + Sync {
    /// A page of all leaves, from after `cursor`.
    fn scan_leaves(
        &self,
        cursor: Option<String>,
    ) -> impl Future<Output = Result<LeafPage, StoreError>> + Send;
}

/// Why a file of the log was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogStorageError {
    /// What holds the files does not answer, or refuses.
    #[error("{0}")]
    Unavailable(String),
    /// A file that is to be written is there, with other bytes.
    #[error("{0} is there already, with another content")]
    Diverged(String),
}

/// The last checkpoint, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The signed note.
    pub note: String,
    /// Names this state of the file, for [`LogStorage::replace_checkpoint`].
    pub tag: String,
}

/// The path of the checkpoint.
pub const CHECKPOINT: &str = "checkpoint";

/// A file of the log by its path below the log's own; `None` if there is none, or it is the path of no file.
///
/// # Errors
/// [`LogStorageError`].
pub async fn file(log: &impl LogStorage, path: &str) -> Result<Option<Vec<u8>>, LogStorageError> {
    match Tile::parse(path) {
        Some(_) => log.get(path).await,
        None if path == CHECKPOINT => Ok(log.checkpoint().await?.map(|stored| stored.note.into_bytes())),
        None => Ok(None),
    }
}

/// A tile, which may be the beginning of one that a sealer has filled meanwhile.
///
/// # Errors
/// [`LogStorageError`].
pub async fn tile(log: &impl LogStorage, tile: Tile) -> Result<Option<Vec<u8>>, LogStorageError> {
    if let Some(bytes) = log.get(&tile.to_string()).await? {
        return Ok(Some(bytes));
    }
    let full = log.get(&tile.full().to_string()).await?;
    Ok(full.and_then(|full| tile.beginning_of(&full)))
}

/// The files of the log. None is ever overwritten or removed but the checkpoint, and what is repeated in a longer one.
pub trait LogStorage: Send + Sync {
    /// A file, if it is there.
    fn get(&self, path: &str) -> impl Future<Output = Result<Option<Vec<u8>>, LogStorageError>> + Send;

    /// Writes a file, which lasts when this has returned. One that is there with these bytes is left as it is.
    fn put_new(&self, path: &str, bytes: &[u8]) -> impl Future<Output = Result<(), LogStorageError>> + Send;

    /// The same for several files: at once where each takes long to last.
    fn put_all_new(
        &self,
        files: Vec<(String, Vec<u8>)>,
    ) -> impl Future<Output = Result<(), LogStorageError>> + Send {
        async move {
            for (path, bytes) in &files {
                self.put_new(path, bytes).await?;
            }
            Ok(())
        }
    }

    /// The last checkpoint, if there is one.
    fn checkpoint(&self) -> impl Future<Output = Result<Option<StoredCheckpoint>, LogStorageError>> + Send;

    /// Puts another checkpoint in the place of the one with this tag, or of none. `false` if it is another one by now.
    fn replace_checkpoint(
        &self,
        tag: Option<&str>,
        note: &str,
    ) -> impl Future<Output = Result<bool, LogStorageError>> + Send;

    /// May remove what a tile was before it was full: all of it is in the full one.
    fn tile_is_full(&self, _tile: Tile) -> impl Future<Output = Result<(), LogStorageError>> + Send {
        std::future::ready(Ok(()))
    }
}
