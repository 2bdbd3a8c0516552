//! GET /v1/approvals/{id}/events

use countersign_core::canonical::CanonicalJson;
use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

fn events(client: &Client, path: &str) -> Vec<Value> {
    let Value::Array(items) = client.get(&format!("{path}/events")).expect(200)["items"].take() else {
        return Vec::new();
    };
    items
}

fn kinds_and_statuses(events: &[Value]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|event| (event["event_type"].as_str().unwrap(), event["status"].as_str().unwrap()))
        .collect()
}

#[test]
fn every_command_is_one_event() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    Service::approve(&bob, &path).expect(200);
    bob.post(&format!("{path}/comments"), &json!({ "text": "One more, please" })).expect(200);
    Service::approve(&service.approver("cleo"), &path).expect(200);
    let execution_id = Service::started(&ann, &path);
    let body = json!({ "execution_id": execution_id, "outcome": "succeeded", "result": { "ok": true } });
    ann.put(&format!("{path}/execution"), &body).expect(200);
    assert_eq!(
        kinds_and_statuses(&events(&ann, &path)),
        [
            ("APPROVAL_REQUEST_CREATED", "pending"),
            ("APPROVAL_GRANTED", "pending"),
            ("COMMENT_ADDED", "pending"),
            ("APPROVAL_GRANTED", "approved"),
            ("EXECUTION_STARTED", "executing"),
            ("EXECUTION_SUCCEEDED", "executed"),
        ]
    );
}

#[test]
fn every_other_end_is_an_event_too() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let rejected = Service::create(&ann, &Service::medium());
    bob.post(&format!("{rejected}/reject"), &json!({ "reason": "no" })).expect(200);
    let cancelled = service.approved(&ann);
    ann.post(&format!("{cancelled}/cancel"), &json!({})).expect(200);
    let failed = service.approved(&ann);
    let body = json!({ "execution_id": Service::started(&ann, &failed), "outcome": "failed" });
    ann.put(&format!("{failed}/execution"), &body).expect(200);
    let expired = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(73 * 60 * 60 * 1000);
    assert_eq!(service.expire().expired, 1);
    for (path, last) in [
        (rejected, ("APPROVAL_REJECTED", "rejected")),
        (cancelled, ("APPROVAL_CANCELLED", "cancelled")),
        (failed, ("EXECUTION_FAILED", "failed")),
        (expired, ("APPROVAL_EXPIRED", "expired")),
    ] {
        assert_eq!(kinds_and_statuses(&events(&ann, &path)).last(), Some(&last));
    }
}

/// An outsider with the answer alone can check it: RFC 8785, SHA-256, and the head on the request.
#[test]
fn the_chain_can_be_verified_from_the_answer() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    bob.post(&format!("{path}/approve"), &json!({ "comments": "été ☀" })).expect(200);
    let head = service.approver("cleo").post(&format!("{path}/reject"), &json!({ "reason": "no" }));
    let head = head.expect(200)["audit_head"].clone();
    let mut last = json!("0".repeat(64));
    let trail = events(&bob, &path);
    for (sequence, event) in (1u64..).zip(&trail) {
        assert_eq!(event["sequence"], sequence);
        assert_eq!(event["prev_hash"], last);
        let mut hashed = event.clone();
        last = hashed.as_object_mut().unwrap().remove("hash").unwrap();
        assert_eq!(CanonicalJson::of(&hashed).digest().to_string(), last);
    }
    assert_eq!((trail.len(), last), (3, head));
}

#[test]
fn an_event_has_its_actor_and_channel() {
    let service = Service::start();
    let bot = service.person("bot", &["agent"]);
    let path = Service::create(&bot, &Service::medium());
    let bob = service.approver("bob");
    Service::approve(&bob, &path).expect(200);
    let trail = events(&bob, &path);
    let who: Vec<_> =
        trail.iter().map(|event| ["user", "kind", "channel"].map(|name| &event[name])).collect();
    assert_eq!(who, [["bot@example.com", "agent", "local"], ["bob@example.com", "human", "local"]]);
    for event in &trail {
        assert_eq!(event["requested_by"], "bot@example.com");
        assert_eq!(event["request_id"], Service::id(&path));
        assert_eq!(event["format"], "countersign.audit.v1");
    }
    assert!(trail[0]["details"]["parameters_digest"].is_string());
}

#[test]
fn the_trail_holds_no_free_text_and_no_parameters() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let mut body = Service::medium();
    body["justification"] = json!("SECRET-justification");
    body["estimated_duration"] = json!("SECRET-duration");
    body["parameters"] = json!({ "password": "SECRET-parameter" });
    let path = Service::create(&ann, &body);
    bob.post(&format!("{path}/comments"), &json!({ "text": "SECRET-comment" })).expect(200);
    bob.post(&format!("{path}/approve"), &json!({ "comments": "SECRET-approval" })).expect(200);
    let finish = json!({
        "execution_id": Service::started(&ann, &path),
        "outcome": "failed",
        "result": "SECRET-result",
    });
    ann.put(&format!("{path}/execution"), &finish).expect(200);
    let trail = events(&bob, &path);
    assert_eq!(trail.len(), 5);
    assert!(!json!(trail).to_string().contains("SECRET"), "{trail:?}");
}
