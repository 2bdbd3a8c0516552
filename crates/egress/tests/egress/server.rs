//! Servers on loopback that count their connections, a certificate authority, and resolvers with answers made up.

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use bytes::Bytes;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::Failure;
use countersign_egress::{Address, Answer, Client, EgressRules};
use h2::server::SendResponse;
use http::HeaderMap;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

/// Ample for a call on loopback; only a call that hangs takes so long.
pub(crate) const AMPLE: Duration = Duration::from_secs(20);
/// A wait after which a connection that was opened is counted.
const SETTLED: Duration = Duration::from_millis(50);

/// A certificate authority and what its servers show.
pub(crate) struct Authority {
    pub(crate) pem: String,
    config: ServerConfig,
}

impl Authority {
    /// One with a server that is known by these names.
    pub(crate) fn new(names: &[&str]) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::new(Vec::<String>::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_certificate = root.self_signed(&root_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let issuer = Issuer::new(root, root_key);
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self { pem: root_certificate.pem(), config }
    }
}

/// A listener that counts the connections it accepts.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// What the server has taken in of requests, whole.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Accepts, counts, and gives each connection to `serve`.
    pub(crate) async fn plain<F, R>(address: &str, serve: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream));
            }
        });
        Self { address, connections, requests: Arc::default() }
    }

    /// Takes each connection and closes it.
    pub(crate) async fn counting(address: &str) -> Self {
        Self::plain(address, |stream| async move { drop(stream) }).await
    }

    /// Speaks TLS, reads one request, and gives the rest to `serve`.
    pub(crate) async fn tls<F, R>(address: &str, authority: &Authority, serve: F) -> Self
    where
        F: Fn(TlsStream<TcpStream>) -> R + Clone + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(Arc::new(authority.config.clone()));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&requests);
        let server = Self::plain(address, move |stream| {
            let (acceptor, kept, serve) = (acceptor.clone(), Arc::clone(&kept), serve.clone());
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let request = read_request(&mut stream).await;
                kept.lock().unwrap().push(request);
                serve(stream).await;
            }
        })
        .await;
        Self { requests, ..server }
    }

    /// Speaks HTTP/2 over TLS, and gives each request to `serve`. What `closed` is sent is that a connection has ended.
    pub(crate) async fn http2<F, R>(
        address: &str,
        authority: &Authority,
        closed: UnboundedSender<()>,
        serve: F,
    ) -> Self
    where
        F: Fn(SendResponse<Bytes>) -> R + Clone + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let mut config = authority.config.clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::plain(address, move |stream| {
            let (acceptor, closed, serve) = (acceptor.clone(), closed.clone(), serve.clone());
            async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, respond))) = connection.accept().await {
                    tokio::spawn(serve(respond));
                }
                closed.send(()).unwrap();
            }
        })
        .await
    }

    /// Speaks TLS, and answers each request with this text.
    pub(crate) async fn answering(address: &str, authority: &Authority, answer: &'static str) -> Self {
        Self::tls(address, authority, move |mut stream| async move {
            stream.write_all(answer.as_bytes()).await.ok();
            stream.shutdown().await.ok();
        })
        .await
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were so far.
    pub(crate) async fn connections(&self) -> usize {
        tokio::time::sleep(SETTLED).await;
        self.connections.load(Ordering::SeqCst)
    }
}

/// The head of a request and as much of a body as `content-length` says.
async fn read_request(stream: &mut TlsStream<TcpStream>) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        match stream.read_buf(&mut read).await {
            Ok(0) | Err(_) => return text,
            Ok(_) => {}
        }
    }
}

/// Rules that open loopback, on one port besides 443.
pub(crate) fn opened(port: u16) -> EgressRules {
    EgressRules::parse([port.to_string()], ["127.0.0.0/8", "::1"]).unwrap()
}

/// Rules that open nothing, on one port besides 443.
pub(crate) fn closed(port: u16) -> EgressRules {
    EgressRules::new([port], []).unwrap()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-01-31T09:30:00Z").unwrap()
}

/// Sends a short message.
pub(crate) async fn post(
    client: &Client,
    address: &Address,
    time_limit: Duration,
) -> Result<Answer, Failure> {
    client.post(address, &HeaderMap::new(), Bytes::from_static(b"{}"), time_limit, now()).await
}

/// Answers names from a list of answers, one after another; the last stays. Counts how often it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    answers: Arc<Mutex<Vec<Vec<IpAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Answers {
    pub(crate) fn new(answers: &[&[&str]]) -> Self {
        let parsed = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Self { answers: Arc::new(Mutex::new(answers.iter().map(parsed).collect())), asked: Arc::default() }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl ResolveDns for Answers {
    fn resolve_dns<'a>(&'a self, _: &'a str) -> DnsFuture<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        DnsFuture::ready(Ok(answer))
    }
}

/// Knows no name.
#[derive(Debug)]
pub(crate) struct NoNames;

impl ResolveDns for NoNames {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(Err(ResolveDnsError::new(format!("{name} is not known"))))
    }
}
