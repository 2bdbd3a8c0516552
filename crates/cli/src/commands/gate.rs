//! `countersign gate`: a proxy before one MCP server, whose tools are called once that is approved.

use crate::aws;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::view::document;
use crate::view::output::Output;
use crate::view::terminal::{Terminal, write_document};
use crate::view::text::{Line, Text, Tone};
use clap::{Args, Subcommand};
use countersign_client::environment::Environment;
use countersign_client::profile;
use countersign_core::text::escaped_line;
use countersign_gate::child;
use countersign_gate::configuration::{ALWAYS_PASSED, Configuration};
use countersign_gate::notes::note;
use countersign_gate::pins::{PinnedTool, Pins};
use countersign_gate::serve::{self, GateError, Options};
use countersign_gate::source::Source;
use countersign_gate::state_directory::StateDirectory;
use countersign_gate::status::{Status, status};
use countersign_gate::upstream_http::Address;
use countersign_system::{private_file, text_file};
use countersign_tool_calls::OpenError;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// `countersign gate`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct GateArguments {
    /// What to do in place of serving an agent.
    #[command(subcommand)]
    pub command: Option<GateCommand>,

    /// Which server, and where its state is.
    #[command(flatten)]
    pub place: PlaceArguments,

    /// The URL of the server, in place of a command that starts it
    #[arg(long, value_name = "URL", conflicts_with = "server_command")]
    pub upstream: Option<String>,

    /// Serve agents over HTTP at this address of this machine, in place of stdin and stdout; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// Act with the token of a human; an agent that has one could approve elsewhere what it asks for here
    #[arg(long)]
    pub as_human: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,

    /// The command that starts the server, and its arguments; no shell reads them
    #[arg(value_name = "COMMAND", last = true, required_unless_present = "upstream")]
    pub server_command: Vec<OsString>,
}

/// Which server, and where its state is.
#[derive(Debug, Clone, Default, Args)]
pub struct PlaceArguments {
    /// The configuration of the gate
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What the server is called in operations, `mcp:NAME/TOOL`, in place of the configuration's name
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,

    /// Where calls that are under way are kept; beside the tokens of `countersign login` if left out
    #[arg(long, value_name = "DIR")]
    pub state_directory: Option<PathBuf>,
}

/// The commands of `countersign gate`.
#[derive(Debug, Clone, Subcommand)]
pub enum GateCommand {
    /// Show which gates run, which hold calls back, and which tools are described otherwise than before
    Status(StatusArguments),
    /// Show how a tool is described otherwise than before; with its digest, let it be called like that
    Accept(AcceptArguments),
}

/// `countersign gate status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArguments {
    /// Which server, and where its state is.
    #[command(flatten)]
    pub place: PlaceArguments,

    /// As JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// `countersign gate accept`.
#[derive(Debug, Clone, Args)]
pub struct AcceptArguments {
    /// The tool
    #[arg(value_name = "TOOL")]
    pub tool: String,

    /// The digest of the description that is accepted, as it was shown
    #[arg(long, value_name = "SHA256")]
    pub digest: Option<String>,

    /// Which server, and where its state is.
    #[command(flatten)]
    pub place: PlaceArguments,
}

/// Serves agents, or does what was asked for in place of that.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &GateArguments) -> Result<(), CommandError> {
    match &arguments.command {
        Some(GateCommand::Status(arguments)) => show_status(arguments),
        Some(GateCommand::Accept(arguments)) => accept(arguments),
        None => serve(arguments),
    }
}

fn serve(arguments: &GateArguments) -> Result<(), CommandError> {
    let configuration =
        arguments.place.configuration()?.checked().map_err(|error| arguments.place.wrong(&error))?;
    let source = match &arguments.upstream {
        Some(url) => {
            let token = configuration.upstream_token_file.as_ref().map(|path| {
                private_file::read(path).map_err(|error| {
                    CommandError::Usage(format!("upstream_token_file {}: {error}", text_file::shown(path)))
                })
            });
            let token = token.transpose()?;
            let address = Address::new(url, token.as_deref());
            Source::Address(Box::new(address.map_err(|error| CommandError::Usage(error.to_string()))?))
        }
        None => {
            let names = ALWAYS_PASSED.into_iter().chain(configuration.pass_env.iter().map(String::as_str));
            Source::Command {
                command: arguments.server_command.clone(),
                environment: child::environment(names, |name| std::env::var_os(name)),
            }
        }
    };
    let options = Options {
        configuration,
        settings: profile::settings(&arguments.connection.overrides())?,
        signer: aws::signer,
        as_human: arguments.as_human,
        state: arguments.place.state()?,
        source,
        listen: arguments.listen,
    };
    let ended = serve::run(options, |address| note(&format!("listening on http://{address}/mcp")));
    ended.map_err(|error| match error {
        GateError::Open(OpenError::Service(error)) => CommandError::Client(error),
        GateError::Open(error @ OpenError::Human { .. }) => CommandError::Refused(error.to_string()),
        GateError::NotLoopback(_) => CommandError::Usage(error.to_string()),
        error => CommandError::Failed(escaped_line(&error.to_string())),
    })
}

impl PlaceArguments {
    /// What the file and the line say of the server.
    fn configuration(&self) -> Result<Configuration, CommandError> {
        let mut configuration = match &self.config {
            None => Configuration::default(),
            Some(path) => {
                private_file::check_trusted(path).map_err(|error| self.wrong(&error))?;
                let text = text_file::read_to_string(path).map_err(|error| self.wrong(&error))?;
                let mut configuration = Configuration::parse(&text).map_err(|error| self.wrong(&error))?;
                let beside = |file: PathBuf| {
                    path.parent().map_or_else(|| file.clone(), |directory| directory.join(&file))
                };
                configuration.lock_file =
                    Some(beside(configuration.lock_file.unwrap_or_else(|| PathBuf::from("gate.lock"))));
                configuration.upstream_token_file = configuration.upstream_token_file.map(beside);
                configuration
            }
        };
        if let Some(server) = &self.server {
            configuration.server.clone_from(server);
        }
        Ok(configuration)
    }

    /// What is wrong with the configuration.
    fn wrong(&self, error: &impl ToString) -> CommandError {
        let file =
            self.config.as_ref().map(|path| format!("{}: ", text_file::shown(path))).unwrap_or_default();
        let lines = error.to_string();
        let lines: Vec<_> = lines.lines().map(escaped_line).collect();
        CommandError::Usage(format!("{file}{}", lines.join("\n  ")))
    }

    fn state(&self) -> Result<StateDirectory, CommandError> {
        let path = match &self.state_directory {
            Some(path) => path.clone(),
            None => Environment::of_process().token_directory()?.with_file_name("gate"),
        };
        Ok(StateDirectory::new(path))
    }

    /// The pins of the server; none if it is not said which.
    fn pins(&self, state: &StateDirectory) -> Result<Option<Pins>, CommandError> {
        let configuration = self.configuration()?;
        let path = configuration.lock_file.unwrap_or_else(|| state.pins());
        let server = Some(configuration.server).filter(|server| !server.is_empty());
        Ok(server.map(|server| Pins::new(path, &server)))
    }
}

fn show_status(arguments: &StatusArguments) -> Result<(), CommandError> {
    let state = arguments.place.state()?;
    let status = status(&state, arguments.place.pins(&state)?.as_ref())
        .map_err(|error| CommandError::Failed(error.to_string()))?;
    let output = if arguments.json { Output::Json } else { Output::Table };
    output.print(Terminal::of_process(), &status, || in_lines(&status))
}

fn in_lines(status: &Status) -> Text {
    let mut text = Text::default();
    if status.gates.is_empty() {
        text.push(Line::plain("no gate runs"));
    }
    for gate in &status.gates {
        let (tone, holds) = match gate.mode.as_str() {
            "enforce" => (None, "holds calls back until they are approved"),
            _ => (Some(Tone::Warning), "observes: holds NOTHING back"),
        };
        let at = gate.listens.as_ref().map(|address| format!(" at {address}")).unwrap_or_default();
        let line = format!("{} (process {}, since {}{at}) {holds}", gate.server, gate.pid, gate.started_at);
        text.push(Line::new(tone, &line));
    }
    if status.pinned > 0 {
        text.push(Line::plain(&format!("{} tools are pinned", status.pinned)));
    }
    for (name, digest) in &status.changed {
        let line = format!("{name} is described otherwise than it is pinned, and is not called: {digest}");
        text.push(Line::new(Tone::Warning, &line));
    }
    for (what, count) in &status.observed {
        text.push(Line::plain(&format!("observed {count} times: {what}")));
    }
    text
}

fn accept(arguments: &AcceptArguments) -> Result<(), CommandError> {
    let state = arguments.place.state()?;
    let pins = arguments.place.pins(&state)?;
    let pins = pins.ok_or_else(|| CommandError::Usage("of which server: --config or --server".to_owned()))?;
    let failed = |error: countersign_gate::pins::PinsError| CommandError::Failed(error.to_string());
    let name = escaped_line(&arguments.tool);
    if let Some(digest) = &arguments.digest {
        pins.accept(&arguments.tool, digest).map_err(failed)?;
        return Terminal::of_process()
            .print(&Text::of_line(&format!("{name} may be called as it is described now")));
    }
    let tools = pins.read().map_err(failed)?;
    let tool =
        tools.get(&arguments.tool).ok_or_else(|| CommandError::NotFound(format!("{name} is not pinned")))?;
    let Some(offered) = &tool.offered else {
        return Terminal::of_process().print(&Text::of_line(&format!("{name} is described as it is pinned")));
    };
    write_document(&document::escaped(&shown(tool)?))?;
    Err(CommandError::Conflict(format!(
        "{name} is not called until this is accepted: countersign gate accept {name} --digest {}",
        offered.digest
    )))
}

/// Both descriptions, as JSON.
fn shown(tool: &PinnedTool) -> Result<String, CommandError> {
    document::json(tool)
}
