//! `countersign report`: the report on a day, a week or a month.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::value_parsers::period;
use clap::Args;
use countersign_core::period::Period;

/// `countersign report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArguments {
    /// How long the period is
    #[arg(value_name = "PERIOD", value_parser = period())]
    pub period: Period,

    /// A day in UTC of the period, such as 2026-01-31; the last period that is over if left out
    #[arg(long, value_name = "DAY")]
    pub date: Option<String>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Shows a report.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &ReportArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let report = session.connection.period_report(arguments.period, arguments.date.as_deref())?;
    session.show(&report, |view| view.period_report(&report))
}
