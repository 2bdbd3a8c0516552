//! `countersign start`: spending an approval.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;
use clap::Args;
use countersign_api::bodies::StartBody;
use countersign_client::change::Change;
use countersign_system::private_file;
use std::path::{Path, PathBuf};

/// `countersign start`.
#[derive(Debug, Clone, Args)]
pub struct StartArguments {
    /// Refuse unless the request is this one: the digest of its content, as `get --json` shows it
    #[arg(long, value_name = "SHA256")]
    pub content_digest: Option<String>,

    /// Refuse unless the parameters are these: their SHA-256
    #[arg(long, value_name = "DIGEST")]
    pub parameters_digest: Option<String>,

    /// Write the permit into a file, for the program that carries it out
    #[arg(long, value_name = "FILE")]
    pub permit: Option<PathBuf>,

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
        expected_version: None,
    };
    let change = Change::Start(body);
    let before = session.connection.find(&arguments.request.id)?;
    let after = session.connection.change(&before.request_id, &change, &session.fresh_key())?;
    change.check(Some(&before), &after)?;
    if let Some(path) = &arguments.permit {
        write_permit(path, after.permit.as_deref())?;
    }
    session.show_request(&after)
}

/// Writes a permit where its owner alone can read it.
///
/// # Errors
/// When there is none, or the file cannot be written.
pub(crate) fn write_permit(path: &Path, permit: Option<&str>) -> Result<(), CommandError> {
    let permit = permit.ok_or_else(|| {
        CommandError::Conflict(
            "the service gave you no permit: it is claimed, expired, or not yours".to_owned(),
        )
    })?;
    private_file::write(path, format!("{permit}\n").as_bytes())
        .map_err(|error| CommandError::Failed(format!("{}: {error}", path.display())))
}
