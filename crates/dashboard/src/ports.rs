//! What the dashboard asks of the shell that it runs in: calls of the API, and sign-in at an issuer.

pub use countersign_api::outgoing::{Api, ApiAnswer, ApiCall};
use std::fmt;
use std::future::Future;

/// What a sign-in gives.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// What the API takes as bearer token.
    pub bearer: String,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at: Option<i64>,
    /// What another one is got with.
    pub refresh: Option<String>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(secret)")
    }
}

/// An authorization code on its way to the issuer (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
#[derive(Clone, PartialEq, Eq)]
pub struct Redemption {
    /// The code.
    pub code: String,
    /// The verifier of PKCE.
    pub verifier: String,
    /// The nonce that the id token must have.
    pub nonce: String,
    /// The redirect URI of the authorization request.
    pub redirect_uri: String,
}

impl fmt::Debug for Redemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redemption(secret)")
    }
}

/// Why there is no other token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRefreshed {
    /// The issuer gives none.
    Refused,
    /// The issuer does not answer.
    Unavailable,
}

/// Sign-in: one-time codes of this service, and the issuer's token endpoint. `None` is a refusal.
pub trait SignIn: Sync {
    /// The person for whom a one-time code was made. The code stays good.
    fn person_of(&self, code: &str) -> impl Future<Output = Option<String>> + Send;
    /// Trades a one-time code for the token that it stands for. The code is spent.
    fn trade(&self, code: &str) -> impl Future<Output = Option<Tokens>> + Send;
    /// Redeems an authorization code. What the ID token claims is compared with what was asked for, its nonce included; the
    /// API verifies its signature, as at each call.
    fn redeem(&self, redemption: Redemption) -> impl Future<Output = Option<Tokens>> + Send;
    /// Gets another token of the person whom `bearer` names, with a refresh token.
    ///
    /// # Errors
    /// Whether the issuer refuses, or cannot be asked now.
    fn refresh(
        &self,
        refresh: &str,
        bearer: &str,
    ) -> impl Future<Output = Result<Tokens, NotRefreshed>> + Send;
    /// Revokes a refresh token.
    fn revoke(&self, refresh: &str) -> impl Future<Output = ()> + Send;
}
