//! The MCP server as a function: an event of the gateway becomes a request of an agent, and what its tools ask is asked of the API
//! over HTTPS, with the agent's token. It has no right on anything, and remembers nothing between two events.

use crate::environment::{Environment, InvalidVariable};
use crate::gateway::HttpAnswer;
use crate::https::Client;
use crate::invocation::{self, HttpEvent, Invocation};
use crate::outgoing;
use countersign_api::outgoing::{Api, ApiAnswer, ApiCall};
use countersign_app::host::Host;
use countersign_endpoint::Endpoint;
use countersign_identity::token;
use countersign_mcp::http::{Http, PATH};
use countersign_mcp::resource::{METADATA_PATH, Resource, answer};
use countersign_mcp::server::Server;
use countersign_mcp::settings::{Holds, Settings as ServerSettings};
use countersign_mcp::underway::Underway;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes};
use lambda_runtime::Diagnostic;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a call is held: the gateway gives up on it after 30 seconds
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>), and functions that it asks may have to
/// start.
const HOLD: Duration = Duration::from_secs(15);
/// How much of an invocation's time is kept for the calls before and after.
const OTHER_TIME: Duration = Duration::from_secs(10);
/// How much of an invocation's time is kept for the answer.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// How the tools are set up.
#[derive(Debug)]
pub struct Settings {
    /// Scheme and authority, as agents know them; those of the gateway's own name if there are none.
    origin: Option<String>,
    /// Where the API is; at the gateway that has sent the event if it is not said.
    api: Option<String>,
    dashboard_url: Option<String>,
    issuer: String,
    takes_humans: bool,
    client: Client,
}

impl Settings {
    /// From `MCP_URL`, `API_URL`, `DASHBOARD_URL`, `OIDC_ISSUER` and `MCP_AS_HUMAN`.
    ///
    /// # Errors
    /// A variable that is missing or cannot be used.
    pub fn read(environment: &Environment) -> Result<Self, InvalidVariable> {
        let origin = |name: &str| match environment.optional(name).map(Endpoint::parse_base).transpose() {
            Ok(Some(url)) if url.has_path() => Err(Environment::invalid(name, "must have no path")),
            Ok(url) => Ok(url.map(|url| url.base().to_owned())),
            Err(rule) => Err(Environment::invalid(name, rule)),
        };
        let bundle = environment.file("AWS_CA_BUNDLE")?;
        let client = Client::new(bundle.as_deref());
        Ok(Self {
            origin: origin("MCP_URL")?,
            api: origin("API_URL")?,
            dashboard_url: environment.optional("DASHBOARD_URL").map(str::to_owned),
            issuer: environment.required("OIDC_ISSUER")?,
            takes_humans: environment.switch("MCP_AS_HUMAN")?,
            client: client.map_err(|error| Environment::invalid("AWS_CA_BUNDLE", error))?,
        })
    }
}

/// The tools.
#[derive(Debug)]
pub struct Tools {
    settings: Settings,
    host: Arc<dyn Host>,
    http: Http,
}

impl Tools {
    /// Tools with these settings.
    pub fn new(settings: Settings, host: Box<dyn Host>) -> Self {
        Self { settings, host: Arc::from(host), http: Http::new(Underway::default()) }
    }

    /// Answers an event of the gateway within so much time.
    ///
    /// # Errors
    /// For a payload that is no event of the tools: there is nothing else to ask of this function.
    pub async fn handle(&self, payload: &str, time: Duration) -> Result<HttpAnswer, Diagnostic> {
        let end = Instant::now() + time.saturating_sub(ANSWER_TIME);
        let Ok(Invocation::Gateway(event)) = invocation::read(payload) else { return Err(no_call()) };
        let calls = format!("POST {PATH}");
        let metadata = [format!("GET {METADATA_PATH}"), format!("GET {METADATA_PATH}{PATH}")];
        event.check_route(&[[calls].as_slice(), &metadata].concat()).map_err(|_| no_call())?;
        let Some(request) = request(&event) else {
            return Ok(whole(answer(StatusCode::BAD_REQUEST, &serde_json::json!({}))).await);
        };
        let of_gateway = format!("https://{}", event.domain_name());
        let origin = self.settings.origin.as_deref().unwrap_or(&of_gateway);
        let resource = Resource::new(origin, Some(self.settings.issuer.clone()));
        let (parts, body) = request.into_parts();
        if let Err(refusal) = resource.check(&parts) {
            return Ok(whole(*refusal).await);
        }
        if parts.method == Method::GET {
            return Ok(whole(answer(StatusCode::OK, &resource.metadata())).await);
        }
        let authorization: Vec<_> = parts
            .headers
            .get_all(header::AUTHORIZATION)
            .iter()
            .map(|value| value.to_str().unwrap_or("\u{fffd}"))
            .collect();
        let Ok(bearer) = token::bearer(&authorization) else {
            return Ok(whole(resource.unauthorized(!authorization.is_empty())).await);
        };
        let holds = Holds {
            silent: hold(time),
            // What a function answers is sent as a whole.
            with_progress: None,
            ..Holds::default()
        };
        let settings = ServerSettings {
            token: bearer.to_owned(),
            holds,
            dashboard_url: self.settings.dashboard_url.clone(),
            takes_humans: self.settings.takes_humans,
            underway: self.http.underway(),
            host: Arc::clone(&self.host),
        };
        let api = self.settings.api.clone().unwrap_or(of_gateway);
        let caller = Caller { client: self.settings.client.clone(), api, end };
        let server = Server::new(caller, settings);
        // No authorizer stands before this function: the gateway's refusal would not say where the metadata is.
        if let Err(notice) = server.person().await {
            match notice.code.as_str() {
                "unauthenticated" => return Ok(whole(resource.unauthorized(true)).await),
                "service_unavailable" => {
                    let body =
                        serde_json::json!({ "error": notice.code, "error_description": notice.message });
                    return Ok(whole(answer(StatusCode::SERVICE_UNAVAILABLE, &body)).await);
                }
                // Each call of a tool is refused for that, where an agent reads it.
                _ => {}
            }
        }
        Ok(whole(self.http.answer(Request::from_parts(parts, body), &server).await).await)
    }
}

/// How long a call is held in an invocation with so much time.
fn hold(time: Duration) -> Duration {
    HOLD.min(time.saturating_sub(OTHER_TIME))
}

fn no_call() -> Diagnostic {
    tracing::error!("refused: the payload is no event of a call of tools");
    Diagnostic {
        error_type: "unsupported_event".to_owned(),
        error_message: "this function answers events of an HTTP API for agents".to_owned(),
    }
}

/// The request of an agent that the gateway tells of.
fn request(event: &HttpEvent) -> Option<Request<Bytes>> {
    let mut request = Request::builder().method(event.method()).uri(event.path());
    for (name, value) in event.headers() {
        request = request.header(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    request.body(Bytes::from(event.body())).ok()
}

/// An answer with all of its body, as the gateway takes it.
async fn whole<B: Body<Data = Bytes, Error = Infallible>>(response: Response<B>) -> HttpAnswer {
    let (parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(never) => match never {},
    };
    HttpAnswer::of(parts.status, &parts.headers, &body)
}

/// The API, for one agent.
#[derive(Debug)]
struct Caller {
    client: Client,
    api: String,
    /// When the agent has to be answered.
    end: Instant,
}

impl Api for Caller {
    async fn call(&self, call: ApiCall) -> ApiAnswer {
        let Some(head) = outgoing::head(&self.api, &call) else { return ApiAnswer::none() };
        let time = self.end.saturating_duration_since(Instant::now());
        outgoing::send(&self.client, head, &call, time).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The template gives 29 seconds, of which the gateway and a start of the function take some.
    #[test]
    fn a_call_is_held_as_long_as_its_page_says() {
        for (left, held) in [(29, 15), (25, 15), (20, 10), (5, 0)] {
            assert_eq!(hold(Duration::from_secs(left)), Duration::from_secs(held), "{left}");
        }
    }
}
