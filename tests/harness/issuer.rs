//! An OpenID Connect issuer on this machine: it describes itself, publishes keys that a test changes, counts how often it is
//! asked for them, and signs people in for a client with a secret.

use crate::signature::{base64url, issuer_token};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum_server::tls_rustls::RustlsConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// A running issuer, gone when dropped.
#[derive(Debug)]
pub struct Issuer {
    published: Published,
    _runtime: Runtime,
}

#[derive(Debug, Clone)]
struct Published {
    url: String,
    state: Arc<Mutex<PublishedState>>,
}

#[derive(Debug, Default)]
struct PublishedState {
    keys: Option<String>,
    fetches: usize,
    /// What people have agreed to, by the code that was given for it.
    grants: BTreeMap<String, Grant>,
    /// What the next ID tokens claim, by refresh token.
    refreshing: BTreeMap<String, Value>,
    revoked: Vec<String>,
}

/// What a person has agreed to.
#[derive(Debug)]
struct Grant {
    challenge: String,
    redirect_uri: String,
    claims: Value,
}

/// The client that the issuer knows, and its secret.
pub const CLIENT: (&str, &str) = ("countersign", "a secret of a client: +/&%");

impl Issuer {
    /// Starts one over http, with these keys.
    pub fn start(keys: &str) -> Self {
        Self::start_with(keys, None)
    }

    /// The same over https, with a certificate and its key in PEM.
    pub fn start_tls(keys: &str, certificate: &Path, key: &Path) -> Self {
        Self::start_with(keys, Some((certificate, key)))
    }

    fn start_with(keys: &str, tls: Option<(&Path, &Path)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let published = Published { url, state: Arc::default() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(description))
            .route("/keys", get(key_set))
            .route("/token", post(token))
            .route("/revoke", post(revoke))
            .with_state(published.clone());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        match tls {
            None => {
                runtime.spawn(async move {
                    axum_server::from_tcp(listener).unwrap().serve(router.into_make_service()).await.unwrap();
                });
            }
            Some((certificate, key)) => {
                let config = runtime.block_on(RustlsConfig::from_pem_file(certificate, key)).unwrap();
                runtime.spawn(async move {
                    let server = axum_server::from_tcp_rustls(listener, config).unwrap();
                    server.serve(router.into_make_service()).await.unwrap();
                });
            }
        }
        let issuer = Self { published, _runtime: runtime };
        issuer.publish(Some(keys));
        issuer
    }

    /// Its name, which is where it is.
    pub fn url(&self) -> &str {
        &self.published.url
    }

    /// Publishes other keys; without any, it answers that it is out of order.
    pub fn publish(&self, keys: Option<&str>) {
        self.published.state.lock().unwrap().keys = keys.map(str::to_owned);
    }

    /// What its page to sign in on does once a person has signed in who is described by these claims: it sends the browser
    /// back to the URL that is given.
    ///
    /// # Panics
    /// When the authorization request is none that it takes.
    pub fn sign_in(&self, authorization_url: &str, claims: &Value) -> String {
        let url: http::Uri = authorization_url.parse().unwrap();
        assert_eq!(url.path(), "/authorize");
        let query = members(url.query().unwrap());
        for (name, value) in
            [("response_type", "code"), ("client_id", CLIENT.0), ("code_challenge_method", "S256")]
        {
            assert_eq!(query[name], value, "{name}");
        }
        assert!(query["scope"].split(' ').any(|scope| scope == "openid"));
        let mut claims = claims.clone();
        claims["iss"] = json!(self.url());
        claims["aud"] = json!(CLIENT.0);
        claims["nonce"] = json!(query["nonce"]);
        let mut state = self.published.state.lock().unwrap();
        let code = format!("code {}", state.grants.len());
        let grant = Grant {
            challenge: query["code_challenge"].clone(),
            redirect_uri: query["redirect_uri"].clone(),
            claims,
        };
        state.grants.insert(code.clone(), grant);
        let mut back = form_urlencoded::Serializer::new(String::new());
        back.append_pair("code", &code).append_pair("state", &query["state"]);
        format!("{}?{}", query["redirect_uri"], back.finish())
    }

    /// The claims of the next ID tokens, for all refresh tokens.
    pub fn claim_next(&self, claims: &Value) {
        let mut state = self.published.state.lock().unwrap();
        state.refreshing.values_mut().for_each(|next| {
            let claims = claims.as_object().unwrap().clone();
            next.as_object_mut().unwrap().extend(claims);
        });
    }

    /// The refresh tokens that were revoked.
    pub fn revoked(&self) -> Vec<String> {
        self.published.state.lock().unwrap().revoked.clone()
    }

    /// How often it was asked where its keys are.
    pub fn fetches(&self) -> usize {
        self.published.state.lock().unwrap().fetches
    }
}

async fn description(State(published): State<Published>) -> Result<String, StatusCode> {
    let mut state = published.state.lock().unwrap();
    state.fetches += 1;
    let url = &published.url;
    let description = json!({
        "issuer": url,
        "jwks_uri": format!("{url}/keys"),
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "revocation_endpoint": format!("{url}/revoke"),
        "end_session_endpoint": format!("{url}/end"),
        "scopes_supported": ["openid", "email", "offline_access"],
    });
    if state.keys.is_some() { Ok(description.to_string()) } else { Err(StatusCode::SERVICE_UNAVAILABLE) }
}

async fn key_set(State(published): State<Published>) -> Result<String, StatusCode> {
    published.state.lock().unwrap().keys.clone().ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

fn members(text: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// Whether a call is the client's (RFC 6749 section 2.3.1).
fn is_of_client(headers: &HeaderMap) -> bool {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = STANDARD.encode(format!("{}:{}", encoded(CLIENT.0), encoded(CLIENT.1)));
    headers.get("authorization").is_some_and(|value| value.as_bytes() == format!("Basic {basic}").as_bytes())
}

type Refusal = (StatusCode, String);

fn refused(error: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, json!({ "error": error, "error_description": "said no" }).to_string())
}

async fn token(
    State(published): State<Published>,
    headers: HeaderMap,
    body: String,
) -> Result<String, Refusal> {
    if !is_of_client(&headers) {
        return Err(refused("invalid_client"));
    }
    let form = members(&body);
    let mut state = published.state.lock().unwrap();
    let claims = match form["grant_type"].as_str() {
        "authorization_code" => {
            // A code is good once.
            let grant = state.grants.remove(&form["code"]).ok_or_else(|| refused("invalid_grant"))?;
            let challenge = base64url(&Sha256::digest(&form["code_verifier"]));
            if grant.challenge != challenge || grant.redirect_uri != form["redirect_uri"] {
                return Err(refused("invalid_grant"));
            }
            grant.claims
        }
        "refresh_token" => {
            let claims = state.refreshing.remove(&form["refresh_token"]);
            claims.ok_or_else(|| refused("invalid_grant"))?
        }
        _ => return Err(refused("unsupported_grant_type")),
    };
    let refresh_token = format!("refresh {}", state.fetches + state.refreshing.len() + state.revoked.len());
    let mut next = claims.clone();
    next.as_object_mut().unwrap().remove("nonce");
    state.refreshing.insert(refresh_token.clone(), next);
    let id_token = issuer_token(&claims);
    Ok(json!({ "id_token": id_token, "token_type": "Bearer", "refresh_token": refresh_token }).to_string())
}

async fn revoke(
    State(published): State<Published>,
    headers: HeaderMap,
    body: String,
) -> Result<String, Refusal> {
    if !is_of_client(&headers) {
        return Err(refused("invalid_client"));
    }
    published.state.lock().unwrap().revoked.push(members(&body)["token"].clone());
    Ok(String::new())
}
