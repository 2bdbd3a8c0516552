//! The keys that sign the permits of services and functions under test.

use countersign_app::host::BoxFuture;
use countersign_app::signing::{SigningError, SigningKeys};
use countersign_permit::{KeySet, PrivateKey, PublicKey};
use std::sync::atomic::{AtomicBool, Ordering};

/// The same key each time.
pub fn signing_key() -> PrivateKey {
    PrivateKey::from_bytes(&[5; 32]).unwrap()
}

/// The key that signs checkpoints and evidence, the same each time.
pub fn log_key() -> countersign_audit::key::PrivateKey {
    countersign_audit::key::PrivateKey::from_bytes(&[6; 32])
}

/// That key, which does not answer while a test says so.
#[derive(Debug)]
pub struct TestKeys {
    key: PrivateKey,
    is_broken: AtomicBool,
}

impl Default for TestKeys {
    fn default() -> Self {
        Self { key: signing_key(), is_broken: AtomicBool::new(false) }
    }
}

impl TestKeys {
    /// Answers no more, or again.
    pub fn set_broken(&self, is_broken: bool) {
        self.is_broken.store(is_broken, Ordering::SeqCst);
    }

    fn answer<'a, T: Send + 'a>(
        &self,
        answer: BoxFuture<'a, Result<T, SigningError>>,
    ) -> BoxFuture<'a, Result<T, SigningError>> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Box::pin(async { Err(SigningError::Unavailable("it is broken".to_owned())) });
        }
        answer
    }
}

impl SigningKeys for TestKeys {
    fn current(&self) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        self.answer(self.key.current())
    }

    fn sign<'a>(
        &'a self,
        key_id: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        self.answer(SigningKeys::sign(&self.key, key_id, message))
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        self.answer(self.key.published())
    }
}
