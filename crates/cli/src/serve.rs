//! `countersign serve`: the API, the embedded store and both sweeps in one process.

use crate::application::Application;
use crate::arguments::ServeArguments;
use crate::authentication::Authenticator;
use crate::data_directory::DataDirectory;
use crate::outbox_log::OutboxLog;
use crate::source_address::TrustedProxies;
use crate::sweeps::Sweep;
use crate::{http, issuer, logging};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use countersign_app::host::Host as _;
use countersign_embedded::Embedded;
use countersign_host::policy;
use countersign_host::system::SystemHost;
use countersign_host::text_file;
use countersign_identity::token::Verifier;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long calls under way may still take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long a connection may be silent before its next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A message for the person at the terminal: nothing is served then.
pub fn run(arguments: ServeArguments) -> Result<(), String> {
    let _log = logging::start(&arguments.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    let result = runtime.block_on(serve(arguments));
    // A thread that waits for a reader of stderr must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(arguments: ServeArguments) -> Result<(), String> {
    // Everything that can be wrong with the configuration is found before anything is opened.
    let tls = tls(&arguments)?;
    check_reach(&arguments)?;
    let policy = policy::load(arguments.policy_dir.as_deref(), SystemHost::default().now())?;
    let issuer = issuer::configured(&arguments.issuer)?;

    let directory = DataDirectory::open(&arguments.data.data_dir).map_err(|error| error.to_string())?;
    let _lock = directory.lock().map_err(|error| error.to_string())?;
    let authenticator = match issuer {
        Some((verifier, source)) => Authenticator::of_issuer(verifier, source),
        None => {
            let key = directory.token_key().map_err(|error| error.to_string())?;
            Authenticator::fixed(Verifier::local(key))
        }
    };
    let deployment_key = directory.deployment_key().map_err(|error| error.to_string())?;
    let database = directory.database().map_err(|error| error.to_string())?;
    let embedded = Embedded::open(&database).map_err(|error| error.to_string())?;
    let client = countersign_embedded::client(embedded);
    let host = Box::new(SystemHost::default());
    let proxies = TrustedProxies::new(arguments.trusted_proxies.clone());
    let application = Application::new(client, policy, deployment_key, authenticator, proxies, host).await?;

    let (listener, address) = bind(arguments.listen)?;
    let mut stop = StopSignals::listen()?;
    let mut expiry = Sweep::expire(application.clone());
    let mut delivery = Sweep::deliver(application.clone(), OutboxLog);
    let handle = Handle::new();
    let mut server = tokio::spawn(listen(listener, tls.clone(), application, handle.clone()));

    let scheme = if tls.is_some() { "https" } else { "http" };
    announce(&format!("listening on {scheme}://{address}"))?;
    // A part that ends by itself takes the whole down, for somebody to notice and start again.
    tokio::select! {
        () = stop.received() => {}
        ended = &mut server => return Err(format!("the server ended: {ended:?}")),
        ended = expiry.ended() => return Err(ended),
        ended = delivery.ended() => return Err(ended),
    }
    tracing::info!("stopping");
    handle.graceful_shutdown(Some(GRACE));
    let served = server.await.map_err(|error| format!("the server failed: {error}"))?;
    expiry.stop().await;
    delivery.stop().await;
    tracing::info!("stopped");
    served
}

async fn listen(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    application: Application,
    handle: Handle<SocketAddr>,
) -> Result<(), String> {
    let service = http::router(application).into_make_service_with_connect_info::<SocketAddr>();
    let failed = |error| format!("the server failed: {error}");
    match tls {
        Some(tls) => {
            let mut server = axum_server::from_tcp_rustls(listener, tls).map_err(failed)?.handle(handle);
            limit_time(server.http_builder());
            server.serve(service).await.map_err(failed)
        }
        None => {
            let mut server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle);
            limit_time(server.http_builder());
            server.serve(service).await.map_err(failed)
        }
    }
}

/// Whoever connects and then says nothing does not keep the connection.
fn limit_time(builder: &mut hyper_util::server::conn::auto::Builder<TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(IDLE_TIMEOUT)
        .keep_alive_timeout(IDLE_TIMEOUT);
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|error| format!("--listen {address}: {error}"))
}

/// The one line on stdout: whoever started us reads the port from it.
fn announce(line: &str) -> Result<(), String> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(|error| format!("stdout: {error}"))
}

/// Tokens must not travel in the clear: an address that others can reach needs TLS, here or in
/// front of us.
fn check_reach(arguments: &ServeArguments) -> Result<(), String> {
    let address = arguments.listen;
    if address.ip().is_loopback() || arguments.tls_cert.is_some() || arguments.behind_tls_proxy {
        return Ok(());
    }
    Err(format!(
        "--listen {address} can be reached by others, and tokens would travel in the clear: \
         give --tls-cert and --tls-key, or --behind-tls-proxy if a proxy does TLS"
    ))
}

fn tls(arguments: &ServeArguments) -> Result<Option<RustlsConfig>, String> {
    let (Some(chain_path), Some(key_path)) = (&arguments.tls_cert, &arguments.tls_key) else {
        return Ok(None);
    };
    let at = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let read = |path: &Path| text_file::read(path).map_err(|error| at(path, &error));
    let chain = CertificateDer::pem_slice_iter(&read(chain_path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| at(chain_path, &error))?;
    if chain.is_empty() {
        return Err(at(chain_path, &"holds no certificate in PEM"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(key_path)?)
        .map_err(|error| at(key_path, &format!("holds no private key in PEM: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut configuration = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| at(chain_path, &error))?;
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(RustlsConfig::from_config(Arc::new(configuration))))
}

struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> Result<Self, String> {
        let on = |kind| signal(kind).map_err(|error| format!("signals cannot be received: {error}"));
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
