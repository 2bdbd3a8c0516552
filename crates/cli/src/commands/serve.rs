//! `countersign serve`: running the service on this machine.

use crate::commands::mcp::{HOLD_SECONDS, holds};
use crate::error::CommandError;
use crate::value_parsers::{number, origin, seconds, ticket_url};
use clap::Args;
use countersign_app::retention::Retention;
use countersign_core::policy::restrictions::{self, Restrictions};
use countersign_identity::claim_path::ClaimPath;
use countersign_identity::claims::ClaimNames;
use countersign_identity::token;
use countersign_server::dashboard::DashboardOptions;
use countersign_server::issuer::{IssuerOptions, RegistrationOptions};
use countersign_server::mcp::McpOptions;
use countersign_server::serve::{self, LimitOptions, Options};
use countersign_server::source_address::ProxyNetwork;
use countersign_server::tls::CertificateFiles;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where everything of one service is kept.
#[derive(Debug, Clone, Args)]
pub struct DataDirectoryArgument {
    /// The directory with the database and the keys; created if it is not there
    #[arg(
        long,
        value_name = "DIR",
        env = "COUNTERSIGN_DATA_DIR",
        default_value = "./countersign-data",
        global = true
    )]
    pub data_dir: PathBuf,
}

/// `countersign serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArguments {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", env = "COUNTERSIGN_LISTEN", default_value = "127.0.0.1:9000")]
    pub listen: SocketAddr,

    /// An address of loopback on which GET /metrics needs no token; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", env = "COUNTERSIGN_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,

    /// Where everything is kept.
    #[command(flatten)]
    pub data: DataDirectoryArgument,

    /// A directory with operations.toml, people.toml and access.cedar, in place of the policy that comes with the program
    #[arg(long, value_name = "DIR", env = "POLICY_DIR")]
    pub policy_dir: Option<PathBuf>,

    /// The server's certificate chain, PEM
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The server's private key, PEM
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// A proxy in front of this address does TLS, and nothing else can reach it
    #[arg(long, env = "COUNTERSIGN_BEHIND_TLS_PROXY")]
    pub behind_tls_proxy: bool,

    /// The networks or addresses of proxies whose X-Forwarded-For says where a call comes from
    #[arg(long, value_name = "CIDRS", env = "COUNTERSIGN_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<ProxyNetwork>,

    /// Tokens of an OpenID Connect issuer, instead of `countersign token`.
    #[command(flatten)]
    pub issuer: IssuerArguments,

    /// false: nothing that needs an approval is made, approved, started or claimed
    #[arg(
        long,
        value_name = "BOOL",
        env = "APPROVAL_WORKFLOW_ENABLED",
        default_value = "true",
        action = clap::ArgAction::Set,
        value_parser = restrictions::workflow_enabled
    )]
    pub workflow_enabled: bool,

    /// How many pending requests one requester may have, if that is fewer than policy allows
    #[arg(long, value_name = "NUMBER", env = "APPROVAL_MAX_PENDING", value_parser = restrictions::max_pending)]
    pub max_pending: Option<u16>,

    /// What connections may take.
    #[command(flatten)]
    pub limits: LimitArguments,

    /// A second directory for the audit log, on another disk: nothing counts as logged that is not in both
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_LOG_COPY")]
    pub log_copy: Option<PathBuf>,

    /// Erase parameters, texts and results so many days after their request has closed; the audit trail stays
    #[arg(long, value_name = "DAYS", env = "PARAMETERS_RETENTION_DAYS")]
    pub parameters_retention_days: Option<Retention>,

    /// The dashboard.
    #[command(flatten)]
    pub dashboard: DashboardArguments,

    /// The MCP server.
    #[command(flatten)]
    pub mcp: McpServerArguments,

    /// What to log: error, warn, info, debug, or a filter such as countersign=debug
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info")]
    pub log: String,
}

/// What connections may take, so that strangers do not take all there is.
#[derive(Debug, Clone, Args)]
pub struct LimitArguments {
    /// How many connections there may be at once; fewer where the system allows fewer open files
    #[arg(
        long,
        value_name = "NUMBER",
        env = "COUNTERSIGN_MAX_CONNECTIONS",
        default_value_t = 512,
        value_parser = number
    )]
    pub max_connections: u32,

    /// How many connections without an accepted token one address may have; loopback and trusted proxies
    /// have no such limit
    #[arg(
        long,
        value_name = "NUMBER",
        env = "COUNTERSIGN_MAX_STRANGERS",
        default_value_t = 64,
        value_parser = number
    )]
    pub max_strangers: u32,

    /// How long a new connection may take to send its first request, TLS included: a number and s, m, h or d
    #[arg(
        long,
        value_name = "TIME",
        env = "COUNTERSIGN_REQUEST_TIMEOUT",
        default_value = "10s",
        value_parser = seconds
    )]
    pub request_timeout: u32,

    /// How long a connection is kept for its next request
    #[arg(
        long,
        value_name = "TIME",
        env = "COUNTERSIGN_IDLE_TIMEOUT",
        default_value = "60s",
        value_parser = seconds
    )]
    pub idle_timeout: u32,

    /// How long an answer waits to be taken up by its reader
    #[arg(
        long,
        value_name = "TIME",
        env = "COUNTERSIGN_ANSWER_TIMEOUT",
        default_value = "30s",
        value_parser = seconds
    )]
    pub answer_timeout: u32,
}

/// The web pages that the service answers beside its API.
#[derive(Debug, Clone, Default, Args)]
pub struct DashboardArguments {
    /// Answer no web pages, but the API alone
    #[arg(long, env = "COUNTERSIGN_NO_DASHBOARD")]
    pub no_dashboard: bool,

    /// Where browsers find the dashboard, scheme and host alone; a name of its own under localhost if left out
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_PUBLIC_URL", value_parser = origin)]
    pub public_url: Option<String>,

    /// Make tickets links: a URL in which {} stands for the ticket
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_TICKET_URL", value_parser = ticket_url)]
    pub ticket_url: Option<String>,

    /// How many hours a request took as a ticket before, to show on the page Insights how many are saved
    #[arg(long, value_name = "HOURS", env = "COUNTERSIGN_TICKET_HOURS")]
    pub ticket_hours: Option<u16>,
}

/// The tools for agents that the service answers beside its API.
#[derive(Debug, Clone, Default, Args)]
pub struct McpServerArguments {
    /// Answer agents at /mcp as well, by the Model Context Protocol, each with the agent's own token
    #[arg(long, env = "COUNTERSIGN_MCP")]
    pub mcp: bool,

    /// Let agents act at /mcp with the token of a human
    #[arg(long, env = "COUNTERSIGN_MCP_AS_HUMAN", requires = "mcp")]
    pub mcp_as_human: bool,

    /// How long a call at /mcp is held that waits for approvers, in seconds
    #[arg(long, value_name = "SECONDS", env = "COUNTERSIGN_MCP_HOLD_SECONDS", default_value_t = HOLD_SECONDS, value_parser = number)]
    pub mcp_hold_seconds: u32,
}

/// An OpenID Connect issuer whose tokens are accepted.
#[derive(Debug, Clone, Default, Args)]
pub struct IssuerArguments {
    /// Accept tokens of this OpenID Connect issuer, and no others
    #[arg(long, value_name = "URL", env = "OIDC_ISSUER", requires = "oidc_audience")]
    pub oidc_issuer: Option<String>,

    /// The audience (or client id) that its tokens must be for; one of them, if there are several
    #[arg(
        long,
        value_name = "AUDIENCE",
        env = "OIDC_AUDIENCE",
        value_delimiter = ',',
        value_parser = token::audience,
        requires = "oidc_issuer"
    )]
    pub oidc_audience: Vec<String>,

    /// The issuer's keys: a file, or an https URL; found through the issuer if left out
    #[arg(long, value_name = "FILE|URL", env = "JWKS", requires = "oidc_issuer")]
    pub jwks: Option<String>,

    /// The claim with the e-mail
    #[arg(long, value_name = "NAME", env = "EMAIL_CLAIM", default_value = "email")]
    pub email_claim: String,

    /// The claims with the groups; `realm_access.roles` is the member roles of the claim `realm_access`
    #[arg(
        long,
        value_name = "NAMES",
        env = "GROUPS_CLAIM",
        value_delimiter = ',',
        value_parser = ClaimPath::parse,
        default_value = "cognito:groups,groups"
    )]
    pub groups_claim: Vec<ClaimPath>,

    /// The issuer vouches for every e-mail: do not ask whether it is verified
    #[arg(long, env = "OIDC_EMAIL_TRUSTED")]
    pub oidc_email_trusted: bool,

    /// The dashboard's client at the issuer, where people sign in then; it has to be one of the audiences
    #[arg(long, value_name = "ID", env = "OIDC_CLIENT_ID", requires = "oidc_issuer")]
    pub oidc_client_id: Option<String>,

    /// A file with the secret of that client; left out for a public client
    #[arg(long, value_name = "FILE", env = "OIDC_CLIENT_SECRET_FILE", requires = "oidc_client_id")]
    pub oidc_client_secret_file: Option<PathBuf>,

    /// What the dashboard asks the issuer for, in place of `openid email` and, if the issuer knows it, `offline_access`
    #[arg(long, value_name = "SCOPES", env = "OIDC_SCOPE", requires = "oidc_client_id")]
    pub oidc_scope: Option<String>,

    /// Further origins that the issuer leads browsers through, such as that of a directory behind it
    #[arg(
        long,
        value_name = "URLS",
        env = "OIDC_SIGN_IN_ORIGINS",
        value_delimiter = ',',
        value_parser = origin,
        requires = "oidc_client_id"
    )]
    pub oidc_sign_in_origins: Vec<String>,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Why nothing is served, or not any more.
pub fn run(arguments: ServeArguments) -> Result<(), CommandError> {
    // The program that started the service reads the port from this one line.
    let announce = |line: &str| {
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{line}").and_then(|()| stdout.flush())
    };
    Ok(serve::run(options(arguments), announce)?)
}

fn options(arguments: ServeArguments) -> Options {
    let ServeArguments { tls_cert, tls_key, issuer, limits, dashboard, mcp, .. } = arguments;
    let time = |seconds: u32| Duration::from_secs(seconds.into());
    Options {
        listen: arguments.listen,
        metrics_listen: arguments.metrics_listen,
        data_directory: arguments.data.data_dir,
        policy_directory: arguments.policy_dir,
        restrictions: Restrictions {
            workflow_enabled: arguments.workflow_enabled,
            max_pending: arguments.max_pending,
        },
        certificates: tls_cert.zip(tls_key).map(|(chain, key)| CertificateFiles { chain, key }),
        is_behind_tls_proxy: arguments.behind_tls_proxy,
        trusted_proxies: arguments.trusted_proxies,
        issuer: issuer.oidc_issuer.map(|name| IssuerOptions {
            issuer: name,
            audiences: issuer.oidc_audience,
            key_set: issuer.jwks,
            claim_names: ClaimNames {
                email: issuer.email_claim,
                groups: issuer.groups_claim,
                email_is_trusted: issuer.oidc_email_trusted,
            },
            registration: issuer.oidc_client_id.map(|client_id| RegistrationOptions {
                client_id,
                client_secret_file: issuer.oidc_client_secret_file,
                scope: issuer.oidc_scope,
                further_origins: issuer.oidc_sign_in_origins,
            }),
        }),
        limits: LimitOptions {
            connections: limits.max_connections,
            strangers: limits.max_strangers,
            request_timeout: time(limits.request_timeout),
            idle_timeout: time(limits.idle_timeout),
            answer_timeout: time(limits.answer_timeout),
        },
        mcp: mcp
            .mcp
            .then(|| McpOptions { holds: holds(mcp.mcp_hold_seconds), takes_humans: mcp.mcp_as_human }),
        public_url: dashboard.public_url.clone(),
        log_copy: arguments.log_copy,
        retention: arguments.parameters_retention_days,
        dashboard: (!dashboard.no_dashboard).then_some(DashboardOptions {
            public_url: dashboard.public_url,
            ticket_url: dashboard.ticket_url,
            ticket_hours: dashboard.ticket_hours.map(f64::from),
        }),
        log: arguments.log,
    }
}
