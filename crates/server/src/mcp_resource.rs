//! An MCP server over HTTP before a service that is elsewhere (`countersign mcp --http`): a protected resource of an issuer. A
//! caller's token says who calls, and stays here; the service is called with the credential of the profile.

use crate::issuer::{self, IssuerOptions};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use countersign_api::outgoing::Api;
use countersign_api::problem::Code;
use countersign_identity::token;
use countersign_issuer::authenticator::{Authenticator, KEYS_INTERVAL};
use countersign_issuer::error::IssuerError;
use countersign_mcp::http::{Http, MAX_BODY_BYTES, PATH};
use countersign_mcp::resource::{Resource, answer};
use countersign_mcp::server::Server;
use countersign_system::system::SystemHost;
use serde_json::json;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// How the server is reached, and by whom.
#[derive(Debug, Clone)]
pub struct ResourceOptions {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Scheme and authority, as callers know them; those of the address if there are none.
    pub public_url: Option<String>,
    /// Whether a proxy in front does TLS, and nothing else can reach the address.
    pub is_behind_tls_proxy: bool,
    /// Whose tokens are accepted. Without audiences they are for the resource itself.
    pub issuer: IssuerOptions,
    /// Who may call besides the person of the profile.
    pub callers: Vec<String>,
}

/// Why nothing is served, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// Tokens must not travel in the clear.
    #[error(
        "--http {0} can be reached by others, and tokens would travel in the clear: give an address of loopback, or \
         --behind-tls-proxy if a proxy does TLS"
    )]
    InTheClear(SocketAddr),
    /// It is not known under which name callers reach it.
    #[error("--http {0} needs --public-url: the name by which callers reach it, which their tokens are for")]
    NoName(SocketAddr),
    /// The issuer's keys are not known.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The address cannot be listened on.
    #[error("--http {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The server ended, or could not say where it listens.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What answers requests.
struct Answering<P> {
    resource: Resource,
    authenticator: Arc<Authenticator>,
    host: SystemHost,
    callers: BTreeSet<String>,
    http: Http,
    server: Server<P>,
}

/// Serves until SIGTERM or SIGINT. `announce` is given the one line that says where it listens.
///
/// # Errors
/// See [`ResourceError`].
pub async fn serve<P: Api + Send + Sync + 'static>(
    options: ResourceOptions,
    server: Server<P>,
    announce: impl FnOnce(&str) -> io::Result<()>,
) -> Result<(), ResourceError> {
    let ResourceOptions { listen, public_url, is_behind_tls_proxy, mut issuer, callers } = options;
    let is_loopback = listen.ip().is_loopback();
    if !is_loopback && !is_behind_tls_proxy {
        return Err(ResourceError::InTheClear(listen));
    }
    if !is_loopback && public_url.is_none() {
        return Err(ResourceError::NoName(listen));
    }
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|source| ResourceError::Listen { address: listen, source })?;
    let address = listener.local_addr()?;
    let origin = public_url.unwrap_or_else(|| format!("http://{address}"));
    let mut resource = Resource::new(&origin, Some(issuer.issuer.clone()));
    if is_loopback {
        resource = resource.on_loopback("http", address.port());
    }
    if issuer.audiences.is_empty() {
        issuer.audiences.push(resource.identifier());
    }
    let host = SystemHost::default();
    let (verifier, keys) = issuer::configured(issuer).await?;
    let authenticator = Arc::new(Authenticator::renewed_by_sweeps(verifier, keys, &host));
    let http = Http::new(server.underway());
    let renewed = Arc::clone(&authenticator);
    let renewal = tokio::spawn(async move {
        let (host, mut due) = (SystemHost::default(), tokio::time::interval(KEYS_INTERVAL));
        loop {
            due.tick().await;
            renewed.renew_keys(&host).await;
        }
    });
    let stopped = http.clone();
    let answering =
        Answering { resource, authenticator, host, callers: callers.into_iter().collect(), http, server };
    let router = Router::new().fallback(handle::<P>).with_state(Arc::new(answering));
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    announce(&format!("listening on http://{address}{PATH}"))?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopped.stop();
    };
    let served = axum::serve(listener, router).with_graceful_shutdown(stop).await;
    renewal.abort();
    Ok(served?)
}

async fn handle<P: Api + Send + Sync + 'static>(
    State(answering): State<Arc<Answering<P>>>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Err(refusal) = answering.resource.check(&parts) {
        return refusal.map(Body::new);
    }
    if Resource::is_metadata(parts.uri.path()) && matches!(parts.method, Method::GET | Method::HEAD) {
        return answer(StatusCode::OK, &answering.resource.metadata()).map(Body::new);
    }
    if parts.uri.path() != PATH {
        return StatusCode::NOT_FOUND.into_response();
    }
    let texts: Vec<_> = parts
        .headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .map(|value| value.to_str().unwrap_or("\u{fffd}"))
        .collect();
    let Ok(bearer) = token::bearer(&texts) else {
        return answering.resource.unauthorized(!texts.is_empty()).map(Body::new);
    };
    let caller = match answering.authenticator.authenticate(bearer, &answering.host).await {
        Ok(caller) => caller,
        Err(problem) if problem.code == Code::Unauthenticated => {
            return answering.resource.unauthorized(true).map(Body::new);
        }
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let name = caller.person.to_string();
    if !answering.callers.contains(&name) {
        // Before anything else is said: what keeps the service from answering is no business of a caller who may not call.
        let (status, error, words) = match answering.server.person().await {
            Ok(person) if person == name => (StatusCode::OK, "", ""),
            Ok(_) => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "this server acts for another person; its operator has to allow this caller",
            ),
            Err(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "it cannot be found out now for whom this server acts",
            ),
        };
        if status != StatusCode::OK {
            return answer(status, &json!({ "error": error, "error_description": words })).map(Body::new);
        }
    }
    // It has done what it is for, and goes no further.
    parts.headers.remove(header::AUTHORIZATION);
    let Ok(Ok(body)) = timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request::from_parts(parts, body);
    answering.http.answer(request, &answering.server).await.map(Body::new)
}
