//! `countersign notify`: who would hear of a request.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;
use clap::{Args, Subcommand};

/// `countersign notify`.
#[derive(Debug, Clone, Args)]
pub struct NotifyArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: NotifyCommand,
}

/// The commands of `countersign notify`.
#[derive(Debug, Clone, Subcommand)]
pub enum NotifyCommand {
    /// List who would hear of a request now, and of its reminders and escalations: by what, why and when. Nothing is sent
    Preview(RequestArguments),
}

/// Carries it out.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &NotifyArguments) -> Result<(), CommandError> {
    let NotifyCommand::Preview(RequestArguments { id, connection }) = &arguments.command;
    let session = Session::open(connection)?;
    let request = session.connection.find(id)?;
    let preview = session.connection.notify_preview(&request.request_id)?;
    session.show(&preview, |view| view.notify_preview(&preview))
}
