//! How soon events reach webhooks of `countersign serve` while one endpoint never answers and another refuses connections.
//!
//! The service is the release binary in a process of its own. Ten endpoints are on this machine: eight take what comes, one
//! takes connections and never answers, at the port of one nothing listens. Requests are made at a steady pace, and each is an
//! event for all ten. What is measured is the time from the event to the moment at which an endpoint has its message.

use crate::certificate::Certificate;
use crate::serve::http::Connection;
use crate::serve::service::{Service, create, request_body};
use countersign_app::host::Clock as _;
use countersign_core::timestamp::Timestamp;
use countersign_system::system::SystemHost;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// How many endpoints take what comes.
const HEALTHY: usize = 8;
/// How many requests a requester makes: less than may wait at once.
const OF_REQUESTER: usize = 48;
/// How long after the last request what has not come counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most that 95 of 100 messages may take.
const MOST: Duration = Duration::from_secs(2);

/// What is measured.
#[derive(Debug)]
struct Options {
    program: PathBuf,
    directory: PathBuf,
    events: usize,
    per_second: u32,
}

impl Options {
    fn read(arguments: &[&str]) -> Result<Self, String> {
        let (mut program, mut directory, mut events, mut per_second) = (None, PathBuf::from("."), 1000, 20);
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} has no value"))?;
            let number = || format!("{name} is a whole number");
            match *name {
                "--program" => program = Some(PathBuf::from(value)),
                "--directory" => directory = PathBuf::from(value),
                "--events" => events = value.parse().map_err(|_| number())?,
                "--per-second" => per_second = value.parse().map_err(|_| number())?,
                _ => return Err(format!("{name} is not known")),
            }
        }
        let program = program.ok_or("--program names the release binary of countersign")?;
        let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Self { program, directory, events, per_second })
    }
}

/// What came at each healthy endpoint: for each event how often, and after how many milliseconds the first time.
type Received = BTreeMap<(usize, String), (u32, i64)>;

/// `--program PATH`, `--directory DIR` for the disk, `--events N` (1000) and `--per-second N` (20; 0 is as fast as they are made).
///
/// # Errors
/// When the service does not do what it is asked.
pub(crate) fn measure(arguments: &[&str]) -> Result<(String, bool), String> {
    let options = Options::read(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(text)?;
    let received = Arc::<Mutex<Received>>::default();
    let certificate = Certificate::issue()?;
    let addresses = runtime.block_on(listen(&certificate, &received))?;
    let directory = tempfile::tempdir_in(&options.directory).map_err(text)?;
    let policy = policy(&options.program, directory.path(), &certificate, &addresses)?;
    let arguments = ["--policy-dir".as_ref(), policy.as_os_str(), "--no-dashboard".as_ref()];
    let service = Service::start_with(&options.program, &options.directory, &arguments)?;
    register(&service, &addresses)?;
    let made = make(&service, &options)?;
    let expected = options.events * HEALTHY;
    let began = Instant::now();
    while received.lock().unwrap_or_else(PoisonError::into_inner).len() < expected
        && began.elapsed() < PATIENCE
    {
        std::thread::sleep(Duration::from_millis(50));
    }
    let cpu = service.cpu()?;
    let received = received.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(report(&options, &received, made, cpu))
}

fn report(options: &Options, received: &Received, made: Duration, cpu: Duration) -> (String, bool) {
    let mut took: Vec<i64> = received.values().map(|(_, milliseconds)| *milliseconds).collect();
    took.sort_unstable();
    let percentile = |percent: usize| took.get(took.len() * percent / 100).or(took.last()).copied();
    let shown = |percent| percentile(percent).map_or("none".to_owned(), |it| it.to_string());
    let repeated = received.values().filter(|(times, _)| *times > 1).count();
    let lost = (options.events * HEALTHY).saturating_sub(received.len());
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} events in {:.1} s, to {HEALTHY} endpoints that answer, one that never does and one that refuses\n",
        options.events,
        made.as_secs_f64()
    );
    let _ = writeln!(text, "| | |\n|---|---|");
    for (name, value) in [
        ("p50, ms", shown(50)),
        ("p95, ms", shown(95)),
        ("p99, ms", shown(99)),
        ("the last, ms", shown(100)),
        ("lost", lost.to_string()),
        ("more than once", repeated.to_string()),
        ("CPU of the service, s", format!("{:.1}", cpu.as_secs_f64())),
    ] {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    let json = json!({ "p50": percentile(50), "p95": percentile(95), "p99": percentile(99), "lost": lost, "repeated": repeated });
    let _ = writeln!(text, "\n{json}");
    let most = i64::try_from(MOST.as_millis()).unwrap_or(i64::MAX);
    (text, lost == 0 && repeated == 0 && percentile(95).is_some_and(|p95| p95 <= most))
}

/// The endpoints: those that answer, one that never does, and an address at which nothing listens.
async fn listen(
    certificate: &Certificate,
    received: &Arc<Mutex<Received>>,
) -> Result<Vec<SocketAddr>, String> {
    let mut addresses = Vec::new();
    for endpoint in 0..HEALTHY {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
        addresses.push(listener.local_addr().map_err(text)?);
        tokio::spawn(answer(listener, certificate.acceptor(), endpoint, Arc::clone(received)));
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
    addresses.push(silent.local_addr().map_err(text)?);
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            kept.push(stream);
        }
    });
    let closed = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
    addresses.push(closed.local_addr().map_err(text)?);
    Ok(addresses)
}

async fn answer(
    listener: TcpListener,
    acceptor: tokio_rustls::TlsAcceptor,
    endpoint: usize,
    received: Arc<Mutex<Received>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, received) = (acceptor.clone(), Arc::clone(&received));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request: Request<Incoming>| {
                let received = Arc::clone(&received);
                async move {
                    let body = request.into_body().collect().await;
                    if let Ok(body) = body {
                        note(&received, endpoint, &body.to_bytes());
                    }
                    let mut answer = Response::new(Empty::<Bytes>::new());
                    *answer.status_mut() = StatusCode::NO_CONTENT;
                    Ok::<_, Infallible>(answer)
                }
            });
            let builder = hyper::server::conn::http1::Builder::new();
            // A service that stops breaks its connections off.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn note(received: &Mutex<Received>, endpoint: usize, body: &[u8]) {
    // The clock by which the service dates its events.
    let now = SystemHost::default().now().as_millisecond();
    let Ok(event) = serde_json::from_slice::<Value>(body) else { return };
    let member = |name: &str| event.get(name).and_then(Value::as_str);
    let (Some(id), Some(at)) = (member("id"), member("time").and_then(|at| Timestamp::parse(at).ok())) else {
        return;
    };
    let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = received.entry((endpoint, id.to_owned()));
    entry.or_insert((0, now.saturating_sub(at.as_millisecond()))).0 += 1;
}

/// A policy that lets webhooks be on this machine.
fn policy(
    program: &Path,
    directory: &Path,
    certificate: &Certificate,
    addresses: &[SocketAddr],
) -> Result<PathBuf, String> {
    let policy = directory.join("policy");
    let output = Command::new(program).args(["policy", "init"]).arg(&policy).output().map_err(text)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let bundle = directory.join("roots.pem");
    std::fs::write(&bundle, &certificate.pem).map_err(text)?;
    let ports: Vec<u16> = addresses.iter().map(SocketAddr::port).collect();
    let file = format!(
        "[webhooks]\nallow_ports = {ports:?}\nallow_networks = [\"127.0.0.1/32\"]\nca_bundle = {:?}\n",
        bundle.display().to_string()
    );
    std::fs::write(policy.join("notifications.toml"), file).map_err(text)?;
    Ok(policy)
}

fn register(service: &Service, addresses: &[SocketAddr]) -> Result<(), String> {
    let admin = service.token("admin@example.com", "admin")?;
    let mut connection = Connection::open(service.address())?;
    for address in addresses {
        let body = json!({ "url": format!("https://{address}/") }).to_string();
        connection.call("POST", "/v1/webhooks", &admin, &body)?.text()?;
    }
    Ok(())
}

/// Makes the requests. How long it took.
fn make(service: &Service, options: &Options) -> Result<Duration, String> {
    let requesters = options.events.div_ceil(OF_REQUESTER);
    let tokens =
        (0..requesters).map(|one| service.token(&format!("requester-{one}@example.com"), "developer"));
    let tokens: Vec<String> = tokens.collect::<Result<_, _>>()?;
    let mut connection = Connection::open(service.address())?;
    let body = request_body();
    let began = Instant::now();
    for event in 0..options.events {
        let token = tokens.get(event / OF_REQUESTER).ok_or("there is a requester for each")?;
        create(&mut connection, token, &body)?;
        if options.per_second > 0 {
            let next =
                Duration::from_secs(1) * u32::try_from(event + 1).unwrap_or(u32::MAX) / options.per_second;
            std::thread::sleep(next.saturating_sub(began.elapsed()));
        }
    }
    Ok(began.elapsed())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
