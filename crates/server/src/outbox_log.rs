//! The embedded mode's subscriber: events are delivered to the log, one CloudEvent a line.

use countersign_app::ports::{Publish, PublishError};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::notification::Notice;
use serde_json::{Map, Value};
use std::io::Write as _;

/// The members of a notification that a log may hold: ids, names of ours, statuses and counts. Whatever is
/// not here names a person, or was written by one.
const LOGGED: &[&str] = &[
    "approvals_received",
    "approvals_required",
    "environment",
    "event_id",
    "event_type",
    "finding",
    "hash",
    "operation_type",
    "request_id",
    "risk_level",
    "sequence",
    "status",
    "timestamp",
];

/// Writes each message as one line, without anybody's words.
#[derive(Debug, Clone, Copy)]
pub struct OutboxLog;

impl Publish for OutboxLog {
    async fn publish(&self, event: &CloudEvent) -> Result<(), PublishError> {
        let line = Value::Object(line(event));
        // A reader of stderr may be slow, or gone: the write waits on a thread of its own.
        let written = tokio::task::spawn_blocking(move || {
            let mut stderr = std::io::stderr().lock();
            // One write, so that no other line ends up inside this one.
            stderr.write_all(format!("{line}\n").as_bytes())
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(PublishError::Refused(error.to_string())),
            Err(error) => Err(PublishError::Refused(error.to_string())),
        }
    }
}

/// The CloudEvent, and beside it the fields by which lines of the log are distinguished and searched.
fn line(event: &CloudEvent) -> Map<String, Value> {
    let level = match &event.notice {
        Notice::Event(_) => "INFO",
        Notice::Anomaly(_) => "ERROR",
    };
    let mut document = event.to_value();
    let mut line = Map::new();
    if let Some(data) = document.get_mut("data").and_then(Value::as_object_mut) {
        data.retain(|name, _| LOGGED.contains(&name.as_str()));
        line.clone_from(data);
    }
    line.insert("level".to_owned(), level.into());
    line.insert("target".to_owned(), "outbox".into());
    // Last: where both have a name, which is `sequence`, the CloudEvent's stands.
    if let Value::Object(attributes) = document {
        line.extend(attributes);
    }
    line
}
