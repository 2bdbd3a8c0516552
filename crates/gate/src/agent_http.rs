//! Agents that reach this program over HTTP, on this machine alone: streamable HTTP of MCP, with sessions (2025) or without
//! any (2026-07-28).
//!
//! Who can connect is the agent: nothing of HTTP says which, and a page in a browser is refused.

use crate::conversation::{Conversation, Shared};
use crate::gate::Gate;
use crate::message::{Answer, INVALID_REQUEST, MAX_BYTES, Message, Request, Response};
use crate::meta::{self, PROTOCOL_VERSION};
use crate::notes::note;
use crate::outbox::{Inbox, Outbox, outbox};
use crate::source::Source;
use crate::sse::{KEEP_ALIVE, event};
use crate::upstream_http::{decoded, named};
use crate::waiting::becomes_true;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::IntoResponse as _;
use axum::routing::post;
use countersign_app::host::Ids as _;
use countersign_system::system::SystemHost;
use futures_util::stream;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::time::timeout;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// How long an answer may take that is no stream.
const SOON: Duration = Duration::from_millis(500);
/// How often a stream without messages shows that it is open.
const QUIET: Duration = Duration::from_secs(15);
/// The most sessions at once: each has a server of its own.
const MAX_SESSIONS: usize = 64;
/// How long a session is kept that nothing comes in.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// JSON-RPC, MCP 2026-07-28: the headers say something else than the body.
const HEADER_MISMATCH: i64 = -32_020;

type Reply = axum::response::Response;

/// Where agents connect to.
#[derive(Debug)]
pub struct AgentServer {
    gate: Arc<Gate>,
    shared: Arc<Shared>,
    source: Source,
    address: SocketAddr,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    sessionless: tokio::sync::Mutex<Option<Arc<Conversation>>>,
}

/// An agent that has introduced itself.
#[derive(Debug)]
struct Session {
    conversation: Arc<Conversation>,
    /// What belongs to no request, until the agent listens.
    unassociated: Mutex<Option<Inbox>>,
    used: Mutex<Instant>,
}

impl AgentServer {
    /// One at the address of a listener.
    pub fn new(gate: Arc<Gate>, shared: Arc<Shared>, source: Source, address: SocketAddr) -> Arc<Self> {
        let (sessions, sessionless) = (Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { gate, shared, source, address, sessions, sessionless })
    }

    /// Serves until this program is to end.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> std::io::Result<()> {
        let stop = becomes_true(self.gate.stop.subscribe());
        let routes = post(posted).get(listened).delete(deleted);
        let router = Router::new().route("/mcp", routes).layer(DefaultBodyLimit::max(MAX_BYTES));
        let router = router.with_state(Arc::clone(&self));
        tokio::select! {
            served = axum::serve(listener, router) => served,
            () = stop => Ok(()),
        }
    }

    /// All conversations that there are; none begins any more.
    pub async fn conversations(&self) -> Vec<Arc<Conversation>> {
        let sessions: Vec<_> =
            self.sessions().drain().map(|(_, session)| Arc::clone(&session.conversation)).collect();
        sessions.into_iter().chain(self.sessionless.lock().await.take()).collect()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session.
    fn begin(&self) -> Result<(String, Arc<Session>), Box<Reply>> {
        self.forget_idle();
        if self.sessions().len() >= MAX_SESSIONS {
            return Err(Box::new(refusal(StatusCode::SERVICE_UNAVAILABLE, "there are too many sessions")));
        }
        let (agent, unassociated) = outbox();
        let (gate, shared) = (Arc::clone(&self.gate), Arc::clone(&self.shared));
        let conversation = Conversation::open(gate, shared, &self.source, agent, false).map_err(|error| {
            note(&format!("the server cannot be started: {error}"));
            Box::new(refusal(StatusCode::BAD_GATEWAY, "the server cannot be started"))
        })?;
        let (unassociated, used) = (Mutex::new(Some(unassociated)), Mutex::new(Instant::now()));
        let session = Arc::new(Session { conversation, unassociated, used });
        let id = SystemHost::default().request_id().to_string();
        self.sessions().insert(id.clone(), Arc::clone(&session));
        Ok((id, session))
    }

    fn session(&self, headers: &HeaderMap) -> Option<Result<Arc<Session>, Reply>> {
        let id = headers.get(SESSION_ID)?;
        // A client begins anew where its session is not there any more.
        self.forget_idle();
        let found = id.to_str().ok().and_then(|id| self.sessions().get(id).cloned());
        let found =
            found.ok_or_else(|| refusal(StatusCode::NOT_FOUND, "there is no such session (any more)"));
        Some(found.inspect(|session| {
            *session.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }))
    }

    /// The conversation of agents that have no session.
    async fn sessionless(&self) -> Result<Arc<Conversation>, Reply> {
        let mut sessionless = self.sessionless.lock().await;
        let has_ended = |conversation: &Arc<Conversation>| {
            conversation.upstream().ended().is_some_and(|ended| *ended.borrow())
        };
        if let Some(conversation) = sessionless.as_ref().filter(|conversation| !has_ended(conversation)) {
            return Ok(Arc::clone(conversation));
        }
        let (gate, shared) = (Arc::clone(&self.gate), Arc::clone(&self.shared));
        let opened = Conversation::open(gate, shared, &self.source, Outbox::closed_one(), true);
        let opened = opened.map_err(|error| {
            note(&format!("the server cannot be started: {error}"));
            refusal(StatusCode::BAD_GATEWAY, "the server cannot be started")
        })?;
        *sessionless = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn forget_idle(&self) {
        let is_idle = |session: &Session| {
            let used = *session.used.lock().unwrap_or_else(PoisonError::into_inner);
            let has_ended = session.conversation.upstream().ended().is_some_and(|ended| *ended.borrow());
            has_ended || (used.elapsed() > IDLE && session.conversation.is_idle())
        };
        let idle: Vec<_> = {
            let mut sessions = self.sessions();
            let names: Vec<_> = sessions
                .iter()
                .filter(|(_, session)| is_idle(session))
                .map(|(name, _)| name.clone())
                .collect();
            names.iter().filter_map(|name| sessions.remove(name)).collect()
        };
        for session in idle {
            end(session);
        }
    }

    /// Whether a request names this machine and comes from no page of another origin: names that lead here by DNS, and pages
    /// that a person happens to look at, are not the agent.
    fn is_local(&self, headers: &HeaderMap) -> bool {
        let port = self.address.port();
        let is_own = |authority: &str| {
            ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| authority == format!("{host}:{port}"))
        };
        let mut hosts = headers.get_all(HOST).iter();
        let host = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
        let is_host = matches!(host, (Some(host), None) if is_own(host));
        let mut origins = headers.get_all(ORIGIN).iter();
        let is_origin = match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(origin), None) => {
                origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://")).is_some_and(is_own)
            }
            _ => false,
        };
        is_host && is_origin
    }
}

/// Ends the conversation of a session, in the background.
fn end(session: Arc<Session>) {
    session.conversation.leave();
    tokio::spawn(async move { session.conversation.upstream().close().await });
}

async fn posted(State(server): State<Arc<AgentServer>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Reply {
    if !server.is_local(&headers) || uri.query().is_some() {
        return refusal(StatusCode::FORBIDDEN, "this server is for agents on its machine");
    }
    let message = match Message::of_agent(&body) {
        Ok(message) => message,
        Err(error) => return json(StatusCode::BAD_REQUEST, &error.response()),
    };
    if let Some(mismatch) = mismatch(&headers, &message) {
        return json(StatusCode::BAD_REQUEST, &mismatch);
    }
    let (conversation, new) = match conversation(&server, &headers, &message).await {
        Ok(conversation) => conversation,
        Err(refusal) => return refusal,
    };
    let Message::Request(_) = message else {
        conversation.receive(message, &Outbox::closed_one()).await;
        return StatusCode::ACCEPTED.into_response();
    };
    let (reply, messages) = outbox();
    conversation.receive(message, &reply).await;
    drop(reply);
    let mut response = answered(messages).await;
    if let Some(id) = new.and_then(|id| HeaderValue::from_str(&id).ok()) {
        response.headers_mut().insert(SESSION_ID, id);
    }
    response
}

/// The conversation that a message belongs to, and the name of its session if that has just begun.
async fn conversation(
    server: &AgentServer,
    headers: &HeaderMap,
    message: &Message,
) -> Result<(Arc<Conversation>, Option<String>), Reply> {
    if let Some(session) = server.session(headers) {
        return Ok((Arc::clone(&session?.conversation), None));
    }
    let params = match message {
        Message::Request(Request { method, .. }) if method == "initialize" => {
            let (id, session) = server.begin().map_err(|refusal| *refusal)?;
            return Ok((Arc::clone(&session.conversation), Some(id)));
        }
        Message::Request(Request { params, .. }) => params.as_ref(),
        Message::Notification(notification) => notification.params.as_ref(),
        Message::Response(_) => None,
    };
    let version = meta::of(params).and_then(|meta| meta.get(PROTOCOL_VERSION));
    if version.is_some()
        || matches!(message, Message::Request(request) if request.method == "server/discover")
    {
        return Ok((server.sessionless().await?, None));
    }
    Err(refusal(StatusCode::BAD_REQUEST, "begin with initialize, or name the protocol in _meta"))
}

/// What headers say that the body does not (SEP-2243).
fn mismatch(headers: &HeaderMap, message: &Message) -> Option<Message> {
    let Message::Request(Request { id, method, params }) = message else { return None };
    let said = |name: &str| headers.get(name).map(|value| value.to_str().ok().and_then(decoded));
    let version =
        meta::of(params.as_ref()).and_then(|meta| meta.get(PROTOCOL_VERSION)).and_then(Value::as_str);
    let expected = [
        ("mcp-method", Some(method.clone())),
        ("mcp-name", named(method, params.as_ref())),
        ("mcp-protocol-version", version.map(str::to_owned)),
    ];
    let is_other = |(name, expected): &(&str, Option<String>)| match said(name) {
        Some(said) => expected.is_some() && said != *expected,
        None => false,
    };
    let (name, _) = expected.iter().find(|pair| is_other(pair))?;
    let answer =
        Answer::error(HEADER_MISMATCH, &format!("the header {name} says something else than the body"));
    Some(Message::Response(Response { id: id.clone(), answer }))
}

async fn listened(State(server): State<Arc<AgentServer>>, headers: HeaderMap) -> Reply {
    if !server.is_local(&headers) {
        return refusal(StatusCode::FORBIDDEN, "this server is for agents on its machine");
    }
    let session = match server.session(&headers) {
        Some(Ok(session)) => session,
        Some(Err(refusal)) => return refusal,
        None => return refusal(StatusCode::METHOD_NOT_ALLOWED, "only a session has a stream"),
    };
    let taken = session.unassociated.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(messages) = taken else {
        return refusal(StatusCode::CONFLICT, "the session has a stream already");
    };
    let listening = Listening { messages: Some(messages), session };
    streamed(Vec::new(), listening)
}

async fn deleted(State(server): State<Arc<AgentServer>>, headers: HeaderMap) -> Reply {
    if !server.is_local(&headers) {
        return refusal(StatusCode::FORBIDDEN, "this server is for agents on its machine");
    }
    let id = headers.get(SESSION_ID).and_then(|id| id.to_str().ok());
    let removed = id.and_then(|id| server.sessions().remove(id));
    match removed {
        Some(session) => {
            end(session);
            StatusCode::NO_CONTENT.into_response()
        }
        None => refusal(StatusCode::NOT_FOUND, "there is no such session (any more)"),
    }
}

/// Where the messages of a stream come from.
trait Messages: Send + 'static {
    fn receiver(&mut self) -> Option<&mut Inbox>;
}

impl Messages for Inbox {
    fn receiver(&mut self) -> Option<&mut Inbox> {
        Some(self)
    }
}

/// A stream of what belongs to no request; what the agent has not heard when it closes the stream, the next one has.
struct Listening {
    messages: Option<Inbox>,
    session: Arc<Session>,
}

impl Messages for Listening {
    fn receiver(&mut self) -> Option<&mut Inbox> {
        self.messages.as_mut()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        *self.session.unassociated.lock().unwrap_or_else(PoisonError::into_inner) = self.messages.take();
    }
}

/// The answer to a request: as JSON if it comes soon and alone, else as a stream that ends with it.
async fn answered(mut messages: Inbox) -> Reply {
    match timeout(SOON, messages.next()).await {
        Ok(Some(answer @ Message::Response(_))) => json(StatusCode::OK, &answer),
        Ok(Some(message)) => streamed(event(&message), messages),
        Ok(None) => refusal(StatusCode::BAD_GATEWAY, "there is no answer"),
        Err(_) => streamed(KEEP_ALIVE.to_vec(), messages),
    }
}

fn streamed(first: Vec<u8>, messages: impl Messages) -> Reply {
    let next = |(first, mut messages, is_over): (Vec<u8>, _, bool)| async move {
        let bytes = |bytes: Vec<u8>| Ok::<_, Infallible>(Bytes::from(bytes));
        if !first.is_empty() {
            return Some((bytes(first), (Vec::new(), messages, is_over)));
        }
        if is_over {
            return None;
        }
        let message = timeout(QUIET, Messages::receiver(&mut messages)?.next()).await;
        match message {
            Ok(Some(message)) => {
                let is_over = matches!(message, Message::Response(_));
                Some((bytes(event(&message)), (Vec::new(), messages, is_over)))
            }
            Ok(None) => None,
            Err(_) => Some((bytes(KEEP_ALIVE.to_vec()), (Vec::new(), messages, false))),
        }
    };
    let body = Body::from_stream(stream::unfold((first, messages, false), next));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (StatusCode::OK, headers, body).into_response()
}

fn json(status: StatusCode, message: &Message) -> Reply {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, message.to_bytes()).into_response()
}

/// A refusal that is about no message in particular.
fn refusal(status: StatusCode, reason: &str) -> Reply {
    let answer = Answer::error(INVALID_REQUEST, reason);
    json(status, &Message::Response(Response { id: json!(null), answer }))
}
