//! How the programs reach AWS: one transport, with TLS by ring, and one set of time limits.
//!
//! The SDK's own HTTPS client gathers entropy and parses the platform's roots for some 50 ms of
//! CPU at every cold start. The one in `transport` knows the roots of Amazon Trust Services
//! (<https://www.amazontrust.com/repository/>), which sign every AWS endpoint, and those that the
//! operator adds. Reads neither environment nor files: the shells do.
#![warn(missing_docs)]

pub mod secret;
pub mod signature;
mod transport;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
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

/// The transport cannot be built: what should be a root certificate is none.
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

/// Credentials that the environment holds, as the Lambda service sets them.
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
/// When the bundle holds no certificate, or one that cannot be used.
pub fn transport(additional_roots: Option<&[u8]>) -> Result<SharedHttpClient, TransportError> {
    let mut roots = RootCertStore::empty();
    add(&mut roots, AMAZON_ROOTS)?;
    if let Some(bundle) = additional_roots {
        add(&mut roots, bundle)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TransportError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(SharedHttpClient::new(transport::Client::new(tls)))
}

/// Adds the certificates of a bundle, of which there is one at least.
fn add(roots: &mut RootCertStore, bundle: &[u8]) -> Result<(), TransportError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        let certificate = certificate.map_err(|error| TransportError(error.to_string()))?;
        roots.add(certificate).map_err(|error| TransportError(error.to_string()))?;
    }
    if roots.len() == before {
        return Err(TransportError("the bundle holds no certificate".to_owned()));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use countersign_core::digest::Digest;

    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";

    /// The DER of every certificate in a bundle, without the library that is to be trusted with it.
    fn certificates(bundle: &[u8]) -> Vec<Vec<u8>> {
        let text = std::str::from_utf8(bundle).unwrap();
        let encoded = text.split(BEGIN).skip(1).map(|rest| rest.split(END).next().unwrap());
        encoded.map(|lines| STANDARD.decode(lines.split_whitespace().collect::<String>()).unwrap()).collect()
    }

    /// The fingerprints that <https://www.amazontrust.com/repository/> publishes.
    #[test]
    fn the_roots_are_those_of_amazon_and_no_others() {
        let mut fingerprints: Vec<_> =
            certificates(AMAZON_ROOTS).iter().map(|der| Digest::of(der).to_string()).collect();
        fingerprints.sort();
        assert_eq!(
            fingerprints,
            [
                // CA 3, CA 2, Starfield Services G2, CA 1, CA 4.
                "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
                "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
                "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
                "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
                "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
            ]
        );
        assert!(transport(None).is_ok());
    }

    #[test]
    fn a_bundle_holds_certificates_and_nothing_that_looks_like_one() {
        assert!(transport(Some(AMAZON_ROOTS)).is_ok());
        let no_base64 = format!("{BEGIN}\n!!!!\n{END}\n");
        let no_certificate = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode("rubbish"));
        let torn = format!("{BEGIN}\nAAAA\n");
        let one_of_two = [AMAZON_ROOTS, no_certificate.as_bytes()].concat();
        for bundle in [
            "".as_bytes(),
            b"rubbish",
            no_base64.as_bytes(),
            no_certificate.as_bytes(),
            torn.as_bytes(),
            &one_of_two,
        ] {
            let refused = transport(Some(bundle)).is_err();
            assert!(refused, "accepted: {}", String::from_utf8_lossy(bundle));
        }
    }
}
