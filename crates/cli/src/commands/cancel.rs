//! `countersign cancel`: giving a request up.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;
use clap::Args;
use countersign_api::bodies::CancelBody;
use countersign_client::change::Change;

/// `countersign cancel`.
#[derive(Debug, Clone, Args)]
pub struct CancelArguments {
    /// Why
    #[arg(long, short = 'm', value_name = "TEXT", allow_hyphen_values = true)]
    pub reason: Option<String>,

    /// The request.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// Carries it out, and shows what became of the request.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &CancelArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.request.connection)?;
    let body = CancelBody { reason: arguments.reason.clone(), ..CancelBody::default() };
    session.change(&arguments.request.id, &Change::Cancel(body))
}
