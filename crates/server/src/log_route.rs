//! The files of the log over HTTP, as C2SP `tlog-tiles` has them: `GET /v1/log/checkpoint` and `GET /v1/log/tile/…`.
//!
//! A log holds the events of all requests: it is for those alone who may query events, and that they read it is an event,
//! once an hour. No operation of the API: what is answered are files, and their paths are those of another specification.

use crate::application::Application;
use crate::log_directory::CHECKPOINT;
use crate::plain_route::{File, PlainCall};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use countersign_api::problem::{Code, Problem};
use countersign_app::{attempts, audit};
use countersign_core::audit::call_record::Reading;
use std::collections::BTreeMap;

/// The route, below which the log's own paths begin.
pub(crate) const ROUTE: &str = "/v1/log/{*path}";

/// What events and lines of the log call it.
const OPERATION: &str = "log";

/// Answers a file.
pub(crate) async fn file(
    State(app): State<Application>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let call = PlainCall::begin(&app, OPERATION, None, request).await;
    let result = read(&app, &path, &call).await;
    call.answer(&app, result).await
}

async fn read(app: &Application, path: &str, call: &PlainCall) -> Result<File, Problem> {
    let (actor, dependencies) = (call.actor()?, &call.dependencies);
    audit::permit_all(dependencies, actor)?;
    let reading = Reading { operation: OPERATION, filters: BTreeMap::new() };
    attempts::reading(dependencies, actor, &reading).await?;
    let found = app.log.file(path).await.map_err(|error| Problem::unavailable(error.to_string()))?;
    let bytes = found.ok_or_else(|| Problem::new(Code::NotFound, "the log has no such file"))?;
    let content_type =
        if path == CHECKPOINT { "text/plain; charset=utf-8" } else { "application/octet-stream" };
    Ok(File { content_type, bytes })
}
