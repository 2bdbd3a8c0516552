//! `countersign token`: a token for a person, signed with the data directory's key.

use crate::arguments::TokenArguments;
use crate::data_directory::DataDirectory;
use countersign_app::host::Host as _;
use countersign_core::text::escaped_line;
use countersign_host::policy;
use countersign_host::system::SystemHost;
use std::io::Write as _;

/// Prints the token on stdout and nothing else there; a group that the policy does not name means
/// nothing, which is worth a warning.
///
/// # Errors
/// A message for the person at the terminal.
pub fn run(arguments: &TokenArguments) -> Result<(), String> {
    let directory = DataDirectory::open(&arguments.data.data_dir).map_err(|error| error.to_string())?;
    let key = directory.token_key().map_err(|error| error.to_string())?;
    let policy = policy::load(arguments.policy_dir.as_deref())?;
    let known = policy.people().groups();
    let groups: Vec<_> = arguments.groups.iter().map(|group| group.trim().to_owned()).collect();
    for unknown in groups.iter().filter(|group| !known.contains(*group)) {
        let warning = format!("countersign: the policy names no group `{}`", escaped_line(unknown));
        writeln!(std::io::stderr(), "{warning}").map_err(|error| format!("stderr: {error}"))?;
    }
    let token = key
        .issue(&arguments.email, &groups, SystemHost::default().now(), arguments.ttl)
        .map_err(|error| format!("the token cannot be signed: {error}"))?;
    writeln!(std::io::stdout(), "{token}").map_err(|error| format!("stdout: {error}"))
}
