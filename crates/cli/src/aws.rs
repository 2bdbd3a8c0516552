//! AWS as the person at the terminal reaches it: their profile, their region.

use crate::error::CommandError;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use countersign_system::text_file;
use std::path::Path;

/// What clients are built from, after making sure that there are a region and credentials.
///
/// # Errors
/// When there is none, with what to do about it.
pub(crate) async fn configuration(ca_bundle: Option<&Path>) -> Result<SdkConfig, CommandError> {
    let bundle = match ca_bundle {
        None => None,
        Some(path) => Some(
            text_file::read(path)
                .map_err(|error| format!("--ca-bundle {}: {error}", text_file::shown(path)))?,
        ),
    };
    let transport = countersign_aws::transport(bundle.as_deref()).map_err(|error| error.to_string())?;
    let configuration = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(transport)
        .retry_config(countersign_aws::retries())
        .timeout_config(countersign_aws::timeouts())
        .load()
        .await;
    if configuration.region().is_none_or(|region| region.as_ref().is_empty()) {
        return Err("no AWS region: set AWS_REGION, or a region in your AWS profile".to_owned().into());
    }
    let advice = "set AWS_PROFILE, or sign in with `aws sso login`";
    let Some(provider) = configuration.credentials_provider() else {
        return Err(format!("no AWS credentials: {advice}").into());
    };
    provider
        .provide_credentials()
        .await
        .map_err(|error| format!("no AWS credentials ({error}): {advice}"))?;
    Ok(configuration)
}
