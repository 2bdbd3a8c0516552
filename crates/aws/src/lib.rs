//! How the programs reach AWS: one transport, with TLS by ring, and one set of time limits.
//!
//! The SDK's own HTTPS client gathers entropy and parses the platform's roots for some 50 ms of
//! CPU at every cold start. This one knows the roots of Amazon Trust Services
//! (<https://www.amazontrust.com/repository/>), which sign every AWS endpoint, and those that the
//! operator adds. Reads neither environment nor files: the shells do.
#![warn(missing_docs)]

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use std::time::Duration;

/// The roots that AWS endpoints are signed under: Amazon Root CA 1 to 4, and Starfield Services
/// Root CA G2, which signed the first of them.
const AMAZON_ROOTS: &[u8] = include_bytes!("roots.pem");

/// How long one call may take, with the SDK's own second try. The use cases count on it, see
/// `countersign-app`'s `retry.rs`: an answer comes within 10 s whatever the database does.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one try may take. Long enough for a handshake on a busy machine, short enough that a
/// second one fits.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(700);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// The SDK's tries at one call. Further ones are made by those who know what was tried.
const MAX_ATTEMPTS: u32 = 2;

/// The transport cannot be built: a root certificate is none.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct TransportError(String);

/// Where and as whom AWS is called.
#[derive(Debug, Clone)]
pub struct Access {
    /// The region.
    pub region: String,
    /// Whose calls they are.
    pub credentials: SharedCredentialsProvider,
    /// Another address than AWS, such as a local emulator.
    pub endpoint_url: Option<String>,
}

/// Credentials that somebody has handed us, as the Lambda service does.
pub fn credentials(
    key_id: String,
    secret: String,
    session_token: Option<String>,
) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(key_id, secret, session_token, None, "environment"))
}

/// An HTTPS client that trusts Amazon's roots, and those of a bundle in PEM.
///
/// # Errors
/// When the bundle holds something else.
pub fn transport(additional_roots: Option<&[u8]>) -> Result<SharedHttpClient, TransportError> {
    let mut trusted = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    if let Some(bundle) = additional_roots {
        trusted = trusted.with_pem_certificate(bundle);
    }
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| TransportError(error.to_string()))?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}

/// What every client is built from.
pub fn configuration(access: Access, transport: SharedHttpClient) -> SdkConfig {
    let mut configuration = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(access.region))
        .credentials_provider(access.credentials)
        .http_client(transport)
        .retry_config(retries())
        .timeout_config(timeouts());
    configuration.set_endpoint_url(access.endpoint_url);
    configuration.build()
}

/// The tries of every client.
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_initial_backoff(Duration::from_millis(50))
}

/// The time limits of every client.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_timeout(OPERATION_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
}
