//! Signing in at an issuer, for the shells: what the pages ask of the issuer, by the shell's own HTTP client.

use crate::oidc;
use crate::ports::{NotRefreshed, Redemption, Tokens};
use crate::site::Issuer;
use countersign_core::timestamp::Timestamp;
use countersign_issuer::error::IssuerError;
use countersign_issuer::relying_party::{
    Provider, RelyingParty, SendForm, SignInError, SignedIn, end_session_url,
};
use countersign_issuer::source::Fetch;

/// Why there is no other token, as far as pages differ by it.
#[must_use]
pub fn not_refreshed(error: &SignInError) -> NotRefreshed {
    match error {
        SignInError::Unreachable(_) => NotRefreshed::Unavailable,
        SignInError::Refused(_)
        | SignInError::NotUnderstood(_)
        | SignInError::OfAnother(_)
        | SignInError::Expired => NotRefreshed::Refused,
    }
}

/// The dashboard at an issuer where people sign in.
#[derive(Debug, Clone)]
pub struct SignInAtIssuer<C> {
    party: RelyingParty<C>,
    provider: Provider,
    further_origins: Vec<String>,
}

impl<C: Fetch + SendForm> SignInAtIssuer<C> {
    /// Asks the issuer what it says of itself. `further_origins` are others that it leads browsers through.
    ///
    /// # Errors
    /// When the issuer cannot be asked, or says nothing that can be used.
    pub async fn discover(party: RelyingParty<C>, further_origins: Vec<String>) -> Result<Self, IssuerError> {
        let provider = party.discover().await?;
        Ok(Self { party, provider, further_origins })
    }

    /// The issuer, as far as browsers are sent there from the dashboard with this origin.
    pub fn for_browsers(&self, origin: &str) -> Issuer {
        let Self { party, provider, further_origins } = self;
        let signed_out = format!("{origin}{}", oidc::SIGNED_OUT);
        let end = provider.end_session_endpoint.as_ref();
        Issuer {
            authorization_endpoint: provider.authorization_endpoint.to_string(),
            end_session_url: end.map(|end| end_session_url(end, party.client_id(), &signed_out)),
            client_id: party.client_id().to_owned(),
            scope: provider.scope.clone(),
            further_origins: further_origins.clone(),
        }
    }

    /// Redeems an authorization code.
    ///
    /// # Errors
    /// When the issuer gives no ID token for it.
    pub async fn redeem(&self, redemption: &Redemption, now: Timestamp) -> Result<Tokens, SignInError> {
        let Redemption { code, verifier, nonce, redirect_uri } = redemption;
        let redeemed = self.party.redeem(&self.provider, code, verifier, nonce, redirect_uri, now);
        redeemed.await.map(tokens)
    }

    /// Gets another token of the person whom `bearer` names.
    ///
    /// # Errors
    /// When the issuer gives none.
    pub async fn refresh(&self, refresh: &str, bearer: &str, now: Timestamp) -> Result<Tokens, SignInError> {
        self.party.refresh(&self.provider, refresh, bearer, now).await.map(tokens)
    }

    /// Revokes a refresh token.
    ///
    /// # Errors
    /// When the issuer does not take the revocation.
    pub async fn revoke(&self, refresh: &str) -> Result<(), SignInError> {
        self.party.revoke(&self.provider, refresh).await
    }
}

fn tokens(signed_in: SignedIn) -> Tokens {
    let SignedIn { id_token, expires_at, refresh_token } = signed_in;
    Tokens { bearer: id_token, expires_at: Some(expires_at), refresh: refresh_token }
}
