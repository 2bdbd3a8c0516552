//! The files of the log over HTTP, as C2SP `tlog-tiles` has them: `GET /v1/log/checkpoint` and `GET /v1/log/tile/…`.
//!
//! A log holds the events of all requests: it is for those alone who may query events, and that they read it is an event,
//! once an hour. No operation of the API: what is answered are files, and their paths are those of another specification.

use crate::answer::{conclude, correlation_id, texts};
use crate::application::Application;
use crate::log_directory::CHECKPOINT;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use countersign_api::problem::{Code, Problem};
use countersign_app::attempts;
use countersign_app::error::AppError;
use countersign_core::audit::call_record::{Attempt, Reading};
use countersign_core::policy::access::AccessDecision;
use countersign_core::refusal::Refusal;
use countersign_identity::token;
use std::collections::BTreeMap;

/// The route, below which the log's own paths begin.
pub(crate) const ROUTE: &str = "/v1/log/{*path}";

/// What events and lines of the log call it.
const OPERATION: &str = "log";

/// Answers a file.
pub(crate) async fn file(
    State(app): State<Application>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    let correlation_id = correlation_id(&app);
    match read(&app, &path, &headers).await {
        Ok(bytes) => {
            app.metrics.answered(OPERATION, 200, None);
            answer(&path, bytes, &correlation_id)
        }
        Err(problem) => {
            let code = problem.code.as_str();
            tracing::warn!(
                correlation_id,
                operation = OPERATION,
                code,
                cause = problem.cause.as_deref(),
                "refused"
            );
            conclude(&app, OPERATION, Err(problem), None, &correlation_id)
        }
    }
}

async fn read(app: &Application, path: &str, headers: &HeaderMap) -> Result<Vec<u8>, Problem> {
    let dependencies = app.dependencies();
    let authorization = texts(headers, header::AUTHORIZATION.as_str());
    let caller = match token::bearer(&authorization) {
        Ok(token) => app.authenticator.authenticate(token, dependencies.host.as_ref()).await,
        Err(reason) => Err(Problem::unauthenticated(reason)),
    };
    let caller = caller.inspect_err(|_| {
        dependencies.host.on_unauthenticated();
    })?;
    let actor = dependencies.policy.people().resolve(caller).map_err(AppError::from)?;
    let answer = dependencies.policy.may_query_audit(&actor, false, dependencies.host.now());
    if let AccessDecision::Denied(reasons) = answer {
        let problem = Problem::from(AppError::from(Refusal::NotPermitted(reasons)));
        let attempt = Attempt { operation: OPERATION, code: problem.code.as_str(), request_id: None };
        attempts::refused(&dependencies, &actor, attempt, true).await;
        return Err(problem);
    }
    let reading = Reading { operation: OPERATION, filters: BTreeMap::new() };
    attempts::reading(&dependencies, &actor, &reading).await?;
    let found = app.log.file(path).await.map_err(|error| Problem::unavailable(error.to_string()))?;
    found.ok_or_else(|| Problem::new(Code::NotFound, "the log has no such file"))
}

fn answer(path: &str, bytes: Vec<u8>, correlation_id: &str) -> Response {
    let content_type =
        if path == CHECKPOINT { "text/plain; charset=utf-8" } else { "application/octet-stream" };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Tiles never change, but who may read them does.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(correlation_id) {
        headers.insert("x-correlation-id", id);
    }
    response
}
