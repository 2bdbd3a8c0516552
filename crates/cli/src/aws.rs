//! AWS as the person at the terminal reaches it: their profile, their region, their credentials, and calls that are
//! signed with these (Signature Version 4).

use crate::error::CommandError;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use countersign_app::host::Clock as _;
use countersign_aws::signature::{self, Call};
use countersign_client::profile::Settings;
use countersign_client::signing::{Signer, Unsigned};
use countersign_core::timestamp::Timestamp;
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};
use tokio::runtime::Runtime;

const ADVICE: &str = "set AWS_PROFILE, or sign in with `aws sso login`";
/// Credentials are asked for again this long before their end.
const RENEWED_BEFORE_END: Duration = Duration::from_secs(5 * 60);

/// What clients are built from, after making sure that there are a region and credentials.
///
/// # Errors
/// When there is none, with what to do about it.
pub(crate) async fn configuration(ca_bundle: Option<&Path>) -> Result<SdkConfig, CommandError> {
    Ok(load(ca_bundle, None).await?.0)
}

/// The same, for one region in place of that of the environment; with the credentials.
async fn load(
    ca_bundle: Option<&Path>,
    region: Option<String>,
) -> Result<(SdkConfig, SharedCredentialsProvider, Credentials), String> {
    let bundle = match ca_bundle {
        None => None,
        Some(path) => Some(
            text_file::read(path)
                .map_err(|error| format!("the certificates in {}: {error}", text_file::shown(path)))?,
        ),
    };
    let transport = countersign_aws::transport(bundle.as_deref()).map_err(|error| error.to_string())?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(transport)
        .retry_config(countersign_aws::retries())
        .timeout_config(countersign_aws::timeouts());
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    let configuration = loader.load().await;
    if configuration.region().is_none_or(|region| region.as_ref().is_empty()) {
        return Err("no AWS region: set AWS_REGION, or a region in your AWS profile".to_owned());
    }
    let Some(provider) = configuration.credentials_provider() else {
        return Err(format!("no AWS credentials: {ADVICE}"));
    };
    let credentials = provide(&provider).await?;
    Ok((configuration, provider, credentials))
}

async fn provide(provider: &SharedCredentialsProvider) -> Result<Credentials, String> {
    provider.provide_credentials().await.map_err(|error| format!("no AWS credentials ({error}): {ADVICE}"))
}

/// What signs the calls of a service. The region is that of the profile, or that of the URL, or the environment's.
///
/// # Errors
/// When there is no region, or there are no credentials.
pub(crate) fn signer(settings: &Settings, region: Option<&str>) -> Result<Box<dyn Signer>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let region = region.or_else(|| region_of(&settings.url)).map(str::to_owned);
    let (configuration, provider, credentials) =
        runtime.block_on(load(settings.aws_ca_bundle.as_deref(), region))?;
    let region = configuration.region().map(ToString::to_string).unwrap_or_default();
    Ok(Box::new(AwsSigner { runtime, provider, region, credentials: Mutex::new(credentials) }))
}

/// The region of an address that API Gateway has given: `https://ID.execute-api.REGION.amazonaws.com`.
fn region_of(url: &str) -> Option<&str> {
    let host = url.strip_prefix("https://")?.split(['/', ':']).next()?;
    let (region, suffix) = host.split_once(".execute-api.")?.1.split_once('.')?;
    suffix.starts_with("amazonaws.").then_some(region)
}

/// Signs calls with the credentials of the environment.
#[derive(Debug)]
struct AwsSigner {
    runtime: Runtime,
    provider: SharedCredentialsProvider,
    region: String,
    credentials: Mutex<Credentials>,
}

impl AwsSigner {
    /// The credentials, asked for again when they are about to end: some commands run for hours.
    fn credentials(&self, now: SystemTime) -> Result<Credentials, String> {
        let mut kept = self.credentials.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if kept.expiry().is_some_and(|end| end < now + RENEWED_BEFORE_END) {
            *kept = self.runtime.block_on(provide(&self.provider))?;
        }
        Ok(kept.clone())
    }
}

impl Signer for AwsSigner {
    fn sign(&self, call: Unsigned<'_>) -> Result<Vec<(String, String)>, String> {
        let now = system_time(SystemHost::default().now());
        let Unsigned { method, url, headers, body } = call;
        let call = Call { method, url, headers, body };
        signature::headers(call, self.credentials(now)?, &self.region, now).map_err(|error| error.to_string())
    }

    fn name(&self) -> Result<String, String> {
        let credentials = self.credentials(system_time(SystemHost::default().now()))?;
        Ok(format!("the AWS access key {}, for {}", credentials.access_key_id(), self.region))
    }
}

fn system_time(now: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(now.as_millisecond().try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_an_address_of_the_gateway_and_no_other() {
        for (url, region) in [
            ("https://a1b2c3.execute-api.eu-central-1.amazonaws.com", Some("eu-central-1")),
            ("https://a1b2c3.execute-api.eu-central-1.amazonaws.com/stage", Some("eu-central-1")),
            ("https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn:443", Some("cn-north-1")),
            ("https://approvals.example.com", None),
            ("https://execute-api.example.com", None),
            ("https://a.execute-api.eu-central-1.example.com", None),
            ("https://example.com/a.execute-api.eu-central-1.amazonaws.com", None),
            ("http://127.0.0.1:9000", None),
        ] {
            assert_eq!(region_of(url), region, "{url}");
        }
    }
}
