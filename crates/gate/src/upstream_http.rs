//! A server behind a URL: streamable HTTP of MCP, with a session (2025) or without one (2026-07-28).
//!
//! Nothing of what an agent proves itself with goes there. Redirects are not followed.

use crate::exchange::{Aside, UpstreamError};
use crate::message::{Answer, MAX_BYTES, Message, Notification, Request};
use crate::meta::{self, PROTOCOL_VERSION, SUBSCRIPTION_ID};
use crate::sse::EventReader;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use countersign_client::agent;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::task::AbortHandle;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long to wait until what wants no answer is taken.
const TAKEN: Duration = Duration::from_secs(30);
/// How long until a stream that has ended is opened again.
const REOPEN: Duration = Duration::from_secs(1);

/// What says that a server has not acted on a request. Others may come from what is before it, after it has begun, such as 408,
/// 429 and 499.
const NOT_TAKEN: [StatusCode; 8] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::NOT_ACCEPTABLE,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
];

/// Where a server is, and what it is called with.
#[derive(Debug, Clone)]
pub struct Address {
    url: Uri,
    authorization: Option<HeaderValue>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A URL at which no server can be called.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Calls could be read on the way, or it is none.
    #[error(transparent)]
    Url(#[from] agent::AgentError),
    /// HTTP has no such address.
    #[error("--upstream: it is no address of HTTP")]
    Uri,
    /// The token is none that fits into a header.
    #[error("the token for the server has characters that a header cannot have")]
    Token,
    /// TLS cannot be had.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
}

impl Address {
    /// Reads a URL: https, or http to this machine.
    ///
    /// # Errors
    /// When it is none, or the token cannot be sent.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, AddressError> {
        let endpoint = agent::base("--upstream ", url)?;
        let url = endpoint.as_str().parse::<Uri>().map_err(|_| AddressError::Uri)?;
        let authorization = token.map(|token| HeaderValue::from_str(&format!("Bearer {}", token.trim())));
        let mut authorization = authorization.transpose().map_err(|_| AddressError::Token)?;
        authorization.iter_mut().for_each(|value| value.set_sensitive(true));
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(AddressError::Tls)?.with_root_certificates(roots).with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { url, authorization, client })
    }
}

/// A conversation with the server.
#[derive(Debug)]
pub struct HttpUpstream {
    address: Address,
    next: AtomicU64,
    state: Mutex<State>,
    unassociated: Aside,
}

#[derive(Debug, Default)]
struct State {
    session: Option<HeaderValue>,
    version: Option<HeaderValue>,
    stream: Option<AbortHandle>,
}

impl HttpUpstream {
    /// One that has not begun.
    pub fn new(address: Address, unassociated: Aside) -> Self {
        Self { address, next: AtomicU64::new(1), state: Mutex::default(), unassociated }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request and waits for its answer. Dropped before that, the server hears that it is cancelled: the connection is
    /// closed, and where there is a session it is said as well.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not answer.
    pub async fn request(
        self: &Arc<Self>,
        mut request: Request,
        headers: &[(String, String)],
        aside: &Aside,
    ) -> Result<Answer, UpstreamError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = std::mem::replace(&mut request.id, json!(number));
        let mut guard =
            CancelOnDrop { upstream: Arc::downgrade(self), number, is_armed: request.method != "initialize" };
        let is_initialize = request.method == "initialize";
        let response = self.post(&Message::Request(request), headers).await?;
        let session = response.headers().get(SESSION_ID).cloned();
        let answer = self.answer(response, number, &id, aside).await;
        guard.is_armed = false;
        if is_initialize && let Ok(Answer::Result(result)) = &answer {
            let mut state = self.state();
            state.session = session;
            let version = result.get("protocolVersion").and_then(Value::as_str);
            state.version = version.and_then(|version| HeaderValue::from_str(version).ok());
        }
        answer
    }

    /// Sends what wants no answer.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn send(self: &Arc<Self>, message: Message) -> Result<(), UpstreamError> {
        let opens = matches!(&message, Message::Notification(notification) if notification.method == "notifications/initialized");
        let sent = tokio::time::timeout(TAKEN, self.post(&message, &[])).await;
        let response = sent.map_err(|_| UpstreamError::Lost("the server does not answer".to_owned()))??;
        if !response.status().is_success() {
            return Err(UpstreamError::NotSent(format!("the server answers {}", response.status())));
        }
        if opens && self.state().session.is_some() {
            self.open_stream();
        }
        Ok(())
    }

    /// Ends the session.
    pub async fn close(&self) {
        let (session, stream) = {
            let mut state = self.state();
            (state.session.take(), state.stream.take())
        };
        if let Some(stream) = stream {
            stream.abort();
        }
        if let Some(session) = session {
            let mut request = self.head(Method::DELETE);
            request.headers_mut().insert(SESSION_ID, session);
            // A server may know no end of sessions.
            let _ = tokio::time::timeout(CONNECT, self.address.client.request(request)).await;
        }
    }

    fn head(&self, method: Method) -> http::Request<Full<Bytes>> {
        let mut request = http::Request::new(Full::default());
        *request.method_mut() = method;
        *request.uri_mut() = self.address.url.clone();
        let state = self.state();
        let known = [
            (AUTHORIZATION, self.address.authorization.clone()),
            (SESSION_ID, state.session.clone()),
            (VERSION, state.version.clone()),
        ];
        for (name, value) in known {
            value.into_iter().for_each(|value| drop(request.headers_mut().insert(name.clone(), value)));
        }
        request
    }

    async fn post(
        &self,
        message: &Message,
        headers: &[(String, String)],
    ) -> Result<http::Response<Incoming>, UpstreamError> {
        let mut request = self.head(Method::POST);
        let map = request.headers_mut();
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        map.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        let mut add = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                map.insert(name, value);
            }
        };
        let (method, params) = match message {
            Message::Request(Request { method, params, .. })
            | Message::Notification(Notification { method, params }) => (Some(method), params.as_ref()),
            Message::Response(_) => (None, None),
        };
        if let Some(version) =
            meta::of(params).and_then(|meta| meta.get(PROTOCOL_VERSION)).and_then(Value::as_str)
        {
            add(VERSION, version);
            method.into_iter().for_each(|method| add(METHOD, method));
            method.and_then(|method| named(method, params)).iter().for_each(|name| add(NAME, &encoded(name)));
        }
        for (name, value) in headers {
            if let Ok(name) = HeaderName::from_bytes(format!("mcp-param-{name}").as_bytes()) {
                add(name, &encoded(value));
            }
        }
        *request.body_mut() = Full::from(message.to_bytes());
        self.address.client.request(request).await.map_err(|error| match error.is_connect() {
            true => UpstreamError::NotSent("the server cannot be reached".to_owned()),
            false => UpstreamError::Lost("the connection to the server was lost".to_owned()),
        })
    }

    async fn answer(
        &self,
        response: http::Response<Incoming>,
        number: u64,
        id: &Value,
        aside: &Aside,
    ) -> Result<Answer, UpstreamError> {
        let status = response.status();
        let is_stream = is_event_stream(&response);
        let mut body = response.into_body();
        let lost = |reason: &str| UpstreamError::Lost(reason.to_owned());
        let mut answer = None;
        if is_stream && status.is_success() {
            let mut reader = EventReader::default();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| lost("the stream of the server was lost"))?;
                let Some(bytes) = frame.data_ref() else { continue };
                let events = reader.read(bytes).map_err(|error| lost(&error.to_string()))?;
                for event in events {
                    match Message::of_server(&event) {
                        Ok(Message::Response(response)) if response.id == json!(number) => {
                            answer = Some(response.answer)
                        }
                        Ok(mut message) => {
                            restore(&mut message, number, id);
                            aside.pass(message);
                        }
                        Err(_) => {}
                    }
                }
                if let Some(answer) = answer {
                    return Ok(answer);
                }
            }
            return Err(lost("the stream of the server ended before the answer"));
        }
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| lost("the answer of the server was cut off"))?;
            bytes.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
            if bytes.len() > MAX_BYTES {
                return Err(lost("the answer of the server is too long"));
            }
        }
        match Message::of_server(&bytes) {
            // An error about what it could not read has no id.
            Ok(Message::Response(response)) if response.id == json!(number) || response.id.is_null() => {
                Ok(response.answer)
            }
            _ if NOT_TAKEN.contains(&status) => {
                Err(UpstreamError::NotSent(format!("the server answers {status}")))
            }
            _ => {
                Err(UpstreamError::Lost(format!("the server answers {status}, and nothing that can be read")))
            }
        }
    }

    /// Listens to what belongs to no request, as long as this conversation lasts.
    fn open_stream(self: &Arc<Self>) {
        let upstream = Arc::downgrade(self);
        let listening = tokio::spawn(async move {
            while listen(&upstream).await.is_some() {
                tokio::time::sleep(REOPEN).await;
            }
        });
        if let Some(earlier) = self.state().stream.replace(listening.abort_handle()) {
            earlier.abort();
        }
    }
}

impl Drop for HttpUpstream {
    fn drop(&mut self) {
        if let Some(stream) = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).stream.take() {
            stream.abort();
        }
    }
}

/// Listens to one stream to its end; nothing if there is none to be had.
async fn listen(upstream: &Weak<HttpUpstream>) -> Option<()> {
    let (sending, unassociated) = {
        let upstream = upstream.upgrade()?;
        let mut request = upstream.head(Method::GET);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        (upstream.address.client.request(request), upstream.unassociated.clone())
    };
    let Ok(response) = sending.await else { return Some(()) };
    if !response.status().is_success() || !is_event_stream(&response) {
        return None;
    }
    let mut body = response.into_body();
    let mut reader = EventReader::default();
    while let Some(Ok(frame)) = body.frame().await {
        let Some(bytes) = frame.data_ref() else { continue };
        for event in reader.read(bytes).ok()? {
            if let Ok(message) = Message::of_server(&event) {
                unassociated.pass(message);
            }
        }
    }
    Some(())
}

/// Says that a request is cancelled, if it has not been answered.
struct CancelOnDrop {
    upstream: Weak<HttpUpstream>,
    number: u64,
    is_armed: bool,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let Some(upstream) = self.upstream.upgrade().filter(|_| self.is_armed) else { return };
        // Without a session the closed connection says it.
        if upstream.state().session.is_none() {
            return;
        }
        let params =
            Some(json!({ "requestId": self.number, "reason": "the caller does not want it any more" }));
        let message =
            Message::Notification(Notification { method: "notifications/cancelled".to_owned(), params });
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { drop(upstream.send(message).await) });
        }
    }
}

fn is_event_stream(response: &http::Response<Incoming>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// Gives a message of a subscription the name that its agent knows.
fn restore(message: &mut Message, number: u64, id: &Value) {
    let Message::Notification(Notification { params: Some(params), .. }) = message else { return };
    let place = params.get_mut("_meta").and_then(|meta| meta.get_mut(SUBSCRIPTION_ID));
    place.into_iter().filter(|name| **name == json!(number)).for_each(|name| *name = id.clone());
}

/// What a method is about, as the header `Mcp-Name` has it (SEP-2243).
pub fn named(method: &str, params: Option<&Value>) -> Option<String> {
    let key = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return None,
    };
    Some(params?.get(key)?.as_str()?.to_owned())
}

/// A value as a header has it (SEP-2243): in base64 if it is not plain text.
fn encoded(value: &str) -> String {
    let is_plain = value.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        && value.trim() == value
        && !(value.starts_with("=?base64?") && value.ends_with("?="));
    if is_plain { value.to_owned() } else { format!("=?base64?{}?=", BASE64_STANDARD.encode(value)) }
}

/// What such a header says.
pub fn decoded(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(value.to_owned());
    };
    String::from_utf8(BASE64_STANDARD.decode(inner).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_plain_text_are_encoded() {
        for (value, header) in
            [("read_file", "read_file"), ("größe", "=?base64?Z3LDtsOfZQ==?="), (" a", "=?base64?IGE=?=")]
        {
            assert_eq!(encoded(value), header);
            assert_eq!(decoded(header).as_deref(), Some(value));
        }
        assert_eq!(decoded(&encoded("=?base64?x?=")).as_deref(), Some("=?base64?x?="));
        assert_eq!(decoded("=?base64?*?="), None);
    }
}
