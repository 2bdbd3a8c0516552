//! The body of a delivery.
//!
//! | format | media type | what it is |
//! |---|---|---|
//! | `cloudevents` | `application/cloudevents+json` | the `CloudEvent` that the topic and the log carry ([`countersign_core::cloud_event`]), in its structured mode |
//! | `document` | `application/json` | its member `data` alone |
//!
//! With the content `full`, `data` is what subscribers learn of an event ([`countersign_core::notification`]). With `thin` it
//! has these members of it and no other:
//!
//! | member | what it is |
//! |---|---|
//! | `event_id` | the id of the event, as in `webhook-id` |
//! | `event_type` | what happened, such as `APPROVAL_GRANTED` |
//! | `timestamp` | the time of the event |
//! | `request_id` | the request: `GET /v1/approvals/{request_id}` has the rest, for those who may read it |
//! | `sequence` | the place of the event in the trail of the request; absent from an anomaly |
//! | `status` | the status of the request after the event; absent from an anomaly |
//! | `link` | where people look at the request, if the service knows |
//!
//! so it names no person, no instance and no operation, and says nothing that people wrote. No body has parameters, results or
//! digests of them.
//!
//! The body is canonical JSON (RFC 8785): the same event gives the same bytes in every attempt, by every process.

use crate::settings::{Content, Format};
use crate::webhook::WebhookId;
use countersign_core::canonical::CanonicalJson;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::ids::EventId;
use countersign_core::origin::Origin;
use countersign_core::timestamp::Timestamp;
use serde_json::{Map, Value, json};

/// The `type` of the `CloudEvent` that tries a webhook out.
pub const PING_TYPE: &str = "countersign.webhook.ping.v1";
/// The `event_type` of its data.
pub const PING_EVENT_TYPE: &str = "WEBHOOK_PING";

/// The members of thin data.
const THIN_MEMBERS: [&str; 7] =
    ["event_id", "event_type", "timestamp", "request_id", "sequence", "status", "link"];

/// The body of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The value of `content-type`.
    pub content_type: &'static str,
    /// The bytes: what is signed is what is sent.
    pub bytes: Vec<u8>,
}

impl Body {
    /// The body of an event, with a link if the event has one.
    pub fn of(event: &CloudEvent, content: Content, format: Format) -> Self {
        let mut envelope = event.to_value();
        if let (Content::Thin, Some(Value::Object(data))) = (content, envelope.get_mut("data")) {
            data.retain(|name, _| THIN_MEMBERS.contains(&name.as_str()));
        }
        Self::formatted(envelope, format)
    }

    /// The body of the message that tries a webhook out, of the deployment `source` at `now`. It is no event of any request; its
    /// data are `event_id`, `event_type`, `timestamp` and `webhook_id`.
    pub fn ping(id: EventId, source: &Origin, webhook: WebhookId, now: Timestamp, format: Format) -> Self {
        let envelope = json!({
            "specversion": "1.0",
            "id": id.to_string(),
            "source": source.as_str(),
            "type": PING_TYPE,
            "subject": webhook.to_string(),
            "time": now.to_string(),
            "datacontenttype": "application/json",
            "data": {
                "event_id": id.to_string(),
                "event_type": PING_EVENT_TYPE,
                "timestamp": now.to_string(),
                "webhook_id": webhook.to_string(),
            },
        });
        Self::formatted(envelope, format)
    }

    fn formatted(mut envelope: Value, format: Format) -> Self {
        let (content_type, value) = match format {
            Format::CloudEvents => ("application/cloudevents+json", envelope),
            Format::Document => {
                // INVARIANT: every envelope has data; an empty object would be what is left of one that had none.
                let data = envelope.get_mut("data").map_or_else(|| Value::Object(Map::new()), Value::take);
                ("application/json", data)
            }
        };
        Self { content_type, bytes: CanonicalJson::of(&value).as_str().as_bytes().to_vec() }
    }
}
