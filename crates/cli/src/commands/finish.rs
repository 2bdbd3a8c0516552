//! `countersign finish`: reporting that an execution goes on, or what came of it.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::value_parsers::outcome;
use crate::{complete, json_argument};
use clap::Args;
use clap_complete::ArgValueCompleter;
use countersign_api::bodies::FinishBody;
use countersign_api::operations::finish::Report;
use countersign_api::wire::RequestBody;
use countersign_client::change::Change;
use countersign_core::ids::ExecutionId;
use countersign_core::text::escaped_line;

/// `countersign finish`.
#[derive(Debug, Clone, Args)]
pub struct FinishArguments {
    /// The request: its id, or the beginning of it
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete::requests))]
    pub id: String,

    /// running, succeeded or failed
    #[arg(value_name = "OUTCOME", value_parser = outcome())]
    pub outcome: Report,

    /// The execution, as `start` named it; the one that runs if it is left out
    #[arg(long, value_name = "EXECUTION_ID", value_parser = ExecutionId::parse)]
    pub execution_id: Option<ExecutionId>,

    /// What came of it: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub result: Option<String>,

    /// What it cost
    #[arg(long, value_name = "AMOUNT")]
    pub actual_cost: Option<f64>,

    /// What was found out; needed to settle an execution that is unknown
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub note: Option<String>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Carries it out, and shows what became of the request.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &FinishArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let result = arguments.result.as_ref().map(|result| json_argument::read("result", result)).transpose()?;
    let execution_id = match &arguments.execution_id {
        Some(id) => id.to_string(),
        None => running(&session.connection.find(&arguments.id)?)?,
    };
    let body = FinishBody {
        execution_id,
        outcome: <&str>::from(arguments.outcome).to_owned(),
        result,
        actual_cost: arguments.actual_cost,
        note: arguments.note.clone(),
        ..FinishBody::default()
    };
    session.change(&arguments.id, &Change::Finish(body))
}

/// The execution that is running.
fn running(request: &RequestBody) -> Result<String, CommandError> {
    let id = request.execution_id.as_deref().and_then(|id| ExecutionId::parse(id).ok());
    match (request.status.as_str(), id) {
        ("executing", Some(id)) => Ok(id.to_string()),
        (status, _) => Err(CommandError::Conflict(format!(
            "no execution of {} is running: it is {}",
            request.request_id,
            escaped_line(status)
        ))),
    }
}
