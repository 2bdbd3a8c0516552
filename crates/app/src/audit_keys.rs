//! What signs checkpoints of the audit log, and evidence: a port. Where private keys are is not known here, and none is ever
//! handed out.

use crate::host::BoxFuture;
use crate::signing::SigningError;
use countersign_audit::key::{KeyStatus, PrivateKey, PublicKey, Purpose};
use countersign_audit::key_set::KeySet;
use std::fmt;

/// The Ed25519 keys of a deployment.
pub trait AuditKeys: Send + Sync + fmt::Debug {
    /// The key that signs for a purpose now.
    fn current(&self, purpose: Purpose) -> BoxFuture<'_, Result<PublicKey, SigningError>>;

    /// The signature of a key that [`Self::current`] has answered.
    fn sign<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>>;

    /// Next, current and past keys of all purposes.
    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>>;
}

/// Keys of a shell that signs nothing of the kind, and publishes none.
#[derive(Debug, Clone, Copy)]
pub struct NoAuditKeys;

impl AuditKeys for NoAuditKeys {
    fn current(&self, _: Purpose) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        Box::pin(async { Err(SigningError::NoKeys) })
    }

    fn sign<'a>(&'a self, _: &'a PublicKey, _: &'a [u8]) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        Box::pin(async { Err(SigningError::NoKeys) })
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        Box::pin(async { Ok(KeySet::default()) })
    }
}

/// One key for the log in the memory of the process, for tests and measurements.
impl AuditKeys for PrivateKey {
    fn current(&self, purpose: Purpose) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        Box::pin(async move { Ok(self.public(purpose, KeyStatus::Current)) })
    }

    fn sign<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        Box::pin(async move {
            let own = self.public(key.purpose, key.status);
            if own == *key { Ok(PrivateKey::sign(self, message)) } else { Err(SigningError::UnknownKey) }
        })
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        let keys = [Purpose::Log, Purpose::Evidence].map(|purpose| self.public(purpose, KeyStatus::Current));
        Box::pin(async move { Ok(KeySet::new(keys.to_vec())) })
    }
}
