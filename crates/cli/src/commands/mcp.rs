//! `countersign mcp`: tools for agents, by the Model Context Protocol.

use crate::aws;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::value_parsers::{number, origin};
use clap::Args;
use countersign_api::outgoing::{Api, ApiAnswer, ApiCall};
use countersign_client::connection::Connection;
use countersign_client::profile;
use countersign_core::text::escaped_line;
use countersign_identity::claims::ClaimNames;
use countersign_identity::token;
use countersign_mcp::server::Server;
use countersign_mcp::settings::{Holds, Settings};
use countersign_mcp::stdio;
use countersign_mcp::underway::Underway;
use countersign_server::issuer::IssuerOptions;
use countersign_server::mcp_resource::{self, ResourceError, ResourceOptions};
use countersign_system::system::SystemHost;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a call is held by default whose client hears of progress.
pub(crate) const HOLD_SECONDS: u32 = 280;

/// How long the service is waited for before anything is served.
const START_TIME: Duration = Duration::from_secs(3);

/// `countersign mcp`.
#[derive(Debug, Clone, Args)]
pub struct McpArguments {
    /// Act with the token of a human; an agent that has one could approve elsewhere what it asks for here
    #[arg(long)]
    pub as_human: bool,

    /// How long a call is held that waits for approvers, in seconds: with progress for a client that takes it, else 50 at most
    #[arg(long, value_name = "SECONDS", default_value_t = HOLD_SECONDS, value_parser = number)]
    pub hold_seconds: u32,

    /// Where people look at requests; agents pass the link on
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_DASHBOARD_URL", value_parser = origin)]
    pub dashboard_url: Option<String>,

    /// The server over HTTP.
    #[command(flatten)]
    pub http: HttpArguments,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// How the server is reached over HTTP, and by whom.
#[derive(Debug, Clone, Default, Args)]
pub struct HttpArguments {
    /// Listen on this address, in place of stdin; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", requires = "issuer")]
    pub http: Option<SocketAddr>,

    /// By which name callers reach it, scheme and host alone; that of the address if left out
    #[arg(long, value_name = "URL", value_parser = origin, requires = "http")]
    pub public_url: Option<String>,

    /// A proxy in front of the address does TLS, and nothing else can reach it
    #[arg(long, requires = "http")]
    pub behind_tls_proxy: bool,

    /// The OpenID Connect issuer of the callers' tokens
    #[arg(long, value_name = "URL", requires = "http")]
    pub issuer: Option<String>,

    /// The audience that the tokens must be for; the server's own URL, with /mcp, if left out
    #[arg(long, value_name = "AUDIENCE", value_delimiter = ',', value_parser = token::audience, requires = "http")]
    pub audience: Vec<String>,

    /// The issuer's keys: a file, or an https URL; found through the issuer if left out
    #[arg(long, value_name = "FILE|URL", requires = "http")]
    pub jwks: Option<String>,

    /// The claim with the e-mail
    #[arg(long, value_name = "NAME", default_value = "email")]
    pub email_claim: String,

    /// The issuer vouches for every e-mail: do not ask whether it is verified
    #[arg(long, requires = "http")]
    pub email_trusted: bool,

    /// A caller who may use it besides the one whom the profile's token names; the service sees the profile's alone
    #[arg(long, value_name = "PERSON", requires = "http")]
    pub caller: Vec<String>,
}

/// How long calls are held, if one may be held for so long.
pub(crate) fn holds(seconds: u32) -> Holds {
    let most = Duration::from_secs(seconds.into());
    let usual = Holds::default();
    Holds {
        silent: usual.silent.min(most),
        with_progress: Some(most),
        interval: usual.interval.min(most.max(Duration::from_secs(4)) / 4),
    }
}

/// How many calls of the service wait there at once: each has a thread for as long.
const WAITS: usize = 16;

/// The service, called with the profile's credential.
#[derive(Debug)]
struct Profile {
    connection: Arc<Connection>,
    waits: Arc<Semaphore>,
}

impl Api for Profile {
    async fn call(&self, mut call: ApiCall) -> ApiAnswer {
        let connection = Arc::clone(&self.connection);
        let wait = match call.path.find("?wait=") {
            None => None,
            Some(query) => match Arc::clone(&self.waits).try_acquire_owned() {
                Ok(wait) => Some(wait),
                Err(_) => {
                    // It is answered at once instead, and asked again after a pause.
                    call.path.truncate(query);
                    None
                }
            },
        };
        // A thread goes on after its caller is gone, and counts until it has ended.
        let made = move || (connection.outgoing(&call), wait).0;
        let answer = tokio::task::spawn_blocking(made).await;
        answer.unwrap_or_else(|_| ApiAnswer::none())
    }
}

/// Serves agents, until the client closes stdin, or over HTTP until SIGTERM or SIGINT.
///
/// # Errors
/// When the token is a human's, or nothing can be served.
pub fn run(arguments: &McpArguments) -> Result<(), CommandError> {
    let connection = Connection::open(&profile::settings(&arguments.connection.overrides())?, aws::signer)?;
    let settings = Settings {
        token: String::new(),
        holds: holds(arguments.hold_seconds),
        dashboard_url: arguments.dashboard_url.clone(),
        takes_humans: arguments.as_human,
        underway: Underway::default(),
        host: Arc::new(SystemHost::default()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::Failed(error.to_string()))?;
    let profile = Profile { connection: Arc::new(connection), waits: Arc::new(Semaphore::new(WAITS)) };
    let server = Server::new(profile, settings);
    let result = runtime.block_on(serve(arguments, server));
    // A call of the service that still waits, and a read of stdin, must not keep the process.
    runtime.shutdown_background();
    result
}

async fn serve(arguments: &McpArguments, server: Server<Profile>) -> Result<(), CommandError> {
    // A client waits for its first answer meanwhile. A service that does not answer now is asked with the first call of a tool.
    let refusal = tokio::time::timeout(START_TIME, server.refusal()).await.ok().flatten();
    if let Some(refusal) = refusal {
        let advice = "give the token of an agent, or --as-human";
        return Err(CommandError::Refused(format!("{}: {advice}", escaped_line(&refusal.message))));
    }
    let Some(options) = resource_options(&arguments.http) else {
        return stdio::serve(server).await.map_err(|error| CommandError::Failed(error.to_string()));
    };
    let announce = |line: &str| {
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{line}").and_then(|()| stdout.flush())
    };
    mcp_resource::serve(options, server, announce).await.map_err(|error| {
        let message = error.to_string();
        match error {
            ResourceError::InTheClear(_) | ResourceError::NoName(_) => CommandError::Usage(message),
            _ => CommandError::Failed(escaped_line(&message)),
        }
    })
}

fn resource_options(http: &HttpArguments) -> Option<ResourceOptions> {
    let (listen, issuer) = http.http.zip(http.issuer.clone())?;
    Some(ResourceOptions {
        listen,
        public_url: http.public_url.clone(),
        is_behind_tls_proxy: http.behind_tls_proxy,
        issuer: IssuerOptions {
            issuer,
            audiences: http.audience.clone(),
            key_set: http.jwks.clone(),
            claim_names: ClaimNames {
                email: http.email_claim.clone(),
                email_is_trusted: http.email_trusted,
                ..ClaimNames::default()
            },
            registration: None,
        },
        callers: http.caller.clone(),
    })
}
