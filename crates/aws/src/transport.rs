//! The HTTPS client under the SDK: HTTP/1.1 by hyper, TLS by ring, and connections that are kept for the next call.
//!
//! The SDK's own client also links HTTP/2, which no service of AWS is called by, and a pool for many callers at once; a
//! function answers one. Answers are read whole before they are handed on: all of them are documents, or files of the
//! audit log, that are read whole anyway.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a connection is kept without a call.
const MAX_IDLE: Duration = Duration::from_secs(90);
/// How many connections are kept.
const MAX_KEPT: usize = 32;

/// Any other cause than a time limit.
type Cause = Box<dyn Error + Send + Sync>;

/// The client: one for all services that a program calls.
#[derive(Debug)]
pub(crate) struct Client {
    connections: Arc<Connections>,
}

impl Client {
    /// One that trusts what `tls` trusts.
    pub(crate) fn new(tls: ClientConfig) -> Self {
        let tls = TlsConnector::from(Arc::new(tls));
        Self { connections: Arc::new(Connections { tls, kept: Mutex::default() }) }
    }
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            connections: Arc::clone(&self.connections),
            connect_timeout: settings.connect_timeout(),
            read_timeout: settings.read_timeout(),
        })
    }
}

/// The client with the time limits of a service.
#[derive(Debug)]
struct Connector {
    connections: Arc<Connections>,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connections = Arc::clone(&self.connections);
        let (connect_timeout, read_timeout) = (self.connect_timeout, self.read_timeout);
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let answer = connections.send(request, connect_timeout, read_timeout).await?;
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::user(error.into()))
        })
    }
}

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Destination {
    is_tls: bool,
    authority: Authority,
}

impl Destination {
    fn of(uri: &Uri) -> Result<Self, ConnectorError> {
        let authority = uri.authority().ok_or_else(|| user("the address has no host"))?.clone();
        Ok(Self { is_tls: uri.scheme() == Some(&Scheme::HTTPS), authority })
    }

    /// The host as a resolver and a certificate have it.
    fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.is_tls { 443 } else { 80 })
    }
}

/// A connection that waits for its next request.
struct Kept {
    destination: Destination,
    sender: SendRequest<SdkBody>,
    since: Instant,
}

/// The connections of a client.
struct Connections {
    tls: TlsConnector,
    kept: Mutex<Vec<Kept>>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

impl Connections {
    async fn send(
        &self,
        mut request: Request<SdkBody>,
        connect_timeout: Option<Duration>,
        read_timeout: Option<Duration>,
    ) -> Result<Response<SdkBody>, ConnectorError> {
        let destination = Destination::of(request.uri())?;
        if !request.headers().contains_key(header::HOST) {
            let host = HeaderValue::from_str(destination.authority.as_str());
            request.headers_mut().insert(header::HOST, host.map_err(user)?);
        }
        let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(path);
        loop {
            let kept = self.take(&destination).await;
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => within(connect_timeout, self.connect(&destination)).await?,
            };
            let answer = within(read_timeout, async {
                match sender.try_send_request(request).await {
                    Ok(answer) => {
                        let (parts, body) = answer.into_parts();
                        let body = body.collect().await?.to_bytes();
                        Ok(Ok(Response::from_parts(parts, SdkBody::from(body))))
                    }
                    // The other side closed a kept connection before anything of this request was sent on it.
                    Err(mut error) if is_kept => match error.take_message() {
                        Some(unsent) => Ok(Err(unsent)),
                        None => Err(error.into_error().into()),
                    },
                    Err(error) => Err(error.into_error().into()),
                }
            });
            match answer.await? {
                Ok(answer) => {
                    // After an error of the service another connection may lead to another host of it.
                    if !answer.status().is_server_error() {
                        self.keep(destination, sender);
                    }
                    return Ok(answer);
                }
                Err(unsent) => request = unsent,
            }
        }
    }

    /// A kept connection that is open, as far as this side knows.
    async fn take(&self, destination: &Destination) -> Option<SendRequest<SdkBody>> {
        loop {
            let mut sender = {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() < MAX_IDLE);
                let index = kept.iter().rposition(|kept| kept.destination == *destination)?;
                kept.remove(index).sender
            };
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn keep(&self, destination: Destination, sender: SendRequest<SdkBody>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.push(Kept { destination, sender, since: Instant::now() });
        }
    }

    async fn connect(&self, destination: &Destination) -> Result<SendRequest<SdkBody>, Cause> {
        let stream = TcpStream::connect((destination.host(), destination.port())).await?;
        // A request goes out in more than one write, and none of them waits for the acknowledgement of another.
        stream.set_nodelay(true)?;
        if destination.is_tls {
            let name = ServerName::try_from(destination.host().to_owned())?;
            handshake(self.tls.connect(name, stream).await?).await
        } else {
            handshake(stream).await
        }
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<SdkBody>, Cause>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the connection, whose errors are those of its requests.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// What a step comes to within a time limit.
async fn within<T>(
    limit: Option<Duration>,
    step: impl Future<Output = Result<T, Cause>>,
) -> Result<T, ConnectorError> {
    let result = match limit {
        None => step.await,
        Some(limit) => match tokio::time::timeout(limit, step).await {
            Ok(result) => result,
            Err(elapsed) => return Err(ConnectorError::timeout(elapsed.into())),
        },
    };
    result.map_err(ConnectorError::io)
}

fn user(cause: impl Into<Cause>) -> ConnectorError {
    ConnectorError::user(cause.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// What the service does with the request of this number, from 1, on a connection.
    type Behaviour = fn(usize) -> Answer;

    enum Answer {
        /// Answers with a status, and leaves the connection open.
        Status(u16),
        /// Answers with 200, and closes the connection without a word of it.
        Last,
        /// Answers nothing.
        Silence,
    }

    /// A service in plain HTTP, and how many connections it took and how many requests it read.
    struct Service {
        address: std::net::SocketAddr,
        connections: Arc<AtomicUsize>,
        requests: Arc<AtomicUsize>,
    }

    impl Service {
        async fn start(behaviour: Behaviour) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
            let service =
                Self { address, connections: Arc::clone(&connections), requests: Arc::clone(&requests) };
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let requests = Arc::clone(&requests);
                    tokio::spawn(async move {
                        for number in 1.. {
                            let mut head = Vec::new();
                            while !head.ends_with(b"\r\n\r\nbody") {
                                let mut byte = [0];
                                if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                                    return;
                                }
                                head.extend(byte);
                            }
                            requests.fetch_add(1, Ordering::SeqCst);
                            let (status, is_last) = match behaviour(number) {
                                Answer::Status(status) => (status, false),
                                Answer::Last => (200, true),
                                Answer::Silence => std::future::pending().await,
                            };
                            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 5\r\n\r\nhello");
                            stream.write_all(answer.as_bytes()).await.unwrap();
                            if is_last {
                                return;
                            }
                        }
                    });
                }
            });
            service
        }

        async fn call(
            &self,
            connections: &Connections,
            limit: Option<Duration>,
        ) -> Result<u16, ConnectorError> {
            let request = Request::post(format!("http://{}/a?b=c", self.address))
                .header("content-length", "4")
                .body(SdkBody::from("body"))
                .unwrap();
            let answer = connections.send(request, limit, limit).await?;
            assert_eq!(answer.body().bytes(), Some(&b"hello"[..]));
            Ok(answer.status().as_u16())
        }

        fn counted(&self) -> (usize, usize) {
            (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
        }
    }

    fn connections() -> Connections {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Connections { tls: TlsConnector::from(Arc::new(tls)), kept: Mutex::default() }
    }

    #[tokio::test]
    async fn a_connection_is_used_again() {
        let service = Service::start(|_| Answer::Status(400)).await;
        let connections = connections();
        for _ in 0..5 {
            assert_eq!(service.call(&connections, None).await.unwrap(), 400);
        }
        assert_eq!(service.counted(), (1, 5));
    }

    #[tokio::test]
    async fn what_the_service_has_closed_is_replaced_and_each_request_is_sent_once() {
        let service = Service::start(|_| Answer::Last).await;
        let connections = connections();
        for _ in 0..20 {
            assert_eq!(service.call(&connections, None).await.unwrap(), 200);
        }
        assert_eq!(service.counted(), (20, 20));
    }

    #[tokio::test]
    async fn no_connection_is_used_again_after_an_error_of_the_service() {
        let service = Service::start(|_| Answer::Status(503)).await;
        let connections = connections();
        for _ in 0..3 {
            assert_eq!(service.call(&connections, None).await.unwrap(), 503);
        }
        assert_eq!(service.counted(), (3, 3));
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_a_time_limit_and_its_connection_is_not_used_again() {
        let service =
            Service::start(|number| if number == 2 { Answer::Silence } else { Answer::Status(200) }).await;
        let connections = connections();
        let limit = Some(Duration::from_millis(200));
        assert_eq!(service.call(&connections, limit).await.unwrap(), 200);
        assert!(service.call(&connections, limit).await.unwrap_err().is_timeout());
        assert_eq!(service.call(&connections, limit).await.unwrap(), 200);
        assert_eq!(service.counted(), (2, 3));
    }

    #[tokio::test]
    async fn no_connection_is_an_error_of_the_network() {
        let service = Service::start(|_| Answer::Status(200)).await;
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let closed = Service { address: closed, ..service };
        assert!(closed.call(&connections(), None).await.unwrap_err().is_io());
    }
}
