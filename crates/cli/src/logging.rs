//! Structured logs: one JSON object a line, on stderr.
//!
//! What may be logged is decided where it is logged: ids, codes, counts. Never a body, a token,
//! an e-mail, parameters or anybody's words. See docs/logging.md.

use tracing_subscriber::EnvFilter;

/// Starts logging with a filter such as `info`.
///
/// # Errors
/// When the filter cannot be read.
pub fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("--log {filter}: {error}"))?;
    // Started twice only by tests that serve twice in one process: the first one stays.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    Ok(())
}
