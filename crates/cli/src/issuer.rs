//! An issuer's keys: from a file or over https, and again when a token names a key we do not have.

use crate::arguments::IssuerArguments;
use countersign_core::actor::Channel;
use countersign_host::text_file;
use countersign_identity::claims::ClaimNames;
use countersign_identity::token::{JwkSet, Keys, Verifier};
use std::net::IpAddr;
use std::time::Duration;

/// The most that is read of an issuer's answer, in bytes.
pub(crate) const MAX_ANSWER_BYTES: u64 = 1024 * 1024;
/// How long an issuer may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file.
    File(String),
    /// A URL.
    Url(String),
    /// The `jwks_uri` of the issuer's own description (OpenID Connect Discovery 1.0).
    Discovery(String),
}

/// The issuer that is configured, if one is.
///
/// # Errors
/// When its keys cannot be read.
pub fn configured(arguments: &IssuerArguments) -> Result<Option<(Verifier, KeySource)>, String> {
    let Some(issuer) = &arguments.oidc_issuer else { return Ok(None) };
    let source = match &arguments.jwks {
        Some(url) if url.contains("://") => KeySource::Url(url.clone()),
        Some(file) => KeySource::File(file.clone()),
        None => KeySource::Discovery(issuer.clone()),
    };
    let verifier = Verifier {
        keys: Keys::Issuer(source.read()?),
        issuer: issuer.clone(),
        audiences: arguments.oidc_audience.clone(),
        claim_names: ClaimNames {
            email: arguments.email_claim.clone(),
            groups: arguments.groups_claim.clone(),
            email_is_trusted: arguments.oidc_email_trusted,
        },
        channel: Channel::Local,
    };
    Ok(Some((verifier, source)))
}

impl KeySource {
    /// Reads the keys now.
    ///
    /// # Errors
    /// When they cannot be fetched, or are none.
    pub fn read(&self) -> Result<JwkSet, String> {
        let text = match self {
            Self::File(path) => {
                text_file::read_to_string(path).map_err(|error| format!("--jwks {path}: {error}"))?
            }
            Self::Url(url) => fetch(url)?,
            Self::Discovery(issuer) => {
                let url = discovery_url(issuer);
                let description: serde_json::Value =
                    serde_json::from_str(&fetch(&url)?).map_err(|error| format!("{url}: {error}"))?;
                let keys = description.get("jwks_uri").and_then(serde_json::Value::as_str);
                fetch(keys.ok_or_else(|| format!("{url} names no jwks_uri"))?)?
            }
        };
        serde_json::from_str(&text).map_err(|error| format!("the issuer's keys cannot be read: {error}"))
    }
}

/// Gets a document over https. Plain http is for this machine only: whoever can change the keys
/// on their way can be anybody.
fn fetch(url: &str) -> Result<String, String> {
    if !is_private_way(url) {
        return Err(format!("{url}: keys are fetched over https"));
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .proxy(proxy_for(url))
        .build()
        .into();
    agent
        .get(url)
        .call()
        .and_then(|mut answer| answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string())
        .map_err(|error| format!("{url}: {error}"))
}

/// The proxy of the environment on the way to a URL. On the way to this machine there is none: a proxy would
/// read the token that plain http carries, and could answer with keys of its own.
pub(crate) fn proxy_for(url: &str) -> Option<ureq::Proxy> {
    if is_this_machine(url) { None } else { ureq::Proxy::try_from_env() }
}

fn is_this_machine(url: &str) -> bool {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    is_loopback || host.trim_end_matches('.').eq_ignore_ascii_case("localhost")
}

/// Where an issuer describes itself (OpenID Connect Discovery 1.0 section 4).
pub(crate) fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

/// Whether nobody on the way can read or change what goes there: https, or this machine.
pub(crate) fn is_private_way(url: &str) -> bool {
    url.starts_with("https://") || is_loopback(url)
}

fn is_loopback(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // `http://127.0.0.1:80@example.com` is a way to example.com.
    if authority.contains('@') {
        return false;
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// THREATS 53.
    #[test]
    fn this_machine_is_told_from_names_that_look_like_it() {
        for url in [
            "http://127.0.0.1:8080/keys",
            "http://127.1.2.3",
            "http://[::1]:1/",
            "http://localhost:8080",
            "http://LOCALHOST/",
            "https://localhost.:8443/",
            "https://127.0.0.1:8443/",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert!(is_this_machine(url), "{url}");
        }
        for url in [
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "https://example.com/",
            "https://mylocalhost/",
            "http://127.0.0.1@example.com/",
            "http://10.0.0.1/",
            "nonsense",
        ] {
            assert!(!is_this_machine(url), "{url}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for url in ["http://127.0.0.1:8080/keys", "http://[::1]:1/keys", "http://127.0.0.1"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://127.0.0.1@example.com/",
            "http://127.0.0.1:80@example.com/",
            "ftp://127.0.0.1/",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
