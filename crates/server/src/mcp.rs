//! The MCP server beside the API, in this process, at `/mcp`: its callers have a token of the service, with which each call of the
//! API is made. It knows no caller that the API does not know, and asks the API for all it does.

use crate::answer::texts;
use crate::application::Application;
use crate::callers::TURN_TIMEOUT;
use crate::in_process::InProcess;
use crate::incoming::{Taken, let_go, take};
use crate::plain_route::identify;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use countersign_api::problem::Code;
use countersign_identity::token;
use countersign_mcp::http::{Http, PATH};
use countersign_mcp::resource::{Resource, answer};
use countersign_mcp::server::Server;
use countersign_mcp::settings::{Holds, Settings};
use countersign_mcp::underway::Underway;
use serde_json::json;
use std::sync::Arc;
use tokio::time::timeout;
use tower::ServiceExt as _;

/// How the MCP server of this process is set up.
#[derive(Debug, Clone, Default)]
pub struct McpOptions {
    /// How long calls are held.
    pub holds: Holds,
    /// Whether an agent may act with the token of a human.
    pub takes_humans: bool,
}

/// The MCP server, and the routes of the API that its tools call.
#[derive(Debug, Clone)]
pub struct Tools {
    application: Application,
    api: Router,
    resource: Arc<Resource>,
    options: McpOptions,
    http: Http,
    dashboard_url: Option<Arc<str>>,
}

impl Tools {
    /// The tools of a service that is known as this resource.
    pub fn new(
        application: Application,
        api: Router,
        resource: Resource,
        options: McpOptions,
        dashboard_url: Option<String>,
    ) -> Self {
        let dashboard_url = dashboard_url.map(Arc::from);
        Self {
            application,
            api,
            resource: Arc::new(resource),
            options,
            http: Http::new(Underway::default()),
            dashboard_url,
        }
    }

    /// What ends the calls that are held.
    pub fn http(&self) -> Http {
        self.http.clone()
    }

    /// The routes of the tools, and others beside them.
    pub fn router(self, others: Router) -> Router {
        let tools = Router::new().fallback(handle).with_state(self);
        Router::new().fallback(async move |request: Request| {
            let path = request.uri().path();
            let is_ours = path == PATH || Resource::is_metadata(path);
            let router = if is_ours { tools } else { others };
            router.oneshot(request).await.into_response()
        })
    }
}

async fn handle(State(tools): State<Tools>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(refusal) = tools.resource.check(&parts) {
        let_go(body).await;
        return refusal.map(Body::new);
    }
    if parts.uri.path() != PATH {
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        return if is_read {
            answer(StatusCode::OK, &tools.resource.metadata()).map(Body::new)
        } else {
            StatusCode::METHOD_NOT_ALLOWED.into_response()
        };
    }
    let app = &tools.application;
    let dependencies = app.dependencies();
    let caller = match identify(app, dependencies.host.as_ref(), &parts).await {
        Ok(caller) => caller,
        Err(problem) => {
            let_go(body).await;
            if problem.code != Code::Unauthenticated {
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
            dependencies.host.on_unauthenticated();
            let has_token = parts.headers.contains_key(header::AUTHORIZATION);
            return tools.resource.unauthorized(has_token).map(Body::new);
        }
    };
    // Before the body: a call has it, and what it was read to, until it is answered or held.
    let underway = tools.http.underway();
    let begun = timeout(TURN_TIMEOUT, underway.begin(&caller.person.to_string())).await;
    let Ok(Some(turn)) = begun else {
        let_go(body).await;
        let body = json!({ "error": Code::StoreUnavailable.as_str() });
        return answer(StatusCode::SERVICE_UNAVAILABLE, &body).map(Body::new);
    };
    // The API's own turn and room are given back once the body is there: each call of the API takes some of its own.
    let body = match take(app, Some(&caller), Some(body)).await {
        Ok(Taken { body, .. }) => body,
        Err(problem) => {
            let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
            return answer(status, &json!({ "error": problem.code.as_str() })).map(Body::new);
        }
    };
    let authorization = texts(&parts.headers, header::AUTHORIZATION.as_str());
    let settings = Settings {
        token: token::bearer(&authorization).unwrap_or_default().to_owned(),
        holds: tools.options.holds,
        dashboard_url: tools.dashboard_url.as_deref().map(str::to_owned),
        takes_humans: tools.options.takes_humans,
        underway,
        host: Arc::clone(&dependencies.host),
    };
    let api = InProcess { api: tools.api.clone(), parts: parts.clone(), is_from_dashboard: false };
    let request = Request::from_parts(parts, body.into());
    tools.http.answer(request, &Server::for_call(api, settings, turn)).await.map(Body::new)
}
