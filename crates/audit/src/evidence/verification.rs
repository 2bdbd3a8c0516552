//! Whether a document is evidence, by the published keys alone.

use super::consistency;
use super::document::{Document, PENDING_INCLUSION};
use super::dsse;
use super::mismatch::Mismatch;
use super::texts;
use crate::checkpoint::Checkpoint;
use crate::key_set::KeySet;
use crate::proof::Proof;
use countersign_core::audit::AuditEvent;

/// What is demanded besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demands {
    /// That the log has every event.
    pub require_inclusion: bool,
}

/// What was shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The document.
    pub document: Document,
    /// Its events.
    pub events: Vec<AuditEvent>,
    /// The thumbprint of the key that has signed it.
    pub key_id: String,
    /// The largest log that any of its events is shown to be in.
    pub checkpoint: Option<Checkpoint>,
    /// The events that wait for the log, by their places.
    pub pending: Vec<u64>,
    /// Texts that events have digests of and that are not shown: the place of the event, and the member of its details.
    pub hidden: Vec<(u64, String)>,
}

/// Verifies evidence.
///
/// # Errors
/// Everything that is not as it must be. Of a document that is not in its one form nothing more is looked at.
pub fn verify(bytes: &[u8], keys: &KeySet, demands: Demands) -> Result<Verified, Vec<Mismatch>> {
    let document = Document::read(bytes).map_err(|mismatch| vec![mismatch])?;
    let mut mismatches = Vec::new();
    let signer = dsse::signer(&document, keys);
    let key_id = match signer {
        Ok(key) => key.key_id().to_owned(),
        Err(refused) => {
            mismatches.extend(refused);
            String::new()
        }
    };
    let events = consistency::check(&document, &mut mismatches);
    let inclusion = Inclusion::of(&document, keys, demands, &mut mismatches);
    if !mismatches.is_empty() {
        return Err(mismatches);
    }
    let hidden = hidden(&document, &events);
    let Inclusion { checkpoint, pending } = inclusion;
    Ok(Verified { document, events, key_id, checkpoint, pending, hidden })
}

#[derive(Default)]
struct Inclusion {
    checkpoint: Option<Checkpoint>,
    pending: Vec<u64>,
}

impl Inclusion {
    fn of(document: &Document, keys: &KeySet, demands: Demands, mismatches: &mut Vec<Mismatch>) -> Self {
        let mut inclusion = Self::default();
        let mut last_index = None;
        for (sequence, shown) in (1..).zip(&document.events) {
            if shown.inclusion == PENDING_INCLUSION {
                inclusion.pending.push(sequence);
                if demands.require_inclusion {
                    mismatches.push(Mismatch::Pending { sequence });
                }
                continue;
            }
            let refused = |reason: String| Mismatch::Inclusion { sequence, reason };
            let verified = Proof::parse(&shown.inclusion)
                .and_then(|proof| Ok((proof.verify(shown.event.as_bytes(), keys)?, proof)));
            let (checkpoint, proof) = match verified {
                Ok(verified) => verified,
                Err(error) => {
                    mismatches.push(refused(error.to_string()));
                    continue;
                }
            };
            let checks = [
                (proof.text() == shown.inclusion, "the proof has further data"),
                (checkpoint.origin == document.origin, "the log is another deployment's"),
                (
                    last_index.is_none_or(|last| last < proof.index),
                    "the log has it before the event that it follows",
                ),
            ];
            let wrong = checks.into_iter().filter(|(is_right, _)| !is_right);
            mismatches.extend(wrong.map(|(_, reason)| refused(reason.to_owned())));
            last_index = Some(proof.index);
            let is_larger = |known: &Checkpoint| known.size < checkpoint.size;
            if inclusion.checkpoint.as_ref().is_none_or(is_larger) {
                inclusion.checkpoint = Some(checkpoint);
            }
        }
        inclusion
    }
}

fn hidden(document: &Document, events: &[AuditEvent]) -> Vec<(u64, String)> {
    let is_shown = |event: &AuditEvent, member: &str| {
        let event_id = event.event_id.to_string();
        document.texts.iter().any(|text| text.event_id == event_id && text.member == member)
    };
    let digests = events
        .iter()
        .flat_map(|event| texts::digests(event).into_iter().map(move |(member, _)| (event, member)));
    let hidden = digests.filter(|(event, member)| !is_shown(event, member));
    hidden.map(|(event, member)| (event.sequence, member.to_owned())).collect()
}
