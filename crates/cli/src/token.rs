//! `countersign token`: a token for a person, signed with the data directory's key.

use crate::arguments::TokenArguments;
use crate::data_directory::DataDirectory;
use crate::exit::Exit;
use countersign_app::host::Host as _;
use countersign_core::text::escaped_line;
use countersign_policy::load;
use countersign_system::system::SystemHost;
use std::io::Write as _;

/// The group of a token for which none is named.
const DEFAULT_GROUP: &str = "developer";

/// Prints the token on stdout and nothing else there. What is told on stderr: a group that the policy
/// does not name means nothing, and no running service takes tokens of a key that was just made.
///
/// # Errors
/// A message for the person at the terminal.
pub fn run(arguments: &TokenArguments) -> Result<(), Exit> {
    let policy = load::policy(arguments.policy_dir.as_deref(), SystemHost::default().now())?;
    let directory = DataDirectory::open(&arguments.data.data_dir).map_err(|error| error.to_string())?;
    let is_new = !directory.has_token_key();
    let key = directory.token_key().map_err(|error| error.to_string())?;
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
    let token = key
        .issue(&arguments.email, &groups, SystemHost::default().now(), arguments.ttl)
        .map_err(|error| format!("the token cannot be signed: {error}"))?;
    writeln!(std::io::stdout(), "{token}").map_err(|error| Exit::of_stdout(&error))
}

fn warn(message: &str) -> Result<(), String> {
    writeln!(std::io::stderr(), "countersign: {message}").map_err(|error| format!("stderr: {error}"))
}
