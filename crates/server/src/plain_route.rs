//! Routes of this server that are no operation of the API, since what they answer is a file: who calls, and what is refused.
//! Refuses to know what the files are.

use crate::answer::{conclude, correlation_id, texts};
use crate::application::Application;
use crate::callers::Turn;
use crate::connections::Connection;
use crate::incoming::{let_go, take};
use crate::source_address::FORWARDED_FOR;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use countersign_api::files::File;
use countersign_api::problem::{Code, Problem};
use countersign_api::run;
use countersign_app::dependencies::Dependencies;
use countersign_app::host::Host;
use countersign_core::caller::{Caller, Channel};
use countersign_core::ids::RequestId;
use countersign_core::principal::Principal;
use countersign_dynamodb::store::DynamoStore;
use countersign_identity::token;
use std::net::SocketAddr;
use std::sync::Arc;

/// A call of such a route.
pub(crate) struct PlainCall {
    /// What events and lines of the log call it.
    operation: &'static str,
    /// The request that it names.
    request_id: Option<RequestId>,
    correlation_id: String,
    caller: Option<Caller>,
    actor: Result<Principal, Problem>,
    turn: Option<Turn>,
    /// As they were when the call began.
    pub(crate) dependencies: Arc<Dependencies<DynamoStore>>,
}

impl PlainCall {
    /// Establishes who calls, and waits for the turn of this caller.
    pub(crate) async fn begin(
        app: &Application,
        operation: &'static str,
        request_id: Option<RequestId>,
        request: Request,
    ) -> Self {
        let dependencies = app.dependencies();
        let correlation_id = correlation_id(app);
        let (parts, body) = request.into_parts();
        let identity = identify(app, dependencies.host.as_ref(), &parts).await;
        let_go(body).await;
        let caller = identity.as_ref().ok().cloned();
        let (turn, actor) = match take(app, caller.as_ref(), None).await {
            Ok(taken) => {
                let resolve = |caller| dependencies.policy.people().resolve(caller).map_err(Problem::from);
                (taken.turn, identity.and_then(resolve))
            }
            Err(problem) => (None, Err(problem)),
        };
        Self { operation, request_id, correlation_id, caller, actor, turn, dependencies }
    }

    /// Who calls.
    ///
    /// # Errors
    /// When the caller is not known, is disabled, or has too many calls under way.
    pub(crate) fn actor(&self) -> Result<&Principal, Problem> {
        self.actor.as_ref().map_err(Clone::clone)
    }

    /// The answer: the file, or what is refused, which is logged and recorded as for operations.
    pub(crate) async fn answer(self, app: &Application, result: Result<File, Problem>) -> Response {
        let Self { operation, request_id, correlation_id, caller, turn, dependencies, .. } = self;
        let mut response = match result {
            Ok(file) => file_answer(app, operation, file, &correlation_id),
            Err(problem) => {
                if problem.code == Code::Unauthenticated && !app.refusal_log.has_line() {
                    dependencies.host.on_unauthenticated();
                } else {
                    run::refuse(&dependencies, &problem, caller, operation, &correlation_id, request_id)
                        .await;
                }
                conclude(app, operation, Err(problem), None, &correlation_id)
            }
        };
        if let Some(turn) = turn {
            // Until the answer has been taken.
            response.extensions_mut().insert(Arc::new(turn));
        }
        response
    }
}

/// Marks a call that a page of the dashboard in this process makes for its visitor. No header says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromDashboard;

/// Who calls, how, and from where.
pub(crate) async fn identify(app: &Application, host: &dyn Host, parts: &Parts) -> Result<Caller, Problem> {
    let authorization = texts(&parts.headers, header::AUTHORIZATION.as_str());
    let token = token::bearer(&authorization).map_err(Problem::unauthenticated)?;
    let mut caller = app.authenticator.authenticate(token, host).await?;
    if let Some(connection) = parts.extensions.get::<Arc<Connection>>() {
        connection.identified(&caller.person);
    }
    if parts.extensions.get::<FromDashboard>().is_some() {
        caller.channel = Channel::Dashboard;
    }
    if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
        let forwarded = texts(&parts.headers, FORWARDED_FOR);
        caller.source_ip = Some(app.trusted_proxies.source(peer.ip(), &forwarded));
    }
    Ok(caller)
}

/// Counts the answer of a file, and gives it.
pub(crate) fn file_answer(
    app: &Application,
    operation: &'static str,
    file: File,
    correlation_id: &str,
) -> Response {
    app.metrics.answered(operation, 200, None);
    let mut response = Response::new(Body::from(file.bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    // Files of a log never change, but who may read them does.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(correlation_id) {
        headers.insert("x-correlation-id", id);
    }
    response
}
