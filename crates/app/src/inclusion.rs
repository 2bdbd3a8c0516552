//! Proofs that the audit log has events, all under its last checkpoint.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::log::{self, Leaf, LogIndex, LogStorage, LogStorageError};
use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::proof::Proof;
use countersign_audit::tile::{Tile, Tiles, tiles_of};
use countersign_audit::tree::inclusion_path;
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::origin::Origin;
use std::collections::{BTreeMap, BTreeSet};

/// Each event of a stream with the proof that the log has it; without one while it waits for the log.
///
/// # Errors
/// [`AppError::Unavailable`] when log or store cannot be read; [`AppError::Corrupt`] for a log that does not have an event
/// where the store says that it does: no proof is given out that would not be believed.
pub(crate) async fn with_proofs<S: LogIndex, L: LogStorage>(
    dependencies: &Dependencies<S>,
    log: &L,
    stream: &Stream,
    events: Vec<AuditEvent>,
) -> Result<Vec<(AuditEvent, Option<Proof>)>, AppError> {
    // Before the leaves: an event that has a leaf behind this checkpoint may have no files yet.
    let Some(stored) = log.checkpoint().await? else {
        return Ok(events.into_iter().map(|event| (event, None)).collect());
    };
    let keys = dependencies.audit_keys.published().await;
    let keys = keys.map_err(|error| AppError::Unavailable(error.to_string()))?;
    let checkpoint = Checkpoint::open(&stored.note, &keys).map_err(damaged)?;
    if checkpoint.origin != Origin::of(&dependencies.deployment_key).as_str() {
        return Err(damaged("it is another deployment's"));
    }
    let leaves = dependencies.store.leaves(stream).await?;
    let leaves: BTreeMap<u64, Leaf> = leaves.into_iter().map(|leaf| (leaf.sequence, leaf)).collect();
    let (mut tiles, mut read) = (Tiles::default(), BTreeSet::new());
    let mut proved = Vec::with_capacity(events.len());
    for event in events {
        let leaf = leaves.get(&event.sequence).filter(|leaf| leaf.index < checkpoint.size);
        let Some(leaf) = leaf else {
            proved.push((event, None));
            continue;
        };
        let path = inclusion_path(leaf.index, checkpoint.size).unwrap_or_default();
        for tile in tiles_of(&path, checkpoint.size) {
            if read.insert(tile) && !tiles.insert(tile, &bytes_of(log, tile).await?) {
                return Err(damaged(format_args!("{tile} is not as long as it must be")));
            }
        }
        let hashes = tiles.hashes(&path).ok_or_else(|| damaged("a tile is missing"))?;
        let proof = Proof { index: leaf.index, hashes, checkpoint: stored.note.clone() };
        proof.verify(event.document().as_str().as_bytes(), &keys).map_err(damaged)?;
        proved.push((event, Some(proof)));
    }
    Ok(proved)
}

async fn bytes_of<L: LogStorage>(storage: &L, tile: Tile) -> Result<Vec<u8>, AppError> {
    log::tile(storage, tile).await?.ok_or_else(|| damaged(format_args!("{tile} is missing")))
}

fn damaged(reason: impl std::fmt::Display) -> AppError {
    AppError::Corrupt(format!("the audit log: {reason}"))
}

impl From<LogStorageError> for AppError {
    fn from(error: LogStorageError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
