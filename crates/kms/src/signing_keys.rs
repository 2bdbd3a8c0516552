//! Signing, with keys that are read once and kept for a while.

use crate::alias::{Aliases, Key, KmsError};
use crate::purpose::SigningPurpose;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MessageType;
use aws_types::SdkConfig;
use countersign_app::host::{BoxFuture, Clock};
use countersign_app::signing::{SigningError, SigningKeys};
use countersign_permit::{KeySet, KeyStatus, MAX_SIGNED_BYTES, PublicKey, Purpose};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long what the aliases lead to is kept. A rotation leaves the key that signed as `past`, which may still sign and
/// verifies, so that nothing is refused meanwhile.
const KEPT: Duration = Duration::from_secs(5 * 60);
/// How often the keys are read again at most because one is not among them.
const AGAIN: Duration = Duration::from_secs(10);

/// Keys of one purpose behind the aliases of a deployment.
#[derive(Debug)]
pub struct KmsSigningKeys<P: SigningPurpose> {
    client: Client,
    aliases: Aliases<P>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept<P::PublicKey>>,
}

/// What was read, and when.
#[derive(Debug)]
struct Kept<K> {
    current: Option<(Duration, Key<K>)>,
    /// What signed before that: of a call that has asked for the current key and not signed yet.
    before: Option<Key<K>>,
    published: Option<(Duration, Vec<K>)>,
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { current: None, before: None, published: None }
    }
}

impl<P: SigningPurpose> KmsSigningKeys<P> {
    /// Keys behind these aliases. Calls nothing yet.
    pub fn new(client: Client, aliases: Aliases<P>, clock: Arc<dyn Clock>) -> Self {
        Self { client, aliases, clock, kept: Mutex::default() }
    }

    /// The same, with a client of its own.
    pub fn connect(aws: &SdkConfig, aliases: Aliases<P>, clock: Arc<dyn Clock>) -> Self {
        Self::new(Client::new(aws), aliases, clock)
    }

    fn kept<T>(&self, of: impl FnOnce(&mut Kept<P::PublicKey>) -> T) -> T {
        of(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn current_key(&self) -> Result<Key<P::PublicKey>, SigningError> {
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

    /// The key that signs now.
    pub(crate) async fn current_public(&self) -> Result<P::PublicKey, SigningError> {
        self.current_key().await.map(|key| key.public)
    }

    /// Next, current and past keys, as they were at most five minutes ago.
    pub(crate) async fn all_public(&self) -> Result<Vec<P::PublicKey>, SigningError> {
        self.all_public_of(KEPT).await
    }

    async fn all_public_of(&self, at_most: Duration) -> Result<Vec<P::PublicKey>, SigningError> {
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
        keys.sort_by_key(|key| key.status != KeyStatus::Current);
        let keys: Vec<_> = keys.into_iter().map(|key| key.public).collect();
        self.kept(|kept| kept.published = Some((now, keys.clone())));
        Ok(keys)
    }

    pub(crate) async fn sign_by(&self, key_id: &str, message: &[u8]) -> Result<[u8; 64], SigningError> {
        if message.len() > MAX_SIGNED_BYTES {
            return Err(SigningError::TooLong);
        }
        let is_it = |key: &Key<P::PublicKey>| P::key_id(&key.public) == key_id;
        let known = self.kept(|kept| {
            let mut signing = kept.current.iter().map(|(_, key)| key).chain(&kept.before);
            signing.find(|key| is_it(key)).cloned()
        });
        let key = match known {
            Some(key) => key,
            None => self.current_key().await?,
        };
        if !is_it(&key) {
            return Err(SigningError::UnknownKey);
        }
        let purpose = self.aliases.purpose;
        let answer = self
            .client
            .sign()
            .key_id(&key.arn)
            .message_type(MessageType::Raw)
            .message(Blob::new(message))
            .signing_algorithm(purpose.signing_algorithm())
            .send()
            .await
            .map_err(|error| unavailable(KmsError::of(&error)))?;
        let signature = purpose.signature(answer.signature().map(AsRef::as_ref).unwrap_or_default());
        signature.ok_or_else(|| SigningError::Unavailable("what KMS answered is no signature".to_owned()))
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

impl KmsSigningKeys<Purpose> {
    /// Keys of permits behind the aliases with this prefix, such as `alias/countersign-prod-permit`, through a client of
    /// their own. Calls nothing yet.
    pub fn of_permits(aws: &SdkConfig, prefix: String, clock: Arc<dyn Clock>) -> Self {
        Self::connect(aws, Aliases::new(prefix, Purpose::Permit), clock)
    }
}

impl SigningKeys for KmsSigningKeys<Purpose> {
    fn current(&self) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        Box::pin(self.current_public())
    }

    fn sign<'a>(
        &'a self,
        key_id: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        Box::pin(self.sign_by(key_id, message))
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        Box::pin(async { self.all_public().await.map(KeySet::new) })
    }

    fn published_again(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        Box::pin(async { self.all_public_of(AGAIN).await.map(KeySet::new) })
    }
}
