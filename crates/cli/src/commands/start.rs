//! `countersign start`: spending an approval.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;
use clap::Args;
use countersign_api::bodies::StartBody;
use countersign_client::change::Change;

/// `countersign start`.
#[derive(Debug, Clone, Args)]
pub struct StartArguments {
    /// Refuse unless the request is this one: the digest of its content, as `get --json` shows it
    #[arg(long, value_name = "SHA256")]
    pub content_digest: Option<String>,

    /// Refuse unless the parameters are these: their SHA-256
    #[arg(long, value_name = "DIGEST")]
    pub parameters_digest: Option<String>,

    /// The request.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// Carries it out, and shows what became of the request.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &StartArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.request.connection)?;
    let body = StartBody {
        content_digest: arguments.content_digest.clone(),
        parameters_digest: arguments.parameters_digest.clone(),
        executed_by: None,
    };
    session.change(&arguments.request.id, &Change::Start(body))
}
