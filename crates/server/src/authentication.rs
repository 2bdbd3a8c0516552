//! From the `Authorization` header to an actor.

use crate::issuer::{self, IssuerError, KeySource};
use countersign_api::problem::Problem;
use countersign_app::host::Clock;
use countersign_core::caller::Caller;
use countersign_identity::error::InvalidToken;
use countersign_identity::key_set::KeySet;
use countersign_identity::token::{self, Keys, Verifier};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// How often an issuer's keys are fetched: a key that was withdrawn is then gone.
pub const KEYS_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// The shortest time between two fetches: tokens that name unknown keys must not make us a burden to it.
const KEYS_PAUSE: Duration = Duration::from_secs(30);
/// How long the bearer of a token with an unknown key waits for a fetch. All others never do.
const KEYS_WAIT: Duration = Duration::from_secs(5);
/// How long keys are trusted that could not be fetched again: one of them may have been withdrawn since.
const KEYS_MAX_AGE: Duration = Duration::from_secs(6 * 60 * 60);

/// Verifies bearer tokens.
#[derive(Debug)]
pub struct Authenticator {
    verifier: RwLock<Arc<Verifier>>,
    renewal: Option<Renewal>,
}

/// How the verifier's keys are kept up to date. Times are since the start of the process.
#[derive(Debug)]
struct Renewal {
    source: Arc<KeySource>,
    state: Mutex<RenewalState>,
}

#[derive(Debug, Default)]
struct RenewalState {
    /// When the fetch began that the keys are from.
    fetched_at: Duration,
    /// When the last fetch began.
    tried_at: Duration,
    /// The fetch that is under way: closed when it has ended.
    running: Option<watch::Receiver<()>>,
}

impl Authenticator {
    /// For tokens of one verifier's keys, which never change.
    pub fn fixed(verifier: Verifier) -> Self {
        Self { verifier: RwLock::new(Arc::new(verifier)), renewal: None }
    }

    /// For tokens of an issuer, whose keys are read again when one is not known.
    pub fn of_issuer(verifier: Verifier, source: KeySource) -> Self {
        let renewal = Renewal { source: Arc::new(source), state: Mutex::default() };
        Self { renewal: Some(renewal), ..Self::fixed(verifier) }
    }

    /// Who sent these `Authorization` headers.
    ///
    /// # Errors
    /// When there is not exactly one, or its token is refused; when the issuer's keys are too old to be
    /// trusted.
    pub async fn authenticate(
        self: &Arc<Self>,
        headers: &[&str],
        clock: &dyn Clock,
    ) -> Result<Caller, Problem> {
        let token = token::bearer(headers).map_err(Problem::unauthenticated)?;
        let mut result = self.verify(token, clock)?;
        if result == Err(InvalidToken::UnknownKey) {
            // A hanging issuer must not hold the caller for as long as it is waited for.
            let _ = tokio::time::timeout(KEYS_WAIT, self.renew_keys(clock.elapsed())).await;
            result = self.verify(token, clock)?;
        }
        result.map_err(|error| Problem::unauthenticated(error.to_string()))
    }

    fn verify(&self, token: &str, clock: &dyn Clock) -> Result<Result<Caller, InvalidToken>, Problem> {
        let fetched_at = self.renewal.as_ref().map(|renewal| renewal.state().fetched_at);
        if fetched_at.is_some_and(|at| clock.elapsed().saturating_sub(at) > KEYS_MAX_AGE) {
            return Err(Problem::unavailable("the issuer's keys are too old to be trusted"));
        }
        Ok(self.current().verify(token, clock.now()))
    }

    fn current(&self) -> Arc<Verifier> {
        Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fetches the issuer's keys in the background, unless that was tried a moment ago, and comes back when
    /// the fetch has ended. There is one at a time. Keys that cannot be fetched stay as they are: an issuer
    /// that is away for a moment locks no caller out.
    pub async fn renew_keys(self: &Arc<Self>, elapsed: Duration) {
        if let Some(mut running) = self.begin_renewal(elapsed) {
            // Nothing is ever sent: it is closed at the end.
            let _ = running.changed().await;
        }
    }

    fn begin_renewal(self: &Arc<Self>, elapsed: Duration) -> Option<watch::Receiver<()>> {
        let renewal = self.renewal.as_ref()?;
        let mut state = renewal.state();
        if state.running.is_some() {
            return state.running.clone();
        }
        if elapsed.saturating_sub(state.tried_at) < KEYS_PAUSE {
            return None;
        }
        let (running, ended) = watch::channel(());
        state.tried_at = elapsed;
        state.running = Some(ended.clone());
        let (authenticator, source) = (Arc::clone(self), Arc::clone(&renewal.source));
        tokio::spawn(async move {
            let read = tokio::task::spawn_blocking(move || source.read()).await;
            authenticator.end_renewal(
                read.unwrap_or_else(|error| Err(IssuerError::Interrupted(error.to_string()))),
                elapsed,
            );
            drop(running);
        });
        Some(ended)
    }

    fn end_renewal(&self, read: Result<KeySet, IssuerError>, began_at: Duration) {
        let is_renewed = match read {
            Ok(keys) => {
                let current = self.current();
                let is_as_before = match &current.keys {
                    Keys::Issuer(before) => before.ids() == keys.ids() && before.unused() == keys.unused(),
                    Keys::Local(_) => false,
                };
                if !is_as_before {
                    issuer::log_unused(&keys);
                }
                let verifier = Verifier { keys: Keys::Issuer(keys), ..(*current).clone() };
                *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(verifier);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the issuer's keys cannot be fetched; those that are known stay");
                false
            }
        };
        if let Some(renewal) = &self.renewal {
            let mut state = renewal.state();
            state.running = None;
            if is_renewed {
                state.fetched_at = began_at;
            }
        }
    }
}

impl Renewal {
    fn state(&self) -> std::sync::MutexGuard<'_, RenewalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
