//! The server over Streamable HTTP, without sessions: each request stands for itself, and is answered as JSON unless there is news
//! before the answer. What a request needs is in it, so that any process can answer it.

use crate::server::Server;
use crate::strict;
use crate::underway::Underway;
use bytes::Bytes;
use countersign_api::outgoing::Api;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// The body of an answer.
pub type AnswerBody = BoxBody<Bytes, Infallible>;

/// Where the server is below the origin of its shell.
pub const PATH: &str = "/mcp";
/// The longest body, in bytes: that of the API's calls, and a bit.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// How long calls may take to end by themselves once the server is to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How requests are answered. Clones are stopped together.
#[derive(Debug, Clone)]
pub struct Http {
    config: StreamableHttpServerConfig,
    underway: Underway,
}

impl Http {
    /// A shell in which this is under way.
    pub fn new(underway: Underway) -> Self {
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(MAX_BODY_BYTES)
            // `crate::resource` has checked both before the token, with a 403 of its own.
            .disable_allowed_hosts()
            .disable_allowed_origins();
        Self { config, underway }
    }

    /// Answers a request for the caller whose server this is. A client that goes away ends its call.
    pub async fn answer<P: Api + Send + Sync + 'static>(
        &self,
        request: Request<Bytes>,
        server: &Server<P>,
    ) -> Response<AnswerBody> {
        let refusal = Some(request.body()).filter(|_| request.method() == Method::POST);
        if let Some(refusal) = refusal.and_then(|body| strict::refusal(body)) {
            return refused(&json!(refusal));
        }
        let server = server.clone();
        let sessions = Arc::new(NeverSessionManager::default());
        let service = StreamableHttpService::new(move || Ok(server.clone()), sessions, self.config.clone());
        service.handle(request.map(Full::new)).await
    }

    /// What is under way at this server.
    pub fn underway(&self) -> Underway {
        self.underway.clone()
    }

    /// Ends calls that are held, as if their time were over; after a while those that have not ended by that.
    pub fn stop(&self) {
        self.underway.stop();
        let token = self.config.cancellation_token.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            token.cancel();
        });
    }
}

/// The answer to a message that is not read on.
fn refused(error: &Value) -> Response<AnswerBody> {
    let mut response = Response::new(Full::new(Bytes::from(error.to_string())).boxed());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
