//! The embedded mode's subscriber: events are delivered to the log, one JSON line each.

use countersign_app::ports::{Publish, PublishError};
use countersign_core::event::EventType;
use countersign_core::notification::{Notice, Notification};
use serde_json::{Value, json};
use std::io::Write as _;

/// Writes each message as one line, without anybody's words.
#[derive(Debug, Clone, Copy)]
pub struct OutboxLog;

impl Publish for OutboxLog {
    async fn publish(&self, notice: &Notice) -> Result<(), PublishError> {
        let line = match notice {
            Notice::Event(notification) => event(notification),
            Notice::Anomaly(notice) => json!({
                "timestamp": notice.timestamp.to_string(),
                "level": "ERROR",
                "target": "outbox",
                "event_type": EventType::AnomalyDetected.as_str(),
                "event_id": notice.event_id.to_string(),
                "request_id": notice.request_id.to_string(),
                "finding": notice.finding,
            }),
        };
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

/// The line of an event. `countersign verify --log` looks for its event in the store by the last three.
fn event(notification: &Notification) -> Value {
    json!({
        "timestamp": notification.timestamp.to_string(),
        "level": "INFO",
        "target": "outbox",
        "event_type": notification.event_type.as_str(),
        "event_id": notification.event_id.to_string(),
        "status": notification.status.as_str(),
        "risk_level": notification.risk_level.as_str(),
        "environment": notification.environment.as_str(),
        "operation_type": notification.operation_type.as_str(),
        "request_id": notification.request_id.to_string(),
        "sequence": notification.sequence,
        "hash": notification.hash.to_string(),
    })
}
