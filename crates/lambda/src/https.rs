//! The HTTP client of a function, for its issuer and for our API: one connection for one request. A connection that is kept
//! would be dead after the sandbox was frozen.

use countersign_app::host::BoxFuture;
use countersign_endpoint::Endpoint;
use countersign_issuer::relying_party::SendForm;
use countersign_issuer::source::{Fetch, MAX_ANSWER_BYTES};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
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
/// How long an issuer may take for a form: a person waits, and the gateway gives up after 30 seconds.
const FORM_TIMEOUT: Duration = Duration::from_secs(8);

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

    /// Sends a request to its absolute URI, and takes no more than `limit` bytes of an answer, and no longer than `timeout`.
    ///
    /// # Errors
    /// Why there is no answer, in words.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        limit: usize,
        timeout: Duration,
    ) -> Result<(StatusCode, Bytes), String> {
        match tokio::time::timeout(timeout, self.sent(request, limit)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer in {} ms", timeout.as_millis())),
        }
    }

    async fn sent(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
        let url = request.uri();
        let is_tls = url.scheme_str() == Some("https");
        let host = url.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((bare.as_str(), port)).await?;
        if is_tls {
            let name = ServerName::try_from(bare)?;
            let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?;
            exchange(stream, request, limit).await
        } else {
            exchange(stream, request, limit).await
        }
    }
}

/// One request and its answer on a connection of their own.
async fn exchange<S>(
    stream: S,
    mut request: Request<Bytes>,
    limit: usize,
) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the answer has been read, and is dropped with the sender.
    tokio::spawn(async move { drop(connection.await) });
    let authority = request.uri().authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(authority)?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    *request.uri_mut() = path;
    let answer = sender.send_request(request.map(Full::new)).await?;
    let status = answer.status();
    Ok((status, Limited::new(answer.into_body(), limit).collect().await?.to_bytes()))
}

fn text(body: Bytes) -> Result<String, String> {
    String::from_utf8(body.into()).map_err(|error| error.to_string())
}

impl Fetch for Client {
    fn fetch<'a>(&'a self, url: &'a Endpoint) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let request = Request::get(url.as_str()).header(header::ACCEPT, "application/json");
            let request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
            match self.send(request, MAX_ANSWER_BYTES, TIMEOUT).await? {
                (StatusCode::OK, body) => text(body),
                (status, _) => Err(format!("it answered {status}")),
            }
        })
    }
}

impl SendForm for Client {
    fn send_form<'a>(
        &'a self,
        url: &'a Endpoint,
        form: String,
        authorization: Option<String>,
    ) -> BoxFuture<'a, Result<(u16, String), String>> {
        Box::pin(async move {
            let mut request = Request::post(url.as_str())
                .header(header::ACCEPT, "application/json")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(authorization) = authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let request = request.body(Bytes::from(form)).map_err(|error| error.to_string())?;
            let (status, body) = self.send(request, MAX_ANSWER_BYTES, FORM_TIMEOUT).await?;
            Ok((status.as_u16(), text(body)?))
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}
