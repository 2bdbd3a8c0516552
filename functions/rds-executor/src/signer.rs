//! Calls of the API, signed with the credentials of the function's role. A sandbox of a function ends before they do.

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_types::SdkConfig;
use countersign_app::host::Clock;
use countersign_aws::signature::{self, Call};
use countersign_client::credential::CredentialError;
use countersign_client::signing::{Signer, Unsigned};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Signs as the role.
#[derive(Debug)]
pub(crate) struct RoleSigner {
    credentials: Credentials,
    region: String,
    clock: Arc<dyn Clock>,
}

impl RoleSigner {
    /// The role that these clients call AWS as.
    pub(crate) async fn of(aws: &SdkConfig, clock: Arc<dyn Clock>) -> Result<Self, CredentialError> {
        let missing = |what: &str| CredentialError::Signing(format!("there is no {what}"));
        let provider = aws.credentials_provider().ok_or_else(|| missing("credential"))?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| CredentialError::Signing(error.to_string()))?;
        let region = aws.region().ok_or_else(|| missing("region"))?.to_string();
        Ok(Self { credentials, region, clock })
    }
}

impl Signer for RoleSigner {
    fn sign(&self, call: Unsigned<'_>) -> Result<Vec<(String, String)>, String> {
        let Unsigned { method, url, headers, body } = call;
        let call = Call { method, url, headers, body };
        let now = self.clock.now().as_millisecond().try_into().unwrap_or_default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now);
        let headers = signature::headers(call, self.credentials.clone(), &self.region, now);
        headers.map_err(|error| error.to_string())
    }

    fn name(&self) -> Result<String, String> {
        Ok(format!("the role of the function, for {}", self.region))
    }
}
