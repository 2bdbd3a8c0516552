//! Requests and events as people read them: at most 80 columns, nothing cut off, everything escaped.
//!
//! What others have written stands behind `| `, so that it cannot look like a line of ours.

use crate::client::moment::Moment;
use crate::client::terminal::{Terminal, Tone};
use countersign_api::wire::{EventBody, ListBody, RequestBody, SummaryBody};
use countersign_core::text::{escaped_line, escaped_lines};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar as _;

/// The width that everything fits into, unless the screen is narrower.
pub(crate) const WIDTH: usize = 80;
/// How many characters of an id are shown at least.
const SHORT_ID: usize = 8;

/// How things are shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Colours, or none.
    pub terminal: Terminal,
    /// Now.
    pub moment: Moment,
    /// The width that everything fits into.
    pub width: usize,
}

impl View {
    /// A request, all of it.
    pub fn request(&self, request: &RequestBody) -> String {
        let mut text = String::new();
        let title =
            format!("{} on {}", escaped_line(&request.operation_type), escaped_line(&request.instance_id));
        for line in wrapped(&title, self.width) {
            let _ = writeln!(text, "{}", self.terminal.paint(Tone::Strong, &line));
        }
        let _ = writeln!(text, "{}\n", self.standing(request));
        self.line(&mut text, "Request", &request.request_id, None);
        self.line(&mut text, "Risk", &request.risk_level, risk_tone(&request.risk_level));
        self.line(&mut text, "Environment", &request.environment, environment_tone(&request.environment));
        self.line(&mut text, "Requester", &request.requested_by, None);
        self.optional(&mut text, "Filed by", request.filed_by.as_deref());
        self.line(&mut text, "Requested", &self.moment.past(&request.requested_at), None);
        let cost = request.estimated_cost.map_or("not given".to_owned(), |cost| cost.to_string());
        self.line(&mut text, "Cost", &cost, None);
        self.optional(&mut text, "Duration", request.estimated_duration.as_deref());
        let approved_by = request.approved_by.join(", ");
        self.line(
            &mut text,
            "Approved by",
            if approved_by.is_empty() { "nobody yet" } else { &approved_by },
            None,
        );
        self.execution(&mut text, request);
        self.quote(&mut text, "Justification", &request.justification);
        match &request.parameters {
            Some(parameters) => {
                let json = serde_json::to_string_pretty(parameters).unwrap_or_default();
                self.block(&mut text, "Parameters", &json);
                let digest = request.parameters_digest.as_deref().unwrap_or_default();
                self.line(&mut text, "  SHA-256", digest, None);
            }
            None => self.block(&mut text, "Parameters", "not shown to you"),
        }
        if let Some(result) = &request.execution_result {
            self.block(&mut text, "Result", &serde_json::to_string_pretty(result).unwrap_or_default());
        }
        for comment in &request.comments {
            let title =
                format!("{} {}, {}", comment.user, comment.action, self.moment.past(&comment.timestamp));
            self.quote(&mut text, &title, &comment.comment);
        }
        text
    }

    /// Where a request stands: one line.
    fn standing(&self, request: &RequestBody) -> String {
        let approvals = format!("{} of {} approvals", request.approvals_received, request.approvals_required);
        let rest = match (request.status.as_str(), &request.execute_by) {
            ("pending", _) => format!("{approvals}, {} to decide", self.moment.deadline(&request.expires_at)),
            ("approved", Some(time)) => format!("{approvals}, {} to start", self.moment.deadline(time)),
            _ => approvals,
        };
        let status = escaped_line(&request.status);
        format!("{}, {rest}", self.terminal.paint(status_tone(&request.status), &status))
    }

    fn execution(&self, text: &mut String, request: &RequestBody) {
        self.optional(text, "Execution", request.execution_id.as_deref());
        self.optional(text, "Started by", request.execution_started_by.as_deref());
        let past = |time: &Option<String>| time.as_deref().map(|time| self.moment.past(time));
        self.optional(text, "Started", past(&request.execution_started_at).as_deref());
        self.optional(text, "Ended", past(&request.executed_at).as_deref());
        self.optional(text, "Actual cost", request.actual_cost.map(|cost| cost.to_string()).as_deref());
        self.optional(text, "Rejected by", request.rejected_by.as_deref());
        self.optional(text, "Cancelled", past(&request.cancelled_at).as_deref());
        if let Some(reason) = &request.cancellation_reason {
            self.quote(text, "Cancelled because", reason);
        }
    }

    /// A list: two lines for each request, because a name that is cut off could be another's.
    pub fn list(&self, list: &ListBody) -> String {
        let mut text = String::new();
        let length = short_length(list.items.iter().map(|item| item.request_id.as_str()));
        for item in &list.items {
            self.summary(&mut text, item, length);
        }
        let count = list.items.len();
        let more = match &list.next_cursor {
            Some(cursor) => format!("; more with --all, or --cursor {}", escaped_line(cursor)),
            None => String::new(),
        };
        let noun = if count == 1 { "request" } else { "requests" };
        let _ = writeln!(text, "{}", self.terminal.paint(Tone::Quiet, &format!("{count} {noun}{more}")));
        text
    }

    fn summary(&self, text: &mut String, item: &SummaryBody, length: usize) {
        let id: String = item.request_id.chars().take(length).collect();
        let paint = |tone, text: &str| self.terminal.paint(tone, text);
        let when = match (item.status.as_str(), &item.execute_by) {
            ("pending", _) => self.moment.deadline(&item.expires_at),
            ("approved", Some(time)) => self.moment.deadline(time),
            _ => self.moment.past(&item.requested_at),
        };
        let _ = writeln!(
            text,
            "{}  {} {} {}/{}  {}  {when}",
            paint(Tone::Strong, &escaped_line(&id)),
            paint(
                risk_tone(&item.risk_level).unwrap_or(Tone::Quiet),
                &format!("{:<6}", escaped_line(&item.risk_level))
            ),
            paint(status_tone(&item.status), &format!("{:<9}", escaped_line(&item.status))),
            item.approvals_received,
            item.approvals_required,
            escaped_line(&item.environment),
        );
        let what = format!(
            "{} on {}, by {}",
            escaped_line(&item.operation_type),
            escaped_line(&item.instance_id),
            escaped_line(&item.requested_by)
        );
        for line in wrapped(&what, self.width.saturating_sub(4)) {
            let _ = writeln!(text, "    {line}");
        }
    }

    /// An audit trail, oldest first.
    pub fn events(&self, events: &[EventBody]) -> String {
        let mut text = String::new();
        for event in events {
            let _ = writeln!(
                text,
                "{:>3}  {}  {}",
                event.sequence,
                self.terminal.paint(Tone::Strong, &escaped_line(&event.event_type)),
                self.terminal.paint(status_tone(&event.status), &escaped_line(&event.status)),
            );
            let who = format!(
                "by {} ({}, {}), {}",
                escaped_line(&event.user),
                escaped_line(&event.kind),
                escaped_line(&event.channel),
                self.moment.past(&event.timestamp)
            );
            for line in wrapped(&who, self.width.saturating_sub(5)) {
                let _ = writeln!(text, "     {line}");
            }
            let _ = writeln!(text, "     {}", self.terminal.paint(Tone::Quiet, &escaped_line(&event.hash)));
        }
        text
    }

    fn line(&self, text: &mut String, name: &str, value: &str, tone: Option<Tone>) {
        let value = escaped_line(value);
        let mut lines = wrapped(&value, self.width.saturating_sub(14)).into_iter();
        let first = lines.next().unwrap_or_default();
        let first = tone.map_or(first.clone(), |tone| self.terminal.paint(tone, &first));
        let _ = writeln!(text, "{}{first}", self.terminal.paint(Tone::Quiet, &format!("{name:<14}")));
        for line in lines {
            let _ = writeln!(text, "{:14}{line}", "");
        }
    }

    fn optional(&self, text: &mut String, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(text, name, value, None);
        }
    }

    /// What somebody wrote.
    fn quote(&self, text: &mut String, title: &str, words: &str) {
        for line in wrapped(&escaped_line(title), self.width) {
            let _ = writeln!(text, "{}", self.terminal.paint(Tone::Quiet, &line));
        }
        for line in escaped_lines(words) {
            for line in wrapped(&line, self.width.saturating_sub(4)) {
                let _ = writeln!(text, "  | {line}");
            }
        }
    }

    /// JSON. Its own escapes stay; what it leaves as it is gets ours.
    fn block(&self, text: &mut String, title: &str, json: &str) {
        self.quote(text, title, json);
    }
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

pub(crate) fn risk_tone(risk_level: &str) -> Option<Tone> {
    match risk_level {
        "high" => Some(Tone::Danger),
        "medium" => Some(Tone::Warning),
        _ => None,
    }
}

pub(crate) fn environment_tone(environment: &str) -> Option<Tone> {
    (environment == "production").then_some(Tone::Warning)
}

fn status_tone(status: &str) -> Tone {
    match status {
        "approved" | "executed" => Tone::Good,
        "pending" | "executing" => Tone::Warning,
        "rejected" | "failed" => Tone::Danger,
        _ => Tone::Quiet,
    }
}

/// A line of escaped text in pieces that fit. Nothing is left out; it breaks at spaces where it can.
pub(crate) fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut used = 0;
    for c in line.chars() {
        let wide = c.width().unwrap_or(1);
        if used + wide > width {
            let at = current.rfind(' ').filter(|at| *at > width / 2).map_or(current.len(), |at| at + 1);
            let rest = current.split_off(at);
            lines.push(std::mem::replace(&mut current, rest));
            used = current.chars().map(|c| c.width().unwrap_or(1)).sum();
        }
        current.push(c);
        used += wide;
    }
    lines.push(current);
    lines
}
