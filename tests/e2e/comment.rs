//! POST /v1/approvals/{id}/comments

use countersign_e2e::service::Service;
use serde_json::{Value, json};

#[test]
fn a_conversation_is_shown_in_order_with_the_decisions() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::medium());
    let comments = format!("{path}/comments");
    bob.post(&comments, &json!({ "text": "Why now?" })).expect(200);
    service.host.advance_milliseconds(1000);
    ann.post(&comments, &json!({ "text": "The disk is full" })).expect(200);
    service.host.advance_milliseconds(1000);
    bob.post(&format!("{path}/approve"), &json!({ "comments": "Go" })).expect(200);
    service.host.advance_milliseconds(1000);
    let last = ann.post(&comments, &json!({ "text": "Thank you" })).expect(200);
    let said: Vec<_> = last["comments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|comment| ["user", "action", "comment"].map(|name| comment[name].as_str().unwrap()))
        .collect();
    assert_eq!(
        said,
        [
            ["bob@example.com", "commented", "Why now?"],
            ["ann@example.com", "commented", "The disk is full"],
            ["bob@example.com", "approved", "Go"],
            ["ann@example.com", "commented", "Thank you"],
        ]
    );
    assert_eq!(last["status"], "approved");
    assert_eq!(last["approvals_received"], 1);
}

/// Talking about what happened is part of the record; a passed deadline is the exception.
#[test]
fn what_has_ended_can_still_be_commented_on_unless_it_expired() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let comment = |path: &str| bob.post(&format!("{path}/comments"), &json!({ "text": "For the record" }));
    let end = |path: &str, command: &str, body: Value| ann.post(&format!("{path}/{command}"), &body);

    let cancelled = Service::create(&ann, &Service::medium());
    end(&cancelled, "cancel", json!({})).expect(200);
    assert_eq!(comment(&cancelled).expect(200)["status"], "cancelled");

    let rejected = Service::create(&ann, &Service::medium());
    bob.post(&format!("{rejected}/reject"), &json!({ "reason": "no" })).expect(200);
    assert_eq!(comment(&rejected).expect(200)["status"], "rejected");

    let executing = service.approved(&ann);
    Service::started(&ann, &executing);
    assert_eq!(comment(&executing).expect(200)["status"], "executing");

    let expired = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(72 * 60 * 60 * 1000);
    comment(&expired).expect_problem(409, "expired");
}

#[test]
fn an_observer_does_not_comment() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    for (groups, status, code) in [
        (["auditor"], 403, "not_permitted"),
        (["guest"], 403, "not_permitted"),
        (["developer"], 404, "not_found"),
        (["agent"], 404, "not_found"),
    ] {
        let answer =
            service.person("eve", &groups).post(&format!("{path}/comments"), &json!({ "text": "x" }));
        answer.expect_problem(status, code);
    }
}
