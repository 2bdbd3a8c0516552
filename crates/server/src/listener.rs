//! Accepting connections and speaking HTTP on them, with or without TLS.
//!
//! Says to HTTP/1 and HTTP/2 how much of a peer may be held in memory; how many peers there are and
//! for how long is said by [`Connections`].

use crate::application::Application;
use crate::callers::Turn;
use crate::connections::{CallUnderWay, Connection, Connections, Place, Refused, Watched};
use crate::tls::Certificates;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::error::Error as _;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long calls under way may still take once the server has received a signal to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system had no file for it.
const REST: Duration = Duration::from_millis(50);
/// The longest head of a request.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How many requests one connection of HTTP/2 may have under way.
const MAX_STREAMS: u32 = 32;
/// How much of a body a stream of HTTP/2 may send before it is read. Small: a body that waits for its turn is
/// not read.
const STREAM_WINDOW_BYTES: u32 = 8 * 1024;
/// The same of a connection: enough for every stream, so that bodies which wait leave room for those that are
/// read, and for what may come before our settings have arrived (RFC 9113 section 6.9.2).
const CONNECTION_WINDOW_BYTES: u32 = MAX_STREAMS * STREAM_WINDOW_BYTES + 65_535;
/// How much of an answer is handed over at once.
const PIECE_BYTES: usize = 4 * 1024;
/// How much of an answer waits in a stream of HTTP/2.
const MAX_SEND_BYTES: usize = 64 * 1024;

/// Where the connections come from, and what is done on them.
#[derive(Debug)]
pub struct Server {
    /// Where they come from.
    pub listener: TcpListener,
    /// What they are shown, if they have to speak TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// What they ask.
    pub application: Application,
    /// What answers them.
    pub router: Router,
    /// All of them.
    pub connections: Arc<Connections>,
}

impl Server {
    /// Serves until `stop` is ready; then calls under way are answered, for as long as that is waited for.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let mut tasks = JoinSet::new();
        tokio::select! {
            () = stop => {}
            () = self.connections.watch() => {}
            () = self.accept(&graceful, &mut tasks) => {}
        }
        drop(self.listener);
        self.application.waiters.end();
        self.connections.end_silent();
        // What does not end in time is ended when the tasks are dropped.
        tokio::select! {
            () = graceful.shutdown() => {}
            () = self.connections.watch() => {}
            () = tokio::time::sleep(GRACE) => {}
        }
    }

    async fn accept(&self, graceful: &GracefulShutdown, tasks: &mut JoinSet<()>) {
        let mut number = 0;
        loop {
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(_) => {
                    self.connections.count(Refused::NotAccepted);
                    self.connections.make_room(Refused::NoRoom);
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            while tasks.try_join_next().is_some() {}
            // Answers are small and whole: nothing is gained by waiting for more of them.
            let _ = stream.set_nodelay(true);
            let address = peer.ip().to_canonical();
            let is_shared = address.is_loopback() || self.application.trusted_proxies.contains(address);
            number += 1;
            let place = self.connections.admit(number, address, is_shared).await;
            let connection = Arc::clone(&place.connection);
            let serving = Serving {
                place,
                peer,
                certificates: self.certificates.clone(),
                router: self.router.clone(),
                connections: Arc::clone(&self.connections),
                watcher: graceful.watcher(),
            };
            connection.runs_in(tasks.spawn(serving.run(stream)));
        }
    }
}

/// Whether an error of accept(2) is that of a connection which was gone before it was accepted.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}

struct Serving {
    place: Place,
    peer: SocketAddr,
    certificates: Option<Arc<Certificates>>,
    router: Router,
    connections: Arc<Connections>,
    watcher: Watcher,
}

impl Serving {
    async fn run(self, stream: TcpStream) {
        let stream = Watched::new(stream, Arc::clone(&self.place.connection));
        let Some(certificates) = &self.certificates else {
            return self.speak_http(stream).await;
        };
        match TlsAcceptor::from(certificates.current()).accept(stream).await {
            Ok(stream) => self.speak_http(stream).await,
            Err(_) => self.connections.count(Refused::Handshake),
        }
    }

    async fn speak_http(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let router = TowerToHyperService::new(self.router);
        let connection = Arc::clone(&self.place.connection);
        let peer = self.peer;
        let service = service_fn(move |request: Request<Incoming>| {
            let call = connection.call();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert::<Arc<Connection>>(Arc::clone(&connection));
            let answer = router.call(request);
            async move {
                let mut response: Response = answer.await?;
                call.answered();
                let turn = response.extensions_mut().remove::<Arc<Turn>>();
                let answer = |body| Answer { body, rest: Bytes::new(), call, _turn: turn };
                Ok::<_, Infallible>(response.map(answer))
            }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().max_buf_size(MAX_HEAD_BYTES);
        builder
            .http2()
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(MAX_SEND_BYTES)
            .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX));
        let served = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = self.watcher.watch(served).await
            && !(self.place.connection.has_called() && is_left(error.as_ref()))
        {
            self.connections.count(Refused::Protocol);
        }
    }
}

/// Whether the other side has ended the connection: callers leave while they wait for an answer, which is no fault of theirs.
fn is_left(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<hyper::Error>() else { return false };
    let is_broken = |error: &io::Error| {
        // Without the end that TLS has for it, or by a reset.
        let kinds = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        kinds.contains(&error.kind())
    };
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || source.is_some_and(is_broken)
}

/// The body of an answer: as long as it is there, its reader is waited for. It is handed over in small pieces:
/// HTTP/2 takes a whole one as soon as its reader would take a byte.
#[derive(Debug)]
struct Answer {
    body: Body,
    /// What is left of the piece that the body gave.
    rest: Bytes,
    call: CallUnderWay,
    _turn: Option<Arc<Turn>>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        // Its reader has taken the last piece, and has as long for this one.
        self.call.answered();
        let length = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let of_body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
