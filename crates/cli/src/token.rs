//! `countersign token`: a token for a person, signed with the data directory's key.

use crate::arguments::TokenArguments;
use crate::data_directory::DataDirectory;
use countersign_app::host::Host as _;
use countersign_core::access;
use countersign_host::system::SystemHost;
use std::io::Write as _;

/// Prints the token on stdout and nothing else there; a group that means nothing is worth a
/// warning.
///
/// # Errors
/// A message for the person at the terminal.
pub fn run(arguments: &TokenArguments) -> Result<(), String> {
    let directory = DataDirectory::open(&arguments.data.data_dir).map_err(|error| error.to_string())?;
    let key = directory.token_key().map_err(|error| error.to_string())?;
    let groups: Vec<_> = arguments.groups.iter().map(|group| group.trim().to_owned()).collect();
    for unknown in groups.iter().filter(|group| !access::is_known_group(group)) {
        let warning = format!("countersign: no rule knows the group `{}`", unknown.escape_debug());
        writeln!(std::io::stderr(), "{warning}").map_err(|error| format!("stderr: {error}"))?;
    }
    let token = key
        .issue(&arguments.email, &groups, SystemHost::default().now(), arguments.ttl)
        .map_err(|error| format!("the token cannot be signed: {error}"))?;
    writeln!(std::io::stdout(), "{token}").map_err(|error| format!("stdout: {error}"))
}
