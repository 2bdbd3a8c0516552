//! What is published, in the one format that every channel has: CloudEvents 1.0 in JSON
//! (<https://github.com/cloudevents/spec>); and how it is stored until it is delivered. Who listens is the
//! business of the channels.

use crate::audit::AuditEvent;
use crate::canonical::CanonicalJson;
use crate::digest::{DeploymentKey, Digest};
use crate::event::EventType;
use crate::ids::{EventId, RequestId};
use crate::notification::Notice;
use crate::origin::Origin;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The digits of `sequence`, which its extension wants to be in order as text
/// (<https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md>).
const SEQUENCE_DIGITS: usize = 10;

/// A notice and the deployment that publishes it.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudEvent {
    /// The deployment.
    pub source: Origin,
    /// The notice.
    pub notice: Notice,
}

impl CloudEvent {
    /// The same with a link to where people look at the request, on a dashboard at `url`.
    #[must_use]
    pub fn with_link(mut self, url: &str) -> Self {
        let url = url.trim_end_matches('/');
        let link = format!("{url}/approvals/{}", self.notice.request_id());
        match &mut self.notice {
            Notice::Event(notification) => notification.link = Some(link),
            Notice::Anomaly(notice) => notice.link = Some(link),
        }
        self
    }

    /// The event as JSON.
    pub fn to_value(&self) -> Value {
        to_value(&self.source, &self.notice)
    }

    /// Reads a stored document back.
    ///
    /// # Errors
    /// Why it cannot be read; no value of it, which may be what people wrote.
    pub fn read(document: &str) -> Result<Self, String> {
        let unreadable = |error: serde_json::Error| {
            format!("message cannot be read at line {}, column {}", error.line(), error.column())
        };
        let StoredEvent { source, event_type, data } = serde_json::from_str(document).map_err(unreadable)?;
        let notice = if event_type == type_of(EventType::AnomalyDetected) {
            serde_json::from_value(data).map(Notice::Anomaly)
        } else {
            serde_json::from_value(data).map(Notice::Event)
        };
        let notice = notice.map_err(|_| "a field of the message has an impossible value".to_owned())?;
        // What is not read above, and what should not be there, shows by the document that is written anew.
        if self::document(&source, &notice).as_str() == document {
            Ok(Self { source, notice })
        } else {
            Err("the fields of the message do not agree".to_owned())
        }
    }
}

/// A CloudEvent as it is written with the event it is about, to wait for delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The event.
    pub event_id: EventId,
    /// The CloudEvent, see docs/data-model.md.
    pub document: CanonicalJson,
    /// Binds the document for those who have the deployment's key.
    pub seal: Digest,
}

impl Message {
    /// The message of a notice, from the deployment that has the key.
    pub fn of(notice: &Notice, key: &DeploymentKey) -> Self {
        let event_id = notice.event_id();
        let document = document(&Origin::of(key), notice);
        let seal = seal(event_id, document.as_str(), key);
        Self { event_id, document, seal }
    }
}

/// What binds the document of an event's message: HMAC-SHA-256 under the deployment's key.
pub fn seal(event_id: EventId, document: &str, key: &DeploymentKey) -> Digest {
    key.digest(&format!("countersign.message.v1:{event_id}"), document)
}

fn document(source: &Origin, notice: &Notice) -> CanonicalJson {
    CanonicalJson::of(&to_value(source, notice))
}

fn to_value(source: &Origin, notice: &Notice) -> Value {
    let event = PublishedEvent {
        specversion: "1.0",
        id: notice.event_id(),
        source,
        event_type: type_of(notice.event_type()),
        subject: notice.request_id(),
        time: notice.timestamp(),
        datacontenttype: "application/json",
        sequence: notice.sequence().map(sequence_of),
        data: notice,
    };
    // INVARIANT: texts and finite numbers serialise; a document that did not would be `null`, which no
    // reader takes.
    serde_json::to_value(event).unwrap_or(Value::Null)
}

/// The `sequence` of a CloudEvent.
fn sequence_of(sequence: u64) -> String {
    format!("{sequence:0>SEQUENCE_DIGITS$}")
}

/// What the data of an exported audit event is: `type` alone would say that it is a notification.
pub const AUDIT_EVENT_SCHEMA: &str = "urn:countersign:audit:v1";
/// The `type` of an audit event whose type this version does not know.
const UNKNOWN_TYPE: &str = "countersign.unknown.v1";

/// An audit event as a CloudEvent, with the attributes that its notification has, as far as it has one. Its data is all of the
/// event.
pub fn of_audit_event(event: &AuditEvent) -> Value {
    let known = event.event_type.known();
    let is_anomaly = known == Some(EventType::AnomalyDetected);
    let request_id = match &event.request {
        Some(request) => Some(request.request_id.to_string()),
        None => event.detail("request_id").filter(|_| is_anomaly),
    };
    let mut value = json!({
        "specversion": "1.0",
        "id": event.event_id.to_string(),
        "source": event.origin.as_str(),
        "type": known.map_or(UNKNOWN_TYPE, type_of),
        "subject": request_id.unwrap_or_else(|| event.stream.to_string()),
        "time": event.timestamp.to_string(),
        "datacontenttype": "application/json",
        "dataschema": AUDIT_EVENT_SCHEMA,
        "data": event.document().to_value(),
    });
    // An anomaly is not in the stream of its subject.
    if let (false, Value::Object(attributes)) = (is_anomaly, &mut value) {
        attributes.insert("sequence".to_owned(), json!(sequence_of(event.sequence)));
    }
    value
}

/// The `type` of a CloudEvent. The version is that of its data: members may be added to it, and what would
/// break a reader gets another.
pub fn type_of(event_type: EventType) -> &'static str {
    match event_type {
        EventType::ApprovalRequestCreated => "countersign.approval.created.v1",
        EventType::ApprovalGranted => "countersign.approval.granted.v1",
        EventType::ApprovalRejected => "countersign.approval.rejected.v1",
        EventType::ApprovalWithdrawn => "countersign.approval.withdrawn.v1",
        EventType::ApprovalCancelled => "countersign.approval.cancelled.v1",
        EventType::ApprovalExpired => "countersign.approval.expired.v1",
        EventType::ExecutionStarted => "countersign.execution.started.v1",
        EventType::TargetObserved => "countersign.target.observed.v1",
        EventType::ExecutionClaimed => "countersign.execution.claimed.v1",
        EventType::ExecutionRenewed => "countersign.execution.renewed.v1",
        EventType::ExecutionUnknown => "countersign.execution.unknown.v1",
        EventType::ExecutionSucceeded => "countersign.execution.succeeded.v1",
        EventType::ExecutionFailed => "countersign.execution.failed.v1",
        EventType::CommentAdded => "countersign.comment.added.v1",
        EventType::ParametersErased => "countersign.parameters.erased.v1",
        EventType::AnomalyDetected => "countersign.anomaly.detected.v1",
        EventType::AttemptRefused => "countersign.attempt.refused.v1",
        EventType::AuditRead => "countersign.audit.read.v1",
    }
}

#[derive(Serialize)]
struct PublishedEvent<'a> {
    specversion: &'static str,
    id: EventId,
    source: &'a Origin,
    #[serde(rename = "type")]
    event_type: &'static str,
    subject: RequestId,
    time: Timestamp,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    data: &'a Notice,
}

/// What of a stored event does not follow from its data, and the data.
#[derive(Deserialize)]
struct StoredEvent {
    source: Origin,
    #[serde(rename = "type")]
    event_type: String,
    data: Value,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use strum::IntoEnumIterator;

    #[test]
    fn each_type_of_event_has_a_type_of_its_own() {
        let types: BTreeSet<_> = EventType::iter().map(type_of).collect();
        assert_eq!(types.len(), EventType::iter().len());
        for name in types {
            let parts: Vec<_> = name.split('.').collect();
            assert!(matches!(parts.as_slice(), ["countersign", _, _, "v1"]), "{name}");
        }
    }
}
