//! What calls a URL: which certificates it trusts, through which proxy, and how long it waits. Knows neither
//! the API nor any issuer.

use countersign_endpoint::proxy::InvalidProxy;
use countersign_endpoint::{Endpoint, InvalidEndpoint, shown};
use countersign_system::{private_file, text_file};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Why nothing is sent to a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// A token that is sent there could be read on the way, or nothing can be sent there.
    #[error("{named_by}{}: {rule}", shown(url))]
    Url {
        /// What names it, and a blank; or nothing.
        named_by: &'static str,
        /// The URL.
        url: String,
        /// The rule that it breaks.
        rule: InvalidEndpoint,
    },
    /// The environment names a proxy that cannot be used.
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    /// The certificates to trust cannot be read.
    #[error("--ca-bundle {}: {reason}", text_file::shown(path))]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

/// The service at this URL.
///
/// # Errors
/// When a token that is sent there could be read on the way, or nothing can be sent there.
pub fn service(url: &str) -> Result<Endpoint, AgentError> {
    base("--url ", url)
}

/// A URL that paths are appended to.
///
/// # Errors
/// As for [`service`].
pub fn base(named_by: &'static str, url: &str) -> Result<Endpoint, AgentError> {
    Endpoint::parse_base(url).map_err(|rule| AgentError::Url { named_by, url: url.to_owned(), rule })
}

/// What calls a URL, and others of the same service: it trusts the public certificates and those of a file.
///
/// # Errors
/// When the file cannot be read, or the proxy cannot be used.
pub fn agent(
    ca_bundle: Option<&Path>,
    timeout: Duration,
    endpoint: &Endpoint,
) -> Result<ureq::Agent, AgentError> {
    let builder = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        .proxy(endpoint.proxy()?)
        // A redirect could carry the token elsewhere.
        .max_redirects(0);
    let Some(path) = ca_bundle else { return Ok(builder.build().into()) };
    let at =
        |error: &dyn fmt::Display| AgentError::CaBundle { path: path.to_owned(), reason: error.to_string() };
    private_file::check_trusted(path).map_err(|error| at(&error))?;
    let pem = text_file::read(path).map_err(|error| at(&error))?;
    let mut certificates = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<Vec<Certificate<'static>>, _>>()
        .map_err(|error| at(&error))?;
    if certificates.is_empty() {
        return Err(at(&"there is no certificate in it"));
    }
    // The service may have a certificate of its own while the issuer has a public one.
    certificates.extend(TLS_SERVER_ROOT_CERTS.iter().map(|root| Certificate::from_der(root.as_ref())));
    let roots = RootCerts::Specific(Arc::new(certificates));
    Ok(builder.tls_config(TlsConfig::builder().root_certs(roots).build()).build().into())
}
