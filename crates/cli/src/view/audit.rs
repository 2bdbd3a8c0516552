//! Audit events of any streams, as people read them: a line each.

use crate::view::page::View;
use crate::view::text::{Line, Text, Tone};
use crate::view::tones::status_tone;
use countersign_api::wire::AuditBody;
use serde_json::Value;

impl View {
    /// A page of events, and how to get the next.
    pub fn audit(&self, page: &AuditBody) -> Text {
        let mut text = Text::default();
        text.extend(page.items.iter().map(|event| self.audit_event(event)));
        let count = page.items.len();
        let noun = if count == 1 { "event" } else { "events" };
        let more = match &page.next_cursor {
            Some(cursor) => format!("; more with --all, or --cursor {cursor}"),
            None => format!("; all there were until {}", page.settled_until),
        };
        text.push(Line::new(Tone::Quiet, &format!("{count} {noun} shown{more}")));
        text
    }

    /// One event: when, what, who, and about what.
    pub fn audit_event(&self, event: &Value) -> Line {
        let member = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let line = Line::new(Tone::Quiet, member("timestamp"))
            .with(None, "  ")
            .with(Tone::Strong, member("event_type"))
            .with(None, "  ")
            .with(None, member("user"));
        match member("request_id") {
            "" => line.with(Tone::Quiet, &format!("  {}", member("stream"))),
            request_id => line
                .with(None, &format!("  {} {}", member("operation_type"), member("instance_id")))
                .with(None, "  ")
                .with(status_tone(member("status")), member("status"))
                .with(Tone::Quiet, &format!("  {request_id}")),
        }
    }
}
