//! A gate from its start to its end.

use crate::agent_http::AgentServer;
use crate::agent_stdio::{self, End};
use crate::approvals::Approvals;
use crate::busy::Busy;
use crate::configuration::{Configuration, Mode};
use crate::continuations::Continuations;
use crate::conversation::{Conversation, Shared};
use crate::execution::blocking;
use crate::gate::Gate;
use crate::holding::Holding;
use crate::notes::note;
use crate::observed::Observed;
use crate::pins::Pins;
use crate::runs::Runs;
use crate::source::Source;
use crate::state_directory::StateDirectory;
use crate::status::{Registration, RunningGate};
use crate::task_directory::TaskDirectory;
use crate::tasks;
use crate::waiting::becomes_true;
use countersign_app::host::Clock as _;
use countersign_client::credential::SignerOf;
use countersign_client::profile::Settings;
use countersign_system::system::SystemHost;
use countersign_tool_calls::OpenError;
use countersign_tool_calls::Options as CallOptions;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long what is under way may still take once this program is to end.
const ENDING: Duration = Duration::from_secs(4);
/// The same, once the server has ended.
const REPORTING: Duration = Duration::from_secs(2);

/// How long an agent may take to read its last answers.
const WRITING: Duration = Duration::from_secs(1);
/// How often it is looked through what earlier callers have left.
const SETTLING: Duration = Duration::from_secs(60);
/// How often it is looked whether all is answered.
const LOOK: Duration = Duration::from_millis(10);

/// How a gate is started.
#[derive(Debug)]
pub struct Options {
    /// What the operator has said.
    pub configuration: Configuration,
    /// The service.
    pub settings: Settings,
    /// What signs calls of it.
    pub signer: SignerOf,
    /// Whether a person's token is taken.
    pub as_human: bool,
    /// Where state is kept.
    pub state: StateDirectory,
    /// The server.
    pub source: Source,
    /// Where agents connect to; without it, the agent is at stdin and stdout.
    pub listen: Option<SocketAddr>,
}

/// A gate did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Nothing can be asked for.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// State cannot be kept.
    #[error("state cannot be kept in {path}: {error}")]
    State {
        /// The directory.
        path: String,
        /// The reason.
        error: io::Error,
    },
    /// The address is not of this machine alone.
    #[error(
        "--listen {0}: only an address of this machine itself, such as 127.0.0.1:0: who can connect is the agent"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("--listen {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The server cannot be started.
    #[error("the server cannot be started: {0}")]
    Start(io::Error),
    /// The server has ended.
    #[error("the server has ended")]
    UpstreamEnded,
    /// The system gives no threads, or does not tell of signals.
    #[error("{0}")]
    System(io::Error),
}

/// Runs a gate to its end. `announce` gets the address that it listens at.
///
/// # Errors
/// Why it did not start, or ended by itself.
pub fn run(options: Options, announce: impl FnOnce(SocketAddr)) -> Result<(), GateError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().map_err(GateError::System)?;
    let end = runtime.block_on(serve(options, announce));
    // What still asks the service has no caller.
    runtime.shutdown_background();
    end
}

async fn serve(options: Options, announce: impl FnOnce(SocketAddr)) -> Result<(), GateError> {
    let Options { configuration, settings, signer, as_human, state, source, listen } = options;
    if let Some(address) = listen.filter(|address| !address.ip().is_loopback()) {
        return Err(GateError::NotLoopback(address));
    }
    let path = state.path().display().to_string();
    state.make().map_err(|error| GateError::State { path: path.clone(), error })?;
    let dashboard_url = configuration.dashboard_url.clone().unwrap_or_else(|| settings.url.clone());
    let replay = Duration::from_secs(configuration.replay_seconds);
    let call_options =
        CallOptions { directory: state.calls(), as_human, replay, dashboard_url: Some(dashboard_url) };
    let pins = configuration.lock_file.clone().unwrap_or_else(|| state.pins());
    let gate = Arc::new(Gate {
        approvals: Arc::new(Approvals::new(settings, signer, call_options)),
        pins: Pins::new(pins, &configuration.server),
        holding: Holding::default(),
        runs: Runs::default(),
        continuations: Continuations::default(),
        tasks: TaskDirectory::new(state.tasks()),
        observed: Observed::new(state.observed()),
        busy: Busy::default(),
        stop: watch::Sender::new(false),
        configuration,
    });
    open(&gate).await?;
    settle_regularly(&gate);
    let listener = match listen {
        Some(address) => {
            let listener =
                TcpListener::bind(address).await.map_err(|error| GateError::Listen(address, error))?;
            let address = listener.local_addr().map_err(|error| GateError::Listen(address, error))?;
            Some((listener, address))
        }
        None => None,
    };
    let listens = listener.as_ref().map(|(_, address)| address.to_string());
    let started_at = SystemHost::default().now().to_string();
    let running = RunningGate::new(&gate.configuration.server, gate.configuration.mode, started_at, listens);
    let _registration =
        Registration::new(&state, &running).map_err(|error| GateError::State { path, error })?;
    stop_on_signals(&gate)?;
    let shared = Arc::new(Shared::default());
    let mut written = None;
    let (end, conversations) = match listener {
        Some((listener, address)) => {
            let server = AgentServer::new(Arc::clone(&gate), Arc::clone(&shared), source, address);
            announce(address);
            Arc::clone(&server).serve(listener).await.map_err(|error| GateError::Listen(address, error))?;
            (End::Stopped, server.conversations().await)
        }
        None => {
            let (end, conversation, writer) =
                agent_stdio::run(&gate, Arc::clone(&shared), &source).await.map_err(GateError::Start)?;
            written = Some(writer);
            (end, vec![conversation])
        }
    };
    finish(&gate, &shared, end, &conversations).await;
    if let Some(writer) = written {
        // An agent that does not read is not waited for.
        let _ = tokio::time::timeout(WRITING, blocking(move || writer.close())).await;
    }
    if end == End::UpstreamEnded { Err(GateError::UpstreamEnded) } else { Ok(()) }
}

/// Looks whether anything can be asked for. A service that cannot be reached may be there when the first call comes.
async fn open(gate: &Arc<Gate>) -> Result<(), GateError> {
    let approvals = Arc::clone(&gate.approvals);
    let opened = blocking(move || approvals.calls().map(drop));
    let mode = gate.configuration.mode;
    match opened.await {
        Ok(Ok(())) => settle(gate).await,
        Ok(Err(OpenError::Service(error))) if error.is_passing() => {
            let then = if mode == Mode::Enforce { "calls are refused until it can" } else { "calls pass" };
            note(&format!("the service cannot be asked now; {then}: {error}"));
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(notice) => return Err(GateError::System(io::Error::other(notice.message))),
    }
    if mode == Mode::Observe {
        note("mode = observe: every call of a tool passes, and is only recorded; nothing is held back");
    }
    Ok(())
}

/// Reports what was not reported, cancels what callers have left for long enough, and removes what is over.
async fn settle(gate: &Arc<Gate>) {
    let (approvals, linger) = (Arc::clone(&gate.approvals), gate.configuration.linger());
    let (tasks, kept) = (gate.tasks.clone(), tasks::kept_milliseconds(gate));
    let now = SystemHost::default().now().as_millisecond();
    let settled = blocking(move || {
        tasks.clear(now, kept);
        // A service that is away is asked the next time.
        let Ok(calls) = approvals.calls() else { return };
        if let Err(error) = calls.settle(linger) {
            note(&format!("earlier calls could not be looked through: {error}"));
        }
    });
    if let Err(notice) = settled.await {
        note(&notice.message);
    }
}

fn settle_regularly(gate: &Arc<Gate>) {
    let gate = Arc::clone(gate);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(SETTLING) => settle(&gate).await,
                () = becomes_true(gate.stop.subscribe()) => return,
            }
        }
    });
}

fn stop_on_signals(gate: &Arc<Gate>) -> Result<(), GateError> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut signals = signal(kind).map_err(GateError::System)?;
        let gate = Arc::clone(gate);
        tokio::spawn(async move {
            if signals.recv().await.is_some() {
                gate.stop.send_replace(true);
            }
        });
    }
    Ok(())
}

/// Ends what is under way: what waits is cancelled once no retry has come, or at once if this program is to end; what runs is
/// reported.
async fn finish(gate: &Arc<Gate>, shared: &Shared, end: End, conversations: &[Arc<Conversation>]) {
    match end {
        End::Closed => {
            conversations.iter().for_each(|conversation| conversation.leave());
            let limit = gate.configuration.linger() + ENDING;
            tokio::select! {
                _ = gate.busy.is_done_within(limit) => {}
                () = becomes_true(gate.stop.subscribe()) => {}
            }
        }
        End::Stopped => conversations.iter().for_each(|conversation| conversation.leave()),
        // What waits for approvers is gone on with by the gate that is started next; what ran is answered.
        End::UpstreamEnded => are_idle(conversations).await,
    }
    shared.tasks.put_off().await;
    if end != End::UpstreamEnded {
        gate.stop.send_replace(true);
        gate.busy.is_done_within(ENDING).await;
    }
    for conversation in conversations {
        conversation.upstream().close().await;
    }
    for continuation in gate.continuations.drain() {
        continuation.execution.lost("the gate ended before the agent answered what the server asked").await;
    }
    gate.busy.is_done_within(REPORTING).await;
}

/// Waits until all requests are answered, but not for long: some wait for approvers.
async fn are_idle(conversations: &[Arc<Conversation>]) {
    let all = async {
        while !conversations.iter().all(|conversation| conversation.is_idle()) {
            tokio::time::sleep(LOOK).await;
        }
    };
    // Those that wait are not answered.
    let _ = tokio::time::timeout(REPORTING, all).await;
}
