//! What a delivery says.

use crate::events::{anomaly, event, event_id, notification, now, origin, webhook_id};
use countersign_core::canonical::CanonicalJson;
use countersign_core::cloud_event::CloudEvent;
use countersign_webhook::body::Body;
use countersign_webhook::settings::{Content, Format};
use serde_json::{Value, json};

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn parsed(body: &Body) -> Value {
    serde_json::from_slice(&body.bytes).unwrap()
}

fn linked() -> CloudEvent {
    event(notification()).with_link("https://countersign.example.com/")
}

#[test]
fn the_full_event_is_the_one_that_every_channel_carries() {
    let body = Body::of(&linked(), Content::Full, Format::CloudEvents);
    assert_eq!(body.content_type, "application/cloudevents+json");
    assert_eq!(parsed(&body), linked().to_value());
    let document = Body::of(&linked(), Content::Full, Format::Document);
    assert_eq!(document.content_type, "application/json");
    assert_eq!(parsed(&document), linked().to_value()["data"]);
    // Members that a notification has. A new one is looked at before it is added here: never parameters, results, digests of
    // them.
    assert_eq!(
        names(&parsed(&document)),
        [
            "approvals_received",
            "approvals_required",
            "approved_by",
            "environment",
            "estimated_cost",
            "estimated_duration",
            "event_id",
            "event_type",
            "execute_by",
            "expires_at",
            "hash",
            "instance_id",
            "justification",
            "link",
            "operation_type",
            "remark",
            "request_id",
            "requested_by",
            "risk_level",
            "sequence",
            "status",
            "timestamp",
            "user",
        ]
    );
}

#[test]
fn a_thin_event_has_what_the_rest_is_fetched_by() {
    let body = Body::of(&linked(), Content::Thin, Format::CloudEvents);
    let data = json!({
        "event_id": "01930000-0000-7000-8000-000000000001",
        "event_type": "APPROVAL_GRANTED",
        "timestamp": "2026-01-31T09:30:00.000Z",
        "request_id": "01930000-0000-7000-8000-0000000000aa",
        "sequence": 3,
        "status": "approved",
        "link": "https://countersign.example.com/approvals/01930000-0000-7000-8000-0000000000aa",
    });
    let mut expected = linked().to_value();
    expected["data"] = data.clone();
    assert_eq!(parsed(&body), expected);
    assert_eq!(parsed(&Body::of(&linked(), Content::Thin, Format::Document)), data);
    let text = String::from_utf8(body.bytes).unwrap();
    for private in ["ann@", "bob@", "95", "production", "reboot", "go ahead", "hash"] {
        assert!(!text.contains(private), "{text}");
    }
    let data = parsed(&Body::of(&anomaly(), Content::Thin, Format::Document));
    assert_eq!(names(&data), ["event_id", "event_type", "request_id", "timestamp"]);
    let data = parsed(&Body::of(&anomaly(), Content::Full, Format::Document));
    assert_eq!(names(&data), ["event_id", "event_type", "finding", "request_id", "timestamp", "user"]);
}

#[test]
fn retries_carry_equal_bytes() {
    for (content, format) in [
        (Content::Full, Format::CloudEvents),
        (Content::Full, Format::Document),
        (Content::Thin, Format::CloudEvents),
        (Content::Thin, Format::Document),
    ] {
        let first = Body::of(&linked(), content, format);
        assert_eq!(first, Body::of(&linked(), content, format));
        // Another process reads the event from its outbox.
        let stored = CanonicalJson::of(&event(notification()).to_value());
        let read = CloudEvent::read(stored.as_str()).unwrap().with_link("https://countersign.example.com");
        assert_eq!(first, Body::of(&read, content, format));
        let text = String::from_utf8(first.bytes).unwrap();
        assert!(CanonicalJson::from_stored(&text).is_ok(), "{text}");
    }
}

#[test]
fn a_ping_is_an_event_of_no_request() {
    let ping = |format| Body::ping(event_id(), &origin(), webhook_id(1), now(), format);
    let envelope = parsed(&ping(Format::CloudEvents));
    assert_eq!(
        names(&envelope),
        ["data", "datacontenttype", "id", "source", "specversion", "subject", "time", "type"]
    );
    assert_eq!(envelope["type"], "countersign.webhook.ping.v1");
    assert_eq!(envelope["subject"], webhook_id(1).to_string());
    assert_eq!(parsed(&ping(Format::Document)), envelope["data"]);
    assert_eq!(envelope["data"]["event_type"], "WEBHOOK_PING");
}
