//! GET /v1/approvals/{id}/evidence: what an auditor takes away of a request.
//!
//! No operation of the API, as the files of the log are none: what signs evidence, and the log that it is proved by, are
//! this server's.

use crate::application::Application;
use crate::plain_route::{File, PlainCall};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::response::Response;
use countersign_api::call::Input;
use countersign_api::fields::Fields;
use countersign_api::operation::Body;
use countersign_api::problem::Problem;
use countersign_app::evidence::{self, OPERATION};
use countersign_core::ids::RequestId;
use serde_json::Value;

/// The route.
pub(crate) const ROUTE: &str = "/v1/approvals/{id}/evidence";

/// Answers the evidence. It is signed byte by byte, so that it is answered as it was signed.
pub(crate) async fn evidence(
    State(app): State<Application>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response {
    let id = path.ok().and_then(|path| path.iter().next().map(|(_, id)| id.to_owned())).unwrap_or_default();
    // What is no id is anything at all, and does not belong into a log.
    let request_id = RequestId::parse(&id).ok();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let call = PlainCall::begin(&app, OPERATION, request_id, request).await;
    let result = made(&app, id, query, &call).await;
    call.answer(&app, result).await
}

async fn made(app: &Application, id: String, query: String, call: &PlainCall) -> Result<File, Problem> {
    let (actor, dependencies) = (call.actor()?, &call.dependencies);
    let input = Input::Http {
        request_id: Some(id),
        query,
        content_type: None,
        idempotency_key: None,
        if_none_match: None,
        body: Vec::new(),
    };
    let mut fields = Fields::read(input, Body::None)?;
    let id = fields.request_id();
    let redacted = fields.optional("redacted", boolean);
    let ((id, redacted), _) = fields.finish(id.zip(redacted))?;
    let redacted = redacted.unwrap_or_default();
    let made = evidence::evidence(dependencies, &app.log, &app.policies, id, redacted, actor).await?;
    Ok(File { content_type: "application/json", bytes: made.into_bytes() })
}

fn boolean(value: &Value) -> Result<bool, &'static str> {
    let read = value.as_str().and_then(|text| text.parse().ok());
    read.ok_or("must be true or false")
}
