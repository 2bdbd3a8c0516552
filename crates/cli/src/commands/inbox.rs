//! `countersign inbox`: what waits for the caller's decision, on a screen or as a list.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::inbox;
use crate::inbox::settings::Settings;
use crate::session::Session;
use clap::Args;

/// `countersign inbox`.
#[derive(Debug, Clone, Args)]
pub struct InboxArguments {
    /// Only requests whose operation, instance, requester, environment or risk is this; may be
    /// given more than once
    #[arg(long = "filter", value_name = "TEXT")]
    pub filters: Vec<String>,

    /// How often to look for new requests, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub refresh: u32,

    /// Decide one request, then end
    #[arg(long)]
    pub once: bool,

    /// When nothing is left, wait for more
    #[arg(long, conflicts_with = "once")]
    pub continuous: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Shows what waits.
///
/// # Errors
/// When there is no terminal and the service does not answer, or the terminal is lost. See [`CommandError`].
pub fn run(arguments: &InboxArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let settings = Settings {
        person: session.person()?,
        filters: arguments.filters.iter().map(|filter| filter.to_lowercase()).collect(),
        refresh_seconds: arguments.refresh,
        is_once: arguments.once,
        is_continuous: arguments.continuous,
    };
    inbox::run(session, settings)
}
