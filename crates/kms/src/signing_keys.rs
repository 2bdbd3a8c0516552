//! Signing, with keys that are read once and kept for a while.

use crate::alias::{Aliases, Key, KmsError};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use aws_types::SdkConfig;
use countersign_app::host::{BoxFuture, Clock};
use countersign_app::signing::{SigningError, SigningKeys};
use countersign_permit::{KeySet, KeyStatus, MAX_SIGNED_BYTES, PublicKey, signature_from_der};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long what the aliases lead to is kept. A rotation leaves the key that signed as `past`, which may still sign and
/// verifies, so that nothing is refused meanwhile.
const KEPT: Duration = Duration::from_secs(5 * 60);
/// How often the keys are read again at most because one is not among them.
const AGAIN: Duration = Duration::from_secs(10);

/// Keys behind the aliases of a deployment.
#[derive(Debug)]
pub struct KmsSigningKeys {
    client: Client,
    aliases: Aliases,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

/// What was read, and when.
#[derive(Debug, Default)]
struct Kept {
    current: Option<(Duration, Key)>,
    /// What signed before that: of a call that has asked for the current key and not signed yet.
    before: Option<Key>,
    published: Option<(Duration, KeySet)>,
}

impl KmsSigningKeys {
    /// Keys behind these aliases. Calls nothing yet.
    pub fn new(client: Client, aliases: Aliases, clock: Arc<dyn Clock>) -> Self {
        Self { client, aliases, clock, kept: Mutex::default() }
    }

    /// The same, with a client of its own.
    pub fn connect(aws: &SdkConfig, aliases: Aliases, clock: Arc<dyn Clock>) -> Self {
        Self::new(Client::new(aws), aliases, clock)
    }

    fn kept<T>(&self, of: impl FnOnce(&mut Kept) -> T) -> T {
        of(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn current_key(&self) -> Result<Key, SigningError> {
        let now = self.clock.elapsed();
        if let Some(key) = self.kept(|kept| fresh(&kept.current, now, KEPT)) {
            return Ok(key);
        }
        let key = self.aliases.required(&self.client, KeyStatus::Current).await.map_err(unavailable)?;
        self.kept(|kept| {
            let before = kept.current.replace((now, key.clone()));
            if let Some((_, before)) = before.filter(|(_, before)| before.arn != key.arn) {
                kept.before = Some(before);
            }
        });
        Ok(key)
    }

    async fn key_set(&self, at_most: Duration) -> Result<KeySet, SigningError> {
        let now = self.clock.elapsed();
        if let Some(keys) = self.kept(|kept| fresh(&kept.published, now, at_most)) {
            return Ok(keys);
        }
        let mut keys = Vec::new();
        // A rotation moves `past` first: read in the other direction, no key is missed that moves meanwhile.
        for status in [KeyStatus::Next, KeyStatus::Current, KeyStatus::Past] {
            keys.extend(self.aliases.key(&self.client, status).await.map_err(unavailable)?);
        }
        // A key that moves meanwhile is there twice, and counts as what signs.
        keys.sort_by_key(|key| key.public.status != KeyStatus::Current);
        let keys = KeySet::new(keys.into_iter().map(|key| key.public).collect());
        self.kept(|kept| kept.published = Some((now, keys.clone())));
        Ok(keys)
    }

    async fn sign_by(&self, key_id: &str, message: &[u8]) -> Result<[u8; 64], SigningError> {
        if message.len() > MAX_SIGNED_BYTES {
            return Err(SigningError::TooLong);
        }
        let known = self.kept(|kept| {
            let mut signing = kept.current.iter().map(|(_, key)| key).chain(&kept.before);
            signing.find(|key| key.public.key_id() == key_id).cloned()
        });
        let key = match known {
            Some(key) => key,
            None => self.current_key().await?,
        };
        if key.public.key_id() != key_id {
            return Err(SigningError::UnknownKey);
        }
        let answer = self
            .client
            .sign()
            .key_id(&key.arn)
            // KMS digests the message itself: what is signed is what it was given.
            .message_type(MessageType::Raw)
            .message(Blob::new(message))
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|error| unavailable(KmsError::of(&error)))?;
        let der = answer.signature().map(AsRef::as_ref).unwrap_or_default();
        let signature = signature_from_der(der);
        signature.map_err(|error| SigningError::Unavailable(format!("what KMS answered is {error}")))
    }
}

/// What was read less than `at_most` ago.
fn fresh<T: Clone>(kept: &Option<(Duration, T)>, now: Duration, at_most: Duration) -> Option<T> {
    let (read, it) = kept.as_ref()?;
    (now.saturating_sub(*read) < at_most).then(|| it.clone())
}

fn unavailable(error: KmsError) -> SigningError {
    SigningError::Unavailable(error.to_string())
}

impl SigningKeys for KmsSigningKeys {
    fn current(&self) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        Box::pin(async { self.current_key().await.map(|key| key.public) })
    }

    fn sign<'a>(
        &'a self,
        key_id: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        Box::pin(self.sign_by(key_id, message))
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        Box::pin(self.key_set(KEPT))
    }

    fn published_again(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        Box::pin(self.key_set(AGAIN))
    }
}
