//! The command line: the commands, and the environment variables behind their options.

use crate::commands::approve::ApproveArguments;
use crate::commands::audit::AuditArguments;
use crate::commands::cancel::CancelArguments;
use crate::commands::claim::ClaimArguments;
use crate::commands::comment::CommentArguments;
use crate::commands::completions::CompletionsArguments;
use crate::commands::config::ConfigArguments;
use crate::commands::create::CreateArguments;
use crate::commands::dashboard::DashboardArguments;
use crate::commands::doctor::DoctorArguments;
use crate::commands::evidence::EvidenceArguments;
use crate::commands::execution::ExecutionArguments;
use crate::commands::executor::ExecutorArguments;
use crate::commands::finish::FinishArguments;
use crate::commands::gate::GateArguments;
use crate::commands::get::GetArguments;
use crate::commands::hold::HoldArguments;
use crate::commands::hook::HookArguments;
use crate::commands::inbox::InboxArguments;
use crate::commands::key::KeyArguments;
use crate::commands::list::ListArguments;
use crate::commands::login::LoginArguments;
use crate::commands::man::ManArguments;
use crate::commands::mcp::McpArguments;
use crate::commands::notifications::NotificationsArguments;
use crate::commands::notify::NotifyArguments;
use crate::commands::observe::ObserveArguments;
use crate::commands::operations::OperationsArguments;
use crate::commands::outbox::OutboxArguments;
use crate::commands::permit::PermitArguments;
use crate::commands::policy::PolicyArguments;
use crate::commands::reject::RejectArguments;
use crate::commands::report::ReportArguments;
use crate::commands::run::RunArguments;
use crate::commands::serve::ServeArguments;
use crate::commands::simulate::SimulateArguments;
use crate::commands::start::StartArguments;
use crate::commands::token::TokenArguments;
use crate::commands::verify::VerifyArguments;
use crate::commands::wait::WaitArguments;
use crate::commands::webhooks::WebhooksArguments;
use crate::commands::whoami::WhoamiArguments;
use crate::commands::withdraw::WithdrawArguments;
use crate::connection_arguments::RequestArguments;
use crate::examples;

use clap::{Arg, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::{OsStr, OsString};

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
    /// Wait until requests are decided, and show what became of them
    #[command(after_long_help = examples::WAIT)]
    Wait(WaitArguments),
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
    /// Show other approvers that you are looking at a request, for a while; it keeps none of them from deciding
    #[command(after_long_help = examples::HOLD)]
    Hold(HoldArguments),
    /// Give back what `hold` has claimed
    #[command(after_long_help = examples::RELEASE)]
    Release(RequestArguments),
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
    /// Query audit events across requests
    #[command(after_long_help = examples::AUDIT)]
    Audit(AuditArguments),
    /// Take away what shows offline who asked for what, who decided it, and what came of it; or verify that
    #[command(after_long_help = examples::EVIDENCE)]
    Evidence(Box<EvidenceArguments>),
    /// Spend an approval: begin to execute what was approved
    #[command(after_long_help = examples::START)]
    Start(StartArguments),
    /// Show how far an execution has come, and get its permit
    #[command(after_long_help = examples::EXECUTION)]
    Execution(ExecutionArguments),
    /// Spend a permit: who is answered carries the operation out
    #[command(after_long_help = examples::CLAIM)]
    Claim(ClaimArguments),
    /// Record a target as an executor has found it
    #[command(after_long_help = examples::OBSERVE)]
    Observe(ObserveArguments),
    /// Report that an execution goes on, or what came of it
    #[command(after_long_help = examples::FINISH)]
    Finish(Box<FinishArguments>),
    /// Run a command once it is approved: exactly what approvers were shown, and once
    #[command(after_long_help = examples::RUN)]
    Run(Box<RunArguments>),
    /// Give agents tools to ask, wait, start and report, by the Model Context Protocol; none of them approves
    #[command(after_long_help = examples::MCP)]
    Mcp(Box<McpArguments>),
    /// Stand before an MCP server: each call of its tools is run once it is approved, and once
    #[command(after_long_help = examples::GATE)]
    Gate(Box<GateArguments>),
    /// Answer an agent that is about to use a tool of its own: its approval is asked for, waited for and spent first
    #[command(after_long_help = examples::HOOK)]
    Hook(Box<HookArguments>),
    /// Carry out what was approved: on Amazon RDS, or by a program of your own
    #[command(after_long_help = examples::EXECUTOR)]
    Executor(Box<ExecutorArguments>),
    /// List the operations that a policy knows: how risky each is, and how many must agree
    #[command(after_long_help = examples::OPERATIONS)]
    Operations(Box<OperationsArguments>),
    /// Show who you are to the service
    #[command(after_long_help = examples::WHOAMI)]
    Whoami(WhoamiArguments),
    /// Show how you hear of requests, or say how you want to: by which destinations, when, and of what
    #[command(after_long_help = examples::NOTIFICATIONS)]
    Notifications(Box<NotificationsArguments>),
    /// Look at who would hear of a request
    #[command(after_long_help = examples::NOTIFY)]
    Notify(NotifyArguments),
    /// Open the web pages of the service in a browser, signed in as you
    #[command(after_long_help = examples::DASHBOARD)]
    Dashboard(DashboardArguments),
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
    /// Show the report on a day, a week or a month: what became of requests, how long decisions took, who asked and decided
    #[command(after_long_help = examples::REPORT)]
    Report(Box<ReportArguments>),
    /// Look after events that could not be delivered: of a stopped service, or of a deployed table
    #[command(after_long_help = examples::OUTBOX)]
    Outbox(OutboxArguments),
    /// Look after webhooks: addresses that get the events of requests
    #[command(after_long_help = examples::WEBHOOKS)]
    Webhooks(WebhooksArguments),
    /// Look at a permit: whether it is one, and what it says
    #[command(after_long_help = examples::PERMIT)]
    Permit(PermitArguments),
    /// Look after the keys that sign permits: of a stopped service, or of a deployment
    #[command(after_long_help = examples::KEY)]
    Key(KeyArguments),
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
}
