//! `countersign run`: running a command once it is approved.

use crate::complete;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::patience::PatienceArguments;
use crate::run::report::Report;
use crate::run::{self, Bounds};
use crate::value_parsers::{environment, priority, risk_level};
use clap::{Args, ValueEnum};
use clap_complete::ArgValueCompleter;
use countersign_api::bodies::CreateBody;
use countersign_core::priority::Priority;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_run::bind::{CommandLine, StdinChoice};
use countersign_run::parameters::{self, Parameters};
use serde_json::json;
use std::ffi::OsString;
use std::path::PathBuf;

/// What a command reads from its stdin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stdin {
    /// Nothing
    Null,
    /// What `countersign` would read; approvers are shown that it is not bound
    Inherit,
}

/// `countersign run`.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// What is done, as policy knows it
    #[arg(long, value_name = "OPERATION", default_value = "run_command", add = ArgValueCompleter::new(complete::operations))]
    pub operation: String,

    /// To what; the name of this host, if it is left out
    #[arg(long, value_name = "INSTANCE")]
    pub instance: Option<String>,

    /// Where: production or non-production
    #[arg(long, short, value_name = "NAME", value_parser = environment(), default_value = "production")]
    pub environment: Environment,

    /// Why; the command line, if it is left out
    #[arg(long, short = 'm', value_name = "TEXT", allow_hyphen_values = true)]
    pub justification: Option<String>,

    /// More than what policy says: low, medium or high
    #[arg(long, value_name = "LEVEL", value_parser = risk_level())]
    pub risk_level: Option<RiskLevel>,

    /// What it is expected to cost
    #[arg(long, value_name = "AMOUNT")]
    pub estimated_cost: Option<f64>,

    /// How long it is expected to take, in words
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub estimated_duration: Option<String>,

    /// The ticket it belongs to, such as CHG-1234
    #[arg(long, value_name = "NAME")]
    pub ticket: Option<String>,

    /// How to go back, should it not do what it is meant to
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub rollback_plan: Option<String>,

    /// How soon it needs an answer, P1 (an emergency) to P4: who is reminded and when, never what is demanded
    #[arg(long, value_name = "PRIORITY", value_parser = priority())]
    pub priority: Option<Priority>,

    /// A further file that decides what the command does: approved, and checked, by its content
    #[arg(long, value_name = "FILE")]
    pub bind: Vec<PathBuf>,

    /// A file that an argument names and that may change; approvers are shown that
    #[arg(long, value_name = "FILE")]
    pub no_bind: Vec<PathBuf>,

    /// What the command reads from stdin
    #[arg(long, value_name = "WHAT", value_enum, default_value = "null", conflicts_with = "stdin_file")]
    pub stdin: Stdin,

    /// A file that the command reads from stdin: approved, and checked, by its content
    #[arg(long, value_name = "FILE")]
    pub stdin_file: Option<PathBuf>,

    /// A variable that the command gets besides PATH, HOME, USER, LANG, TERM and TZ; approvers are shown its value
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,

    /// The same, of which approvers are shown the name alone
    #[arg(long, value_name = "NAME")]
    pub env_secret: Vec<String>,

    /// Keep the end of what the command writes in the result: at most 8 KiB of each stream
    #[arg(long)]
    pub keep_output: bool,

    /// How long to wait; the request is cancelled then.
    #[command(flatten)]
    pub patience: PatienceArguments,

    /// Write what came of it into this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,

    /// The command and its arguments; no shell reads them
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub command: Vec<OsString>,
}

impl RunArguments {
    fn line(&self) -> CommandLine {
        let stdin = match (&self.stdin_file, self.stdin) {
            (Some(file), _) => StdinChoice::File(file.clone()),
            (None, Stdin::Null) => StdinChoice::Null,
            (None, Stdin::Inherit) => StdinChoice::Inherit,
        };
        CommandLine {
            words: self.command.clone(),
            bind: self.bind.clone(),
            no_bind: self.no_bind.clone(),
            stdin,
            environment: self.env.clone(),
            secret_environment: self.env_secret.clone(),
        }
    }

    /// What the service is asked for.
    fn request(&self, bound: &Parameters) -> CreateBody {
        CreateBody {
            operation_type: self.operation.clone(),
            instance_id: self.instance.clone().unwrap_or_else(host_name),
            parameters: json!(bound),
            environment: self.environment.as_str().to_owned(),
            justification: self.justification.clone().unwrap_or_else(|| parameters::line(&bound.command)),
            risk_level: self.risk_level.map(|level| level.as_str().to_owned()),
            estimated_cost: self.estimated_cost,
            estimated_duration: self.estimated_duration.clone(),
            ticket: self.ticket.clone(),
            rollback_plan: self.rollback_plan.clone(),
            priority: self.priority.map(|priority| priority.to_string()),
            ..CreateBody::default()
        }
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Asks, waits, and runs the command.
///
/// # Errors
/// See [`CommandError`]; the end of the command itself is one too, unless it is a success.
pub fn run(arguments: &RunArguments) -> Result<(), CommandError> {
    let mut report = Report::default();
    let bounds = Bounds { patience: arguments.patience.into(), keeps_output: arguments.keep_output };
    let line = arguments.line();
    let end = run::run(&arguments.connection, &line, |bound| arguments.request(bound), &bounds, &mut report);
    if let Some(path) = &arguments.report {
        report.write(path, end.as_ref().err());
    }
    end
}
