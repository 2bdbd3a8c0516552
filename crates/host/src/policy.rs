//! The policy in force: what comes with the program, or a directory in its place.

use countersign_core::policy::Policy;
use std::path::Path;

/// The policy of a directory with `operations.toml`; without one, the bundled policy.
///
/// # Errors
/// What is wrong, and with which file. Nothing weaker takes its place.
pub fn load(directory: Option<&Path>) -> Result<Policy, String> {
    let Some(directory) = directory else {
        return Policy::bundled().map_err(|error| error.to_string());
    };
    let path = directory.join("operations.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Policy::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}
