//! From the `Authorization` header to an actor.

use crate::issuer::KeySource;
use countersign_api::problem::Problem;
use countersign_app::host::Host;
use countersign_core::actor::Actor;
use countersign_identity::token::{self, InvalidToken, Keys, Verifier};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How long after fetching an issuer's keys they are fetched again at the earliest: tokens that
/// name unknown keys must not make us a burden to it.
const KEYS_MIN_AGE: Duration = Duration::from_secs(30);
/// After which time they are fetched again in any case: a key that was withdrawn is then gone.
const KEYS_MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Verifies bearer tokens.
#[derive(Debug)]
pub struct Authenticator {
    verifier: RwLock<Arc<Verifier>>,
    source: Option<Arc<KeySource>>,
    /// When the keys were fetched. Held while they are, so that all wait for the one answer.
    fetched_at: tokio::sync::Mutex<Duration>,
}

impl Authenticator {
    /// For tokens of one verifier's keys, which never change.
    pub fn fixed(verifier: Verifier) -> Self {
        Self {
            verifier: RwLock::new(Arc::new(verifier)),
            source: None,
            fetched_at: tokio::sync::Mutex::default(),
        }
    }

    /// For tokens of an issuer, whose keys are read again when one is not known.
    pub fn of_issuer(verifier: Verifier, source: KeySource) -> Self {
        Self { source: Some(Arc::new(source)), ..Self::fixed(verifier) }
    }

    /// Who sent these `Authorization` headers.
    ///
    /// # Errors
    /// When there is not exactly one, or its token is refused.
    pub async fn authenticate(&self, headers: &[&str], host: &dyn Host) -> Result<Actor, Problem> {
        let token = token::bearer(headers).map_err(Problem::unauthenticated)?;
        self.fetch_keys_older_than(KEYS_MAX_AGE, host).await;
        let result = match self.current().verify(token, host.now()) {
            Err(InvalidToken::UnknownKey) => {
                self.fetch_keys_older_than(KEYS_MIN_AGE, host).await;
                self.current().verify(token, host.now())
            }
            result => result,
        };
        result.map_err(|error| Problem::unauthenticated(error.to_string()))
    }

    fn current(&self) -> Arc<Verifier> {
        Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the issuer's keys again if they are older than that. Keys that cannot be fetched stay
    /// as they are: an issuer that is away for a moment locks nobody out.
    async fn fetch_keys_older_than(&self, age: Duration, host: &dyn Host) {
        let Some(source) = self.source.clone() else { return };
        let mut fetched_at = self.fetched_at.lock().await;
        if host.elapsed().saturating_sub(*fetched_at) < age {
            return;
        }
        *fetched_at = host.elapsed();
        match tokio::task::spawn_blocking(move || source.read()).await {
            Ok(Ok(keys)) => {
                let verifier = Verifier { keys: Keys::Issuer(keys), ..(*self.current()).clone() };
                *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(verifier);
            }
            Ok(Err(error)) => tracing::error!(error, "the issuer's keys cannot be fetched"),
            Err(error) => tracing::error!(%error, "the issuer's keys cannot be fetched"),
        }
    }
}
