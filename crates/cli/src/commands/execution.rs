//! `countersign execution`: how far an execution has come, and its permit.

use crate::commands::start::write_permit;
use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;
use clap::Args;
use std::path::PathBuf;

/// `countersign execution`.
#[derive(Debug, Clone, Args)]
pub struct ExecutionArguments {
    /// Write the permit into a file, for the program that carries it out
    #[arg(long, value_name = "FILE")]
    pub permit: Option<PathBuf>,

    /// The request.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// Shows the execution.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &ExecutionArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.request.connection)?;
    let id = session.connection.find(&arguments.request.id)?.request_id;
    let execution = session.connection.execution(&id)?;
    if let Some(path) = &arguments.permit {
        write_permit(path, execution.permit.as_deref())?;
    }
    session.show(&execution, |view| view.execution_of(&execution))
}
