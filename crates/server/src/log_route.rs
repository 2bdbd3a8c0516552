//! GET /v1/log/checkpoint and GET /v1/log/tile/…: the files of the log over HTTP.

use crate::application::Application;
use crate::plain_route::PlainCall;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use countersign_api::files::{self, File, FileRoute};
use countersign_api::problem::Problem;

/// The route, below which the log's own paths begin.
pub(crate) const ROUTE: &str = "/v1/log/{*path}";

/// Answers a file.
pub(crate) async fn file(
    State(app): State<Application>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let call = PlainCall::begin(&app, FileRoute::Log.slug(), None, request).await;
    let result = read(&app, &path, &call).await;
    call.answer(&app, result).await
}

async fn read(app: &Application, path: &str, call: &PlainCall) -> Result<File, Problem> {
    files::log_file(&call.dependencies, &app.log, path, call.actor()?).await
}
