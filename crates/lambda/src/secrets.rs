//! The secrets that `notifications.toml` refers to, as a function reads them: also from AWS Secrets Manager.

use aws_types::SdkConfig;
use countersign_app::host::{BoxFuture, Clock as _};
use countersign_channels::secret::{LocalSecrets, Secrets, UnreadableSecret};
use countersign_notifications::secret::SecretReference;
use countersign_system::system::SystemHost;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a secret of Secrets Manager is kept: another value of it is in force after this time at the latest.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// The secrets of a function.
pub(crate) struct FunctionSecrets {
    aws: SdkConfig,
    clock: SystemHost,
    known: Mutex<BTreeMap<String, (Duration, String)>>,
}

impl FunctionSecrets {
    /// Those that AWS gives by this configuration.
    pub(crate) fn new(aws: SdkConfig) -> Self {
        Self { aws, clock: SystemHost::default(), known: Mutex::default() }
    }

    async fn of_secrets_manager(&self, id: &str) -> Result<String, String> {
        let now = self.clock.elapsed();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some((_, text)) = known.filter(|(at, _)| now.saturating_sub(*at) < KEPT) {
            return Ok(text);
        }
        let read = countersign_aws::secret::read(&self.aws, id).await;
        let text = read.map_err(|error| error.to_string())?.trim().to_owned();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), (now, text.clone()));
        Ok(text)
    }
}

impl fmt::Debug for FunctionSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FunctionSecrets")
    }
}

impl Secrets for FunctionSecrets {
    fn read<'a>(&'a self, reference: &'a SecretReference) -> BoxFuture<'a, Result<String, UnreadableSecret>> {
        let SecretReference::SecretsManager(id) = reference else { return LocalSecrets.read(reference) };
        Box::pin(async move {
            let read = self.of_secrets_manager(id).await;
            read.map_err(|reason| UnreadableSecret { reference: reference.to_string(), reason })
        })
    }
}
