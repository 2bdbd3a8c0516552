//! A population as CSV (RFC 4180): one row for each request, below the names of the columns.
//!
//! Every cell is quoted and every line ends in CR LF, so that there is one spelling. A cell that a spreadsheet would compute is
//! text in it.

use super::{Population, Row};
use countersign_core::timestamp::Timestamp;
use csv::{QuoteStyle, ReaderBuilder, StringRecord, Terminator, WriterBuilder};

/// The names of the columns, in their order.
pub const COLUMNS: [&str; 19] = [
    "request_id",
    "created_at",
    "requested_by",
    "operation_type",
    "instance_id",
    "environment",
    "risk_level",
    "status",
    "approvals_required",
    "approved_by",
    "rejected_by",
    "decided_at",
    "started_by",
    "ended_at",
    "outcome",
    "content_digest",
    "policy_version",
    "first_entry",
    "events",
];

/// What a cell may not begin with: spreadsheets take it for the beginning of a formula (OWASP, CSV injection). The apostrophe is
/// among them so that the one that is put before a cell can be taken off again.
const ACTIVE: [char; 8] = ['=', '+', '-', '@', '\t', '\r', '\n', '\''];

/// The bytes of the table.
///
/// # Errors
/// None that this knows of: it writes into memory.
pub fn table(population: &Population) -> Result<Vec<u8>, csv::Error> {
    let mut writer = WriterBuilder::new()
        .quote_style(QuoteStyle::Always)
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for row in population.rows() {
        writer.write_record(cells(row).map(|cell| harmless(&cell)))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// The rows of a table that may be anything.
///
/// # Errors
/// When it is not CSV in UTF-8.
pub(super) fn records(table: &[u8]) -> Result<Vec<StringRecord>, csv::Error> {
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(table).into_records().collect()
}

fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let about = &row.about;
    let approved_by: Vec<_> = row.approvals.iter().map(|(_, person)| person.as_str()).collect();
    [
        about.request_id.to_string(),
        row.created_at.to_string(),
        about.requested_by.to_string(),
        about.operation_type.as_str().to_owned(),
        about.instance_id.as_str().to_owned(),
        about.environment.as_str().to_owned(),
        about.risk_level.as_str().to_owned(),
        about.status.as_str().to_owned(),
        row.approvals_required.map(|number| number.to_string()).unwrap_or_default(),
        approved_by.join(" "),
        row.rejected_by.as_ref().map(ToString::to_string).unwrap_or_default(),
        time(row.decided_at),
        row.started_by.as_ref().map(ToString::to_string).unwrap_or_default(),
        time(row.ended_at),
        row.outcome.unwrap_or_default().to_owned(),
        text(&row.content_digest),
        text(&row.policy_version),
        row.first_entry.to_string(),
        row.events.to_string(),
    ]
}

/// A cell that no spreadsheet computes.
fn harmless(cell: &str) -> String {
    if cell.starts_with(ACTIVE) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_would_be_computed_becomes_text_and_can_be_read_back() {
        for cell in ["=1+1", "+ann@example.com", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "'=1"] {
            let harmless = harmless(cell);
            assert_eq!(harmless.strip_prefix('\''), Some(cell));
        }
        for cell in ["", "ann@example.com", "a=1", "2026-01-01T00:00:00.000Z", "0", " =1"] {
            assert_eq!(harmless(cell), cell);
        }
    }
}
