//! `countersign list`: requests, filtered.

use crate::complete;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::value_parsers::{environment, risk_level, status};
use crate::view::output::Output;
use clap::Args;
use clap_complete::ArgValueCompleter;
use countersign_client::list_query::{ListQuery, MAX_LIMIT};
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};

/// `countersign list`.
#[derive(Debug, Clone, Args)]
pub struct ListArguments {
    /// pending, approved, executing, executed, failed, rejected, cancelled or expired, or several of
    /// them with commas between; pending if neither this, a person nor an instance is given
    #[arg(long, short, value_name = "STATUS", value_parser = status(), value_delimiter = ',')]
    pub status: Vec<Status>,

    /// low, medium or high, or several
    #[arg(long, value_name = "LEVEL", value_parser = risk_level(), value_delimiter = ',')]
    pub risk: Vec<RiskLevel>,

    /// production or non-production, or both
    #[arg(long, short, value_name = "NAME", value_parser = environment(), value_delimiter = ',')]
    pub environment: Vec<Environment>,

    /// For this operation, or one of several
    #[arg(long, value_name = "OPERATION", value_delimiter = ',', add = ArgValueCompleter::new(complete::operations))]
    pub operation: Vec<String>,

    /// Made by this person
    #[arg(long, value_name = "EMAIL")]
    pub requested_by: Option<String>,

    /// For this instance
    #[arg(long, value_name = "INSTANCE")]
    pub instance_id: Option<String>,

    /// Not before this day or time, such as 2026-01-31
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// Not after this day, all of which counts, or this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,

    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub limit: u32,

    /// Where the page before ended, as it said
    #[arg(long, value_name = "CURSOR", conflicts_with = "all", allow_hyphen_values = true)]
    pub cursor: Option<String>,

    /// All pages
    #[arg(long)]
    pub all: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Lists requests.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &ListArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let query = ListQuery {
        status: arguments.status.clone(),
        risk_level: arguments.risk.clone(),
        environment: arguments.environment.clone(),
        operation_type: arguments.operation.clone(),
        requested_by: arguments.requested_by.clone(),
        instance_id: arguments.instance_id.clone(),
        from: arguments.from.clone(),
        to: arguments.to.clone(),
        cursor: arguments.cursor.clone(),
        limit: Some(if arguments.all { MAX_LIMIT } else { arguments.limit }),
    };
    let list = session.connection.list(&query, arguments.all)?;
    session.show(&list, |view| view.list(&list))?;
    if let (Output::Id, Some(cursor)) = (session.output, &list.next_cursor) {
        session.note(&format!("there are more: add --all, or --cursor {cursor}"));
    }
    Ok(())
}
