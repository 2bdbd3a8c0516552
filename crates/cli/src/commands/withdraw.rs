//! `countersign withdraw`: taking an approval back.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;
use clap::Args;
use countersign_api::bodies::WithdrawBody;
use countersign_client::change::Change;

/// `countersign withdraw`.
#[derive(Debug, Clone, Args)]
pub struct WithdrawArguments {
    /// Why; kept as a comment
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
pub fn run(arguments: &WithdrawArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.request.connection)?;
    let body = WithdrawBody { reason: arguments.reason.clone(), ..WithdrawBody::default() };
    session.change(&arguments.request.id, &Change::Withdraw(body))
}
