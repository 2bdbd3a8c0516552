//! `countersign wait`: until requests are decided.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::patience::PatienceArguments;
use crate::session::Session;
use crate::{complete, wait};
use clap::Args;
use clap_complete::ArgValueCompleter;
use std::sync::Arc;

/// `countersign wait`.
#[derive(Debug, Clone, Args)]
pub struct WaitArguments {
    /// The requests: their ids, or the beginnings of them
    #[arg(value_name = "ID", required = true, add = ArgValueCompleter::new(complete::requests))]
    pub ids: Vec<String>,

    /// How long.
    #[command(flatten)]
    pub patience: PatienceArguments,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Waits for the decisions on requests, one after the other, and shows what became of each.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &WaitArguments) -> Result<(), CommandError> {
    let session = Arc::new(Session::open(&arguments.connection)?);
    let decided = |name: &str| {
        let request = session.connection.find(name)?;
        wait::decided(&session, request, arguments.patience.into())
    };
    session.each(&arguments.ids, decided, |view, request| view.request(request))
}
