//! Where an issuer's keys come from.

use crate::error::IssuerError;
use countersign_app::host::BoxFuture;
use countersign_endpoint::{Endpoint, InvalidEndpoint, discovery_url};
use countersign_identity::key_set::KeySet;
use std::fmt;

/// The most that is read of an issuer's answer, in bytes.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// A place that an issuer's keys are read from, again and again.
pub trait KeySource: fmt::Debug + Send + Sync {
    /// Reads the keys now. It comes to an end by itself.
    ///
    /// # Errors
    /// When they cannot be read, or are none.
    fn read(&self) -> BoxFuture<'_, Result<KeySet, IssuerError>>;
}

/// An HTTP client that gets documents.
pub trait Fetch: fmt::Debug + Send + Sync {
    /// The document at this very URL: no redirect is followed, [`MAX_ANSWER_BYTES`] is the most that is read, and it
    /// takes no longer than the client is ready to wait.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn fetch<'a>(&'a self, url: &'a Endpoint) -> BoxFuture<'a, Result<String, String>>;
}

/// Keys that are published over HTTP.
#[derive(Debug, Clone)]
pub struct Published<F> {
    place: Place,
    client: F,
}

#[derive(Debug, Clone)]
enum Place {
    /// The set itself.
    Keys(Endpoint),
    /// The issuer's description of itself, which names the set (OpenID Connect Discovery 1.0).
    Description { issuer: String, base: Endpoint, url: Endpoint },
}

impl<F: Fetch> Published<F> {
    /// Keys at this URL.
    pub fn at(url: Endpoint, client: F) -> Self {
        Self { place: Place::Keys(url), client }
    }

    /// Keys that the issuer of this name says where to find. The name is its URL.
    ///
    /// # Errors
    /// The rule of URLs that the name breaks.
    pub fn by(issuer: &str, client: F) -> Result<Self, InvalidEndpoint> {
        let base = Endpoint::parse_base(issuer)?;
        let url = Endpoint::parse_base(&discovery_url(issuer))?;
        Ok(Self { place: Place::Description { issuer: issuer.to_owned(), base, url }, client })
    }

    async fn get(&self, url: &Endpoint) -> Result<String, IssuerError> {
        let unreachable = |reason| IssuerError::Unreachable { url: url.to_string(), reason };
        self.client.fetch(url).await.map_err(unreachable)
    }

    async fn read_now(&self) -> Result<KeySet, IssuerError> {
        let text = match &self.place {
            Place::Keys(url) => self.get(url).await?,
            Place::Description { issuer, base, url } => {
                let description = self.get(url).await?;
                self.get(&named_keys(&description, issuer, base, url)?).await?
            }
        };
        read_keys(&text)
    }
}

impl<F: Fetch> KeySource for Published<F> {
    fn read(&self) -> BoxFuture<'_, Result<KeySet, IssuerError>> {
        Box::pin(self.read_now())
    }
}

/// A set of keys.
///
/// # Errors
/// [`IssuerError::NotAKeySet`].
pub fn read_keys(text: &str) -> Result<KeySet, IssuerError> {
    KeySet::read(text).map_err(|error| IssuerError::NotAKeySet(error.to_string()))
}

/// Where an issuer says that its keys are.
fn named_keys(
    description: &str,
    issuer: &str,
    base: &Endpoint,
    url: &Endpoint,
) -> Result<Endpoint, IssuerError> {
    let metadata: serde_json::Value = serde_json::from_str(description)
        .map_err(|error| IssuerError::Description { url: url.to_string(), error })?;
    let text = |name: &str| metadata.get(name).and_then(serde_json::Value::as_str);
    // OpenID Connect Discovery 1.0 section 4.3: what another issuer says of itself is of no account.
    if text("issuer") != Some(issuer) {
        let described = text("issuer").unwrap_or("nothing").to_owned();
        return Err(IssuerError::AnotherIssuer { url: url.to_string(), described });
    }
    named_endpoint(text("jwks_uri"), "jwks_uri", base, url)
}

/// What a member of an issuer's description names.
pub(crate) fn named_endpoint(
    named: Option<&str>,
    member: &'static str,
    base: &Endpoint,
    url: &Endpoint,
) -> Result<Endpoint, IssuerError> {
    let named = named.ok_or_else(|| IssuerError::NotNamed { url: url.to_string(), member })?;
    // The query names a tenant or policy at some issuers.
    let endpoint = Endpoint::parse(named).map_err(|rule| IssuerError::Url {
        named_by: format!("{url}: {member}"),
        url: named.to_owned(),
        rule,
    })?;
    if base.may_name(&endpoint) {
        Ok(endpoint)
    } else {
        Err(IssuerError::OnThisMachine { url: url.to_string(), member, named: endpoint.to_string() })
    }
}
