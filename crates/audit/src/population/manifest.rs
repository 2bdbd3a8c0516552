//! What stands beside the table of a population: of which log it was made, and how it is found again.

use super::discrepancy::Discrepancy;
use super::{Population, Span};
use crate::checkpoint::Checkpoint;
use crate::evidence::document::Envelope;
use crate::evidence::sample::sample;
use crate::key_set::KeySet;
use countersign_core::canonical::{self, CanonicalJson};
use countersign_core::digest::Digest;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names the set of members. Another set gets another name.
pub const FORMAT: &str = "countersign.population.v1";

/// The longest manifest that is read, in bytes. Most of it would be the ids of a sample.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The deployment whose log it is.
    pub origin: String,
    /// The first millisecond of the span.
    pub from: String,
    /// The millisecond after its last.
    pub to: String,
    /// How many requests the table has.
    pub rows: u64,
    /// SHA-256 of the bytes of the table.
    pub sha256: String,
    /// How many entries the log had.
    pub tree_size: u64,
    /// The checkpoint of the log, as the service has signed it.
    pub checkpoint: String,
    /// The requests that were chosen, if some were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// The signature of the deployment. What is signed is the manifest without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsse: Option<Envelope>,
}

/// Requests that were chosen from a population.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// What the choice depends on.
    pub seed: String,
    /// How many were asked for.
    pub size: u64,
    /// Their ids, in the order of their digests under the seed.
    pub request_ids: Vec<String>,
}

impl Sample {
    /// So many requests of a population, or all of them if there are not so many.
    #[must_use]
    pub fn of(population: &Population, seed: &str, size: u64) -> Self {
        let ids: Vec<_> = population.rows().map(|row| row.request_id().to_string()).collect();
        let chosen =
            sample(ids.iter().map(String::as_str), usize::try_from(size).unwrap_or(usize::MAX), seed);
        Self { seed: seed.to_owned(), size, request_ids: chosen.into_iter().map(str::to_owned).collect() }
    }
}

impl Manifest {
    /// Of a population and its table, made of all of the log that `note` is the checkpoint of.
    #[must_use]
    pub fn of(population: &Population, table: &[u8], checkpoint: &Checkpoint, note: &str) -> Self {
        let Span { from, to } = population.span();
        Self {
            format: FORMAT.to_owned(),
            origin: checkpoint.origin.clone(),
            from: from.to_string(),
            to: to.to_string(),
            rows: population.size(),
            sha256: Digest::of(table).to_string(),
            tree_size: checkpoint.size,
            checkpoint: note.to_owned(),
            sample: None,
            dsse: None,
        }
    }

    /// Reads a manifest, which has one form.
    ///
    /// # Errors
    /// [`Discrepancy::Form`].
    pub fn read(bytes: &[u8]) -> Result<Self, Discrepancy> {
        if bytes.len() > MAX_BYTES {
            return Err(Discrepancy::Form("it is too long"));
        }
        let value = canonical::read(bytes).map_err(|_| Discrepancy::Form("it is not read as JSON"))?;
        if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(Discrepancy::Form("it is of another format"));
        }
        let manifest: Self = serde_json::from_value(value)
            .map_err(|_| Discrepancy::Form("a member is missing, unknown or of another type"))?;
        if manifest.canonical().as_str().as_bytes() == bytes {
            Ok(manifest)
        } else {
            Err(Discrepancy::Form("it is not canonical JSON"))
        }
    }

    /// The manifest as it is written.
    #[must_use]
    pub fn canonical(&self) -> CanonicalJson {
        // INVARIANT: texts, whole numbers and lists of texts can be written as JSON; `null` would be no manifest.
        CanonicalJson::of(&serde_json::to_value(self).unwrap_or_default())
    }

    /// SHA-256 of the canonical manifest without its signature.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Self { dsse: None, ..self.clone() }.canonical().digest()
    }

    /// The span of the population.
    ///
    /// # Errors
    /// [`Discrepancy::Form`] if the times are none, or not written as events write them.
    pub fn span(&self) -> Result<Span, Discrepancy> {
        let time = |text: &str| {
            let time = Timestamp::parse(text).ok().filter(|time| time.to_string() == text);
            time.ok_or(Discrepancy::Form("from or to is not a time"))
        };
        Ok(Span { from: time(&self.from)?, to: time(&self.to)? })
    }

    /// The checkpoint of the log that the population was made of, if a key of the log has signed it and the manifest says the
    /// same of that log.
    ///
    /// # Errors
    /// [`Discrepancy`].
    pub fn open_checkpoint(&self, keys: &KeySet) -> Result<Checkpoint, Discrepancy> {
        let checkpoint = Checkpoint::open(&self.checkpoint, keys)?;
        if checkpoint.origin != self.origin {
            return Err(Discrepancy::Origin);
        }
        if checkpoint.size != self.tree_size {
            return Err(Discrepancy::TreeSize { manifest: self.tree_size, checkpoint: checkpoint.size });
        }
        Ok(checkpoint)
    }
}
