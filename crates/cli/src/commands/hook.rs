//! `countersign hook`: what an agent runs before and after it uses a tool of its own.

use crate::error::CommandError;
use crate::hook::arguments::{AskArguments, SHORTEST_LIMIT};
use crate::hook::install::SettingsFile;
use crate::hook::run::Hook;
use crate::hook::{check, install, service};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use countersign_hook::agent::Agent;
use countersign_hook::check::CHECK_VARIABLE;
use countersign_hook::settings::Scope;
use countersign_hook::settings::entry::Entry;
use std::path::PathBuf;
use std::time::Duration;

/// The limit that `install` writes, in seconds: longer than the bundled policy lets a request for a tool wait.
const INSTALLED_LIMIT: u64 = 310;

/// The names of agents, for help and completion too.
fn agent() -> impl TypedValueParser<Value = Agent> {
    PossibleValuesParser::new(Agent::ALL.map(Agent::name)).try_map(|name| name.parse::<Agent>())
}

/// When an agent runs a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Event {
    /// Before it uses a tool
    Pre,
    /// After it has used one
    Post,
}

/// `countersign hook`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct HookArguments {
    /// What to do in place of answering an agent.
    #[command(subcommand)]
    pub command: Option<HookCommand>,

    /// The agent, whose form the document on stdin and the answer have
    #[arg(long, value_name = "NAME", value_parser = agent(), required = true)]
    pub agent: Option<Agent>,

    /// Whether the agent is about to use a tool, or has used one
    #[arg(long, value_name = "EVENT", value_enum, default_value = "pre")]
    pub event: Event,

    /// After how many seconds the agent ends a hook; the answer is given five seconds before
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(SHORTEST_LIMIT..=86_400))]
    pub limit: Option<u64>,

    /// Put a use off that waits for approval: `claude -p` ends then, and asks again with `--resume`
    #[arg(long)]
    pub defer: bool,

    /// Where a tool may be used, say nothing: the agent goes by its own rules and questions, too
    #[arg(long)]
    pub own_rules: bool,

    /// Say what would come of it, ask for nothing, and let nothing run
    #[arg(long)]
    pub check: bool,

    /// What is asked for, and as whom.
    #[command(flatten)]
    pub ask: AskArguments,
}

/// What else can be done about hooks.
#[derive(Debug, Clone, Subcommand)]
pub enum HookCommand {
    /// Write the hook into an agent's settings, with its limit and its fail-closed switch
    Install(Box<InstallArguments>),
    /// Look for the hook in an agent's settings, and run it with a recorded input: nothing is asked for
    Check(FileArguments),
}

/// Which settings.
#[derive(Debug, Clone, Args)]
pub struct FileArguments {
    /// The agent
    #[arg(long, value_name = "NAME", value_parser = agent())]
    pub agent: Agent,

    /// The settings of the current directory, in place of the user's
    #[arg(long, conflicts_with = "settings")]
    pub project: bool,

    /// The settings file, in place of where the agent has it
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

impl FileArguments {
    fn file(&self) -> SettingsFile {
        let scope = if self.project { Scope::Project } else { Scope::User };
        SettingsFile { agent: self.agent, scope, named: self.settings.clone() }
    }
}

/// `countersign hook install`.
#[derive(Debug, Clone, Args)]
pub struct InstallArguments {
    /// The settings.
    #[command(flatten)]
    pub file: FileArguments,

    /// After how many seconds the agent is to end the hook
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = INSTALLED_LIMIT,
        value_parser = clap::value_parser!(u64).range(SHORTEST_LIMIT..=86_400)
    )]
    pub limit: u64,

    /// Put a use off that waits for approval: `claude -p` ends then, and asks again with `--resume`
    #[arg(long)]
    pub defer: bool,

    /// Where a tool may be used, say nothing: the agent goes by its own rules and questions, too
    #[arg(long)]
    pub own_rules: bool,

    /// Show what would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// What the hook asks for, and as whom.
    #[command(flatten)]
    pub ask: AskArguments,
}

/// Answers an agent, or looks after its settings.
///
/// # Errors
/// Of an answer: when the exit is not 0. Else see [`CommandError`].
pub fn run(arguments: &HookArguments) -> Result<(), CommandError> {
    match &arguments.command {
        Some(HookCommand::Install(arguments)) => install(arguments),
        Some(HookCommand::Check(arguments)) => check::check(&arguments.file()),
        None => {
            let missing = || CommandError::Usage("--agent is missing".to_owned());
            let agent = arguments.agent.ok_or_else(missing)?;
            let hook = Hook {
                agent,
                is_after: arguments.event == Event::Post,
                limit: arguments.limit.map_or_else(|| agent.default_limit(), Duration::from_secs),
                is_deferred: arguments.defer,
                keeps_own_rules: arguments.own_rules,
                parent: rustix::process::getppid(),
                is_check: arguments.check || std::env::var_os(CHECK_VARIABLE).is_some(),
                ask: arguments.ask.clone(),
            };
            hook.run()
        }
    }
}

fn install(arguments: &InstallArguments) -> Result<(), CommandError> {
    let program = std::env::current_exe().map_err(|error| format!("the path of this program: {error}"))?;
    let options = service::pinned(&arguments.ask)?
        .words()
        .map_err(|error| format!("the current directory: {error}"))?;
    let defer = arguments.defer.then(|| "--defer".to_owned());
    let own_rules = arguments.own_rules.then(|| "--own-rules".to_owned());
    let words =
        [program.display().to_string()].into_iter().chain(defer).chain(own_rules).chain(options).collect();
    let entry = Entry { words, limit: arguments.limit };
    install::install(&arguments.file.file(), &entry, arguments.dry_run)
}
