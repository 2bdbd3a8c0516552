//! An issuer's keys: from a file or over https, and again when a token names a key we do not have.

use crate::arguments::IssuerArguments;
use crate::endpoint::{self, Endpoint, InvalidEndpoint};
use crate::private_file;
use countersign_core::caller::Channel;
use countersign_core::text::escaped_line;
use countersign_identity::claims::ClaimNames;
use countersign_identity::key_set::KeySet;
use countersign_identity::token::{Keys, Verifier};
use countersign_system::text_file;
use std::fmt;
use std::path::Path;
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
    let keys = source.read()?;
    if keys.is_empty() {
        let unused: Vec<_> = keys.unused().iter().map(ToString::to_string).collect();
        let unused = if unused.is_empty() { String::new() } else { format!(": {}", unused.join("; ")) };
        return Err(format!("the issuer has no key that can verify a token{unused}"));
    }
    log_unused(&keys);
    let verifier = Verifier {
        keys: Keys::Issuer(keys),
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
    pub fn read(&self) -> Result<KeySet, String> {
        let text = match self {
            Self::File(path) => {
                let named = |error: &dyn fmt::Display| format!("--jwks {}: {error}", escaped_line(path));
                private_file::check_trusted(Path::new(path)).map_err(|error| named(&error))?;
                text_file::read_to_string(path).map_err(|error| named(&error))?
            }
            Self::Url(url) => fetch(&parsed("--jwks", url, Endpoint::parse)?)?,
            Self::Discovery(issuer) => fetch(&keys_endpoint(issuer)?)?,
        };
        KeySet::read(&text).map_err(|error| format!("the issuer's keys cannot be read: {error}"))
    }
}

/// Says in the log which keys verify no token. That one is for encryption is as it should be.
pub(crate) fn log_unused(keys: &KeySet) {
    for unused in keys.unused().iter().filter(|unused| !unused.is_for_encryption()) {
        tracing::warn!(key = %unused, "a key of the issuer verifies no token");
    }
    if keys.is_empty() {
        tracing::error!("the issuer has no key that can verify a token: every token is refused");
    }
}

/// Where an issuer says that its keys are.
fn keys_endpoint(issuer: &str) -> Result<Endpoint, String> {
    let of_issuer = parsed("--oidc-issuer", issuer, Endpoint::parse_base)?;
    let url = parsed("--oidc-issuer", &discovery_url(issuer), Endpoint::parse_base)?;
    let metadata: serde_json::Value =
        serde_json::from_str(&fetch(&url)?).map_err(|error| format!("{url}: {error}"))?;
    let text = |name: &str| metadata.get(name).and_then(serde_json::Value::as_str);
    // OpenID Connect Discovery 1.0 section 4.3: what another issuer says of itself is of no account.
    if text("issuer") != Some(issuer) {
        let named = endpoint::shown(text("issuer").unwrap_or("nothing"));
        return Err(format!("{url} describes another issuer, {named}; name that one if it is meant"));
    }
    let keys = text("jwks_uri").ok_or_else(|| format!("{url} names no jwks_uri"))?;
    // The query names a tenant or policy at some issuers.
    let keys = parsed(&format!("{url}: jwks_uri"), keys, Endpoint::parse)?;
    if of_issuer.may_name(&keys) {
        Ok(keys)
    } else {
        Err(format!("{url}: jwks_uri {} is on this machine", endpoint::shown(keys.as_str())))
    }
}

fn parsed(
    name: &str,
    url: &str,
    parse: impl FnOnce(&str) -> Result<Endpoint, InvalidEndpoint>,
) -> Result<Endpoint, String> {
    parse(url).map_err(|rule| format!("{name} {}: {rule}", endpoint::shown(url)))
}

/// Gets a document.
fn fetch(url: &Endpoint) -> Result<String, String> {
    let shown = endpoint::shown(url.as_str());
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .proxy(url.proxy().map_err(|error| error.to_string())?)
        .build()
        .into();
    agent
        .get(url.as_str())
        .call()
        .and_then(|mut answer| answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string())
        .map_err(|error| format!("{shown}: {}", escaped_line(&error.to_string())))
}

/// Where an issuer describes itself (OpenID Connect Discovery 1.0 section 4).
pub(crate) fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}
