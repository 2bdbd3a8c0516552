//! A service at an issuer where people sign in: the authorization code grant of OpenID Connect Core 1.0 (section 3.1), as far as
//! the service itself calls the issuer. What a browser does of it, and where a session is kept, is not known here.
//!
//! What an ID token claims is compared with what was asked for. Its signature is not looked at here: the token comes from the
//! issuer itself over TLS (section 3.1.3.7), and the API verifies it at each call, as any bearer token.

use crate::error::IssuerError;
use crate::source::{Fetch, named_endpoint};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_app::host::BoxFuture;
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_endpoint::{Endpoint, InvalidEndpoint, discovery_url};
use countersign_identity::claim_path::Claims;
use countersign_identity::jws;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// What is asked for if nothing else is: who the person is, and a token to go on with, where the issuer knows that scope.
const DEFAULT_SCOPE: [&str; 3] = ["openid", "email", "offline_access"];
/// How much of what an issuer says of a refusal is repeated, in characters.
const MAX_REASON: usize = 200;

/// An HTTP client that sends forms.
pub trait SendForm: fmt::Debug + Send + Sync {
    /// Sends a form by `POST` to this very URL, with this `Authorization` if there is one: status and body. No redirect is
    /// followed, and as much is read as of any document of an issuer.
    ///
    /// # Errors
    /// Why there is no answer, in words.
    fn send_form<'a>(
        &'a self,
        url: &'a Endpoint,
        form: String,
        authorization: Option<String>,
    ) -> BoxFuture<'a, Result<(u16, String), String>>;
}

/// As what a service is known to an issuer.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    /// The id of the client.
    pub client_id: String,
    /// Its secret; a public client has none.
    pub client_secret: Option<String>,
    /// What is asked for, in place of `openid email` and, where the issuer knows it, `offline_access`.
    pub scope: Option<String>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// What an issuer says of itself, as far as signing in needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Where people sign in.
    pub authorization_endpoint: Endpoint,
    /// Where the session at the issuer ends, if the issuer has such a page (OpenID Connect RP-Initiated Logout 1.0).
    pub end_session_endpoint: Option<Endpoint>,
    /// What is asked for.
    pub scope: String,
    token_endpoint: Endpoint,
    revocation_endpoint: Option<Endpoint>,
    /// Whether the client's secret goes into the form, and not into a header.
    posts_secret: bool,
}

/// OpenID Connect Discovery 1.0 section 3.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// RFC 6749 section 5.1, and OpenID Connect Core 1.0 section 3.1.3.3.
#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
    refresh_token: Option<String>,
}

/// RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

/// What a sign-in gives.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The ID token.
    pub id_token: String,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at: i64,
    /// What another one is got with.
    pub refresh_token: Option<String>,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedIn(secret)")
    }
}

/// Why a person is not signed in. No text of a token is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The issuer cannot be asked.
    #[error("{}", escaped_line(.0))]
    Unreachable(String),
    /// An error of OAuth 2.0.
    #[error("the issuer refuses: {}", escaped_line(.0))]
    Refused(String),
    /// The answer is no OAuth 2.0, or has no ID token.
    #[error("the issuer's answer, with status {0}, has no ID token that can be read")]
    NotUnderstood(u16),
    /// The ID token is of another issuer, for another client, or of another sign-in.
    #[error("the issuer gave an ID token whose {0} is not what was asked for")]
    OfAnother(&'static str),
    /// The ID token has ended already.
    #[error("the issuer gave an ID token that has expired; is the clock of this machine right?")]
    Expired,
}

/// A service at an issuer.
#[derive(Debug, Clone)]
pub struct RelyingParty<C> {
    issuer: String,
    base: Endpoint,
    description: Endpoint,
    registration: Registration,
    client: C,
}

impl<C: Fetch + SendForm> RelyingParty<C> {
    /// At the issuer of this name, which is its URL. Nothing is sent yet.
    ///
    /// # Errors
    /// The rule of URLs that the name breaks.
    pub fn new(issuer: &str, registration: Registration, client: C) -> Result<Self, InvalidEndpoint> {
        Ok(Self {
            issuer: issuer.to_owned(),
            base: Endpoint::parse_base(issuer)?,
            description: Endpoint::parse_base(&discovery_url(issuer))?,
            registration,
            client,
        })
    }

    /// The id of the client.
    pub fn client_id(&self) -> &str {
        &self.registration.client_id
    }

    /// Asks the issuer where its endpoints are.
    ///
    /// # Errors
    /// When it does not say, describes another issuer, or names an endpoint at which others can listen.
    pub async fn discover(&self) -> Result<Provider, IssuerError> {
        let url = &self.description;
        let unreachable = |reason| IssuerError::Unreachable { url: url.to_string(), reason };
        let text = self.client.fetch(url).await.map_err(unreachable)?;
        let description: Description = serde_json::from_str(&text)
            .map_err(|error| IssuerError::Description { url: url.to_string(), error })?;
        if description.issuer != self.issuer {
            return Err(IssuerError::AnotherIssuer { url: url.to_string(), described: description.issuer });
        }
        let required =
            |member, named: Option<String>| named_endpoint(named.as_deref(), member, &self.base, url);
        let optional =
            |member, named: Option<String>| named.map(|named| required(member, Some(named))).transpose();
        let scopes = description.scopes_supported;
        let is_known = |scope: &&str| match &scopes {
            // Some issuers refuse what they do not know, and some say nothing of what they know.
            Some(known) => known.iter().any(|known| known == scope),
            None => *scope != "offline_access",
        };
        let default = || DEFAULT_SCOPE.into_iter().filter(|scope| *scope == "openid" || is_known(scope));
        let methods = description.token_endpoint_auth_methods_supported.unwrap_or_default();
        let has = |method: &str| methods.iter().any(|known| known == method);
        Ok(Provider {
            authorization_endpoint: required("authorization_endpoint", description.authorization_endpoint)?,
            token_endpoint: required("token_endpoint", description.token_endpoint)?,
            revocation_endpoint: optional("revocation_endpoint", description.revocation_endpoint)?,
            end_session_endpoint: optional("end_session_endpoint", description.end_session_endpoint)?,
            scope: self.registration.scope.clone().unwrap_or_else(|| default().collect::<Vec<_>>().join(" ")),
            posts_secret: has("client_secret_post") && !has("client_secret_basic"),
        })
    }

    /// Redeems an authorization code (RFC 6749 section 4.1.3) with the verifier of PKCE (RFC 7636 section 4.5).
    ///
    /// # Errors
    /// When the issuer refuses, or gives no ID token with this nonce.
    pub async fn redeem(
        &self,
        provider: &Provider,
        code: &str,
        verifier: &str,
        nonce: &str,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<SignedIn, SignInError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let (signed_in, claims) = self.tokens(provider, &form, now).await?;
        match text(&claims, "nonce") == Some(nonce) {
            true => Ok(signed_in),
            false => Err(SignInError::OfAnother("nonce")),
        }
    }

    /// Gets another ID token of the person whom `id_token` names (RFC 6749 section 6). An issuer that gives no other refresh
    /// token lets the one before be used again.
    ///
    /// # Errors
    /// When the issuer refuses, or gives a token of another person (OpenID Connect Core 1.0 section 12.2).
    pub async fn refresh(
        &self,
        provider: &Provider,
        refresh_token: &str,
        id_token: &str,
        now: Timestamp,
    ) -> Result<SignedIn, SignInError> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let (signed_in, claims) = self.tokens(provider, &form, now).await?;
        let before = jws::claims(id_token).unwrap_or_default();
        if text(&before, "sub").is_none() || text(&before, "sub") != text(&claims, "sub") {
            return Err(SignInError::OfAnother("sub"));
        }
        let refresh_token = signed_in.refresh_token.or_else(|| Some(refresh_token.to_owned()));
        Ok(SignedIn { refresh_token, ..signed_in })
    }

    /// Revokes a refresh token (RFC 7009), where the issuer takes such a message.
    ///
    /// # Errors
    /// When the issuer cannot be asked, or refuses.
    pub async fn revoke(&self, provider: &Provider, refresh_token: &str) -> Result<(), SignInError> {
        let Some(url) = &provider.revocation_endpoint else { return Ok(()) };
        let form = [("token", refresh_token), ("token_type_hint", "refresh_token")];
        match self.send(provider, url, &form).await? {
            (200..300, _) => Ok(()),
            (status, body) => Err(refusal(status, &body)),
        }
    }

    async fn tokens(
        &self,
        provider: &Provider,
        form: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<(SignedIn, Claims), SignInError> {
        let (status, body) = self.send(provider, &provider.token_endpoint, form).await?;
        if !(200..300).contains(&status) {
            return Err(refusal(status, &body));
        }
        let not_understood = || SignInError::NotUnderstood(status);
        let answer: TokenAnswer = serde_json::from_str(&body).map_err(|_| not_understood())?;
        let id_token = answer.id_token.ok_or_else(not_understood)?;
        let claims = jws::claims(&id_token).map_err(|_| not_understood())?;
        let expires_at = self.checked(&claims, now)?;
        Ok((SignedIn { id_token, expires_at, refresh_token: answer.refresh_token }, claims))
    }

    /// When a token ends that is of this issuer and for this client (OpenID Connect Core 1.0 section 3.1.3.7).
    fn checked(&self, claims: &Claims, now: Timestamp) -> Result<i64, SignInError> {
        let client_id = &self.registration.client_id;
        let (is_for_client, is_for_others) = match claims.get("aud") {
            Some(Value::Array(audiences)) => {
                (audiences.iter().any(|named| named == client_id), audiences.len() > 1)
            }
            Some(named) => (named == client_id, false),
            None => (false, false),
        };
        let party = claims.get("azp");
        if text(claims, "iss") != Some(&self.issuer) {
            return Err(SignInError::OfAnother("iss"));
        }
        if !is_for_client {
            return Err(SignInError::OfAnother("aud"));
        }
        if party.is_some_and(|party| party != client_id) || is_for_others && party.is_none() {
            return Err(SignInError::OfAnother("azp"));
        }
        let seconds = claims.get("exp").and_then(Value::as_f64).ok_or(SignInError::OfAnother("exp"))?;
        // A fraction of a second does not matter, and `as` stays within the numbers there are.
        let expires_at = (seconds as i64).saturating_mul(1000);
        if expires_at <= now.as_millisecond() { Err(SignInError::Expired) } else { Ok(expires_at) }
    }

    async fn send(
        &self,
        provider: &Provider,
        url: &Endpoint,
        form: &[(&str, &str)],
    ) -> Result<(u16, String), SignInError> {
        let (body, authorization) = self.registration.form(form, provider.posts_secret);
        let answer = self.client.send_form(url, body, authorization).await;
        answer.map_err(|reason| SignInError::Unreachable(format!("{url}: {reason}")))
    }
}

impl Registration {
    /// A form as this client sends it, and its `Authorization` (RFC 6749 section 2.3.1).
    fn form(&self, members: &[(&str, &str)], posts_secret: bool) -> (String, Option<String>) {
        let Self { client_id, client_secret, .. } = self;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(members);
        let authorization = match client_secret {
            Some(secret) if !posts_secret => {
                let encoded =
                    |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(client_id), encoded(secret));
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            secret => {
                body.append_pair("client_id", client_id);
                body.extend_pairs(secret.iter().map(|secret| ("client_secret", secret)));
                None
            }
        };
        (body.finish(), authorization)
    }
}

fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

fn refusal(status: u16, body: &str) -> SignInError {
    match serde_json::from_str::<Refusal>(body) {
        Ok(Refusal { error, error_description }) => {
            let said = format!("{error} {}", error_description.unwrap_or_default());
            SignInError::Refused(said.trim().chars().take(MAX_REASON).collect())
        }
        Err(_) => SignInError::NotUnderstood(status),
    }
}

/// Where the session at the issuer ends, for a browser that is to come back to `signed_out_url`.
pub fn end_session_url(endpoint: &Endpoint, client_id: &str, signed_out_url: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("client_id", client_id).append_pair("post_logout_redirect_uri", signed_out_url);
    // The name of the same at Amazon Cognito
    // (<https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html>).
    query.append_pair("logout_uri", signed_out_url);
    let separator = if endpoint.as_str().contains('?') { '&' } else { '?' };
    format!("{endpoint}{separator}{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};

    const ISSUER: &str = "https://id.example.com";
    /// Milliseconds since the Unix epoch.
    const NOW: i64 = 1_795_231_980_000;

    /// An issuer that answers what a test says, at once.
    #[derive(Debug, Default)]
    struct Played {
        description: Value,
        status: u16,
        answer: Value,
        sent: Mutex<Vec<(String, String, Option<String>)>>,
    }

    impl Fetch for Played {
        fn fetch<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, Result<String, String>> {
            Box::pin(async { Ok(self.description.to_string()) })
        }
    }

    impl SendForm for Played {
        fn send_form<'a>(
            &'a self,
            url: &'a Endpoint,
            form: String,
            authorization: Option<String>,
        ) -> BoxFuture<'a, Result<(u16, String), String>> {
            self.sent.lock().unwrap().push((url.to_string(), form, authorization));
            Box::pin(async { Ok((self.status, self.answer.to_string())) })
        }
    }

    fn ready<T>(future: impl Future<Output = T>) -> T {
        let future = std::pin::pin!(future);
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    fn description() -> Value {
        json!({ "issuer": ISSUER, "authorization_endpoint": "https://id.example.com/authorize",
            "token_endpoint": "https://token.example.com/token?tenant=1" })
    }

    fn party(played: Played, secret: Option<&str>) -> RelyingParty<Played> {
        let registration = Registration {
            client_id: "countersign".to_owned(),
            client_secret: secret.map(str::to_owned),
            scope: None,
        };
        RelyingParty::new(ISSUER, registration, played).unwrap()
    }

    fn token(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims))
    }

    fn claims(change: &Value) -> Value {
        let mut claims = json!({ "iss": ISSUER, "aud": "countersign", "sub": "7e1c", "nonce": "n",
            "exp": NOW / 1000 + 300 });
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims
    }

    fn redeemed(change: &Value) -> Result<SignedIn, SignInError> {
        let answer = json!({ "id_token": token(&claims(change)), "refresh_token": "again" });
        let party =
            party(Played { description: description(), status: 200, answer, ..Played::default() }, None);
        let provider = ready(party.discover()).unwrap();
        ready(party.redeem(
            &provider,
            "code",
            "verifier",
            "n",
            "https://c.example.com/login/callback",
            Timestamp::from_millisecond(NOW),
        ))
    }

    #[test]
    fn a_token_is_what_was_asked_for_or_none() {
        let signed_in = redeemed(&json!({})).unwrap();
        assert_eq!(signed_in.expires_at, NOW + 300_000);
        assert_eq!(signed_in.refresh_token.as_deref(), Some("again"));
        assert!(redeemed(&json!({ "aud": ["countersign"] })).is_ok());
        assert!(redeemed(&json!({ "aud": ["other", "countersign"], "azp": "countersign" })).is_ok());
        for (change, wrong) in [
            (json!({ "nonce": "m" }), "nonce"),
            (json!({ "nonce": null }), "nonce"),
            (json!({ "iss": "https://id.example.com/" }), "iss"),
            (json!({ "aud": "other" }), "aud"),
            (json!({ "aud": ["other"] }), "aud"),
            (json!({ "aud": null }), "aud"),
            (json!({ "aud": ["other", "countersign"] }), "azp"),
            (json!({ "azp": "other" }), "azp"),
            (json!({ "exp": "soon" }), "exp"),
        ] {
            assert_eq!(redeemed(&change), Err(SignInError::OfAnother(wrong)), "{change}");
        }
        let ended = json!({ "exp": NOW / 1000 });
        assert_eq!(redeemed(&ended), Err(SignInError::Expired));
    }

    #[test]
    fn another_persons_token_is_not_gone_on_with() {
        let answer = json!({ "id_token": token(&claims(&json!({ "nonce": null }))) });
        let party =
            party(Played { description: description(), status: 200, answer, ..Played::default() }, None);
        let provider = ready(party.discover()).unwrap();
        let refreshed =
            |before: &str| ready(party.refresh(&provider, "again", before, Timestamp::from_millisecond(NOW)));
        let signed_in = refreshed(&token(&claims(&json!({})))).unwrap();
        assert_eq!(signed_in.refresh_token.as_deref(), Some("again"), "the one before goes on");
        for before in [token(&claims(&json!({ "sub": "other" }))), token(&json!({})), "none".to_owned()] {
            assert_eq!(refreshed(&before), Err(SignInError::OfAnother("sub")), "{before}");
        }
    }

    #[test]
    fn a_client_says_who_it_is_in_the_way_that_the_issuer_takes() {
        let sent = |methods: Value, secret: Option<&str>| {
            let mut description = description();
            description["token_endpoint_auth_methods_supported"] = methods;
            let answer = json!({ "error": "invalid_grant", "error_description": "no\u{202e}" });
            let party = party(Played { description, status: 400, answer, ..Played::default() }, secret);
            let provider = ready(party.discover()).unwrap();
            let refused = ready(party.redeem(
                &provider,
                "a b",
                "v",
                "n",
                "https://c.example.com/",
                Timestamp::from_millisecond(NOW),
            ));
            assert_eq!(refused, Err(SignInError::Refused("invalid_grant no\u{202e}".to_owned())));
            let text = refused.unwrap_err().to_string();
            assert!(!text.contains('\u{202e}'), "{text}");
            party.client.sent.lock().unwrap()[0].clone()
        };
        let form = "grant_type=authorization_code&code=a+b&redirect_uri=https%3A%2F%2Fc.example.com%2F&code_verifier=v";
        let (url, body, authorization) =
            sent(json!(["client_secret_basic", "client_secret_post"]), Some("a:b+"));
        assert_eq!((url.as_str(), body.as_str()), ("https://token.example.com/token?tenant=1", form));
        assert_eq!(authorization.unwrap(), format!("Basic {}", STANDARD.encode("countersign:a%3Ab%2B")));
        let (_, body, authorization) = sent(json!(["client_secret_post"]), Some("a:b+"));
        assert_eq!(body, format!("{form}&client_id=countersign&client_secret=a%3Ab%2B"));
        assert_eq!(authorization, None);
        let (_, body, authorization) = sent(Value::Null, None);
        assert_eq!((body, authorization), (format!("{form}&client_id=countersign"), None));
    }

    #[test]
    fn an_issuer_says_where_people_sign_in_and_what_it_knows() {
        let discovered = |change: &Value| {
            let mut description = description();
            description.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            ready(party(Played { description, ..Played::default() }, None).discover())
        };
        assert_eq!(discovered(&json!({})).unwrap().scope, "openid email");
        let known = json!({ "scopes_supported": ["openid", "email", "offline_access"] });
        assert_eq!(discovered(&known).unwrap().scope, "openid email offline_access");
        assert_eq!(discovered(&json!({ "scopes_supported": ["groups"] })).unwrap().scope, "openid");
        for (change, said) in [
            (json!({ "issuer": "https://other.example.com" }), "describes another issuer"),
            (json!({ "token_endpoint": null }), "names no token_endpoint"),
            (json!({ "authorization_endpoint": "http://id.example.com/a" }), "use https"),
            (json!({ "authorization_endpoint": "https://localhost/a" }), "is on this machine"),
            (json!({ "end_session_endpoint": "javascript:alert(1)" }), "end_session_endpoint"),
        ] {
            let error = discovered(&change).unwrap_err().to_string();
            assert!(error.contains(said), "{change}: {error}");
        }
        let end = Endpoint::parse("https://id.example.com/logout?p=1").unwrap();
        let url = end_session_url(&end, "countersign", "https://c.example.com/signed-out");
        let back = "https%3A%2F%2Fc.example.com%2Fsigned-out";
        let expected = format!(
            "https://id.example.com/logout?p=1&client_id=countersign&post_logout_redirect_uri={back}&logout_uri={back}"
        );
        assert_eq!(url, expected);
    }
}
