//! GET /v1/approvals/{id}/evidence: what an auditor takes away of a request.

use crate::application::Application;
use crate::plain_route::PlainCall;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::response::Response;
use countersign_api::files::{self, File, FileRoute};
use countersign_api::problem::Problem;
use countersign_core::ids::RequestId;

/// The route.
pub(crate) const ROUTE: &str = FileRoute::Evidence.path_template();

/// Answers the evidence.
pub(crate) async fn evidence(
    State(app): State<Application>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response {
    let id = path.ok().and_then(|path| path.iter().next().map(|(_, id)| id.to_owned())).unwrap_or_default();
    // What is no id is anything at all, and does not belong into a log.
    let request_id = RequestId::parse(&id).ok();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let call = PlainCall::begin(&app, FileRoute::Evidence.slug(), request_id, request).await;
    let result = made(&app, id, query, &call).await;
    call.answer(&app, result).await
}

async fn made(app: &Application, id: String, query: String, call: &PlainCall) -> Result<File, Problem> {
    files::evidence(&call.dependencies, &app.log, &app.policies, id, query, call.actor()?).await
}
