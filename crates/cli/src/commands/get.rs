//! `countersign get`: requests, all of each.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::patience::Patience;
use crate::session::Session;
use crate::value_parsers::seconds;
use crate::{complete, wait};
use clap::Args;
use clap_complete::ArgValueCompleter;
use std::sync::Arc;

/// `countersign get`.
#[derive(Debug, Clone, Args)]
pub struct GetArguments {
    /// Wait while it is pending, at most so long: a number and s, m, h or d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub wait: Option<u32>,

    /// The requests: their ids, or the beginnings of them
    #[arg(value_name = "ID", required = true, add = ArgValueCompleter::new(complete::requests))]
    pub ids: Vec<String>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Shows requests, and waits for their decisions if it is to.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &GetArguments) -> Result<(), CommandError> {
    let session = Arc::new(Session::open(&arguments.connection)?);
    let look = |name: &str| {
        let request = session.connection.find(name)?;
        match arguments.wait {
            None => Ok(request.into()),
            Some(seconds) => wait::decided(&session, request, Patience::of(seconds)),
        }
    };
    session.each(&arguments.ids, look, |view, request| view.request(request))
}
