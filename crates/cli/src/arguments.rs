//! The command line and the environment variables behind it.

use crate::client::arguments::{
    ApproveArguments, CancelArguments, CommentArguments, CompletionsArguments, ConfigArguments,
    ConnectionArguments, CreateArguments, DoctorArguments, FinishArguments, GetArguments, InboxArguments,
    ListArguments, LoginArguments, ManArguments, OperationsArguments, RejectArguments, RequestArguments,
    SimulateArguments, StartArguments, WhoamiArguments, WithdrawArguments,
};
use crate::examples;
use crate::policy::PolicyArguments;
use crate::source_address::ProxyNetwork;
use clap::{Arg, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use countersign_core::ids::EventId;
use countersign_core::person::PersonId;
use countersign_identity::claim_path::ClaimPath;
use countersign_identity::token;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Approvals for high-risk operations: who asks, who agrees, what ran, and an audit trail of it.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Those of these words, with the environment of this process behind them. A variable that is set to nothing counts as not set, as it does for everything else
    /// that reads the environment: a template or a script cannot always leave one out.
    ///
    /// # Errors
    /// Words that make no sense, and those that ask for help or the version.
    pub fn read(words: &[OsString]) -> Result<Self, clap::Error> {
        let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let matches = without_variables(Self::command(), is_empty).try_get_matches_from(words)?;
        Self::from_arg_matches(&matches)
    }
}

/// A command whose options, and those of its subcommands, do not ask for some of their variables.
fn without_variables(command: clap::Command, is_left_out: impl Fn(&OsStr) -> bool + Copy) -> clap::Command {
    command
        .mut_args(|argument: Arg| match argument.get_env() {
            Some(name) if is_left_out(name) => argument.env(None::<&'static str>),
            // The help is pasted into tickets, and a URL may have a password in it.
            Some(_) => argument.hide_env_values(true),
            None => argument,
        })
        .mut_subcommands(|command| without_variables(command, is_left_out))
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service on this machine
    #[command(after_long_help = examples::SERVE)]
    Serve(Box<ServeArguments>),
    /// Issue a token for a person, signed with the data directory's key
    #[command(after_long_help = examples::TOKEN)]
    Token(TokenArguments),
    /// Ask for an operation
    #[command(after_long_help = examples::CREATE)]
    Create(Box<CreateArguments>),
    /// Show what would come of asking for an operation, and ask for nothing
    #[command(after_long_help = examples::SIMULATE)]
    Simulate(Box<SimulateArguments>),
    /// List requests; pending ones unless filtered
    #[command(visible_alias = "ls", after_long_help = examples::LIST)]
    List(Box<ListArguments>),
    /// Show requests, all of them
    #[command(visible_alias = "show", after_long_help = examples::GET)]
    Get(GetArguments),
    /// Show why a request stands where it stands: what is missing, who can give it, what you may do
    #[command(after_long_help = examples::EXPLAIN)]
    Explain(RequestArguments),
    /// Agree, after being shown everything
    #[command(after_long_help = examples::APPROVE)]
    Approve(ApproveArguments),
    /// Refuse, with a reason
    #[command(after_long_help = examples::REJECT)]
    Reject(RejectArguments),
    /// Go through what waits for your decision, on a screen
    #[command(after_long_help = examples::INBOX)]
    Inbox(InboxArguments),
    /// Take your own approval back, before the execution starts
    #[command(after_long_help = examples::WITHDRAW)]
    Withdraw(WithdrawArguments),
    /// Give a request up: your own, one of your agents', or as an admin any
    #[command(after_long_help = examples::CANCEL)]
    Cancel(CancelArguments),
    /// Say something about a request
    #[command(after_long_help = examples::COMMENT)]
    Comment(CommentArguments),
    /// Show a request's audit trail
    #[command(visible_alias = "history", after_long_help = examples::EVENTS)]
    Events(RequestArguments),
    /// Spend an approval: begin to execute what was approved
    #[command(after_long_help = examples::START)]
    Start(StartArguments),
    /// Report what came of an execution
    #[command(after_long_help = examples::FINISH)]
    Finish(Box<FinishArguments>),
    /// List the operations that a policy knows: how risky each is, and how many must agree
    #[command(after_long_help = examples::OPERATIONS)]
    Operations(Box<OperationsArguments>),
    /// Show who you are to the service
    #[command(after_long_help = examples::WHOAMI)]
    Whoami(WhoamiArguments),
    /// Get a token from the profile's OpenID Connect issuer, with a browser on any device
    #[command(after_long_help = examples::LOGIN)]
    Login(LoginArguments),
    /// Forget the token that `login` got
    #[command(after_long_help = examples::LOGOUT)]
    Logout(LoginArguments),
    /// Look at and change the configuration file of the client commands
    #[command(after_long_help = examples::CONFIG)]
    Config(ConfigArguments),
    /// Check the way to the service and your token, and say what to do
    #[command(after_long_help = examples::DOCTOR)]
    Doctor(Box<DoctorArguments>),
    /// Look at a policy before it bites: what is odd, whether its cases hold, what it would change
    #[command(after_long_help = examples::POLICY)]
    Policy(PolicyArguments),
    /// Look after events that could not be delivered: of a stopped service, or of a deployed table
    #[command(after_long_help = examples::OUTBOX)]
    Outbox(OutboxArguments),
    /// Check that requests are what their audit trails have made them, and that nothing is edited or missing
    #[command(after_long_help = examples::VERIFY)]
    Verify(Box<VerifyArguments>),
    /// Print what makes a shell complete these commands
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions(CompletionsArguments),
    /// Print the manual page, or write all of them
    #[command(after_long_help = examples::MAN)]
    Man(ManArguments),
}

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

    /// What connections may take.
    #[command(flatten)]
    pub limits: LimitArguments,

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
}

/// `countersign token`.
#[derive(Debug, Clone, Args)]
pub struct TokenArguments {
    /// Whose token: their e-mail address
    #[arg(value_parser = PersonId::from_email)]
    pub email: PersonId,

    /// The groups, such as developer,approver: those that people.toml of the policy names,
    /// or stands for by an alias. If none is given: developer
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = group)]
    pub groups: Vec<String>,

    /// One more group, whatever its name has in it, such as "CN=DBA Team,OU=Staff"; may be given several times
    #[arg(long, value_name = "NAME", value_parser = group)]
    pub group: Vec<String>,

    /// How long it is valid: a number and s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "8h", value_parser = seconds)]
    pub ttl: u32,

    /// The directory of the policy that the service runs with, in place of the one that comes with the
    /// program: a group that it does not name is worth a warning
    #[arg(long, value_name = "DIR", env = "POLICY_DIR")]
    pub policy_dir: Option<PathBuf>,

    /// Where the key is.
    #[command(flatten)]
    pub data: DataDirectoryArgument,
}

/// `countersign outbox`.
#[derive(Debug, Clone, Args)]
pub struct OutboxArguments {
    /// What to do with them.
    #[command(subcommand)]
    pub command: OutboxCommand,

    /// Where the outbox is.
    #[command(flatten)]
    pub data: DataDirectoryArgument,

    /// A deployed outbox table, such as approvals-outbox-prod, in place of the data directory; with
    /// your AWS region and credentials
    #[arg(long, value_name = "NAME", global = true)]
    pub table: Option<String>,

    /// Further certificates to trust on the way to AWS, PEM
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE", global = true)]
    pub ca_bundle: Option<PathBuf>,
}

/// The commands of `countersign outbox`.
#[derive(Debug, Clone, Subcommand)]
pub enum OutboxCommand {
    /// List the dead letters: events whose delivery failed too often
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Put dead letters back for delivery
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Replay {
        /// The event, as `list` shows it
        #[arg(group = "which", value_parser = EventId::parse)]
        event_id: Option<EventId>,
        /// All that can be read
        #[arg(long, group = "which")]
        all: bool,
    },
}

/// `countersign verify`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("which_requests").required(true).multiple(true))]
pub struct VerifyArguments {
    /// The requests: their ids, or of the service the beginning of them
    #[arg(value_name = "ID", group = "which_requests", conflicts_with = "all")]
    pub ids: Vec<String>,

    /// Every request, every trail and every message
    #[arg(long, group = "which_requests")]
    pub all: bool,

    /// The data directory of a stopped service, in place of a service that is asked
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// A deployment, such as prod, whose tables are read with your AWS region and credentials
    #[arg(long, value_name = "NAME", conflicts_with = "data_dir")]
    pub environment: Option<String>,

    /// The deployment's key, as Secrets Manager has it; for --environment
    #[arg(long, value_name = "KEY", env = "DEPLOYMENT_KEY")]
    pub deployment_key: Option<String>,

    /// What was published, one JSON document a line: the log of `countersign serve`, or messages that a
    /// subscriber has kept. Each event in it must still be in the store
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Further certificates to trust on the way to AWS, PEM
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE")]
    pub aws_ca_bundle: Option<PathBuf>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

fn group(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() {
        return Err("must be names of groups with commas between them, such as developer,approver".to_owned());
    }
    Ok(name.to_owned())
}

/// How many of something: at least one, at most a million.
fn number(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=1_000_000).contains(number));
    number.ok_or_else(|| "must be a number from 1 to 1000000".to_owned())
}

/// The longest a token may be valid, and anything may be waited for.
const MAX_DAYS: u32 = 366;
const SECONDS_A_DAY: u32 = 24 * 60 * 60;

/// `90s`, `15m`, `8h` or `30d` in seconds.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    seconds_of_days(MAX_DAYS, text)
}

/// The same, of a time that may be at most so many days.
pub(crate) fn seconds_of_days(max_days: u32, text: &str) -> Result<u32, String> {
    let rule = || format!("must be a number and s, m, h or d, such as 8h; at most {max_days}d");
    let unit = text.chars().next_back().ok_or_else(rule)?;
    let unit_seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => SECONDS_A_DAY,
        _ => return Err(rule()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let number: u32 = digits.parse().map_err(|_| rule())?;
    number
        .checked_mul(unit_seconds)
        .filter(|seconds| (1..=max_days.saturating_mul(SECONDS_A_DAY)).contains(seconds))
        .ok_or_else(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    /// Everything that asks the environment is asked here, whatever command it belongs to.
    #[test]
    fn a_variable_that_is_left_out_is_asked_by_no_option() {
        fn asked(command: &clap::Command) -> Vec<String> {
            let own = command.get_arguments().filter_map(|argument| argument.get_env());
            let own = own.map(|name| name.to_str().unwrap().to_owned());
            own.chain(command.get_subcommands().flat_map(asked)).collect()
        }
        let all = asked(&Arguments::command());
        assert!(all.len() >= 20, "{all:?}");
        assert!(asked(&without_variables(Arguments::command(), |_| true)).is_empty());
        let but_one = asked(&without_variables(Arguments::command(), |name| name == "POLICY_DIR"));
        assert_eq!(but_one, all.into_iter().filter(|name| name != "POLICY_DIR").collect::<Vec<_>>());
    }

    #[test]
    fn a_time_to_live_has_a_unit_and_a_limit() {
        for (text, expected) in [("90s", 90), ("15m", 900), ("8h", 28_800), ("366d", 31_622_400)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "8", "h", "0h", "-1h", "8w", "367d", "99999999999h", "8hh", "1.5h"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_that_is_too_long_is_told_the_limit_that_holds() {
        for (max_days, text) in [(365, "366d"), (365, "400d"), (366, "367d")] {
            let refused = seconds_of_days(max_days, text).unwrap_err();
            assert!(refused.ends_with(&format!("at most {max_days}d")), "{refused}");
        }
        assert_eq!(seconds_of_days(365, "365d"), Ok(31_536_000));
    }
}
