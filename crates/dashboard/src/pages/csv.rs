//! `/history.csv`: closed requests as a table for spreadsheets (RFC 4180), in which no cell is a formula.

use super::history::call;
use crate::answer::Answer;
use crate::calls::Failure;
use crate::pages::rows::WaitingList;
use crate::ports::Api;
use crate::shown::Shown;
use crate::visitor::Visitor;
use countersign_api::wire::SummaryBody;

/// How many pages of the list a file holds at most: 5,000 requests.
const PAGES: usize = 50;
const COLUMNS: [&str; 13] = [
    "request_id",
    "status",
    "operation_type",
    "instance_id",
    "environment",
    "risk_level",
    "requested_by",
    "requested_at",
    "closed_at",
    "approvals_received",
    "approvals_required",
    "approved_by",
    "estimated_cost",
];

/// The file. What goes beyond it, its last line says.
pub(crate) async fn file<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let calls = visitor.calls()?;
    let mut text = line(COLUMNS.map(str::to_owned));
    let mut cursor = String::new();
    for _ in 0..PAGES {
        let list = calls.get::<WaitingList>(&call(&visitor.fields, &cursor, "100")).await?.value;
        text.extend(list.items.iter().map(|waiting| line(cells(&waiting.summary))));
        match list.next_cursor {
            Some(next) => cursor = next,
            None => return Ok(answer(text)),
        }
    }
    text.push_str(&line(["more: choose a shorter range".to_owned()]));
    Ok(answer(text))
}

fn answer(text: String) -> Answer {
    Answer::file("text/csv; charset=utf-8", "countersign-history.csv", text.into())
}

fn cells(summary: &SummaryBody) -> [String; COLUMNS.len()] {
    [
        summary.request_id.clone(),
        summary.status.clone(),
        summary.operation_type.clone(),
        summary.instance_id.clone(),
        summary.environment.clone(),
        summary.risk_level.clone(),
        summary.requested_by.clone(),
        summary.requested_at.clone(),
        summary.closed_at.clone().unwrap_or_default(),
        summary.approvals_received.to_string(),
        summary.approvals_required.to_string(),
        summary.approved_by.join(" "),
        summary.estimated_cost.map(|cost| cost.to_string()).unwrap_or_default(),
    ]
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|text| cell(&text)).collect();
    cells.join(",") + "\r\n"
}

/// A cell. A spreadsheet takes what begins with one of these for a formula, unless an apostrophe is before it.
fn cell(text: &str) -> String {
    let quote = if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        "'"
    } else {
        ""
    };
    format!("\"{quote}{}\"", Shown::line(text).as_str().replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        let cases = [
            ("plain", "\"plain\""),
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-2", "\"'-2\""),
            ("+2", "\"'+2\""),
            ("\t=1", "\"'⟨U+0009⟩=1\""),
            ("a\"b,c\r\nd", "\"a\"\"b,c⟨U+000D⟩⟨U+000A⟩d\""),
        ];
        for (text, expected) in cases {
            assert_eq!(cell(text), expected);
        }
    }
}
