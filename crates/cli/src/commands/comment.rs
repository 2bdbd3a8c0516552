//! `countersign comment`: saying something about a request.

use crate::complete;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use clap::Args;
use clap_complete::ArgValueCompleter;
use countersign_api::bodies::CommentBody;
use countersign_client::change::Change;

/// `countersign comment`.
#[derive(Debug, Clone, Args)]
pub struct CommentArguments {
    /// The request: its id, or the beginning of it
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete::requests))]
    pub id: String,

    /// What to say
    #[arg(value_name = "TEXT")]
    pub text: String,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Carries it out, and shows what became of the request.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &CommentArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let body = CommentBody { text: arguments.text.clone(), comment_by: None };
    session.change(&arguments.id, &Change::Comment(body))
}
