//! From a bearer token to its caller, with keys that are fetched again in time.

use crate::error::IssuerError;
use crate::source::KeySource;
use countersign_api::problem::Problem;
use countersign_app::host::Clock;
use countersign_core::caller::Caller;
use countersign_core::timestamp::Timestamp;
use countersign_identity::error::InvalidToken;
use countersign_identity::key_set::KeySet;
use countersign_identity::token::{Keys, Verifier};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// How often an issuer's keys are fetched: a key that was withdrawn is then gone.
pub const KEYS_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// The shortest time between two fetches: tokens that name unknown keys must not make us a burden to it.
const KEYS_PAUSE: Duration = Duration::from_secs(30);
/// The same where no keys were ever fetched, and every call is refused until they are.
const FIRST_KEYS_PAUSE: Duration = Duration::from_secs(5);
/// How long a call waits for a fetch. A function has 15 s, of which a command may take 10.
const KEYS_WAIT: Duration = Duration::from_secs(4);
/// How long keys are trusted that could not be fetched again: one of them may have been withdrawn since.
const KEYS_MAX_AGE: Duration = Duration::from_secs(6 * 60 * 60);

/// Verifies bearer tokens.
#[derive(Debug)]
pub struct Authenticator {
    verifier: RwLock<Arc<Verifier>>,
    renewal: Option<Renewal>,
}

/// How the verifier's keys are kept up to date.
#[derive(Debug)]
struct Renewal {
    source: Arc<dyn KeySource>,
    /// Calls renew keys that are due: the process stands still between them, and no sweep does.
    by_calls: bool,
    state: Mutex<RenewalState>,
}

#[derive(Debug, Default)]
struct RenewalState {
    /// When the fetch began that the keys are from.
    fetched: Option<Moment>,
    /// When the last fetch began.
    tried: Option<Moment>,
    /// The fetch that is under way: closed when it has ended.
    running: Option<watch::Receiver<()>>,
}

/// A moment by both clocks. The one that never goes back may stand still while a function's sandbox is frozen; the
/// time of day may be set back.
#[derive(Debug, Clone, Copy)]
struct Moment {
    elapsed: Duration,
    time: Timestamp,
}

impl Moment {
    fn now(clock: &dyn Clock) -> Self {
        Self { elapsed: clock.elapsed(), time: clock.now() }
    }

    /// The time since `earlier`, by the clock that counts more.
    fn since(self, earlier: Self) -> Duration {
        let milliseconds = self.time.as_millisecond().saturating_sub(earlier.time.as_millisecond());
        let of_day = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
        self.elapsed.saturating_sub(earlier.elapsed).max(of_day)
    }
}

impl Authenticator {
    /// For tokens of one verifier's keys, which never change.
    pub fn fixed(verifier: Verifier) -> Self {
        Self { verifier: RwLock::new(Arc::new(verifier)), renewal: None }
    }

    /// For tokens of an issuer whose keys were fetched just now and are renewed by [`Self::renew_keys`] every
    /// [`KEYS_INTERVAL`].
    pub fn renewed_by_sweeps(verifier: Verifier, source: Arc<dyn KeySource>, clock: &dyn Clock) -> Self {
        let now = Some(Moment::now(clock));
        let state = Mutex::new(RenewalState { fetched: now, tried: now, running: None });
        Self { renewal: Some(Renewal { source, by_calls: false, state }), ..Self::fixed(verifier) }
    }

    /// For tokens of an issuer whose keys the first call fetches, and later ones again when they are due.
    pub fn renewed_by_calls(verifier: Verifier, source: Arc<dyn KeySource>) -> Self {
        let renewal = Renewal { source, by_calls: true, state: Mutex::default() };
        Self { renewal: Some(renewal), ..Self::fixed(verifier) }
    }

    /// Who the bearer of a token is.
    ///
    /// # Errors
    /// When the token is refused; when there are no keys of the issuer that can be trusted.
    pub async fn authenticate(self: &Arc<Self>, token: &str, clock: &dyn Clock) -> Result<Caller, Problem> {
        let mut result = self.current().verify(token, clock.now());
        if let Some(renewal) = &self.renewal {
            if result == Err(InvalidToken::UnknownKey) || renewal.is_due(Moment::now(clock)) {
                // A hanging issuer must not hold the caller for as long as it is waited for.
                let _ = tokio::time::timeout(KEYS_WAIT, self.renew_keys(clock)).await;
                result = self.current().verify(token, clock.now());
            }
            renewal.check_age(Moment::now(clock))?;
        }
        result.map_err(|error| Problem::unauthenticated(error.to_string()))
    }

    fn current(&self) -> Arc<Verifier> {
        Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fetches the issuer's keys in the background, unless that was tried a moment ago, and comes back when
    /// the fetch has ended. There is one at a time. Keys that cannot be fetched stay as they are: an issuer
    /// that is away for a moment locks no caller out.
    pub async fn renew_keys(self: &Arc<Self>, clock: &dyn Clock) {
        if let Some(mut running) = self.begin_renewal(Moment::now(clock)) {
            // Nothing is ever sent: it is closed at the end.
            let _ = running.changed().await;
        }
    }

    fn begin_renewal(self: &Arc<Self>, now: Moment) -> Option<watch::Receiver<()>> {
        let renewal = self.renewal.as_ref()?;
        let mut state = renewal.state();
        // One that has panicked is closed as well.
        if let Some(running) = state.running.as_ref().filter(|running| running.has_changed().is_ok()) {
            return Some(running.clone());
        }
        let pause = if state.fetched.is_some() { KEYS_PAUSE } else { FIRST_KEYS_PAUSE };
        if state.tried.is_some_and(|tried| now.since(tried) < pause) {
            return None;
        }
        let (running, ended) = watch::channel(());
        state.tried = Some(now);
        state.running = Some(ended.clone());
        let (authenticator, source) = (Arc::clone(self), Arc::clone(&renewal.source));
        tokio::spawn(async move {
            authenticator.end_renewal(source.read().await, now);
            drop(running);
        });
        Some(ended)
    }

    fn end_renewal(&self, read: Result<KeySet, IssuerError>, began: Moment) {
        let keys = match read {
            Ok(keys) => keys,
            Err(error) => {
                tracing::error!(%error, "the issuer's keys cannot be fetched; those that are known stay");
                return;
            }
        };
        let current = self.current();
        let is_as_before = match &current.keys {
            Keys::Issuer(before) => before.ids() == keys.ids() && before.unused() == keys.unused(),
            Keys::Local(_) => false,
        };
        if !is_as_before {
            log_unused(&keys);
        }
        let verifier = Verifier { keys: Keys::Issuer(keys), ..(*current).clone() };
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(verifier);
        if let Some(renewal) = &self.renewal {
            renewal.state().fetched = Some(began);
        }
    }
}

impl Renewal {
    fn state(&self) -> std::sync::MutexGuard<'_, RenewalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call has to renew the keys.
    fn is_due(&self, now: Moment) -> bool {
        let limit = if self.by_calls { KEYS_INTERVAL } else { KEYS_MAX_AGE };
        self.state().fetched.is_none_or(|fetched| now.since(fetched) > limit)
    }

    /// 503 and not 401 where no token can be verified: the caller can do nothing about it.
    fn check_age(&self, now: Moment) -> Result<(), Problem> {
        match self.state().fetched {
            None => Err(Problem::unavailable("the issuer's keys cannot be fetched")),
            Some(fetched) if now.since(fetched) > KEYS_MAX_AGE => {
                Err(Problem::unavailable("the issuer's keys are too old to be trusted"))
            }
            Some(_) => Ok(()),
        }
    }
}

/// Says in the log which keys verify no token. That one is for encryption is as it should be.
pub fn log_unused(keys: &KeySet) {
    for unused in keys.unused().iter().filter(|unused| !unused.is_for_encryption()) {
        tracing::warn!(key = %unused, "a key of the issuer verifies no token");
    }
    if keys.is_empty() {
        tracing::error!("the issuer has no key that can verify a token: every token is refused");
    }
}
