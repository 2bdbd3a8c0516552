//! Requests and events as people read them: at most 80 columns, nothing cut off, everything escaped.
//!
//! What others have written stands behind `| `, so that it cannot look like a line of ours.

use crate::view::terminal::{Terminal, Tone};
use crate::view::times::RelativeTime;
use crate::view::width::{broken, wrapped};
use countersign_api::wire::{
    DecisionBody, EventBody, ListBody, RequestBody, RuleBody, SlotBody, SummaryBody,
};
use countersign_core::look_alike::doubtful_keys;
use countersign_core::text::{escaped_line, escaped_lines};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar as _;

/// Below this width, what has a name stands under it and no longer beside it.
const NARROW: usize = 36;
/// How many characters of an id are shown at least.
const SHORT_ID: usize = 8;

/// That an approver must name what they were shown.
pub(crate) const DIGEST_REQUIRED: &str = "an approver must name the content_digest of what they were shown";

/// How many approvals there are; that some on record do not count is said.
pub(crate) fn approvals(request: &RequestBody) -> String {
    let (received, required) = (request.approvals_received, request.approvals_required);
    let is_discounted = request.decisions.iter().any(|decision| decision.counts == Some(false));
    let noun = if is_discounted { "count" } else { "approvals" };
    format!("{received} of {required} {noun}")
}

/// How things are shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Colours, or none.
    pub terminal: Terminal,
    /// Now.
    pub moment: RelativeTime,
    /// The width that everything fits into.
    pub width: usize,
}

impl View {
    /// A request, all of it.
    pub fn request(&self, request: &RequestBody) -> String {
        let mut text = self.title(&request.operation_type, &request.instance_id);
        let _ = writeln!(text, "{}\n", self.standing(request));
        self.line(&mut text, "Request", &request.request_id, None);
        self.lines(&mut text, "Blocked", request.blocked_by.iter().cloned());
        self.line(&mut text, "Risk", &request.risk_level, risk_tone(&request.risk_level));
        self.line(&mut text, "Environment", &request.environment, environment_tone(&request.environment));
        let requester = in_groups(&request.requested_by, &request.requester_groups);
        self.line(&mut text, "Requester", &requester, None);
        self.optional(&mut text, "Filed by", request.filed_by.as_deref());
        self.optional(&mut text, "Owner", request.owner.as_deref());
        self.line(&mut text, "Requested", &self.moment.ago(&request.requested_at), None);
        let cost = request.estimated_cost.map_or("not given".to_owned(), |cost| cost.to_string());
        self.line(&mut text, "Cost", &cost, None);
        self.optional(&mut text, "Duration", request.estimated_duration.as_deref());
        self.optional(&mut text, "Ticket", request.ticket.as_deref());
        if !request.slots.is_empty() {
            // Whether those who have agreed fill them is for the service to say: see `explain`.
            let (received, required) = (request.approvals_received, request.approvals_required);
            let verb = if request.status == "pending" { "takes" } else { "took" };
            let needs =
                format!("{received} of {required}; {verb} in all: {}", needs(required, &request.slots));
            self.line(&mut text, "Approvals", &needs, None);
        }
        if request.approved_by.is_empty() {
            self.line(&mut text, "Approved by", "nobody yet", None);
        }
        let approvals = decisions(request, "approved");
        let approved_by = request.approved_by.iter().map(|person| self.decided(&approvals, person));
        self.lines(&mut text, "Approved by", approved_by);
        self.execution(&mut text, request);
        self.quote(&mut text, "Justification", &request.justification);
        if let Some(plan) = &request.rollback_plan {
            self.quote(&mut text, "Rollback plan", plan);
        }
        match &request.parameters {
            Some(parameters) => {
                self.block(&mut text, "Parameters", parameters);
                let digest = request.parameters_digest.as_deref().unwrap_or_default();
                self.line(&mut text, "  SHA-256", digest, None);
                self.optional(&mut text, "All of it", request.content_digest.as_deref());
            }
            None => self.quote(&mut text, "Parameters", "not shown to you"),
        }
        if let Some(result) = &request.execution_result {
            self.block(&mut text, "Result", result);
        }
        for comment in &request.comments {
            let title =
                format!("{} {}, {}", comment.user, comment.action, self.moment.ago(&comment.timestamp));
            self.quote(&mut text, &title, &comment.comment);
        }
        text
    }

    /// What is to be done, to what.
    pub(crate) fn title(&self, operation_type: &str, instance_id: &str) -> String {
        let mut text = String::new();
        let title = format!("{} on {}", escaped_line(operation_type), escaped_line(instance_id));
        for line in wrapped(&title, self.width) {
            let _ = writeln!(text, "{}", self.terminal.paint(Tone::Strong, &line));
        }
        text
    }

    /// Somebody's decision: who, in which groups, when.
    fn decided(&self, decisions: &BTreeMap<&str, &DecisionBody>, person: &str) -> String {
        match decisions.get(person) {
            Some(decision) => {
                let when = self.moment.ago(&decision.at);
                let decided = format!("{}, {when}", in_groups(person, &decision.groups));
                match (&decision.counts, &decision.reason) {
                    (Some(false), Some(reason)) => format!("{decided}; does not count: {reason}"),
                    (Some(false), None) => format!("{decided}; does not count"),
                    (Some(true) | None, _) => decided,
                }
            }
            None => person.to_owned(),
        }
    }

    /// Where a request stands: one line.
    fn standing(&self, request: &RequestBody) -> String {
        let approvals = approvals(request);
        let rest = match (request.status.as_str(), &request.execute_by) {
            ("pending", _) => format!("{approvals}, {} to decide", self.moment.deadline(&request.expires_at)),
            ("approved", Some(time)) => format!("{approvals}, {} to start", self.moment.deadline(time)),
            _ => approvals,
        };
        self.status(&request.status, &format!(", {rest}"))
    }

    /// A status, and what is said with it.
    pub(crate) fn status(&self, status: &str, rest: &str) -> String {
        let (status, rest) = (escaped_line(status), escaped_line(rest));
        match wrapped(&format!("{status}{rest}"), self.width.saturating_sub(2)).as_slice() {
            [_] => format!("{}{rest}", self.terminal.paint(status_tone(&status), &status)),
            // A service that is not ours may say anything.
            lines => lines.join("\n  "),
        }
    }

    fn execution(&self, text: &mut String, request: &RequestBody) {
        self.optional(text, "Execution", request.execution_id.as_deref());
        self.optional(text, "Started by", request.execution_started_by.as_deref());
        let past = |time: &Option<String>| time.as_deref().map(|time| self.moment.ago(time));
        self.optional(text, "Started", past(&request.execution_started_at).as_deref());
        self.optional(text, "Ended", past(&request.executed_at).as_deref());
        self.optional(text, "Actual cost", request.actual_cost.map(|cost| cost.to_string()).as_deref());
        let rejections = decisions(request, "rejected");
        let rejected_by = request.rejected_by.iter().map(|person| self.decided(&rejections, person));
        self.lines(text, "Rejected by", rejected_by);
        self.optional(text, "Cancelled", past(&request.cancelled_at).as_deref());
        self.optional(text, "Cancelled by", request.cancelled_by.as_deref());
        if let Some(reason) = &request.cancellation_reason {
            self.quote(text, "Cancelled because", reason);
        }
    }

    /// A list: a line for each request. Nothing is cut off, because what is cut off could be another's
    /// name; a line may be wider than the screen.
    pub fn list(&self, list: &ListBody) -> String {
        let mut text = self.table(list);
        let count = list.items.len();
        let more = match &list.next_cursor {
            Some(cursor) => format!("; more with --all, or --cursor {}", escaped_line(cursor)),
            None => String::new(),
        };
        let noun = if count == 1 { "request" } else { "requests" };
        let _ =
            writeln!(text, "{}", self.terminal.paint(Tone::Quiet, &format!("{count} {noun} shown{more}")));
        if list.damaged > 0 {
            let rows = if list.damaged == 1 { "1 row" } else { &format!("{} rows", list.damaged) };
            let left_out = format!("{rows} left out: damaged; the service's log names the requests");
            let _ = writeln!(text, "{}", self.terminal.paint(Tone::Warning, &left_out));
        }
        text
    }

    /// The requests of a list under a header, if there are any.
    fn table(&self, list: &ListBody) -> String {
        const HEADER: [&str; 10] = [
            "ID",
            "RISK",
            "STATUS",
            "APPROVALS",
            "ENVIRONMENT",
            "WHEN",
            "OPERATION",
            "INSTANCE",
            "REQUESTER",
            "BLOCKED",
        ];
        if list.items.is_empty() {
            return String::new();
        }
        let rows: Vec<[String; 10]> = list.items.iter().map(|item| self.row(item)).collect();
        let columns = |text: &str| text.chars().map(|c| c.width().unwrap_or(1)).sum::<usize>();
        let is_blocked = rows.iter().any(|[.., blocked]| !blocked.is_empty());
        let mut width = HEADER.map(str::len);
        for row in &rows {
            for (width, cell) in width.iter_mut().zip(row) {
                *width = columns(cell).max(*width);
            }
        }
        let line = |cells: [&str; 10], tones: [Option<Tone>; 10]| {
            let shown = if is_blocked { 10 } else { 9 };
            let cells = cells.into_iter().zip(tones).zip(width).take(shown).map(|((cell, tone), width)| {
                let padding = " ".repeat(width.saturating_sub(columns(cell)));
                tone.map_or(cell.to_owned(), |tone| self.terminal.paint(tone, cell)) + &padding
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            format!("{}\n", line.trim_end_matches(' '))
        };
        let mut text = line(HEADER, [Some(Tone::Quiet); 10]);
        for (row, item) in rows.iter().zip(&list.items) {
            let mut tones = [None; 10];
            let painted = [
                Some(Tone::Strong),
                risk_tone(&item.risk_level),
                Some(status_tone(&item.status)),
                None,
                environment_tone(&item.environment),
            ];
            tones.iter_mut().zip(painted).for_each(|(tone, painted)| *tone = painted);
            text.push_str(&line(row.each_ref().map(String::as_str), tones));
        }
        text
    }

    fn row(&self, item: &SummaryBody) -> [String; 10] {
        let when = match (item.status.as_str(), &item.execute_by) {
            ("pending", _) => self.moment.deadline(&item.expires_at),
            ("approved", Some(time)) => self.moment.deadline(time),
            _ => match &item.closed_at {
                Some(time) => format!("closed {}", self.moment.ago(time)),
                None => self.moment.ago(&item.requested_at),
            },
        };
        [
            escaped_line(&item.request_id),
            escaped_line(&item.risk_level),
            escaped_line(&item.status),
            format!("{}/{}", item.approvals_received, item.approvals_required),
            escaped_line(&item.environment),
            when,
            escaped_line(&item.operation_type),
            escaped_line(&item.instance_id),
            escaped_line(&item.requested_by),
            escaped_line(&item.blocked_by.join("; ")),
        ]
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
                self.moment.ago(&event.timestamp)
            );
            for line in wrapped(&who, self.width.saturating_sub(5)) {
                let _ = writeln!(text, "     {line}");
            }
            let _ = writeln!(text, "     {}", self.terminal.paint(Tone::Quiet, &escaped_line(&event.hash)));
        }
        text
    }

    pub(crate) fn line(&self, text: &mut String, name: &str, value: &str, tone: Option<Tone>) {
        let value = escaped_line(value);
        let indent = self.name(text, name);
        for (index, line) in wrapped(&value, self.width.saturating_sub(indent)).into_iter().enumerate() {
            let line = match tone.filter(|_| index == 0) {
                Some(tone) => self.terminal.paint(tone, &line),
                None => line,
            };
            self.beside(text, index == 0, indent, &line);
        }
    }

    /// The name of what stands beside it, or below it where the window is narrow; gives how far in that
    /// stands.
    fn name(&self, text: &mut String, name: &str) -> usize {
        if self.width < NARROW {
            if !name.is_empty() {
                let _ = writeln!(text, "{}", self.terminal.paint(Tone::Quiet, name));
            }
            return 2;
        }
        text.push_str(&self.terminal.paint(Tone::Quiet, &format!("{name:<14}")));
        14
    }

    fn beside(&self, text: &mut String, is_first: bool, indent: usize, line: &str) {
        let indent = if is_first && self.width >= NARROW { 0 } else { indent };
        let _ = writeln!(text, "{:indent$}{line}", "");
    }

    /// Values under one name, each on a line of its own. What does not fit goes on further in, so that
    /// it cannot look like another value.
    pub(crate) fn lines(&self, text: &mut String, name: &str, values: impl IntoIterator<Item = String>) {
        let mut name = name;
        for value in values {
            let indent = self.name(text, name);
            let pieces = wrapped(&escaped_line(&value), self.width.saturating_sub(indent + 2));
            for (index, piece) in pieces.iter().enumerate() {
                self.beside(text, index == 0, indent + if index == 0 { 0 } else { 2 }, piece);
            }
            name = "";
        }
    }

    fn optional(&self, text: &mut String, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(text, name, value, None);
        }
    }

    /// What somebody wrote.
    pub(crate) fn quote(&self, text: &mut String, title: &str, words: &str) {
        for line in wrapped(&escaped_line(title), self.width) {
            let _ = writeln!(text, "{}", self.terminal.paint(Tone::Quiet, &line));
        }
        for line in escaped_lines(words) {
            for line in broken(&line, self.width.saturating_sub(4)) {
                let _ = writeln!(text, "  | {line}");
            }
        }
    }

    /// A JSON document, and which of its keys may be taken for others. Its own escapes stay; what it leaves
    /// as it is gets ours.
    fn block(&self, text: &mut String, title: &str, document: &Value) {
        self.quote(text, title, &serde_json::to_string_pretty(document).unwrap_or_default());
        self.doubts(text, document);
    }

    /// Which keys of a document may be taken for others.
    pub(crate) fn doubts(&self, text: &mut String, document: &Value) {
        for doubt in doubtful_keys(document) {
            for line in wrapped(&format!("the key {}", doubt.in_words()), self.width.saturating_sub(4)) {
                let _ = writeln!(text, "  {}", self.terminal.paint(Tone::Danger, &format!("! {line}")));
            }
        }
    }
}

/// The first decision of each person that went one way.
fn decisions<'a>(request: &'a RequestBody, verdict: &str) -> BTreeMap<&'a str, &'a DecisionBody> {
    let of_verdict = request.decisions.iter().filter(|decision| decision.decision == verdict);
    of_verdict.rev().map(|decision| (decision.person.as_str(), decision)).collect()
}

/// What a person is asked: it names again what may have left the screen.
pub(crate) fn question(verb: &str, request: &RequestBody) -> String {
    escaped_line(&format!(
        "{verb} {} on {} ({}, {} risk)?",
        request.operation_type, request.instance_id, request.environment, request.risk_level
    ))
}

/// `bob@example.com (approver, dba)`.
pub(crate) fn in_groups(person: &str, groups: &[String]) -> String {
    if groups.is_empty() { person.to_owned() } else { format!("{person} ({})", groups.join(", ")) }
}

/// Approvals by whom they must come from: `1 of dba`, `2 of finance or controlling`, `1 of anybody
/// who may approve`.
pub(crate) fn seats(slots: &[SlotBody], from_anybody: usize) -> Vec<String> {
    let mut seats: Vec<_> =
        slots.iter().map(|slot| format!("{} of {}", slot.approvals, slot.groups.join(" or "))).collect();
    if from_anybody > 0 {
        seats.push(format!("{from_anybody} of anybody who may approve"));
    }
    seats
}

/// `1 of dba, 1 of anybody who may approve`.
pub(crate) fn needs(approvals_required: u8, slots: &[SlotBody]) -> String {
    let from_slots: usize = slots.iter().map(|slot| usize::from(slot.approvals)).sum();
    seats(slots, usize::from(approvals_required).saturating_sub(from_slots)).join(", ")
}

/// `2 approvals: 1 of dba, 1 of anybody who may approve`.
pub(crate) fn demanded(approvals_required: u8, slots: &[SlotBody]) -> String {
    match approvals_required {
        0 if slots.is_empty() => "none".to_owned(),
        1 => format!("1 approval: {}", needs(1, slots)),
        required => format!("{required} approvals: {}", needs(required, slots)),
    }
}

/// `rules.databases: 1 of dba; must be started within 3600 seconds`.
pub(crate) fn rules(rules: &[RuleBody]) -> impl Iterator<Item = String> {
    rules.iter().map(|rule| format!("{}: {}", rule.name, rule.demands.join("; ")))
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

pub(crate) fn status_tone(status: &str) -> Tone {
    match status {
        "approved" | "executed" => Tone::Good,
        "pending" | "executing" => Tone::Warning,
        "rejected" | "failed" => Tone::Danger,
        _ => Tone::Quiet,
    }
}

/// A request as the service shows it; `changes` are members that are different.
#[cfg(test)]
pub(crate) fn example(changes: serde_json::Value) -> RequestBody {
    let mut body = serde_json::json!({
        "request_id": "01930000-0000-4000-8000-0000000000aa", "status": "pending",
        "operation_type": "reboot", "instance_id": "production-db-01", "parameters": { "force": true },
        "parameters_digest": "d".repeat(64), "environment": "production", "risk_level": "high",
        "requested_by": "ann@example.com", "requested_at": "2026-01-31T09:00:00.000Z",
        "justification": "it hangs", "requester_groups": ["developer"], "approvals_required": 2, "slots": [],
        "digest_required": false, "rules": [], "approvals_received": 0, "approved_by": [],
        "expires_at": "2026-01-31T13:30:00.000Z", "comments": [], "decisions": [], "version": 1,
        "policy_version": "a".repeat(64), "audit_head": "b".repeat(64),
    });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

/// Fails unless every line fits and holds nothing but text.
#[cfg(test)]
#[track_caller]
pub(crate) fn check_fits(text: &str) {
    let is_harmful =
        |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}');
    for line in text.lines() {
        let width: usize = line.chars().map(|c| c.width().unwrap_or(1)).sum();
        assert!(width <= crate::view::width::WIDTH, "{width} columns: {line}");
        assert!(!line.contains(is_harmful), "{line:?}");
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
