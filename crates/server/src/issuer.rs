//! An issuer's keys as `serve` reads them: from a file, or with the HTTP client that knows proxies.

use countersign_app::host::BoxFuture;
use countersign_core::caller::Channel;
use countersign_dashboard::SignInAtIssuer;
use countersign_endpoint::{Endpoint, InvalidEndpoint};
use countersign_identity::claims::ClaimNames;
use countersign_identity::key_set::KeySet;
use countersign_identity::token::{Keys, Verifier};
use countersign_issuer::authenticator::log_unused;
use countersign_issuer::error::IssuerError;
use countersign_issuer::relying_party::{Registration, RelyingParty, SendForm};
use countersign_issuer::source::{Fetch, KeySource, MAX_ANSWER_BYTES, Published, read_keys};
use countersign_system::{private_file, text_file};
use std::fmt;
use std::path::{Path, PathBuf};
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
    /// As what the dashboard is known to it, if people sign in there.
    pub registration: Option<RegistrationOptions>,
}

/// As what the dashboard is known to an issuer.
#[derive(Debug, Clone)]
pub struct RegistrationOptions {
    /// The id of the client.
    pub client_id: String,
    /// The file with its secret; a public client has none.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for, if not what is usual.
    pub scope: Option<String>,
    /// Further origins that the issuer leads browsers through.
    pub further_origins: Vec<String>,
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

/// The dashboard at the issuer, if people sign in there, and what the issuer says of itself.
///
/// # Errors
/// When the secret cannot be read, or the issuer does not say where people sign in.
pub async fn sign_in(options: &IssuerOptions) -> Result<Option<SignInAtIssuer<Client>>, IssuerError> {
    let Some(RegistrationOptions { client_id, client_secret_file, scope, further_origins }) =
        options.registration.clone()
    else {
        return Ok(None);
    };
    // Pages call the API with ID tokens, and their audience is the client.
    if !options.audiences.contains(&client_id) {
        return Err(IssuerError::ClientIsNoAudience { client_id });
    }
    let client_secret = client_secret_file.as_deref().map(client_secret).transpose()?;
    let registration = Registration { client_id, client_secret, scope };
    let issuer = &options.issuer;
    let party = RelyingParty::new(issuer, registration, Client);
    let party = party.map_err(|rule| IssuerError::Url {
        named_by: "--oidc-issuer".to_owned(),
        url: issuer.clone(),
        rule,
    })?;
    Ok(Some(SignInAtIssuer::discover(party, further_origins).await?))
}

fn client_secret(path: &Path) -> Result<String, IssuerError> {
    let named = |reason: String| IssuerError::File {
        path: format!("--oidc-client-secret-file {}", path.display()),
        reason,
    };
    let text = private_file::read_linked(path).map_err(|error| named(error.to_string()))?;
    match text.trim() {
        "" => Err(named("is empty".to_owned())),
        secret => Ok(secret.to_owned()),
    }
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
pub struct Client;

impl Client {
    fn agent(url: &Endpoint, fails_on_status: bool) -> Result<ureq::Agent, String> {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(fails_on_status)
            .proxy(url.proxy().map_err(|error| error.to_string())?);
        Ok(config.build().into())
    }

    fn get(url: &Endpoint) -> Result<String, String> {
        let answer = Self::agent(url, true)?.get(url.as_str()).call();
        answer.and_then(body).map_err(|error| error.to_string())
    }

    fn post(url: &Endpoint, form: &str, authorization: Option<String>) -> Result<(u16, String), String> {
        let mut request = Self::agent(url, false)?
            .post(url.as_str())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.send(form).map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        Ok((status, body(answer).map_err(|error| error.to_string())?))
    }
}

fn body(mut answer: ureq::http::Response<ureq::Body>) -> Result<String, ureq::Error> {
    answer.body_mut().with_config().limit(MAX_ANSWER_BYTES as u64).read_to_string()
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

impl SendForm for Client {
    fn send_form<'a>(
        &'a self,
        url: &'a Endpoint,
        form: String,
        authorization: Option<String>,
    ) -> BoxFuture<'a, Result<(u16, String), String>> {
        let url = url.clone();
        Box::pin(async move {
            let sent = tokio::task::spawn_blocking(move || Self::post(&url, &form, authorization));
            sent.await.unwrap_or_else(|error| Err(error.to_string()))
        })
    }
}
