//! The options that say of what, as whom and where a hook asks: of the hook itself, and of `install`, which writes them down.

use crate::value_parsers::{environment, priority};
use clap::Args;
use countersign_client::config::{ConfigurationError, ProfileName};
use countersign_client::environment::Environment as ClientEnvironment;
use countersign_client::profile::Overrides;
use countersign_core::priority::Priority;
use countersign_core::risk::Environment;
use countersign_core::text::InstanceId;
use countersign_hook::agent::Agent;
use countersign_hook::call::Place;
use std::path::PathBuf;

/// The shortest limit of an agent, in seconds: an answer is given five seconds before.
pub const SHORTEST_LIMIT: u64 = 6;

/// What a hook asks for, as whom, and where it keeps its records.
#[derive(Debug, Clone, Default, Args)]
pub struct AskArguments {
    /// The instance, in place of the server of a tool or this host
    #[arg(long, value_name = "INSTANCE")]
    pub instance: Option<String>,

    /// Where: production or non-production; production, if it is left out
    #[arg(long, short, value_name = "NAME", value_parser = environment())]
    pub environment: Option<Environment>,

    /// Why tools are used, in place of the names of the agent and the tool
    #[arg(long, short = 'm', value_name = "TEXT", allow_hyphen_values = true)]
    pub justification: Option<String>,

    /// The ticket it belongs to, such as CHG-1234
    #[arg(long, value_name = "NAME")]
    pub ticket: Option<String>,

    /// How soon answers are needed, P1 (an emergency) to P4: who is reminded and when, never what is demanded
    #[arg(long, value_name = "PRIORITY", value_parser = priority())]
    pub priority: Option<Priority>,

    /// The session, in place of the agent's: what was approved in one session is not carried out in another
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,

    /// Which tools are which operations, besides what comes with the program; else `tools.toml` beside the configuration file
    #[arg(long, value_name = "FILE")]
    pub tools: Option<PathBuf>,

    /// Take no file of tools, also where there is one
    #[arg(long, conflicts_with = "tools")]
    pub no_tools: bool,

    /// Ask with a person's token, in that person's own name
    #[arg(long)]
    pub as_human: bool,

    /// The records of calls; else `countersign/hook` in `XDG_STATE_HOME`
    #[arg(long, value_name = "DIRECTORY")]
    pub state_directory: Option<PathBuf>,

    /// Where people look at requests: the dashboard, for the link in an answer
    #[arg(long, value_name = "URL")]
    pub dashboard_url: Option<String>,

    /// Where the service is; then no variable says so, nor whom to trust. Or `COUNTERSIGN_URL`, or the profile's; else
    /// `http://127.0.0.1:9000`
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// The configuration file; or `COUNTERSIGN_CONFIG`, an absolute path
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The profile of the configuration file; or `COUNTERSIGN_PROFILE`, or the default profile
    #[arg(long, value_name = "NAME", value_parser = ProfileName::parse)]
    pub profile: Option<ProfileName>,

    /// A file that holds the agent's token; or `COUNTERSIGN_TOKEN` with the token, or `COUNTERSIGN_TOKEN_FILE`
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Certificates to trust besides the public ones, PEM; or `COUNTERSIGN_CA_BUNDLE`
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
}

impl AskArguments {
    /// What the line says of the service.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            url: self.url.clone(),
            profile: self.profile.clone(),
            auth: None,
            token_file: self.token_file.clone(),
            ca_bundle: self.ca_bundle.clone(),
        }
    }

    /// What the line says of calls.
    pub fn place(&self, agent: Agent) -> Place {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Place {
            agent,
            instance: self.instance.clone(),
            host: InstanceId::parse(&host)
                .map_or_else(|_| "unnamed-host".to_owned(), |host| host.to_string()),
            environment: self.environment.unwrap_or(Environment::Production).as_str().to_owned(),
            justification: self.justification.clone(),
            ticket: self.ticket.clone(),
            priority: self.priority.map(|priority| priority.to_string()),
            session: self.session.clone(),
        }
    }

    /// Where the records of calls are.
    ///
    /// # Errors
    /// Without a home.
    pub fn directory(&self) -> Result<PathBuf, ConfigurationError> {
        match &self.state_directory {
            Some(directory) => Ok(directory.clone()),
            // Beside the tokens of `countersign login`.
            None => Ok(ClientEnvironment::of_process().token_directory()?.with_file_name("hook")),
        }
    }

    /// The words that say the same, for the entry of a settings file. Paths are absolute in them: an agent runs a hook wherever
    /// it works.
    ///
    /// # Errors
    /// When there is no current directory.
    pub fn words(&self) -> std::io::Result<Vec<String>> {
        let path = |path: &Option<PathBuf>| -> std::io::Result<Option<String>> {
            let absolute = path.as_ref().map(std::path::absolute).transpose()?;
            Ok(absolute.map(|path| path.display().to_string()))
        };
        let named = [
            ("--instance", self.instance.clone()),
            ("--environment", self.environment.map(|environment| environment.as_str().to_owned())),
            ("--ticket", self.ticket.clone()),
            ("--priority", self.priority.map(|priority| priority.to_string())),
            ("--session", self.session.clone()),
            ("--tools", path(&self.tools)?),
            ("--config", path(&self.config)?),
            ("--state-directory", path(&self.state_directory)?),
            ("--dashboard-url", self.dashboard_url.clone()),
            ("--url", self.url.clone()),
            ("--profile", self.profile.as_ref().map(ToString::to_string)),
            ("--token-file", path(&self.token_file)?),
            ("--ca-bundle", path(&self.ca_bundle)?),
        ];
        // With `=`, what begins with a hyphen is a value all the same.
        let named = named.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        let switches = [(self.no_tools, "--no-tools"), (self.as_human, "--as-human")];
        let switches = switches.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| name.to_owned());
        let why = self.justification.iter().map(|why| format!("--justification={why}"));
        Ok(named.chain(switches).chain(why).collect())
    }
}
