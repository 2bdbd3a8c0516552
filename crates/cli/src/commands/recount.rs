//! `countersign audit rebuild` of a service that runs: its figures computed from its log, and compared with what it answers. For
//! an auditor, who need not believe the service.

use crate::audit_log::AuditLog;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::view::terminal::Terminal;
use crate::view::text::Text;
use countersign_api::wire::StatsBody;
use countersign_app::figure_store::StoredFigures;
use countersign_client::audit_query::StatsQuery;
use countersign_figures::fold::FigureState;
use countersign_figures::report::GroupBy;
use serde_json::json;
use std::path::Path;
use strum::IntoEnumIterator;

/// How often the service is asked again because its figures changed between two answers.
const ATTEMPTS: usize = 3;

/// Compares; exit code 1 if the service answers figures that its log does not give.
///
/// # Errors
/// What differs, or why nothing could be computed.
pub(crate) fn run(connection: &ConnectionArguments, log: &str, key: &Path) -> Result<(), CommandError> {
    let session = Session::open(connection)?;
    let mut differing = Vec::new();
    let mut size = 0;
    for group_by in GroupBy::iter() {
        let name: &str = group_by.into();
        let mut is_equal = false;
        for _ in 0..ATTEMPTS {
            let query = StatsQuery { group_by: Some(name.to_owned()), ..StatsQuery::default() };
            let answer = session.connection.stats(&query)?;
            let expected = recount(connection, log, key, &answer, group_by)?;
            size = answer.log_size;
            is_equal = expected == answer;
            if is_equal {
                break;
            }
        }
        if !is_equal {
            differing.push(name);
        }
    }
    let output = connection.output();
    if output.is_document() {
        let answer =
            json!({ "equal": differing.is_empty(), "log_size": size, "differing_groups": differing });
        output.print(Terminal::plain(), &answer, Text::default)?;
    } else if differing.is_empty() {
        let said = format!("equal: the service answers what {size} events of the log give");
        Terminal::plain().print(&Text::of_line(&said))?;
    }
    if differing.is_empty() {
        return Ok(());
    }
    let differing = differing.join(", ");
    Err(CommandError::Failed(format!("the service answers other figures than its log gives, by {differing}")))
}

/// What the log gives for the days, and the size of the log, of an answer. All of the log is verified.
fn recount(
    connection: &ConnectionArguments,
    log: &str,
    key: &Path,
    answer: &StatsBody,
    group_by: GroupBy,
) -> Result<StatsBody, CommandError> {
    // After the answer, so that the log has at least what was counted.
    let log = AuditLog::open(log, key, connection)?;
    let mut state = FigureState::default();
    log.events(answer.log_size, &mut |logged| {
        state.add(&logged.event);
        Ok(())
    })?;
    let is_asked_for = |day: &String| (&answer.from..=&answer.to).contains(&day);
    let days = state.days.into_iter().filter(|(day, _)| is_asked_for(day)).collect();
    let figures = StoredFigures { size: answer.log_size, days };
    Ok(StatsBody::of(&figures, &answer.from, &answer.to, group_by))
}
