//! `countersign create`: asking for an operation.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::json_argument;
use crate::operation_names::unlisted;
use crate::patience::Patience;
use crate::session::{Session, Standing};
use crate::value_parsers::{environment, execution_mode, priority, risk_level, seconds, window};
use crate::view::notifications::notifies;
use crate::{complete, wait};
use clap::Args;
use clap_complete::ArgValueCompleter;
use countersign_api::bodies::CreateBody;
use countersign_api::wire::WindowBody;
use countersign_client::environment::Environment as Variables;
use countersign_client::limits::Limits;
use countersign_core::execution::ExecutionMode;
use countersign_core::priority::Priority;
use countersign_core::risk::{Environment, RiskLevel};
use std::sync::Arc;

/// What is asked for.
#[derive(Debug, Clone, Args)]
pub struct DraftArguments {
    /// What is to be done, such as reboot
    #[arg(value_name = "OPERATION", add = ArgValueCompleter::new(complete::operations))]
    pub operation_type: String,

    /// To what, such as production-db-01
    #[arg(value_name = "INSTANCE")]
    pub instance_id: String,

    /// Exactly how: JSON, @FILE, or - for stdin
    #[arg(long, short, value_name = "JSON|@FILE|-", default_value = "{}")]
    pub parameters: String,

    /// Where: production or non-production
    #[arg(long, short, value_name = "NAME", value_parser = environment())]
    pub environment: Environment,

    /// Why
    #[arg(long, short = 'm', value_name = "TEXT", allow_hyphen_values = true)]
    pub justification: String,

    /// More than what policy says: low, medium or high
    #[arg(long, value_name = "LEVEL", value_parser = risk_level())]
    pub risk_level: Option<RiskLevel>,

    /// What it is expected to cost
    #[arg(long, value_name = "AMOUNT")]
    pub estimated_cost: Option<f64>,

    /// How long it is expected to take, in words
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub estimated_duration: Option<String>,

    /// The ticket it belongs to, such as CHG-1234
    #[arg(long, value_name = "NAME")]
    pub ticket: Option<String>,

    /// How to go back, should it not do what it is meant to
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub rollback_plan: Option<String>,

    /// How soon it needs an answer, P1 (an emergency) to P4: who is reminded and when, never what is demanded
    #[arg(long, value_name = "PRIORITY", value_parser = priority())]
    pub priority: Option<Priority>,

    /// Who starts it once it is approved: manual for you, automatic for the executor that policy names
    #[arg(long, value_name = "MODE", value_parser = execution_mode())]
    pub execution: Option<ExecutionMode>,

    /// Not before this time, such as 2026-01-31T22:00:00Z
    #[arg(long, value_name = "TIME")]
    pub execute_at: Option<String>,

    /// Only between these times, such as 2026-01-31T22:00:00Z/2026-01-31T23:00:00Z
    #[arg(long, value_name = "FROM/TO", value_parser = window)]
    pub window: Option<WindowBody>,
}

impl DraftArguments {
    /// What is asked for, as the service is sent it.
    ///
    /// # Errors
    /// When the parameters cannot be read.
    pub(crate) fn request(&self) -> Result<CreateBody, CommandError> {
        Ok(CreateBody {
            operation_type: self.operation_type.clone(),
            instance_id: self.instance_id.clone(),
            parameters: json_argument::read("parameters", &self.parameters)?,
            environment: self.environment.as_str().to_owned(),
            justification: self.justification.clone(),
            risk_level: self.risk_level.map(|level| level.as_str().to_owned()),
            estimated_cost: self.estimated_cost,
            estimated_duration: self.estimated_duration.clone(),
            ticket: self.ticket.clone(),
            rollback_plan: self.rollback_plan.clone(),
            priority: self.priority.map(|priority| priority.to_string()),
            execution: self.execution.map(|mode| mode.to_string()),
            execute_at: self.execute_at.clone(),
            window: self.window.clone(),
            task_token: None,
            callback_id: None,
            resume_on: None,
            requested_by: None,
        })
    }
}

/// `countersign create`.
#[derive(Debug, Clone, Args)]
pub struct CreateArguments {
    /// What is asked for.
    #[command(flatten)]
    pub draft: DraftArguments,

    /// The same key makes the same request, however often it is sent
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,

    /// Wait for the decision, at most so long: a number and s, m, h or d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub wait: Option<u32>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Makes a request, and waits for its decision if it is to.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &CreateArguments) -> Result<(), CommandError> {
    let session = Arc::new(Session::open(&arguments.connection)?);
    let request = arguments.draft.request()?;
    session.connection.check_limits(&request, Limits::of(&Variables::of_process())?)?;
    let key = arguments.idempotency_key.clone().unwrap_or_else(|| session.fresh_key());
    let request = session.connection.create(&request, &key)?;
    if let Some(note) = unlisted(&request.rules, &request.operation_type) {
        session.note(&note);
    }
    if let Some(count) = request.notifies {
        session.note(&format!("{} hear of it", notifies(count)));
    }
    match arguments.wait {
        None => session.show_request(&request),
        Some(seconds) => {
            let Standing { request, end } = wait::decided(&session, request, Patience::of(seconds))?;
            session.show_request(&request)?;
            end
        }
    }
}
