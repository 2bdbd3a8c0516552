//! Keys by which a retry differs from a second command.

use crate::command::CommandName;
use crate::digest::Digest;
use crate::person::PersonId;

/// The key a client sends with a command so that it may safely send it again
/// (`Idempotency-Key`, draft-ietf-httpapi-idempotency-key-header).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// Names the key's rule in a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 printable ASCII characters")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// Checks the length and the character set.
    pub fn parse(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        if text.is_empty() || text.len() > 128 || !text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Err(InvalidIdempotencyKey);
        }
        Ok(Self(text.to_owned()))
    }

    /// The key as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key together with the digest of the body it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key.
    pub key: IdempotencyKey,
    /// SHA-256 of the canonical arguments of the command.
    pub body_digest: Digest,
}

/// What a request remembers of a command that carried a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Who sent the command. A key means nothing without its sender.
    pub person: PersonId,
    /// Which command.
    pub command: CommandName,
    /// SHA-256 of the key: it is as good for comparing, and shorter than the longest key.
    pub key_digest: Digest,
    /// See [`Idempotency::body_digest`].
    pub body_digest: Digest,
}

impl IdempotencyRecord {
    /// What to remember of a command, if it carried a key.
    pub(crate) fn of(
        person: &PersonId,
        command: CommandName,
        idempotency: Option<&Idempotency>,
    ) -> Option<Self> {
        idempotency.map(|idempotency| Self {
            person: person.clone(),
            command,
            key_digest: Digest::of(idempotency.key.as_str()),
            body_digest: idempotency.body_digest,
        })
    }
}

/// What a request's memory says of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// This key was never used by this person for this command.
    Never,
    /// The same command with the same body: a retry.
    Before,
    /// The same key with another body.
    WithAnotherBody,
}

/// Looks a command up in a request's memory. `is_sender` tells whether what was sent under an id was sent
/// by who sends the command now: see [`crate::policy::Policy::is_maker`].
pub fn seen(
    records: &[IdempotencyRecord],
    is_sender: impl Fn(&PersonId) -> bool,
    command: CommandName,
    idempotency: Option<&Idempotency>,
) -> Seen {
    let Some(idempotency) = idempotency else { return Seen::Never };
    let key_digest = Digest::of(idempotency.key.as_str());
    let record = records.iter().find(|record| {
        record.key_digest == key_digest && record.command == command && is_sender(&record.person)
    });
    match record {
        None => Seen::Never,
        Some(record) if record.body_digest == idempotency.body_digest => Seen::Before,
        Some(_) => Seen::WithAnotherBody,
    }
}
