//! An issuer's keys: from a file or over https, and again when a token names a key we do not have.

use countersign_core::caller::Channel;
use countersign_core::text::escaped_line;
use countersign_endpoint::{Endpoint, InvalidEndpoint, InvalidProxy, discovery_url, shown};
use countersign_identity::claims::ClaimNames;
use countersign_identity::key_set::KeySet;
use countersign_identity::token::{Keys, Verifier};
use countersign_system::{private_file, text_file};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The most that is read of an issuer's answer, in bytes.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;
/// How long an issuer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An OpenID Connect issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct IssuerOptions {
    /// Its name, as its tokens spell it.
    pub issuer: String,
    /// The audiences of which a token must name one.
    pub audiences: Vec<String>,
    /// A file or URL with its keys; found through the issuer if there is none.
    pub key_set: Option<String>,
    /// What its claims are called.
    pub claim_names: ClaimNames,
}

/// Why an issuer's keys are not known.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The file cannot be read, or is one that others may change.
    #[error("--jwks {}: {reason}", escaped_line(path))]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// A URL that nothing is asked of.
    #[error("{named_by} {}: {rule}", shown(url))]
    Url {
        /// What names it.
        named_by: String,
        /// The URL.
        url: String,
        /// The rule that it breaks.
        rule: InvalidEndpoint,
    },
    /// The environment names a proxy that cannot be used.
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    /// No answer, or one that is too long.
    #[error("{}: {}", shown(url), escaped_line(reason))]
    Unreachable {
        /// Who was asked.
        url: String,
        /// Why.
        reason: String,
    },
    /// The issuer's description of itself is no JSON.
    #[error("{url}: {error}")]
    Description {
        /// Where it is.
        url: String,
        /// Why.
        error: serde_json::Error,
    },
    /// The description is of another issuer.
    #[error("{url} describes another issuer, {}; name that one if it is meant", shown(described))]
    AnotherIssuer {
        /// Where it is.
        url: String,
        /// Whom it describes.
        described: String,
    },
    /// The description does not say where the keys are.
    #[error("{url} names no jwks_uri")]
    NoKeysNamed {
        /// Where it is.
        url: String,
    },
    /// The description of an issuer elsewhere names keys on this machine.
    #[error("{url}: jwks_uri {} is on this machine", shown(keys))]
    OnThisMachine {
        /// Where it is.
        url: String,
        /// What it names.
        keys: String,
    },
    /// What is there is no set of keys.
    #[error("the issuer's keys cannot be read: {0}")]
    NotAKeySet(String),
    /// There are keys, and none of them verifies a token.
    #[error("the issuer has no key that can verify a token{unused}")]
    NoUsableKey {
        /// Which there are, and why they verify none.
        unused: String,
    },
    /// The thread that read them ended: a bug.
    #[error("{0}")]
    Interrupted(String),
}

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

/// What verifies the tokens of an issuer, and where its keys come from.
///
/// # Errors
/// When its keys cannot be read.
pub fn configured(options: IssuerOptions) -> Result<(Verifier, KeySource), IssuerError> {
    let source = match options.key_set {
        Some(url) if url.contains("://") => KeySource::Url(url),
        Some(file) => KeySource::File(file),
        None => KeySource::Discovery(options.issuer.clone()),
    };
    let keys = source.read()?;
    if keys.is_empty() {
        let unused: Vec<_> = keys.unused().iter().map(ToString::to_string).collect();
        let unused = if unused.is_empty() { String::new() } else { format!(": {}", unused.join("; ")) };
        return Err(IssuerError::NoUsableKey { unused });
    }
    log_unused(&keys);
    let verifier = Verifier {
        keys: Keys::Issuer(keys),
        issuer: options.issuer,
        audiences: options.audiences,
        claim_names: options.claim_names,
        channel: Channel::Local,
    };
    Ok((verifier, source))
}

impl KeySource {
    /// Reads the keys now.
    ///
    /// # Errors
    /// When they cannot be fetched, or are none.
    pub fn read(&self) -> Result<KeySet, IssuerError> {
        let text = match self {
            Self::File(path) => {
                let named = |error: &dyn fmt::Display| IssuerError::File {
                    path: path.clone(),
                    reason: error.to_string(),
                };
                private_file::check_trusted(Path::new(path)).map_err(|error| named(&error))?;
                text_file::read_to_string(path).map_err(|error| named(&error))?
            }
            Self::Url(url) => fetch(&parsed("--jwks", url, Endpoint::parse)?)?,
            Self::Discovery(issuer) => fetch(&keys_endpoint(issuer)?)?,
        };
        KeySet::read(&text).map_err(|error| IssuerError::NotAKeySet(error.to_string()))
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
fn keys_endpoint(issuer: &str) -> Result<Endpoint, IssuerError> {
    let of_issuer = parsed("--oidc-issuer", issuer, Endpoint::parse_base)?;
    let url = parsed("--oidc-issuer", &discovery_url(issuer), Endpoint::parse_base)?;
    let metadata: serde_json::Value = serde_json::from_str(&fetch(&url)?)
        .map_err(|error| IssuerError::Description { url: url.to_string(), error })?;
    let text = |name: &str| metadata.get(name).and_then(serde_json::Value::as_str);
    // OpenID Connect Discovery 1.0 section 4.3: what another issuer says of itself is of no account.
    if text("issuer") != Some(issuer) {
        let described = text("issuer").unwrap_or("nothing").to_owned();
        return Err(IssuerError::AnotherIssuer { url: url.to_string(), described });
    }
    let Some(keys) = text("jwks_uri") else { return Err(IssuerError::NoKeysNamed { url: url.to_string() }) };
    // The query names a tenant or policy at some issuers.
    let keys = parsed(&format!("{url}: jwks_uri"), keys, Endpoint::parse)?;
    if of_issuer.may_name(&keys) {
        Ok(keys)
    } else {
        Err(IssuerError::OnThisMachine { url: url.to_string(), keys: keys.to_string() })
    }
}

fn parsed(
    named_by: &str,
    url: &str,
    parse: impl FnOnce(&str) -> Result<Endpoint, InvalidEndpoint>,
) -> Result<Endpoint, IssuerError> {
    parse(url).map_err(|rule| IssuerError::Url { named_by: named_by.to_owned(), url: url.to_owned(), rule })
}

/// Gets a document.
fn fetch(url: &Endpoint) -> Result<String, IssuerError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .proxy(url.proxy()?)
        .build()
        .into();
    agent
        .get(url.as_str())
        .call()
        .and_then(|mut answer| answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string())
        .map_err(|error| IssuerError::Unreachable { url: url.to_string(), reason: error.to_string() })
}
