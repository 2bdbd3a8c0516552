//! `countersign token`: a token for a person or a service, signed with the data directory's key.

use crate::commands::serve::DataDirectoryArgument;
use crate::error::CommandError;
use crate::value_parsers::{group, seconds};
use clap::Args;
use countersign_app::host::Clock as _;
use countersign_core::person::PersonId;
use countersign_core::text::escaped_line;
use countersign_policy::load;
use countersign_server::data_directory::DataDirectory;
use countersign_system::system::SystemHost;
use std::io::Write as _;
use std::path::PathBuf;

/// `countersign token`.
#[derive(Debug, Clone, Args)]
pub struct TokenArguments {
    /// Whose token: their e-mail address
    #[arg(value_parser = PersonId::from_email, required_unless_present = "service")]
    pub email: Option<PersonId>,

    /// In place of a person a service of this name, such as an executor: it decides nothing
    #[arg(long, value_name = "NAME", value_parser = PersonId::service, conflicts_with = "email")]
    pub service: Option<PersonId>,

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

/// The group of a token for which none is named.
const DEFAULT_GROUP: &str = "developer";

/// Prints the token on stdout and nothing else there. What is printed on stderr: a group that the policy
/// does not name means nothing, and no running service takes tokens of a key that was just made.
///
/// # Errors
/// A message for the person at the terminal.
pub fn run(arguments: &TokenArguments) -> Result<(), CommandError> {
    let policy = load::policy(arguments.policy_dir.as_deref(), SystemHost::default().now())?;
    let directory = DataDirectory::open(&arguments.data.data_dir)?;
    let is_new = !directory.has_token_key();
    let key = directory.token_key()?;
    if is_new {
        let place = escaped_line(&arguments.data.data_dir.display().to_string());
        warn(&format!(
            "made a new key in {place}; the token is good for a `countersign serve` with the same --data-dir"
        ))?;
    }
    let people = policy.people();
    let mut groups: Vec<_> = arguments.groups.iter().chain(&arguments.group).cloned().collect();
    if groups.is_empty() {
        groups.push(DEFAULT_GROUP.to_owned());
    }
    for unknown in groups.iter().filter(|group| people.group(group).is_none()) {
        let unknown = escaped_line(unknown);
        warn(&match &arguments.policy_dir {
            Some(directory) => {
                let directory = escaped_line(&directory.display().to_string());
                format!("the policy in {directory} names no group `{unknown}`")
            }
            None => format!(
                "the policy that comes with the program names no group `{unknown}`; if the service has \
                 another, give it with --policy-dir"
            ),
        })?;
    }
    // INVARIANT: the command line has one of them.
    let Some(person) = arguments.email.as_ref().or(arguments.service.as_ref()) else {
        return Err(CommandError::Usage("name a person or a --service".to_owned()));
    };
    let token = key.issue(person, &groups, SystemHost::default().now(), arguments.ttl);
    writeln!(std::io::stdout(), "{token}").map_err(CommandError::stdout)
}

fn warn(message: &str) -> Result<(), String> {
    writeln!(std::io::stderr(), "countersign: {message}").map_err(|error| format!("stderr: {error}"))
}
