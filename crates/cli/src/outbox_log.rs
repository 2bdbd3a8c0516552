//! The embedded mode's subscriber: events are delivered to the log, one JSON line each.

use countersign_app::ports::{Publish, PublishError};
use countersign_core::notification::Notification;
use serde_json::json;
use std::io::Write;
use std::sync::Mutex;

/// Writes each message as one line, without anybody's words.
#[derive(Debug)]
pub struct OutboxLog<W> {
    writer: Mutex<W>,
}

impl<W: Write + Send> OutboxLog<W> {
    /// Delivers to a writer.
    pub fn new(writer: W) -> Self {
        Self { writer: Mutex::new(writer) }
    }
}

impl<W: Write + Send> Publish for OutboxLog<W> {
    async fn publish(&self, notification: &Notification) -> Result<(), PublishError> {
        let line = json!({
            "timestamp": notification.timestamp.to_string(),
            "level": "INFO",
            "target": "outbox",
            "event_type": notification.event_type.as_str(),
            "event_id": notification.event_id.to_string(),
            "request_id": notification.request_id.to_string(),
            "sequence": notification.sequence,
            "status": notification.status.as_str(),
            "risk_level": notification.risk_level.as_str(),
            "environment": notification.environment.as_str(),
            "operation_type": notification.operation_type.as_str(),
        });
        let mut writer = self.writer.lock().map_err(|_| PublishError("the log is gone".to_owned()))?;
        // One write, so that no other line ends up inside this one.
        writer
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| writer.flush())
            .map_err(|error| PublishError(error.to_string()))
    }
}
