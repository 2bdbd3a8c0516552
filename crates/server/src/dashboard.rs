//! The dashboard beside the API, in this process: its pages are answered here, and what they ask of the API goes through the
//! API's own routes with the visitor's token, as if the visitor had called. No route of the API looks at a cookie, and no page
//! at `Authorization`.

use crate::answer::{conclude, correlation_id};
use crate::application::Application;
use crate::in_process::InProcess;
use crate::issuer::Client;
use crate::plain_route::identify;
use crate::sign_in_codes::SignInCodes;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing;
use countersign_api::problem::{Code, Problem};
use countersign_api::wire::{SIGN_IN_CODES_PATH, SignInCodeBody};
use countersign_core::digest::DeploymentKey;
use countersign_core::timestamp::Timestamp;
use countersign_dashboard::{
    Api, ApiAnswer, ApiCall, Dashboard, Keys, NotRefreshed, ROUTES, Redemption, SignIn, SignInAtIssuer, Site,
    Tokens, Visit, not_refreshed,
};
use countersign_issuer::relying_party::SignInError;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tower::ServiceExt as _;

/// The largest form, in bytes: parameters of 64 KiB, each byte as three.
const MAX_FORM_BYTES: usize = 256 * 1024;
/// How long a form may take to arrive.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);
/// What operations and lines of the log call that.
const CODES_SLUG: &str = "sign-in-code";
/// How the dashboard of this process is set up.
#[derive(Debug, Clone, Default)]
pub struct DashboardOptions {
    /// Its origin as browsers write it; a name of its own under `localhost` if there is none.
    pub public_url: Option<String>,
    /// Where a ticket is found: a URL in which `{}` stands for the ticket.
    pub ticket_url: Option<String>,
    /// How many hours a request would have taken as a ticket of the process before.
    pub ticket_hours: Option<f64>,
}

/// The dashboard, and the routes of the API that its pages call.
#[derive(Debug, Clone)]
pub struct Pages {
    dashboard: Arc<Dashboard>,
    origin: Arc<str>,
    api: Router,
    codes: Arc<SignInCodes>,
    sign_in: Option<Arc<SignInAtIssuer<Client>>>,
    application: Application,
}

/// The name under `localhost` of the service with this key. Cookies of a loopback address reach every port of it; those of a
/// name reach what has that name.
fn local_name(key: &DeploymentKey) -> String {
    key.digest("countersign.dashboard.name.v1", "").to_string().chars().take(16).collect()
}

impl Pages {
    /// The pages of a service that listens on `port`. `scheme` is that of its address.
    pub fn new(
        application: Application,
        api: Router,
        options: DashboardOptions,
        sign_in: Option<SignInAtIssuer<Client>>,
        scheme: &str,
        port: u16,
    ) -> Self {
        let dependencies = application.dependencies();
        let key = &dependencies.deployment_key;
        let local = || format!("{scheme}://{}.localhost:{port}", local_name(key));
        let origin = options.public_url.unwrap_or_else(local);
        let cookies = *key.digest("countersign.dashboard.cookies.v1", "").as_bytes();
        let site = Site {
            origin: origin.clone(),
            keys: Keys::new(cookies, None),
            issuer: sign_in.as_ref().map(|sign_in| sign_in.for_browsers(&origin)),
            ticket_url: options.ticket_url,
            ticket_hours: options.ticket_hours,
        };
        Self {
            dashboard: Arc::new(Dashboard::new(site)),
            origin: origin.into(),
            api,
            codes: Arc::default(),
            sign_in: sign_in.map(Arc::new),
            application,
        }
    }

    /// The origin of the pages, as browsers write it.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The routes of the API, and the pages beside them.
    pub fn router(self) -> Router {
        let api = self.api.clone();
        let codes =
            Router::new().route(SIGN_IN_CODES_PATH, routing::post(make_code)).with_state(self.clone());
        let pages = Router::new().fallback(page).with_state(self);
        Router::new().merge(codes).fallback(async move |request: Request| {
            let router = if is_page(&request) { pages } else { api };
            router.oneshot(request).await.into_response()
        })
    }
}

/// Whether a path is a page's. What is none is the API's to refuse, unless a browser asks for it.
fn is_page(request: &Request) -> bool {
    let path = request.uri().path();
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if path == "/approvals" || ["v1", ".well-known"].contains(&first) {
        return false;
    }
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_browser = accepts.is_some_and(|accepts| accepts.contains("text/html"));
    let is_of_page = |(_, page): &(&str, &str)| page.trim_start_matches('/').split('/').next() == Some(first);
    ROUTES.iter().any(is_of_page) || is_browser && !["health", "openapi.json", "metrics"].contains(&first)
}

async fn page(State(pages): State<Pages>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // What a form can be is read, for as long as an honest browser takes to send it.
    let body = match parts.method {
        Method::POST => timeout(FORM_TIMEOUT, to_bytes(body, MAX_FORM_BYTES)).await,
        _ => Ok(Ok(Bytes::new())),
    };
    let Ok(body) = body else { return StatusCode::REQUEST_TIMEOUT.into_response() };
    let Ok(body) = body else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let mut random = [0; 32];
    if getrandom::fill(&mut random).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let now = pages.application.dependencies().host.now();
    let ports = Visitor { pages: &pages, parts: parts.clone() };
    let request = Request::from_parts(parts, body);
    pages.dashboard.answer(&request, &Visit { now, random }, &ports).await.map(Body::from)
}

/// What the pages reach for one visitor.
struct Visitor<'a> {
    pages: &'a Pages,
    parts: Parts,
}

impl Visitor<'_> {
    fn now(&self) -> Timestamp {
        self.pages.application.dependencies().host.now()
    }
}

impl Api for Visitor<'_> {
    async fn call(&self, call: ApiCall) -> ApiAnswer {
        let (api, parts) = (self.pages.api.clone(), self.parts.clone());
        InProcess { api, parts, is_from_dashboard: true }.call(call).await
    }
}

impl SignIn for Visitor<'_> {
    async fn person_of(&self, code: &str) -> Option<String> {
        self.pages.codes.person_of(code, self.pages.application.dependencies().host.elapsed())
    }

    async fn trade(&self, code: &str) -> Option<Tokens> {
        let bearer = self.pages.codes.trade(code, self.pages.application.dependencies().host.elapsed())?;
        Some(Tokens { bearer, expires_at: None, refresh: None })
    }

    async fn redeem(&self, redemption: Redemption) -> Option<Tokens> {
        let sign_in = self.pages.sign_in.as_deref()?;
        given(sign_in.redeem(&redemption, self.now()).await)
    }

    async fn refresh(&self, refresh: &str, bearer: &str) -> Result<Tokens, NotRefreshed> {
        let sign_in = self.pages.sign_in.as_deref().ok_or(NotRefreshed::Refused)?;
        let refreshed = sign_in.refresh(refresh, bearer, self.now()).await;
        refreshed.inspect_err(log).map_err(|error| not_refreshed(&error))
    }

    async fn revoke(&self, refresh: &str) {
        if let Some(sign_in) = self.pages.sign_in.as_deref() {
            given(sign_in.revoke(refresh).await);
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

/// Trades the caller's token for a code that a browser takes in its place, once and soon: a token in a URL would be in the
/// history of the browser.
async fn make_code(State(pages): State<Pages>, request: Request) -> Response {
    let app = &pages.application;
    let dependencies = app.dependencies();
    let correlation_id = correlation_id(app);
    let (parts, _) = request.into_parts();
    let made = match identify(app, dependencies.host.as_ref(), &parts).await {
        Ok(caller) => {
            let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            let token = bearer.and_then(|bearer| bearer.split_once(' ')).map(|(_, token)| token.trim());
            let code = token.and_then(|token| {
                pages.codes.make(caller.person.as_str(), token, dependencies.host.elapsed())
            });
            code.ok_or_else(|| Problem::new(Code::StoreUnavailable, "no code can be made now"))
        }
        Err(problem) => Err(problem),
    };
    match made {
        Ok(code) => {
            let url = format!("{}/sign-in/code?code={code}", pages.origin);
            let body = serde_json::to_string(&SignInCodeBody { url }).unwrap_or_default();
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::CREATED;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(problem) => {
            dependencies.host.on_unauthenticated();
            conclude(app, CODES_SLUG, Err(problem), None, &correlation_id)
        }
    }
}
