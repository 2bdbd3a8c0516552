//! `countersign list`: requests, filtered.

use crate::complete;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::value_parsers::{environment, risk_level, status};
use crate::view::output::Output;
use clap::Args;
use clap_complete::ArgValueCompleter;
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
    #[arg(long, value_name = "CURSOR", conflicts_with = "all")]
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
    let limit = if arguments.all { "100".to_owned() } else { arguments.limit.to_string() };
    let status = one_of(arguments.status.iter().map(|status| status.as_str()));
    let risk = one_of(arguments.risk.iter().map(|level| level.as_str()));
    let environment = one_of(arguments.environment.iter().map(|environment| environment.as_str()));
    let operation = one_of(arguments.operation.iter().map(String::as_str));
    let filters = [
        ("status", status.as_deref()),
        ("risk_level", risk.as_deref()),
        ("environment", environment.as_deref()),
        ("operation_type", operation.as_deref()),
        ("requested_by", arguments.requested_by.as_deref()),
        ("instance_id", arguments.instance_id.as_deref()),
        ("from", arguments.from.as_deref()),
        ("to", arguments.to.as_deref()),
        ("cursor", arguments.cursor.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let query: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let list = session.connection.list(&query, arguments.all)?;
    session.show(&list, |view| view.list(&list))?;
    if let (Output::Id, Some(cursor)) = (session.output, &list.next_cursor) {
        session.note(&format!("there are more: add --all, or --cursor {cursor}"));
    }
    Ok(())
}

/// Several values of one filter; none is no filter.
fn one_of<'a>(values: impl Iterator<Item = &'a str>) -> Option<String> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| values.join(","))
}
