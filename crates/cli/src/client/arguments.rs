//! The command line of the client commands.

use crate::client::config::ProfileName;
use clap::{Args, Subcommand};
use countersign_core::command::ExecutionOutcome;
use countersign_core::ids::{ExecutionId, RequestId};
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use std::path::PathBuf;

/// Which of the configured services.
#[derive(Debug, Clone, Default, Args)]
pub struct ProfileArgument {
    /// The profile of the configuration file; or `COUNTERSIGN_PROFILE`, or the default profile
    #[arg(long, value_name = "NAME", value_parser = ProfileName::parse)]
    pub profile: Option<ProfileName>,
}

/// Which service, as whom, and how the answer is shown.
///
/// The environment and the profile are read where they are weighed against these, in
/// [`super::profile`].
#[derive(Debug, Clone, Default, Args)]
pub struct ConnectionArguments {
    /// Where the service is; or `COUNTERSIGN_URL`, or the profile's; else `http://127.0.0.1:9000`
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// The profile.
    #[command(flatten)]
    pub profile: ProfileArgument,

    /// A file that holds your token; or `COUNTERSIGN_TOKEN` with the token, or
    /// `COUNTERSIGN_TOKEN_FILE`
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Certificates to trust besides the public ones, PEM; or `COUNTERSIGN_CA_BUNDLE`
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,

    /// The answer as JSON, for scripts
    #[arg(long)]
    pub json: bool,

    /// Times as dates in UTC, not as "4h 12m left"
    #[arg(long)]
    pub utc: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Args)]
pub struct DraftArguments {
    /// What is to be done, such as reboot
    #[arg(value_name = "OPERATION")]
    pub operation_type: String,

    /// To what, such as production-db-01
    #[arg(value_name = "INSTANCE")]
    pub instance_id: String,

    /// Exactly how: JSON, @FILE, or - for stdin
    #[arg(long, short, value_name = "JSON|@FILE|-", default_value = "{}")]
    pub parameters: String,

    /// Where: production or non-production
    #[arg(long, short, value_name = "NAME", value_parser = environment)]
    pub environment: Environment,

    /// Why
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub justification: String,

    /// More than what policy says: low, medium or high
    #[arg(long, value_name = "LEVEL", value_parser = risk_level)]
    pub risk_level: Option<RiskLevel>,

    /// What it is expected to cost
    #[arg(long, value_name = "AMOUNT")]
    pub estimated_cost: Option<f64>,

    /// How long it is expected to take, in words
    #[arg(long, value_name = "TEXT")]
    pub estimated_duration: Option<String>,

    /// The ticket it belongs to, such as CHG-1234
    #[arg(long, value_name = "NAME")]
    pub ticket: Option<String>,

    /// How to go back, should it not do what it is meant to
    #[arg(long, value_name = "TEXT")]
    pub rollback_plan: Option<String>,
}

/// `countersign create`.
#[derive(Debug, Clone, Args)]
pub struct CreateArguments {
    /// What is asked for.
    #[command(flatten)]
    pub draft: DraftArguments,

    /// The same key makes the same request, however often it is sent
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,

    /// Wait for the decision, at most so long: a number and s, m, h or d
    #[arg(long, value_name = "TIME", value_parser = crate::arguments::seconds)]
    pub wait: Option<u32>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateArguments {
    /// What would be asked for.
    #[command(flatten)]
    pub draft: DraftArguments,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign list`.
#[derive(Debug, Clone, Args)]
pub struct ListArguments {
    /// pending, approved, executing, executed, failed, rejected, cancelled or expired, or several of
    /// them with commas between; pending if neither this, a person nor an instance is given
    #[arg(long, short, value_name = "STATUS", value_parser = status, value_delimiter = ',')]
    pub status: Vec<Status>,

    /// low, medium or high, or several
    #[arg(long, value_name = "LEVEL", value_parser = risk_level, value_delimiter = ',')]
    pub risk: Vec<RiskLevel>,

    /// production or non-production, or both
    #[arg(long, short, value_name = "NAME", value_parser = environment, value_delimiter = ',')]
    pub environment: Vec<Environment>,

    /// For this operation, or one of several
    #[arg(long, value_name = "OPERATION", value_delimiter = ',')]
    pub operation: Vec<String>,

    /// Made by this person
    #[arg(long, value_name = "EMAIL")]
    pub requested_by: Option<String>,

    /// For this instance
    #[arg(long, value_name = "INSTANCE")]
    pub instance_id: Option<String>,

    /// Not before this day or time, such as 2026-01-31
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// Not after this day, all of which counts, or this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,

    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub limit: u32,

    /// Where the page before ended, as it said
    #[arg(long, value_name = "CURSOR", conflicts_with = "all")]
    pub cursor: Option<String>,

    /// All pages
    #[arg(long)]
    pub all: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// One request, and nothing else to say.
#[derive(Debug, Clone, Args)]
pub struct RequestArguments {
    /// The request: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign get`.
#[derive(Debug, Clone, Args)]
pub struct GetArguments {
    /// Wait while it is pending, at most so long: a number and s, m, h or d
    #[arg(long, value_name = "TIME", value_parser = crate::arguments::seconds)]
    pub wait: Option<u32>,

    /// Which.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// `countersign approve`.
#[derive(Debug, Clone, Args)]
pub struct ApproveArguments {
    /// The requests: their ids, or the beginnings of them
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,

    /// Something to say
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub comment: Option<String>,

    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign reject`.
#[derive(Debug, Clone, Args)]
pub struct RejectArguments {
    /// The requests: their ids, or the beginnings of them
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,

    /// Why; asked for if it is left out
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub reason: Option<String>,

    /// Do not ask
    #[arg(long, short, requires = "reason")]
    pub yes: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign inbox`.
#[derive(Debug, Clone, Args)]
pub struct InboxArguments {
    /// Only requests whose operation, instance, requester, environment or risk is this; may be
    /// given more than once
    #[arg(long = "filter", value_name = "TEXT")]
    pub filters: Vec<String>,

    /// How often to look for new requests, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub refresh: u32,

    /// Decide one request, then end
    #[arg(long)]
    pub once: bool,

    /// When nothing is left, wait for more
    #[arg(long, conflicts_with = "once")]
    pub continuous: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign withdraw`.
#[derive(Debug, Clone, Args)]
pub struct WithdrawArguments {
    /// Why; kept as a comment
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub reason: Option<String>,

    /// Which.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// `countersign cancel`.
#[derive(Debug, Clone, Args)]
pub struct CancelArguments {
    /// Why
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub reason: Option<String>,

    /// Which.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// `countersign comment`.
#[derive(Debug, Clone, Args)]
pub struct CommentArguments {
    /// The request: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,

    /// What to say
    #[arg(value_name = "TEXT")]
    pub text: String,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign start`.
#[derive(Debug, Clone, Args)]
pub struct StartArguments {
    /// Refuse unless the request is this one: the digest of its content, as `get --json` shows it
    #[arg(long, value_name = "SHA256")]
    pub content_digest: Option<String>,

    /// Refuse unless the parameters are these: their SHA-256
    #[arg(long, value_name = "DIGEST")]
    pub parameters_digest: Option<String>,

    /// Which.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// `countersign finish`.
#[derive(Debug, Clone, Args)]
pub struct FinishArguments {
    /// The request: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,

    /// succeeded or failed
    #[arg(value_name = "OUTCOME", value_parser = outcome)]
    pub outcome: ExecutionOutcome,

    /// The execution, as `start` named it
    #[arg(long, value_name = "EXECUTION_ID", value_parser = ExecutionId::parse)]
    pub execution_id: ExecutionId,

    /// What came of it: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub result: Option<String>,

    /// What it cost
    #[arg(long, value_name = "AMOUNT")]
    pub actual_cost: Option<f64>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign whoami`.
#[derive(Debug, Clone, Args)]
pub struct WhoamiArguments {
    /// The directory of the policy that the service runs with: say which of its groups yours count as
    #[arg(long, value_name = "DIR", env = "POLICY_DIR")]
    pub policy_dir: Option<PathBuf>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The commands of `countersign config`.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration file
    Show,
    /// Print where the configuration file is, or would be
    Path,
    /// Make a profile, or change what is given of it; an empty value takes a setting out
    SetProfile(Box<SetProfileArguments>),
    /// Make a profile the default one
    Use {
        /// The profile
        #[arg(value_name = "NAME", value_parser = ProfileName::parse)]
        name: ProfileName,
    },
}

/// `countersign config set-profile`.
#[derive(Debug, Clone, Args)]
pub struct SetProfileArguments {
    /// The profile
    #[arg(value_name = "NAME", value_parser = ProfileName::parse)]
    pub name: ProfileName,

    /// Where the service is
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// Certificates to trust besides the public ones, PEM
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<String>,

    /// A file that holds your token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<String>,

    /// The OpenID Connect issuer that `countersign login` asks for a token
    #[arg(long, value_name = "URL")]
    pub oidc_issuer: Option<String>,

    /// The client id of this program at the issuer: a public client with the device grant
    #[arg(long, value_name = "ID")]
    pub oidc_client_id: Option<String>,

    /// The audience to ask for, if the issuer wants to be told
    #[arg(long, value_name = "AUDIENCE")]
    pub oidc_audience: Option<String>,

    /// The scopes to ask for, in place of `openid email offline_access`
    #[arg(long, value_name = "SCOPES")]
    pub oidc_scope: Option<String>,
}

/// `countersign login` and `countersign logout`.
#[derive(Debug, Clone, Args)]
pub struct LoginArguments {
    /// Where to.
    #[command(flatten)]
    pub profile: ProfileArgument,

    /// Certificates to trust besides the public ones, PEM; or `COUNTERSIGN_CA_BUNDLE`
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
}

/// `countersign completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `countersign man`.
#[derive(Debug, Clone, Args)]
pub struct ManArguments {
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

fn one_of<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Result<T, String> {
    all.iter().copied().find(|candidate| name(*candidate) == text).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|candidate| name(*candidate)).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn environment(text: &str) -> Result<Environment, String> {
    one_of(&Environment::ALL, Environment::as_str, text)
}

fn risk_level(text: &str) -> Result<RiskLevel, String> {
    one_of(&RiskLevel::ALL, RiskLevel::as_str, text)
}

fn status(text: &str) -> Result<Status, String> {
    one_of(&Status::ALL, Status::as_str, text)
}

fn outcome(text: &str) -> Result<ExecutionOutcome, String> {
    one_of(&ExecutionOutcome::ALL, ExecutionOutcome::as_str, text)
}

/// What somebody calls a request: all of its id, or the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// All of it.
    Id(RequestId),
    /// The beginning, of at least four characters.
    Prefix(String),
}

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(id) = RequestId::parse(text) {
            return Ok(Self::Id(id));
        }
        let may_begin_an_id = text.bytes().all(|b| b == b'-' || matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if may_begin_an_id && (4..36).contains(&text.len()) {
            return Ok(Self::Prefix(text.to_owned()));
        }
        Err(format!(
            "`{}` is neither an id nor the beginning of one (4 characters or more)",
            text.escape_debug()
        ))
    }
}
