//! The command line of the client commands.

use clap::Args;
use countersign_core::command::ExecutionOutcome;
use countersign_core::ids::{ExecutionId, RequestId};
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use std::path::PathBuf;

/// Which service, as whom, and how the answer is shown.
#[derive(Debug, Clone, Args)]
pub struct ConnectionArguments {
    /// Where the service is
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_URL", default_value = "http://127.0.0.1:9000")]
    pub url: String,

    /// A file that holds your token, if `COUNTERSIGN_TOKEN` does not
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,

    /// Certificates to trust besides the public ones, PEM
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CA_BUNDLE")]
    pub ca_bundle: Option<PathBuf>,

    /// The answer as JSON, for scripts
    #[arg(long)]
    pub json: bool,

    /// Times as dates in UTC, not as "4h 12m left"
    #[arg(long)]
    pub utc: bool,
}

impl ConnectionArguments {
    /// The token of the environment. There is no option for it: everybody on a machine can read the
    /// arguments of its programs.
    #[expect(clippy::disallowed_methods, reason = "this is the argument parser")]
    pub fn token(&self) -> Option<String> {
        std::env::var("COUNTERSIGN_TOKEN").ok().filter(|token| !token.is_empty())
    }
}

/// `countersign create`.
#[derive(Debug, Clone, Args)]
pub struct CreateArguments {
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

/// `countersign list`.
#[derive(Debug, Clone, Args)]
pub struct ListArguments {
    /// pending, approved, executing, executed, failed, rejected, cancelled or expired; pending if no
    /// filter is given
    #[arg(long, short, value_name = "STATUS", value_parser = status)]
    pub status: Option<Status>,

    /// Made by this person
    #[arg(long, value_name = "EMAIL")]
    pub requested_by: Option<String>,

    /// For this instance
    #[arg(long, value_name = "INSTANCE")]
    pub instance_id: Option<String>,

    /// Not before this day or time, such as 2026-01-31
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// Not after this day or time
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
    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
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
