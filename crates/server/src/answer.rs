//! Headers of a call as texts, and answers, counted, with the headers that each has. Refuses to know routes and operations.

use crate::application::Application;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use countersign_api::problem::Problem;
use countersign_api::reply::Reply;
use std::time::Duration;

pub(crate) fn correlation_id(app: &Application) -> String {
    app.dependencies().host.event_id().to_string()
}

/// Every value of a header that is text; one that is not is in the list as one that no check accepts.
pub(crate) fn texts<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("\u{fffd}")).collect()
}

/// Counts an answer, and gives it.
pub(crate) fn conclude(
    app: &Application,
    operation: &'static str,
    result: Result<Reply, Problem>,
    took: Option<Duration>,
    correlation_id: &str,
) -> Response {
    if let Err(problem) = &result {
        app.metrics.problem(problem.code);
    }
    let reply = result.unwrap_or_else(|problem| problem.into_reply(correlation_id));
    app.metrics.answered(operation, reply.status, took);
    respond(reply, correlation_id)
}

fn respond(reply: Reply, correlation_id: &str) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !reply.content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    // What is shown depends on who asks and on when.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let correlation = ("x-correlation-id", correlation_id.to_owned());
    for (name, value) in reply.headers.into_iter().chain([correlation]) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}
