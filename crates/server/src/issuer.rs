//! An issuer's keys as `serve` reads them: from a file, or with the HTTP client that knows proxies.

use countersign_app::host::BoxFuture;
use countersign_core::caller::Channel;
use countersign_endpoint::{Endpoint, InvalidEndpoint};
use countersign_identity::claims::ClaimNames;
use countersign_identity::key_set::KeySet;
use countersign_identity::token::{Keys, Verifier};
use countersign_issuer::authenticator::log_unused;
use countersign_issuer::error::IssuerError;
use countersign_issuer::source::{Fetch, KeySource, MAX_ANSWER_BYTES, Published, read_keys};
use countersign_system::{private_file, text_file};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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

/// What verifies the tokens of an issuer, and where its keys come from.
///
/// # Errors
/// When its keys cannot be read.
pub async fn configured(options: IssuerOptions) -> Result<(Verifier, Arc<dyn KeySource>), IssuerError> {
    let source = source(&options)?;
    let keys = source.read().await?;
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

/// Where the keys come from.
///
/// # Errors
/// A URL that nothing is asked of.
pub fn source(options: &IssuerOptions) -> Result<Arc<dyn KeySource>, IssuerError> {
    let refused = |named_by: &str, url: &str, rule: InvalidEndpoint| IssuerError::Url {
        named_by: named_by.to_owned(),
        url: url.to_owned(),
        rule,
    };
    Ok(match options.key_set.as_deref() {
        Some(url) if url.contains("://") => {
            let parsed = Endpoint::parse(url).map_err(|rule| refused("--jwks", url, rule))?;
            Arc::new(Published::at(parsed, Client))
        }
        Some(file) => Arc::new(KeyFile(file.to_owned())),
        None => {
            let issuer = &options.issuer;
            let published = Published::by(issuer, Client);
            Arc::new(published.map_err(|rule| refused("--oidc-issuer", issuer, rule))?)
        }
    })
}

/// A file with keys.
#[derive(Debug)]
struct KeyFile(String);

impl KeyFile {
    fn read_now(path: &str) -> Result<KeySet, IssuerError> {
        let named = |error: &dyn fmt::Display| Self::error(path, error);
        private_file::check_trusted(Path::new(path)).map_err(|error| named(&error))?;
        read_keys(&text_file::read_to_string(path).map_err(|error| named(&error))?)
    }

    fn error(path: &str, error: &dyn fmt::Display) -> IssuerError {
        IssuerError::File { path: format!("--jwks {path}"), reason: error.to_string() }
    }
}

impl KeySource for KeyFile {
    fn read(&self) -> BoxFuture<'_, Result<KeySet, IssuerError>> {
        let path = self.0.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking({
                let path = path.clone();
                move || Self::read_now(&path)
            });
            read.await.unwrap_or_else(|error| Err(Self::error(&path, &error)))
        })
    }
}

/// The client of this program: it knows the proxies of the environment.
#[derive(Debug, Clone, Copy)]
struct Client;

impl Client {
    fn get(url: &Endpoint) -> Result<String, String> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .proxy(url.proxy().map_err(|error| error.to_string())?)
            .build()
            .into();
        agent
            .get(url.as_str())
            .call()
            .and_then(|mut answer| {
                answer.body_mut().with_config().limit(MAX_ANSWER_BYTES as u64).read_to_string()
            })
            .map_err(|error| error.to_string())
    }
}

impl Fetch for Client {
    fn fetch<'a>(&'a self, url: &'a Endpoint) -> BoxFuture<'a, Result<String, String>> {
        let url = url.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || Self::get(&url));
            read.await.unwrap_or_else(|error| Err(error.to_string()))
        })
    }
}
