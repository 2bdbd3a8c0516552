//! `GET /metrics`: what is measured of this process. No operation of the API: the functions have none.

use crate::answer::correlation_id;
use crate::application::Application;
use crate::metrics::Metrics;
use crate::plain_route::{PlainCall, file_answer};
use axum::extract::{Request, State};
use axum::response::Response;
use countersign_api::files::File;
use countersign_api::problem::Problem;
use countersign_app::audit;

/// The route.
pub(crate) const ROUTE: &str = "/metrics";

/// What events, figures and lines of the log call it.
const OPERATION: &str = "metrics";

/// Answers with the metrics, if the caller may read them.
pub(crate) async fn metrics(State(app): State<Application>, request: Request) -> Response {
    let call = PlainCall::begin(&app, OPERATION, None, request).await;
    let result = read(&app, &call);
    call.answer(&app, result).await
}

/// The same for callers of this machine, who need no token.
pub(crate) async fn metrics_without_token(State(app): State<Application>) -> Response {
    file_answer(&app, OPERATION, exposition(&app), &correlation_id(&app))
}

fn read(app: &Application, call: &PlainCall) -> Result<File, Problem> {
    audit::permit_all(&call.dependencies, call.actor()?)?;
    Ok(exposition(app))
}

/// The metrics, this answer not yet among them.
fn exposition(app: &Application) -> File {
    File { content_type: Metrics::CONTENT_TYPE, bytes: app.metrics.exposition().into_bytes() }
}
