//! From the `Authorization` header to an actor.

use crate::issuer::KeySource;
use countersign_api::call::Unauthenticated;
use countersign_app::host::Host;
use countersign_core::actor::Actor;
use countersign_identity::token::{InvalidToken, Keys, Verifier};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

/// How long after fetching an issuer's keys they are fetched again at the earliest: tokens that
/// name unknown keys must not make us a burden to it.
const KEYS_MIN_AGE: Duration = Duration::from_secs(30);

/// Verifies bearer tokens.
#[derive(Debug)]
pub struct Authenticator {
    verifier: RwLock<Arc<Verifier>>,
    source: Option<Arc<KeySource>>,
    fetched_at: Mutex<Duration>,
}

impl Authenticator {
    /// For tokens of one verifier's keys, which never change.
    pub fn fixed(verifier: Verifier) -> Self {
        Self { verifier: RwLock::new(Arc::new(verifier)), source: None, fetched_at: Mutex::default() }
    }

    /// For tokens of an issuer, whose keys are read again when one is not known.
    pub fn of_issuer(verifier: Verifier, source: KeySource) -> Self {
        Self { source: Some(Arc::new(source)), ..Self::fixed(verifier) }
    }

    /// Who sent these `Authorization` headers.
    ///
    /// # Errors
    /// When there is not exactly one, or its token is refused.
    pub async fn authenticate(&self, headers: &[&str], host: &dyn Host) -> Result<Actor, Unauthenticated> {
        let refuse = |reason: &str| Unauthenticated(reason.to_owned());
        let [header] = headers else {
            return Err(refuse(if headers.is_empty() {
                "no token"
            } else {
                "several Authorization headers"
            }));
        };
        let (scheme, token) = header.split_once(' ').ok_or_else(|| refuse("not a bearer token"))?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(refuse("not a bearer token"));
        }
        let result = match self.current().verify(token.trim(), host.now()) {
            Err(InvalidToken::UnknownKey) if self.fetch_keys(host).await => {
                self.current().verify(token.trim(), host.now())
            }
            result => result,
        };
        result.map_err(|error| Unauthenticated(error.to_string()))
    }

    fn current(&self) -> Arc<Verifier> {
        Arc::clone(&self.verifier.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Reads the issuer's keys again, unless that was done just now. Whether there are new ones.
    async fn fetch_keys(&self, host: &dyn Host) -> bool {
        let Some(source) = self.source.clone() else { return false };
        {
            let mut fetched_at = self.fetched_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if host.elapsed().saturating_sub(*fetched_at) < KEYS_MIN_AGE {
                return false;
            }
            *fetched_at = host.elapsed();
        }
        match tokio::task::spawn_blocking(move || source.read()).await {
            Ok(Ok(keys)) => {
                let verifier = Verifier { keys: Keys::Issuer(keys), ..(*self.current()).clone() };
                *self.verifier.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
                    Arc::new(verifier);
                true
            }
            Ok(Err(error)) => {
                tracing::error!(error, "the issuer's keys cannot be fetched");
                false
            }
            Err(_) => false,
        }
    }
}
