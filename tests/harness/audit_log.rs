//! The audit log of a test, verified as an auditor would.

use crate::signing::log_key;
use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::entry::Entry;
use countersign_audit::key::{KeyStatus, Purpose};
use countersign_audit::key_set::KeySet;
use countersign_audit::places::Places;
use countersign_audit::verification::{WholeLog, whole_log};
use countersign_server::log_directory;
use std::path::Path;

/// The keys that tests sign checkpoints with.
pub fn log_keys() -> KeySet {
    KeySet::new(vec![log_key().public(Purpose::Log, KeyStatus::Current)])
}

/// A log that has been verified.
#[derive(Debug)]
pub struct VerifiedLog {
    /// Its checkpoint.
    pub checkpoint: Checkpoint,
    /// How much was verified.
    pub whole: WholeLog,
    /// Its events in their order, by stream and sequence.
    pub events: Vec<(String, u64)>,
    /// The same, for a comparison with a store.
    pub places: Places,
}

/// Reads and verifies all of a log that these keys have signed.
///
/// # Errors
/// What is wrong with it.
pub fn verified(path: &Path, keys: &KeySet) -> Result<VerifiedLog, String> {
    let note = log_directory::read_checkpoint(path).map_err(|error| error.to_string())?;
    let read = |file: &str| log_directory::read(path, file).map_err(|error| error.to_string());
    verified_files(&note.ok_or("no checkpoint")?, read, keys)
}

/// The same of a log whose files are read in any way.
///
/// # Errors
/// What is wrong with it.
pub fn verified_files(
    note: &str,
    read: impl FnMut(&str) -> Result<Option<Vec<u8>>, String>,
    keys: &KeySet,
) -> Result<VerifiedLog, String> {
    let checkpoint = Checkpoint::open(note, keys).map_err(|error| error.to_string())?;
    let (mut events, mut places) = (Vec::new(), Places::default());
    let keep = |index: u64, entry: &Entry<'_>| {
        events.push((entry.stream.to_owned(), entry.sequence));
        places.insert(index, entry);
        Ok(())
    };
    let whole = whole_log(&checkpoint, read, keep).map_err(|failure| failure.to_string())?;
    Ok(VerifiedLog { checkpoint, whole, events, places })
}
