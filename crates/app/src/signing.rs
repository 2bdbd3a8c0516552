//! What signs permits: a port. Where private keys are is not known here, and none is ever handed out.

use crate::host::BoxFuture;
use countersign_permit::{KeySet, KeyStatus, PrivateKey, PublicKey, Purpose};
use std::fmt;

/// Why nothing was signed, or no key is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// There are no keys, or what holds them does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The shell has no keys: it gives out no permits.
    #[error("no signing keys")]
    NoKeys,
    /// There is no key of this id that signs.
    #[error("no key of this id signs")]
    UnknownKey,
    /// More bytes than [`countersign_permit::MAX_SIGNED_BYTES`].
    #[error("the message is too long to be signed")]
    TooLong,
}

/// The keys of a deployment that sign permits.
pub trait SigningKeys: Send + Sync + fmt::Debug {
    /// The key that signs now.
    fn current(&self) -> BoxFuture<'_, Result<PublicKey, SigningError>>;

    /// ES256 over a message, by the key of this id: r and s, 32 bytes each.
    fn sign<'a>(
        &'a self,
        key_id: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>>;

    /// Next, current and past keys.
    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>>;

    /// The same after a key was not among them: a shell that keeps them for a while reads them again, if it has not done
    /// so just before.
    fn published_again(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        self.published()
    }
}

/// Keys of a shell that signs nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoSigningKeys;

fn none<T: Send>() -> BoxFuture<'static, Result<T, SigningError>> {
    Box::pin(async { Err(SigningError::NoKeys) })
}

impl SigningKeys for NoSigningKeys {
    fn current(&self) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        none()
    }

    fn sign<'a>(&'a self, _: &'a str, _: &'a [u8]) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        none()
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        none()
    }
}

/// One key in the memory of the process, for tests and measurements: what it has signed outlives it and cannot be
/// verified then.
impl SigningKeys for PrivateKey {
    fn current(&self) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        Box::pin(async { Ok(self.public(Purpose::Permit, KeyStatus::Current)) })
    }

    fn sign<'a>(
        &'a self,
        key_id: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        Box::pin(async move {
            if self.public(Purpose::Permit, KeyStatus::Current).key_id() != key_id {
                return Err(SigningError::UnknownKey);
            }
            Ok(PrivateKey::sign(self, message))
        })
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        Box::pin(async { Ok(KeySet::new(vec![self.public(Purpose::Permit, KeyStatus::Current)])) })
    }
}
