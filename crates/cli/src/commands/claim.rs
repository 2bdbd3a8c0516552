//! `countersign claim`: spending a permit.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;
use clap::Args;
use countersign_api::bodies::ClaimBody;
use countersign_client::change::Change;
use countersign_system::text_file;

/// `countersign claim`.
#[derive(Debug, Clone, Args)]
pub struct ClaimArguments {
    /// The permit: a file with it, or - for stdin
    #[arg(long, value_name = "FILE|-")]
    pub permit: String,

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
pub fn run(arguments: &ClaimArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.request.connection)?;
    let at = |error: std::io::Error| CommandError::Usage(format!("--permit: {error}"));
    let text = match arguments.permit.as_str() {
        "-" => std::io::read_to_string(std::io::stdin().lock()).map_err(at)?,
        path => text_file::read_to_string(path).map_err(at)?,
    };
    let body = ClaimBody {
        permit: text.trim().to_owned(),
        content_digest: arguments.content_digest.clone(),
        parameters_digest: arguments.parameters_digest.clone(),
        executed_by: None,
        expected_version: None,
    };
    session.change(&arguments.request.id, &Change::Claim(body))
}
