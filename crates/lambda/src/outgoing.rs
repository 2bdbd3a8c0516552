//! Calls of the API by a function that is one of its callers: over HTTPS, at the gateway.

use crate::https::Client;
use countersign_api::outgoing::{ApiAnswer, ApiCall};
use http::request::Builder;
use http::{HeaderValue, Method, Request, header};
use hyper::body::Bytes;
use std::time::Duration;

/// The most that is read of an answer, in bytes: Lambda answers no more.
const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024;

/// A call of the API at this base, but for its body.
pub(crate) fn head(base: &str, call: &ApiCall) -> Option<Builder> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", call.token)).ok()?;
    bearer.set_sensitive(true);
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(format!("{base}{}", call.path))
        .header(header::AUTHORIZATION, bearer);
    if let Some(key) = &call.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    if call.body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    Some(request)
}

/// Makes the call, for no longer than this.
pub(crate) async fn send(client: &Client, head: Builder, call: &ApiCall, time: Duration) -> ApiAnswer {
    let body = call.body.as_ref().map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let Ok(request) = head.body(body) else { return ApiAnswer::none() };
    match client.send(request, MAX_ANSWER_BYTES, time).await {
        Ok((status, body)) => ApiAnswer { status: status.as_u16(), body },
        Err(error) => {
            let is_read = call.method == Method::GET;
            tracing::error!(error, is_read, "the API does not answer");
            ApiAnswer::none()
        }
    }
}
