//! `countersign observe`: recording what an executor has found of a target.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::json_argument;
use crate::session::Session;
use clap::Args;
use countersign_api::bodies::ObserveBody;
use countersign_client::change::Change;

/// `countersign observe`.
#[derive(Debug, Clone, Args)]
pub struct ObserveArguments {
    /// What was found: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub target: String,

    /// The request.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// Carries it out, and shows what became of the request.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &ObserveArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.request.connection)?;
    let target = json_argument::read("target", &arguments.target)?;
    session.change(&arguments.request.id, &Change::Observe(ObserveBody { target, executed_by: None }))
}
