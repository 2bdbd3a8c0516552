//! The dashboard as a function: an event of the gateway becomes a request of a browser, and what its pages ask is asked of the
//! API over HTTPS, with the visitor's token and the visitor's address. It has no right on anything that the API stores.

use crate::environment::{Environment, InvalidVariable};
use crate::gateway::HttpAnswer;
use crate::https::Client;
use crate::invocation::{self, HttpEvent, Invocation};
use crate::visitor::{SignedCall, VISITOR, VisitorKey};
use aws_types::SdkConfig;
use countersign_app::host::Host;
use countersign_aws::secret::{self, SecretError};
use countersign_core::digest::Digest;
use countersign_core::source_address::SourceAddress;
use countersign_core::timestamp::Timestamp;
use countersign_dashboard::{
    Api, ApiAnswer, ApiCall, Dashboard, Keys, ROUTES, Redemption, SignIn, SignInAtIssuer, Site, Tokens, Visit,
};
use countersign_endpoint::Endpoint;
use countersign_issuer::relying_party::{Registration, RelyingParty, SignInError};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Bytes;
use lambda_runtime::Diagnostic;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a call of the API may take: its function may have to start, and the gateway gives up on a page after 30 seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(12);
/// The most that is read of an answer, in bytes: Lambda answers no more.
const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024;
/// The most that is answered, in bytes: Lambda answers 6 MB, and bytes become four thirds as many
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// How long keys are used before they are read again, and how long an issuer that does not answer is left alone.
const KEYS_KEPT: Duration = Duration::from_secs(5 * 60);
const ISSUER_PAUSE: Duration = Duration::from_secs(10);

/// How the pages are set up.
#[derive(Debug)]
pub struct Settings {
    /// Their origin; that of the gateway's own name if there is none.
    origin: Option<String>,
    /// Where the API is; at the gateway that has sent the event if it is not said.
    api: Option<String>,
    ticket_url: Option<String>,
    ticket_hours: Option<f64>,
    issuer: String,
    client_id: Option<String>,
    scope: Option<String>,
    client_secret: Option<String>,
    cookie_keys: String,
    visitor_key: String,
    client: Client,
}

impl Settings {
    /// From `DASHBOARD_URL`, `API_URL`, `TICKET_URL`, `TICKET_HOURS`, `OIDC_ISSUER`, `OIDC_CLIENT_ID`, `OIDC_SCOPE` and, by their
    /// ARNs, the secrets `OIDC_CLIENT_SECRET`, `COOKIE_KEY_SECRET` and `VISITOR_KEY_SECRET`.
    ///
    /// # Errors
    /// A variable that is missing or cannot be used.
    pub fn read(environment: &Environment) -> Result<Self, InvalidVariable> {
        let text = |name: &str| environment.optional(name).map(str::to_owned);
        let origin = |name: &str| match environment.optional(name).map(Endpoint::parse_base).transpose() {
            Ok(Some(url)) if url.has_path() => Err(Environment::invalid(name, "must have no path")),
            Ok(url) => Ok(url.map(|url| url.base().to_owned())),
            Err(rule) => Err(Environment::invalid(name, rule)),
        };
        let ticket_hours = match environment.number("TICKET_HOURS", 0)? {
            0 => None,
            hours => Some(f64::from(hours)),
        };
        let bundle = environment.file("AWS_CA_BUNDLE")?;
        let client = Client::new(bundle.as_deref());
        Ok(Self {
            origin: origin("DASHBOARD_URL")?,
            api: origin("API_URL")?,
            ticket_url: text("TICKET_URL"),
            ticket_hours,
            issuer: environment.required("OIDC_ISSUER")?,
            client_id: text("OIDC_CLIENT_ID"),
            scope: text("OIDC_SCOPE"),
            client_secret: text("OIDC_CLIENT_SECRET"),
            cookie_keys: environment.required("COOKIE_KEY_SECRET")?,
            visitor_key: environment.required("VISITOR_KEY_SECRET")?,
            client: client.map_err(|error| Environment::invalid("AWS_CA_BUNDLE", error))?,
        })
    }
}

/// What is read of secrets, from time to time.
#[derive(Debug, Clone)]
struct Secrets {
    read_at: Duration,
    cookies: Keys,
    visitors: VisitorKey,
}

/// What is known of the issuer.
#[derive(Debug, Clone, Default)]
enum AtIssuer {
    /// Nothing was asked yet.
    #[default]
    Unasked,
    /// No client is registered there: people sign in with a token.
    NoClient,
    /// It could not be asked at this time.
    Failed(Duration),
    /// People sign in there.
    Known(Box<SignInAtIssuer<Client>>),
}

/// The pages.
#[derive(Debug)]
pub struct Pages {
    settings: Settings,
    aws: SdkConfig,
    host: Box<dyn Host>,
    secrets: Mutex<Option<Secrets>>,
    at_issuer: Mutex<AtIssuer>,
}

impl Pages {
    /// Pages with these settings. What they need of secrets and of the issuer is read before the first event.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub async fn start(settings: Settings, aws: SdkConfig, host: Box<dyn Host>) -> Result<Self, SecretError> {
        let pages = Self { settings, aws, host, secrets: Mutex::default(), at_issuer: Mutex::default() };
        let (secrets, _) = tokio::join!(pages.secrets(), pages.at_issuer());
        secrets.map(|_| pages)
    }

    /// Answers an event of the gateway.
    ///
    /// # Errors
    /// For a payload that is no event of a page: there is nothing else to ask of this function.
    pub async fn handle(&self, payload: &str) -> Result<HttpAnswer, Diagnostic> {
        let Ok(Invocation::Gateway(event)) = invocation::read(payload) else { return Err(no_page()) };
        let keys: Vec<String> = ROUTES.iter().map(|(method, path)| format!("{method} {path}")).collect();
        event.check_route(&keys).map_err(|_| no_page())?;
        let unavailable = || HttpAnswer::of(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new(), &[]);
        let secrets = match self.secrets().await {
            Ok(secrets) => secrets,
            Err(error) => {
                tracing::error!(%error, "the keys of the dashboard");
                return Ok(unavailable());
            }
        };
        let mut random = [0; 32];
        let (Some(request), Ok(())) = (request(&event), getrandom::fill(&mut random)) else {
            return Ok(HttpAnswer::of(StatusCode::BAD_REQUEST, &HeaderMap::new(), &[]));
        };
        let of_gateway = format!("https://{}", event.domain_name());
        let origin = self.settings.origin.clone().unwrap_or_else(|| of_gateway.clone());
        let sign_in = match self.at_issuer().await {
            AtIssuer::Known(sign_in) => Some(sign_in),
            AtIssuer::Unasked | AtIssuer::NoClient | AtIssuer::Failed(_) => None,
        };
        let now = self.host.now();
        let site = Site {
            issuer: sign_in.as_ref().map(|sign_in| sign_in.for_browsers(&origin)),
            origin,
            keys: secrets.cookies,
            ticket_url: self.settings.ticket_url.clone(),
            ticket_hours: self.settings.ticket_hours,
        };
        let visitor = Visitor {
            client: &self.settings.client,
            api: self.settings.api.clone().unwrap_or(of_gateway),
            key: secrets.visitors,
            address: event.source_ip(),
            sign_in,
            now,
        };
        let answer = Dashboard::new(site).answer(&request, &Visit { now, random }, &visitor).await;
        if answer.body().len() > MAX_PAGE_BYTES {
            tracing::error!(bytes = answer.body().len(), "a page is longer than a function can answer");
            return Ok(unavailable());
        }
        Ok(HttpAnswer::of(answer.status(), answer.headers(), answer.body()))
    }

    async fn secrets(&self) -> Result<Secrets, SecretError> {
        let mut kept = self.secrets.lock().await;
        let now = self.host.elapsed();
        if let Some(secrets) = kept.as_ref().filter(|kept| now.saturating_sub(kept.read_at) < KEYS_KEPT) {
            return Ok(secrets.clone());
        }
        let Settings { cookie_keys, visitor_key, .. } = &self.settings;
        let read =
            tokio::try_join!(secret::read_two(&self.aws, cookie_keys), secret::read(&self.aws, visitor_key));
        match (read, kept.as_ref()) {
            (Ok(((new, old), visitors)), _) => {
                let key = |text: &str| *Digest::of(text).as_bytes();
                let cookies = Keys::new(key(&new), old.as_deref().map(key));
                let secrets = Secrets { read_at: now, cookies, visitors: VisitorKey::of(&visitors) };
                *kept = Some(secrets.clone());
                Ok(secrets)
            }
            // What was read before is still good: keys are replaced with the one before beside them.
            (Err(error), Some(secrets)) => {
                tracing::warn!(%error, "the keys of the dashboard are not read again");
                Ok(secrets.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Where people sign in. An issuer that cannot be asked is asked again with a later event: with a token people can sign in
    /// all the same.
    async fn at_issuer(&self) -> AtIssuer {
        let mut known = self.at_issuer.lock().await;
        let now = self.host.elapsed();
        let is_to_be_asked = match &*known {
            AtIssuer::Unasked => true,
            AtIssuer::Failed(at) => now.saturating_sub(*at) >= ISSUER_PAUSE,
            AtIssuer::NoClient | AtIssuer::Known(_) => false,
        };
        if is_to_be_asked {
            *known = match self.ask_issuer().await {
                Ok(Some(sign_in)) => AtIssuer::Known(Box::new(sign_in)),
                Ok(None) => AtIssuer::NoClient,
                Err(error) => {
                    tracing::error!(error, "the issuer where people sign in");
                    AtIssuer::Failed(now)
                }
            };
        }
        known.clone()
    }

    async fn ask_issuer(&self) -> Result<Option<SignInAtIssuer<Client>>, String> {
        let Settings { issuer, client_id, scope, client_secret, client, .. } = &self.settings;
        let Some(client_id) = client_id.clone() else { return Ok(None) };
        let client_secret = match client_secret {
            Some(arn) => Some(secret::read(&self.aws, arn).await.map_err(|error| error.to_string())?),
            None => None,
        };
        let registration = Registration { client_id, client_secret, scope: scope.clone() };
        let party = RelyingParty::new(issuer, registration, client.clone());
        let party = party.map_err(|rule| format!("OIDC_ISSUER {rule}"))?;
        SignInAtIssuer::discover(party).await.map(Some).map_err(|error| error.to_string())
    }
}

fn no_page() -> Diagnostic {
    tracing::error!("refused: the payload is no event of a page");
    Diagnostic {
        error_type: "unsupported_event".to_owned(),
        error_message: "this function answers events of an HTTP API for pages of the dashboard".to_owned(),
    }
}

/// The request of a browser that the gateway tells of.
fn request(event: &HttpEvent) -> Option<Request<Bytes>> {
    let target = match event.query() {
        "" => event.path().to_owned(),
        query => format!("{}?{query}", event.path()),
    };
    let mut request = Request::builder().method(event.method()).uri(target);
    // The gateway has taken them apart: browsers send one header.
    let cookies = event.cookies().collect::<Vec<_>>().join("; ");
    let cookies = (!cookies.is_empty()).then_some(("cookie", cookies.as_str()));
    for (name, value) in event.headers().chain(cookies) {
        request = request.header(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    request.body(Bytes::from(event.body())).ok()
}

/// What the pages reach for one visitor.
struct Visitor<'a> {
    client: &'a Client,
    api: String,
    key: VisitorKey,
    address: SourceAddress,
    sign_in: Option<Box<SignInAtIssuer<Client>>>,
    now: Timestamp,
}

impl Visitor<'_> {
    fn request(&self, call: &ApiCall) -> Option<Request<Bytes>> {
        let path = call.path.split('?').next().unwrap_or_default();
        let signed = SignedCall { method: call.method.as_str(), path, token: &call.token };
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", call.token)).ok()?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.api, call.path))
            .header(header::AUTHORIZATION, bearer)
            .header(VISITOR, self.key.sign(self.address, self.now, signed));
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        request.body(body).ok()
    }
}

impl Api for Visitor<'_> {
    async fn call(&self, call: ApiCall) -> ApiAnswer {
        let Some(request) = self.request(&call) else { return ApiAnswer { status: 0, body: Bytes::new() } };
        match self.client.send(request, MAX_ANSWER_BYTES, CALL_TIMEOUT).await {
            Ok((status, body)) => ApiAnswer { status: status.as_u16(), body },
            Err(error) => {
                let is_read = call.method == Method::GET;
                tracing::error!(error, is_read, "the API does not answer");
                ApiAnswer { status: 0, body: Bytes::new() }
            }
        }
    }
}

impl SignIn for Visitor<'_> {
    // One-time codes are kept by a process that answers commands and browsers alike; there is none here.
    async fn person_of(&self, _: &str) -> Option<String> {
        None
    }

    async fn trade(&self, _: &str) -> Option<Tokens> {
        None
    }

    async fn redeem(&self, redemption: Redemption) -> Option<Tokens> {
        given(self.sign_in.as_ref()?.redeem(&redemption, self.now).await)
    }

    async fn refresh(&self, refresh: &str, bearer: &str) -> Option<Tokens> {
        given(self.sign_in.as_ref()?.refresh(refresh, bearer, self.now).await)
    }

    async fn revoke(&self, refresh: &str) {
        if let Some(sign_in) = &self.sign_in {
            given(sign_in.revoke(refresh).await);
        }
    }
}

/// What the issuer gave; why it gave nothing is logged.
fn given<T>(answer: Result<T, SignInError>) -> Option<T> {
    answer.inspect_err(|error| tracing::warn!(%error, "signing in at the issuer")).ok()
}
