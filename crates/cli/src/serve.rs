//! `countersign serve`: the API, the embedded store and both sweeps in one process.

use crate::application::Application;
use crate::arguments::{LimitArguments, ServeArguments};
use crate::authentication::{Authenticator, KEYS_INTERVAL};
use crate::connections::{Connections, Limits};
use crate::data_directory::DataDirectory;
use crate::listener::Server;
use crate::outbox_log::OutboxLog;
use crate::source_address::TrustedProxies;
use crate::sweeps::Sweep;
use crate::tls::Certificates;
use crate::{issuer, logging, private_file};
use countersign_app::host::Host as _;
use countersign_core::policy::Policy;
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_embedded::Embedded;
use countersign_identity::token::Verifier;
use countersign_policy::load;
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// Files that are kept for everything but connections: the database, the keys, a policy that is read
/// again, the issuer.
const FILES_KEPT: usize = 64;
/// How long a new connection is not yet counted as a stranger's: what an honest caller sends is there by then.
const NEWCOMER_TIME: Duration = Duration::from_secs(1);
/// How often a certificate that is not valid is logged.
const VALIDITY_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A message for the person at the terminal: nothing is served then.
pub fn run(arguments: ServeArguments) -> Result<(), String> {
    let (_log, dropped) = logging::start(&arguments.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = serve(arguments) => result,
            () = logging::say_losses(dropped) => Ok(()),
        }
    });
    // A thread that waits for a reader of stderr must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(arguments: ServeArguments) -> Result<(), String> {
    // Everything that can be wrong with the configuration is found before anything is opened.
    let certificates = Certificates::read(&arguments)?;
    check_reach(&arguments)?;
    let policy = trusted_policy(arguments.policy_dir.as_deref(), SystemHost::default().now())?;
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
    let embedded = Embedded::open(&database).map_err(|error| escaped_line(&error.to_string()))?;
    let client = countersign_embedded::client(embedded);
    let host = Arc::new(SystemHost::default());
    let proxies = TrustedProxies::new(arguments.trusted_proxies.clone());
    let application = Application::new(client, policy, deployment_key, authenticator, proxies, host).await?;
    if directory.is_first_start() && application.has_requests().await? {
        return Err(directory.key_is_missing().to_string());
    }
    directory.keep_deployment_key().map_err(|error| error.to_string())?;

    let (listener, address) = bind(arguments.listen).await?;
    let mut signals = Signals::listen()?;
    let mut expiry = Sweep::expire(application.clone());
    let mut delivery = Sweep::deliver(application.clone(), OutboxLog);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server {
        listener,
        certificates: certificates.clone(),
        application: application.clone(),
        connections: Connections::new(limits(&arguments.limits)),
    };
    let mut server = tokio::spawn(server.run(async {
        // Whether it was sent or dropped, it is over.
        let _ = stopped.await;
    }));

    let scheme = if certificates.is_some() { "https" } else { "http" };
    announce(&format!("listening on {scheme}://{address}"))?;
    let (ask_to_reload, asked) = mpsc::channel(1);
    tokio::spawn(reload(arguments.policy_dir.clone(), certificates.clone(), application.clone(), asked));
    let mut keys = tokio::time::interval(KEYS_INTERVAL);
    let mut validity = tokio::time::interval(VALIDITY_INTERVAL);
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    loop {
        // A part that ends by itself takes the whole down, for somebody to notice and start again.
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
                tokio::spawn(async move { authenticator.renew_keys(host.host.elapsed()).await });
            }
            ended = &mut server => return Err(format!("the server ended: {ended:?}")),
            ended = expiry.ended() => return Err(ended),
            ended = delivery.ended() => return Err(ended),
        }
    }
    tracing::info!("stopping");
    // The server holds the other end until it has ended.
    let _ = stop.send(());
    server.await.map_err(|error| format!("the server failed: {error}"))?;
    expiry.stop().await;
    delivery.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// The policy that is to be in force: its files must be this user's or root's, and not everybody's to change.
fn trusted_policy(directory: Option<&Path>, now: Timestamp) -> Result<Policy, String> {
    // What is wrong with a directory that cannot be read is said by who reads it.
    for entry in directory.and_then(|directory| fs::read_dir(directory).ok()).into_iter().flatten().flatten()
    {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "cedar" || extension == "toml") {
            private_file::check_trusted(&path)
                .map_err(|error| format!("{}: {error}", text_file::shown(&path)))?;
        }
    }
    load::policy(directory, now)
}

/// Reads the policy and the certificates again, each time it is asked to: not on the thread that takes signals,
/// which a large policy would keep from stopping. Either all of it is in force afterwards, or what was.
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
    let read = trusted_policy(policy_dir, application.dependencies().host.now())
        .and_then(|policy| Ok((policy, certificates.map(Certificates::read_again).transpose()?)));
    match read {
        Ok((policy, loaded)) => {
            let policy_version = policy.version().to_string();
            application.replace_policy(policy);
            if let (Some(certificates), Some(loaded)) = (certificates, loaded) {
                certificates.replace(loaded);
                certificates.check_validity(application.dependencies().host.now());
            }
            tracing::info!(policy_version, "read again");
        }
        Err(error) => tracing::error!(error, "refused; what was in force stays"),
    }
}

/// The limits, no wider than the system's own.
fn limits(arguments: &LimitArguments) -> Limits {
    let wanted = usize::try_from(arguments.max_connections).unwrap_or(usize::MAX);
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let possible = files.map_or(usize::MAX, |files| files.saturating_sub(FILES_KEPT).max(files / 4)).max(1);
    if possible < wanted {
        tracing::warn!(connections = possible, "the limit of open files allows fewer connections");
    }
    let time = |seconds: u32| Duration::from_secs(seconds.into());
    Limits {
        connections: wanted.min(possible),
        newcomer_time: NEWCOMER_TIME,
        strangers_of_peer: usize::try_from(arguments.max_strangers).unwrap_or(usize::MAX),
        request_timeout: time(arguments.request_timeout),
        idle_timeout: time(arguments.idle_timeout),
        answer_timeout: time(arguments.answer_timeout),
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let failed = |error| format!("--listen {address}: {error}");
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
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

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, String> {
        let on = |kind| signal(kind).map_err(|error| format!("signals cannot be received: {error}"));
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
