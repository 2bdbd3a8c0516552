//! Starting and stopping the service: the API, the embedded store and both sweeps in one process.

use crate::application::{Application, Channels, DatabaseError};
use crate::connections::{Connections, Limits};
use crate::dashboard::{DashboardOptions, Pages};
use crate::data_directory::{DataDirectory, DataDirectoryError};
use crate::http;
use crate::issuer::{self, IssuerOptions};
use crate::listener::Server;
use crate::log_directory::{LogDirectory, LogDirectoryError};
use crate::logging;
use crate::mcp::{McpOptions, Tools};
use crate::outbox_log::OutboxLog;
use crate::policy_directory::PolicyDirectory;
use crate::source_address::{ProxyNetwork, TrustedProxies};
use crate::sweeps::Sweep;
use crate::tls::{CertificateFiles, Certificates, InvalidCertificates};
use countersign_app::host::Clock as _;
use countersign_app::retention::Retention;
use countersign_channels::cloud::{NeedsCloud, check_without_cloud};
use countersign_channels::secret::LocalSecrets;
use countersign_channels::sender::ConfiguredSender;
use countersign_core::policy::{Policy, Restrictions};
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_egress::Client;
use countersign_egress::configured::{self, NotificationsError};
use countersign_embedded::{Embedded, OpenError};
use countersign_identity::token::Verifier;
use countersign_issuer::authenticator::{Authenticator, KEYS_INTERVAL};
use countersign_issuer::error::IssuerError;
use countersign_mcp::resource::Resource as ProtectedResource;
use countersign_policy::load::{self, LoadError};
use countersign_system::private_file::Unsuitable;
use countersign_system::system::SystemHost;
use countersign_system::{private_file, text_file};
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Files that are kept for everything but connections: the database, the keys, a policy that is read
/// again, the issuer.
const FILES_KEPT: usize = 64;
/// How long a new connection is not yet counted as a stranger's: what an honest caller sends is there by then.
const NEWCOMER_TIME: Duration = Duration::from_secs(1);
/// How many connections read metrics without a token at once.
const METRICS_CONNECTIONS: usize = 8;
/// How often a certificate that is not valid is logged.
const VALIDITY_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// What a service is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address on which metrics are read without a token, if there is one.
    pub metrics_listen: Option<SocketAddr>,
    /// Where the database and the keys are.
    pub data_directory: PathBuf,
    /// Where the policy is, in place of the bundled one.
    pub policy_directory: Option<PathBuf>,
    /// What is taken away from it.
    pub restrictions: Restrictions,
    /// What is shown to those who speak TLS; plain HTTP if there is nothing.
    pub certificates: Option<CertificateFiles>,
    /// Whether a proxy in front does TLS, and nothing else can reach the address.
    pub is_behind_tls_proxy: bool,
    /// The proxies whose word for where a call comes from is taken.
    pub trusted_proxies: Vec<ProxyNetwork>,
    /// Whose tokens are accepted; those of the data directory's key if there is none.
    pub issuer: Option<IssuerOptions>,
    /// What connections may take.
    pub limits: LimitOptions,
    /// Where a second copy of the audit log is kept.
    pub log_copy: Option<PathBuf>,
    /// How long parameters and texts of closed requests are kept; none for as long as the store.
    pub retention: Option<Retention>,
    /// How the dashboard is set up, if there is one.
    pub dashboard: Option<DashboardOptions>,
    /// How the MCP server is set up, if there is one.
    pub mcp: Option<McpOptions>,
    /// Scheme and authority, as callers know them.
    pub public_url: Option<String>,
    /// What is logged.
    pub log: String,
}

/// What connections may take, so that strangers do not take all there is.
#[derive(Debug, Clone, Copy)]
pub struct LimitOptions {
    /// How many there may be at once.
    pub connections: u32,
    /// How many of one address may be without an accepted token.
    pub strangers: u32,
    /// How long a new one may take to send its first request.
    pub request_timeout: Duration,
    /// How long one is kept for its next request.
    pub idle_timeout: Duration,
    /// How long an answer waits to be taken up by its reader.
    pub answer_timeout: Duration,
}

/// Why nothing is served, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The filter of the log cannot be read.
    #[error("--log {0}")]
    Log(String),
    /// The system gives no threads.
    #[error("the runtime does not start: {0}")]
    Runtime(#[source] io::Error),
    /// There is nothing to show to those who speak TLS.
    #[error(transparent)]
    Certificates(#[from] InvalidCertificates),
    /// Tokens must not travel in the clear: an address that others can reach needs TLS, here or in front of it.
    #[error(
        "--listen {0} can be reached by others, and tokens would travel in the clear: give --tls-cert and \
         --tls-key, or --behind-tls-proxy if a proxy does TLS"
    )]
    InTheClear(SocketAddr),
    /// It is not known under which name agents reach the MCP server.
    #[error(
        "--mcp at {0} needs --public-url: the name by which agents reach it; a request that names another host is refused"
    )]
    NoName(SocketAddr),
    /// Without a token metrics are for this machine alone.
    #[error(
        "--metrics-listen {0} can be reached by others, and metrics are given there without a token: give an \
         address of loopback, such as 127.0.0.1:9100, or read GET /metrics of the service with a token"
    )]
    MetricsForOthers(SocketAddr),
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] LoadError),
    /// A file of the policy is not only its owner's to change.
    #[error("{path}: {reason}")]
    UntrustedPolicy {
        /// The file, escaped.
        path: String,
        /// The reason.
        reason: Unsuitable,
    },
    /// What is beside the policy cannot be used.
    #[error(transparent)]
    Notifications(#[from] NotificationsError),
    /// The issuer's keys are not known.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDirectory(#[from] DataDirectoryError),
    /// The audit log cannot be kept where it is.
    #[error(transparent)]
    LogDirectory(#[from] LogDirectoryError),
    /// The database cannot be opened.
    #[error("{}", escaped_line(&.0.to_string()))]
    Engine(#[from] OpenError),
    /// A destination is of a kind that is sent to through AWS.
    #[error(transparent)]
    NeedsCloud(#[from] NeedsCloud),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The address cannot be listened on.
    #[error("{option} {address}: {source}")]
    Listen {
        /// The option that names it.
        option: &'static str,
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// Where the service listens could not be said.
    #[error("stdout: {0}")]
    Announcement(#[source] io::Error),
    /// The system does not tell of signals.
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    /// A part ended by itself.
    #[error("{0}")]
    Ended(String),
}

/// Serves until SIGTERM or SIGINT. `announce` is given the one line that says where it listens.
///
/// # Errors
/// Why nothing is served, or not any more.
pub fn run(options: Options, announce: impl FnOnce(&str) -> io::Result<()>) -> Result<(), ServeError> {
    let (_log, dropped) = logging::start(&options.log).map_err(ServeError::Log)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = serve(options, announce) => result,
            () = logging::say_losses(dropped) => Ok(()),
        }
    });
    // A thread that waits for a reader of stderr must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(options: Options, announce: impl FnOnce(&str) -> io::Result<()>) -> Result<(), ServeError> {
    // Everything that can be wrong with the configuration is found before anything is opened.
    let certificates = options.certificates.map(Certificates::read).transpose()?.map(Arc::new);
    let is_protected = certificates.is_some() || options.is_behind_tls_proxy;
    if !options.listen.ip().is_loopback() && !is_protected {
        return Err(ServeError::InTheClear(options.listen));
    }
    if let Some(address) = options.metrics_listen.filter(|address| !address.ip().is_loopback()) {
        return Err(ServeError::MetricsForOthers(address));
    }
    if options.mcp.is_some() && options.public_url.is_none() && !options.listen.ip().is_loopback() {
        return Err(ServeError::NoName(options.listen));
    }
    let policy_directory = options.policy_directory;
    let policy = trusted_policy(policy_directory.as_deref(), SystemHost::default().now())?
        .restricted(options.restrictions);
    let (webhook_client, channels) = channels(policy_directory.as_deref(), &policy)?;
    let mut issuer_options = options.issuer;
    // Where the port is not known yet, no token can be for it either.
    let own_origin = options.public_url.clone().or_else(|| {
        let scheme = if certificates.is_some() { "https" } else { "http" };
        (options.listen.port() != 0).then(|| format!("{scheme}://{}", options.listen))
    });
    if let (Some(issuer), Some(origin), true) = (&mut issuer_options, own_origin, options.mcp.is_some()) {
        // What the tools say that a token has to be for (RFC 9728) is what they accept.
        issuer.audiences.push(ProtectedResource::new(&origin, None).identifier());
    }
    let sign_in = match &issuer_options {
        Some(issuer) if options.dashboard.is_some() => issuer::sign_in(issuer).await?,
        _ => None,
    };
    let issuer_name = issuer_options.as_ref().map(|issuer| issuer.issuer.clone());
    let issuer = match issuer_options {
        Some(issuer) => Some(issuer::configured(issuer).await?),
        None => None,
    };
    let host = Arc::new(SystemHost::default());
    let dashboard_url = options.dashboard.as_ref().and_then(|dashboard| dashboard.public_url.clone());

    let directory = DataDirectory::open(&options.data_directory)?;
    let _lock = directory.lock()?;
    let authenticator = match issuer {
        Some((verifier, source)) => Authenticator::renewed_by_sweeps(verifier, source, host.as_ref()),
        None => {
            let key = directory.token_key()?;
            Authenticator::fixed(Verifier::local(key))
        }
    };
    let deployment_key = directory.deployment_key()?;
    let embedded = Embedded::open(&directory.database()?)?;
    let client = countersign_embedded::client(embedded);
    let proxies = TrustedProxies::new(options.trusted_proxies);
    let signing_keys = Arc::new(directory.signing_keys()?);
    let audit_keys = Arc::new(directory.audit_keys()?);
    let log = LogDirectory::open(&directory.log_path(), options.log_copy.as_deref())?;
    let application = Application::new(
        client,
        policy,
        signing_keys,
        audit_keys,
        log,
        PolicyDirectory::new(directory.policies_path()),
        deployment_key,
        authenticator,
        proxies,
        host,
    )
    .await?
    .with_webhooks(webhook_client, dashboard_url)
    .with_channels(channels);
    if directory.is_first_start() && application.has_requests().await? {
        return Err(directory.key_is_missing().into());
    }
    directory.keep_deployment_key()?;

    let (listener, address) = bind("--listen", options.listen).await?;
    let metrics_listener = match options.metrics_listen {
        Some(address) => Some(bind("--metrics-listen", address).await?),
        None => None,
    };
    let mut signals = Signals::listen()?;
    let mut expiry = Sweep::expire(application.clone(), options.retention);
    let mut delivery = Sweep::deliver(application.clone(), OutboxLog);
    let mut courier = Sweep::send(application.clone());
    let mut sealing = Sweep::seal(application.clone());
    let mut measurement = Sweep::measure(application.clone());
    let (stop, stopped) = watch::channel(false);
    let limits = limits(options.limits);
    let scheme = if certificates.is_some() { "https" } else { "http" };
    let api = http::router(application.clone());
    let mut pages_url = None;
    let router = match options.dashboard {
        Some(dashboard) => {
            let pages =
                Pages::new(application.clone(), api.clone(), dashboard, sign_in, scheme, address.port());
            pages_url = Some(pages.origin().to_owned());
            pages.router()
        }
        None => api.clone(),
    };
    let tools = options.mcp.map(|mcp| {
        let origin = options.public_url.unwrap_or_else(|| format!("{scheme}://{address}"));
        let mut resource = ProtectedResource::new(&origin, issuer_name);
        if address.ip().is_loopback() {
            resource = resource.on_loopback(scheme, address.port());
        }
        Tools::new(application.clone(), api, resource, mcp, pages_url)
    });
    let held = tools.as_ref().map(Tools::http);
    let router = match tools {
        Some(tools) => tools.router(router),
        None => router,
    };
    let server = Server {
        listener,
        certificates: certificates.clone(),
        application: application.clone(),
        router,
        connections: Connections::new(limits),
    };
    let mut server = tokio::spawn(server.run(is_over(stopped.clone())));
    let metrics_server = serve_metrics(metrics_listener, application.clone(), limits, stopped);
    let mut metrics_server = tokio::spawn(metrics_server);

    announce(&format!("listening on {scheme}://{address}")).map_err(ServeError::Announcement)?;
    let (ask_to_reload, asked) = mpsc::channel(1);
    tokio::spawn(reload(policy_directory, certificates.clone(), application.clone(), asked));
    let mut keys = tokio::time::interval(KEYS_INTERVAL);
    let mut validity = tokio::time::interval(VALIDITY_INTERVAL);
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    loop {
        // A part that ends by itself takes the whole down, for the operator to notice and start again.
        tokio::select! {
            request = signals.next() => match request {
                Request::Stop => break,
                // Where one is asked for already and has not begun, that one will do.
                Request::Reload => drop(ask_to_reload.try_send(())),
            },
            _ = validity.tick() => {
                if let Some(certificates) = &certificates {
                    certificates.check_validity(application.dependencies().host.now());
                }
            }
            _ = minute.tick() => application.refusal_log.end_minute(),
            _ = keys.tick() => {
                let (authenticator, host) = (Arc::clone(&application.authenticator), application.dependencies());
                tokio::spawn(async move { authenticator.renew_keys(host.host.as_ref()).await });
            }
            ended = &mut server => return Err(ServeError::Ended(format!("the server ended: {ended:?}"))),
            ended = &mut metrics_server => {
                return Err(ServeError::Ended(format!("the server of metrics ended: {ended:?}")));
            }
            ended = measurement.ended() => return Err(ServeError::Ended(ended)),
            ended = expiry.ended() => return Err(ServeError::Ended(ended)),
            ended = delivery.ended() => return Err(ServeError::Ended(ended)),
            ended = courier.ended() => return Err(ServeError::Ended(ended)),
            ended = sealing.ended() => return Err(ServeError::Ended(ended)),
        }
    }
    tracing::info!("stopping");
    if let Some(held) = held {
        held.stop();
    }
    // The servers hold the other end until they have ended.
    let _ = stop.send(true);
    server.await.map_err(|error| ServeError::Ended(format!("the server failed: {error}")))?;
    metrics_server
        .await
        .map_err(|error| ServeError::Ended(format!("the server of metrics failed: {error}")))?;
    measurement.stop().await;
    expiry.stop().await;
    delivery.stop().await;
    courier.stop().await;
    sealing.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// The policy that is to be in force: its files must be this user's or root's, and not everybody's to change.
fn trusted_policy(directory: Option<&Path>, now: Timestamp) -> Result<Policy, ServeError> {
    // A directory that cannot be read is the error of `load::policy`.
    for entry in directory.and_then(|directory| fs::read_dir(directory).ok()).into_iter().flatten().flatten()
    {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "cedar" || extension == "toml") {
            private_file::check_trusted(&path)
                .map_err(|reason| ServeError::UntrustedPolicy { path: text_file::shown(&path), reason })?;
        }
    }
    Ok(load::checked_policy(directory, now)?)
}

/// What calls webhooks, and what sends to the destinations of `notifications.toml`, if there is one.
fn channels(
    policy_directory: Option<&Path>,
    policy: &Policy,
) -> Result<(Arc<Client>, Option<Channels>), ServeError> {
    let notifications = configured::notifications(policy_directory, policy)?;
    let client = Arc::new(configured::client(notifications.as_ref())?);
    let Some(configuration) = notifications else { return Ok((client, None)) };
    check_without_cloud(&configuration)?;
    let roots = configured::ca_bundle(&configuration)?;
    let configuration = Arc::new(configuration);
    let (secrets, calls) = (Arc::new(LocalSecrets), Arc::clone(&client));
    let sender = Arc::new(ConfiguredSender::new(Arc::clone(&configuration), calls, secrets, roots));
    Ok((client, Some(Channels { configuration, sender })))
}

/// Reads the policy, `notifications.toml` and the certificates again, each time it is asked to: not on the thread that takes
/// signals, which a large policy would keep from stopping. Either all of it is in force afterwards, or what was.
async fn reload(
    policy_dir: Option<PathBuf>,
    certificates: Option<Arc<Certificates>>,
    application: Application,
    mut asked: mpsc::Receiver<()>,
) {
    while asked.recv().await.is_some() {
        let (policy_dir, certificates, application) =
            (policy_dir.clone(), certificates.clone(), application.clone());
        let read = tokio::task::spawn_blocking(move || {
            reload_once(policy_dir.as_deref(), certificates.as_deref(), &application);
        });
        if let Err(error) = read.await {
            tracing::error!(%error, "refused; what was in force stays");
        }
    }
}

fn reload_once(policy_dir: Option<&Path>, certificates: Option<&Certificates>, application: &Application) {
    let read = trusted_policy(policy_dir, application.dependencies().host.now()).and_then(|policy| {
        let (client, channels) = channels(policy_dir, &policy)?;
        Ok((policy, client, channels, certificates.map(Certificates::read_again).transpose()?))
    });
    match read {
        Ok((policy, client, channels, loaded)) => {
            let policy_version = policy.version().to_string();
            if let Err(error) = application.replace_policy(policy) {
                tracing::error!(%error, "the texts of the policy cannot be kept; what was in force stays");
                return;
            }
            application.replace_channels(client, channels);
            if let (Some(certificates), Some(loaded)) = (certificates, loaded) {
                certificates.replace(loaded);
                certificates.check_validity(application.dependencies().host.now());
            }
            tracing::info!(policy_version, "read again");
        }
        Err(error) => tracing::error!(%error, "refused; what was in force stays"),
    }
}

/// The limits, no wider than the system's own.
fn limits(options: LimitOptions) -> Limits {
    let wanted = usize::try_from(options.connections).unwrap_or(usize::MAX);
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let possible = files.map_or(usize::MAX, |files| files.saturating_sub(FILES_KEPT).max(files / 4)).max(1);
    if possible < wanted {
        tracing::warn!(connections = possible, "the limit of open files allows fewer connections");
    }
    Limits {
        connections: wanted.min(possible),
        newcomer_time: NEWCOMER_TIME,
        strangers_of_peer: usize::try_from(options.strangers).unwrap_or(usize::MAX),
        request_timeout: options.request_timeout,
        idle_timeout: options.idle_timeout,
        answer_timeout: options.answer_timeout,
    }
}

/// Serves the metrics alone, without a token, if there is an address for them.
async fn serve_metrics(
    listener: Option<(TcpListener, SocketAddr)>,
    application: Application,
    limits: Limits,
    stopped: watch::Receiver<bool>,
) {
    let Some((listener, address)) = listener else { return is_over(stopped).await };
    tracing::info!(%address, "metrics are read without a token");
    let router = http::metrics_router(application.clone());
    let connections = Connections::new(Limits { connections: METRICS_CONNECTIONS, ..limits });
    let server = Server { listener, certificates: None, application, router, connections };
    server.run(is_over(stopped)).await;
}

/// Until the service is to stop: whether that was sent, or its sender is gone.
async fn is_over(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|is_over| *is_over).await;
}

async fn bind(option: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { option, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, ServeError> {
        let on = |kind| signal(kind).map_err(ServeError::Signals);
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    /// What the next one asks for.
    async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop,
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.hangup.recv() => Request::Reload,
        }
    }
}

enum Request {
    Stop,
    Reload,
}
