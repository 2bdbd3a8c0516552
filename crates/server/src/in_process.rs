//! Calls of the API within this process, through its own routes with the caller's token, as if the caller had sent them.

use crate::plain_route::FromDashboard;
use crate::source_address::FORWARDED_FOR;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use countersign_api::outgoing::{Api, ApiAnswer, ApiCall};
use tower::ServiceExt as _;

/// The largest answer of the API that is passed on, in bytes: evidence.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// The API, for the sender of one request: from where, and over which connection.
#[derive(Debug, Clone)]
pub(crate) struct InProcess {
    pub(crate) api: Router,
    /// The request that the calls are made for.
    pub(crate) parts: Parts,
    /// Whether it is a page's.
    pub(crate) is_from_dashboard: bool,
}

impl Api for InProcess {
    async fn call(&self, call: ApiCall) -> ApiAnswer {
        let body = call.body.map(|body| body.to_string());
        let mut builder = Request::builder().method(call.method).uri(call.path);
        if let Some(headers) = builder.headers_mut() {
            let Ok(mut bearer) = HeaderValue::try_from(format!("Bearer {}", call.token)) else {
                return ApiAnswer { status: 401, body: Bytes::new() };
            };
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
            for address in self.parts.headers.get_all(FORWARDED_FOR) {
                headers.append(FORWARDED_FOR, address.clone());
            }
            if body.is_some() {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            if let Some(Ok(key)) = call.idempotency_key.map(HeaderValue::try_from) {
                headers.insert("idempotency-key", key);
            }
        }
        if let Some(extensions) = builder.extensions_mut() {
            extensions.extend(self.parts.extensions.clone());
            if self.is_from_dashboard {
                extensions.insert(FromDashboard);
            }
        }
        let body = body.map_or_else(Body::empty, Body::from);
        let Ok(request) = builder.body(body) else { return ApiAnswer::none() };
        let response = self.api.clone().oneshot(request).await.into_response();
        let status = response.status().as_u16();
        match to_bytes(response.into_body(), MAX_ANSWER_BYTES).await {
            Ok(body) => ApiAnswer { status, body },
            Err(_) => ApiAnswer::none(),
        }
    }
}
