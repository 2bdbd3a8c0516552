//! `countersign hold`: claiming a request while looking at it.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;
use clap::Args;
use countersign_api::bodies::HoldBody;
use countersign_core::hold::MAX_MINUTES;

/// `countersign hold`.
#[derive(Debug, Clone, Args)]
pub struct HoldArguments {
    /// For so long, unless it is given back before; 15 if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_MINUTES)))]
    pub minutes: Option<u32>,

    /// Replace the claim of another approver
    #[arg(long)]
    pub take: bool,

    /// The request.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// Carries it out, and shows the request.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &HoldArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.request.connection)?;
    let request = session.connection.find(&arguments.request.id)?;
    let terms = HoldBody { minutes: arguments.minutes, take: arguments.take.then_some(true) };
    session.show_request(&session.connection.hold(&request.request_id, &terms)?)
}
