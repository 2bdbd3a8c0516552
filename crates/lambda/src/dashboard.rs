//! The dashboard as a function: an event of the gateway becomes a request of a browser, and what its pages ask is asked of the
//! API over HTTPS, with the visitor's token and the visitor's address. It has no right on anything that the API stores.

use crate::environment::{Environment, InvalidVariable};
use crate::gateway::HttpAnswer;
use crate::https::Client;
use crate::invocation::{self, HttpEvent, Invocation};
use crate::outgoing;
use crate::visitor::{KEPT, KeyError, SignedCall, VISITOR, VisitorKey, key_texts};
use aws_types::SdkConfig;
use countersign_app::host::Host;
use countersign_aws::secret;
use countersign_core::digest::Digest;
use countersign_core::source_address::SourceAddress;
use countersign_core::timestamp::Timestamp;
use countersign_dashboard::{
    Api, ApiAnswer, ApiCall, Dashboard, Keys, NotRefreshed, ROUTES, Redemption, SignIn, SignInAtIssuer, Site,
    Tokens, Visit, not_refreshed,
};
use countersign_endpoint::Endpoint;
use countersign_issuer::relying_party::{Registration, RelyingParty, SignInError};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use hyper::body::Bytes;
use lambda_runtime::Diagnostic;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a call of the API may take: its function may have to start, and the gateway gives up on a page after 30 seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(12);
/// The most that is answered, in bytes: Lambda answers 6 MB, and bytes become four thirds as many
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// How long an issuer that does not answer is left alone.
const ISSUER_PAUSE: Duration = Duration::from_secs(10);
/// How much of an invocation's time is kept for answering the page.
const ANSWER_TIME: Duration = Duration::from_millis(500);

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
    further_origins: Vec<String>,
    client_secret: Option<String>,
    cookie_keys: String,
    visitor_key: String,
    client: Client,
}

impl Settings {
    /// From `DASHBOARD_URL`, `API_URL`, `TICKET_URL`, `TICKET_HOURS`, `OIDC_ISSUER`, `OIDC_CLIENT_ID`, `OIDC_SCOPE`, `OIDC_SIGN_IN_ORIGINS` and, by their
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
        let client_id = text("OIDC_CLIENT_ID");
        // Pages call the API with ID tokens, and their audience is the client.
        let audiences = environment.names("OIDC_AUDIENCE", &[]);
        if client_id.as_ref().is_some_and(|client_id| !audiences.contains(client_id)) {
            return Err(Environment::invalid("OIDC_CLIENT_ID", "must be among OIDC_AUDIENCE"));
        }
        Ok(Self {
            origin: origin("DASHBOARD_URL")?,
            api: origin("API_URL")?,
            ticket_url: text("TICKET_URL"),
            ticket_hours,
            issuer: environment.required("OIDC_ISSUER")?,
            client_id,
            scope: text("OIDC_SCOPE"),
            further_origins: environment.names("OIDC_SIGN_IN_ORIGINS", &[]),
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
    /// People sign in there, by what it said at this time.
    Known(Duration, Box<SignInAtIssuer<Client>>),
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
    pub async fn start(settings: Settings, aws: SdkConfig, host: Box<dyn Host>) -> Result<Self, KeyError> {
        let pages = Self { settings, aws, host, secrets: Mutex::default(), at_issuer: Mutex::default() };
        let (secrets, _) = tokio::join!(pages.secrets(), pages.at_issuer());
        secrets.map(|_| pages)
    }

    /// Answers an event of the gateway within so much time. A call of the API that does not fit into it is not waited for.
    ///
    /// # Errors
    /// For a payload that is no event of a page: there is nothing else to ask of this function.
    pub async fn handle(&self, payload: &str, time: Duration) -> Result<HttpAnswer, Diagnostic> {
        let end = Instant::now() + time.saturating_sub(ANSWER_TIME);
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
            AtIssuer::Known(_, sign_in) => Some(sign_in),
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
            end,
        };
        let answer = Dashboard::new(site).answer(&request, &Visit { now, random }, &visitor).await;
        if answer.body().len() > MAX_PAGE_BYTES {
            tracing::error!(bytes = answer.body().len(), "a page is longer than a function can answer");
            return Ok(unavailable());
        }
        Ok(HttpAnswer::of(answer.status(), answer.headers(), answer.body()))
    }

    async fn secrets(&self) -> Result<Secrets, KeyError> {
        let mut kept = self.secrets.lock().await;
        let now = self.host.elapsed();
        if let Some(secrets) = kept.as_ref().filter(|kept| now.saturating_sub(kept.read_at) < KEPT) {
            return Ok(secrets.clone());
        }
        let Settings { cookie_keys, visitor_key, .. } = &self.settings;
        let time = self.host.now();
        let read = tokio::try_join!(
            key_texts(&self.aws, cookie_keys, time),
            key_texts(&self.aws, visitor_key, time)
        );
        match (read, kept.as_ref()) {
            (Ok((cookies, visitors)), _) => {
                let key = |text: &str| *Digest::of(text).as_bytes();
                let cookies = Keys::new(key(&cookies.used), cookies.other.as_deref().map(key));
                let visitors = VisitorKey::of(&visitors.used);
                let secrets = Secrets { read_at: now, cookies, visitors };
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
            // Endpoints and the client's secret may be others now.
            AtIssuer::Known(at, _) => now.saturating_sub(*at) >= KEPT,
            AtIssuer::NoClient => false,
        };
        if is_to_be_asked {
            let before = std::mem::take(&mut *known);
            *known = match (self.ask_issuer().await, before) {
                (Ok(Some(sign_in)), _) => AtIssuer::Known(now, Box::new(sign_in)),
                (Ok(None), _) => AtIssuer::NoClient,
                (Err(error), before) => {
                    tracing::error!(error, "the issuer where people sign in");
                    match before {
                        AtIssuer::Known(_, sign_in) => AtIssuer::Known(now, sign_in),
                        AtIssuer::Unasked | AtIssuer::NoClient | AtIssuer::Failed(_) => AtIssuer::Failed(now),
                    }
                }
            };
        }
        known.clone()
    }

    async fn ask_issuer(&self) -> Result<Option<SignInAtIssuer<Client>>, String> {
        let Settings { issuer, client_id, scope, further_origins, client_secret, client, .. } =
            &self.settings;
        let Some(client_id) = client_id.clone() else { return Ok(None) };
        let client_secret = match client_secret {
            Some(arn) => Some(secret::read(&self.aws, arn).await.map_err(|error| error.to_string())?),
            None => None,
        };
        let registration = Registration { client_id, client_secret, scope: scope.clone() };
        let party = RelyingParty::new(issuer, registration, client.clone());
        let party = party.map_err(|rule| format!("OIDC_ISSUER {rule}"))?;
        SignInAtIssuer::discover(party, further_origins.clone())
            .await
            .map(Some)
            .map_err(|error| error.to_string())
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
    /// When the page has to be answered.
    end: Instant,
}

impl Api for Visitor<'_> {
    async fn call(&self, call: ApiCall) -> ApiAnswer {
        let path = call.path.split('?').next().unwrap_or_default();
        let signed = SignedCall { method: call.method.as_str(), path, token: &call.token };
        let Some(head) = outgoing::head(&self.api, &call) else { return ApiAnswer::none() };
        let head = head.header(VISITOR, self.key.sign(self.address, self.now, signed));
        let time = self.end.saturating_duration_since(Instant::now()).min(CALL_TIMEOUT);
        outgoing::send(self.client, head, &call, time).await
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

    async fn refresh(&self, refresh: &str, bearer: &str) -> Result<Tokens, NotRefreshed> {
        // Where people sign in is not known now.
        let sign_in = self.sign_in.as_ref().ok_or(NotRefreshed::Unavailable)?;
        let refreshed = sign_in.refresh(refresh, bearer, self.now).await;
        refreshed.inspect_err(log).map_err(|error| not_refreshed(&error))
    }

    async fn revoke(&self, refresh: &str) {
        match &self.sign_in {
            Some(sign_in) => drop(given(sign_in.revoke(refresh).await)),
            None => tracing::warn!("a refresh token is not revoked: the issuer is not known now"),
        }
    }
}

/// What the issuer gave; why it gave nothing is logged.
fn given<T>(answer: Result<T, SignInError>) -> Option<T> {
    answer.inspect_err(log).ok()
}

fn log(error: &SignInError) {
    tracing::warn!(%error, "signing in at the issuer");
}
