//! A list of requests as people read it: a line for each.
//!
//! Nothing is cut off, because what is cut off could be another's name; a line may be wider than the screen.

use crate::view::page::View;
use crate::view::text::{Line, Span, Text, Tone};
use crate::view::tones::{environment_tone, risk_tone, status_tone};
use countersign_api::wire::{ListBody, SummaryBody};
use std::collections::BTreeSet;
use unicode_width::UnicodeWidthChar as _;

/// How many characters of an id are shown at least.
const SHORT_ID: usize = 8;

/// How many columns there are at most.
const COLUMNS: usize = 11;

/// What stands over the columns. The last two are there where a request has something for them.
const HEADER: [&str; COLUMNS] = [
    "ID",
    "RISK",
    "STATUS",
    "APPROVALS",
    "ENVIRONMENT",
    "WHEN",
    "OPERATION",
    "INSTANCE",
    "REQUESTER",
    "HELD BY",
    "BLOCKED",
];

impl View {
    /// A list, and what is not in it.
    pub fn list(&self, list: &ListBody) -> Text {
        let mut text = self.table(list);
        let count = list.items.len();
        let more = match &list.next_cursor {
            Some(cursor) => format!("; more with --all, or --cursor {cursor}"),
            None => String::new(),
        };
        let noun = if count == 1 { "request" } else { "requests" };
        text.push(Line::new(Tone::Quiet, &format!("{count} {noun} shown{more}")));
        if list.damaged > 0 {
            let rows = if list.damaged == 1 { "1 row" } else { &format!("{} rows", list.damaged) };
            let left_out = format!("{rows} left out: damaged; the service's log names the requests");
            text.push(Line::new(Tone::Warning, &left_out));
        }
        text
    }

    /// The requests of a list under a header, if there are any.
    fn table(&self, list: &ListBody) -> Text {
        let mut text = Text::default();
        if list.items.is_empty() {
            return text;
        }
        let header = HEADER.map(|name| Span::new(Tone::Quiet, name));
        let rows = list.items.iter().map(|item| self.row(item));
        let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
        let mut widths = [0; COLUMNS];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = columns(cell).max(*width);
            }
        }
        let is_held = list.items.iter().any(|item| item.hold.is_some());
        let is_blocked = list.items.iter().any(|item| !item.blocked_by.is_empty());
        let is_shown = |column: usize| match COLUMNS - column {
            2 => is_held,
            1 => is_blocked,
            _ => true,
        };
        for row in rows {
            let mut line = Line::default();
            let cells = row.into_iter().zip(widths).enumerate();
            for (_, (cell, width)) in cells.filter(|(column, _)| is_shown(*column)) {
                let padding = " ".repeat(width.saturating_sub(columns(&cell)) + 2);
                line.push(cell);
                line.push(Span::new(None, &padding));
            }
            text.push(line.trimmed());
        }
        text
    }

    fn row(&self, item: &SummaryBody) -> [Span; COLUMNS] {
        let when = match (item.status.as_str(), &item.execute_by) {
            ("pending", _) => self.moment.deadline(&item.expires_at),
            ("approved", Some(time)) => self.moment.deadline(time),
            _ => match &item.closed_at {
                Some(time) => format!("closed {}", self.moment.ago(time)),
                None => self.moment.ago(&item.requested_at),
            },
        };
        [
            Span::new(Tone::Strong, &item.request_id),
            Span::new(risk_tone(&item.risk_level), &item.risk_level),
            Span::new(status_tone(&item.status), &item.status),
            Span::new(None, &format!("{}/{}", item.approvals_received, item.approvals_required)),
            Span::new(environment_tone(&item.environment), &item.environment),
            Span::new(None, &when),
            Span::new(None, &item.operation_type),
            Span::new(None, &item.instance_id),
            Span::new(None, &item.requested_by),
            Span::new(None, item.hold.as_ref().map(|hold| hold.by.as_str()).unwrap_or_default()),
            Span::new(None, &item.blocked_by.join("; ")),
        ]
    }
}

/// How many columns most terminals give a cell.
fn columns(cell: &Span) -> usize {
    cell.text().chars().map(|c| c.width().unwrap_or(1)).sum()
}

/// The length at which all of these ids differ.
pub(crate) fn short_length<'a>(ids: impl Iterator<Item = &'a str> + Clone) -> usize {
    let all = ids.clone().collect::<BTreeSet<_>>().len();
    let differ = |length: usize| {
        let short: BTreeSet<String> = ids.clone().map(|id| id.chars().take(length).collect()).collect();
        short.len() == all
    };
    (SHORT_ID..36).find(|length| differ(*length)).unwrap_or(36)
}
