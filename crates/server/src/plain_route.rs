//! Routes of this server that are no operation of the API, since what they answer is a file: who calls, and what is refused.
//! Refuses to know what the files are.

use crate::answer::{conclude, correlation_id, texts};
use crate::application::Application;
use crate::callers::{TURN_TIMEOUT, Turn};
use crate::connections::Connection;
use crate::source_address::FORWARDED_FOR;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use countersign_api::problem::{Code, Problem};
use countersign_app::attempts;
use countersign_app::dependencies::Dependencies;
use countersign_app::host::Host;
use countersign_core::audit::call_record::Attempt;
use countersign_core::caller::Caller;
use countersign_core::ids::RequestId;
use countersign_core::principal::Principal;
use countersign_dynamodb::store::DynamoStore;
use countersign_identity::token;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::timeout;

/// A file, as it is answered.
pub(crate) struct File {
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

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
        parts: &Parts,
    ) -> Self {
        let dependencies = app.dependencies();
        let identity = identify(app, dependencies.host.as_ref(), parts).await;
        let caller = identity.as_ref().ok().cloned();
        let turn = match &caller {
            Some(caller) => timeout(TURN_TIMEOUT, app.callers.turn(&caller.person)).await.ok().flatten(),
            None => None,
        };
        let actor = match identity {
            Ok(_) if turn.is_none() => {
                Err(Problem::new(Code::StoreUnavailable, "too many calls of yours are under way; try again"))
            }
            Ok(caller) => dependencies.policy.people().resolve(caller).map_err(Problem::from),
            Err(problem) => Err(problem),
        };
        let correlation_id = correlation_id(app);
        Self { operation, request_id, correlation_id, caller, actor, turn, dependencies }
    }

    /// Who calls.
    ///
    /// # Errors
    /// When the caller is not known, is disabled, or has too many calls under way.
    pub(crate) fn actor(&self) -> Result<&Principal, Problem> {
        self.actor.as_ref().map_err(Clone::clone)
    }

    /// The answer: the file, or what is refused, which is logged and recorded.
    pub(crate) async fn answer(self, app: &Application, result: Result<File, Problem>) -> Response {
        let mut response = match result {
            Ok(file) => {
                app.metrics.answered(self.operation, 200, None);
                file_answer(file, &self.correlation_id)
            }
            Err(problem) => {
                self.log(&problem);
                self.record(&problem).await;
                conclude(app, self.operation, Err(problem), None, &self.correlation_id)
            }
        };
        if let Some(turn) = self.turn {
            // Until the answer has been taken.
            response.extensions_mut().insert(Arc::new(turn));
        }
        response
    }

    fn log(&self, problem: &Problem) {
        let Self { operation, correlation_id, .. } = self;
        let request_id = self.request_id.map(|id| id.to_string());
        let (code, status, cause) = (problem.code.as_str(), problem.code.status(), problem.cause.as_deref());
        if problem.code == Code::Integrity || status >= 500 {
            tracing::error!(correlation_id, operation, request_id, code, status, cause, "failed");
        } else {
            tracing::warn!(correlation_id, operation, request_id, code, status, cause, "refused");
        }
    }

    /// What an auditor has to know of a call that was refused. Of what reads it is counted.
    async fn record(&self, problem: &Problem) {
        let Self { dependencies, operation, request_id, .. } = self;
        match &self.caller {
            Some(caller) if problem.code.is_recorded() => {
                let people = dependencies.policy.people();
                let actor = self.actor.clone().unwrap_or_else(|_| people.refused(caller.clone()));
                let (operation, code, request_id) = (*operation, problem.code.as_str(), *request_id);
                let attempt = Attempt { operation, code, request_id };
                attempts::refused(dependencies, &actor, attempt, true).await;
            }
            None if problem.code == Code::Unauthenticated => {
                dependencies.host.on_unauthenticated();
            }
            Some(_) | None => {}
        }
    }
}

/// Who calls, and from where.
pub(crate) async fn identify(app: &Application, host: &dyn Host, parts: &Parts) -> Result<Caller, Problem> {
    let authorization = texts(&parts.headers, header::AUTHORIZATION.as_str());
    let token = token::bearer(&authorization).map_err(Problem::unauthenticated)?;
    let mut caller = app.authenticator.authenticate(token, host).await?;
    if let Some(connection) = parts.extensions.get::<Arc<Connection>>() {
        connection.identified(&caller.person);
    }
    if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
        let forwarded = texts(&parts.headers, FORWARDED_FOR);
        caller.source_ip = Some(app.trusted_proxies.source(peer.ip(), &forwarded));
    }
    Ok(caller)
}

fn file_answer(file: File, correlation_id: &str) -> Response {
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
