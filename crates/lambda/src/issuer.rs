//! The HTTP client with which a function fetches its issuer's keys: one connection for one document. A connection that
//! is kept would be dead after the sandbox was frozen.

use countersign_app::host::BoxFuture;
use countersign_endpoint::Endpoint;
use countersign_issuer::source::{Fetch, MAX_ANSWER_BYTES};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long one document may take. A call waits for two, and no fetch outlives its wait of four seconds: a sandbox that
/// is frozen in the middle of one would come back to an old answer.
const TIMEOUT: Duration = Duration::from_millis(1900);

/// Trusts the public roots that are built in, and those that the operator adds.
#[derive(Clone)]
pub struct Client {
    tls: Arc<ClientConfig>,
}

impl Client {
    /// One that trusts the certificates of a bundle in PEM, too.
    ///
    /// # Errors
    /// When a certificate of the bundle cannot be used.
    pub fn new(additional_roots: Option<&[u8]>) -> Result<Self, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(additional_roots.unwrap_or_default()) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(tls) })
    }

    async fn get(&self, url: &Endpoint) -> Result<String, Box<dyn Error + Send + Sync>> {
        let url: Uri = url.as_str().parse()?;
        let is_tls = url.scheme_str() == Some("https");
        let host = url.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((bare, port)).await?;
        if is_tls {
            let name = ServerName::try_from(bare.to_owned())?;
            let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?;
            exchange(stream, &url).await
        } else {
            exchange(stream, &url).await
        }
    }
}

/// Asks for a document, and reads no more of it than there may be.
async fn exchange<S>(stream: S, url: &Uri) -> Result<String, Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the answer has been read, and is dropped with the sender.
    tokio::spawn(async move { drop(connection.await) });
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, url.authority().map_or("", |authority| authority.as_str()))
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("it answered {}", answer.status()).into());
    }
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await?.to_bytes();
    Ok(String::from_utf8(body.into())?)
}

impl Fetch for Client {
    fn fetch<'a>(&'a self, url: &'a Endpoint) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            match tokio::time::timeout(TIMEOUT, self.get(url)).await {
                Ok(read) => read.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer in {} ms", TIMEOUT.as_millis())),
            }
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}
