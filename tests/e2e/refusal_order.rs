//! When several things are wrong, which one is answered: the order of DESIGN section 7.
//!
//! 401 → readable → `identity_mismatch` → validation → `not_found` → replay of the same key →
//! agent → self → `not_permitted` → expired / wrong status → `already_decided` → digest

use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const UNKNOWN: &str = "/v1/approvals/01930000-0000-7000-8000-000000000000";
const WRONG: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[track_caller]
fn check(answer: Answer, status: u16, code: &str) {
    answer.expect_problem(status, code);
}

fn approve(client: &Client, path: &str, body: &Value) -> Answer {
    client.post(&format!("{path}/approve"), body)
}

/// Nothing that a stranger sends is read, not even to say that it could not have been.
#[test]
fn a_token_comes_before_what_can_be_read() {
    let service = Service::start();
    let large = vec![b' '; 256 * 1024 + 1];
    let checks: [(&str, &str, &[u8], u16, &str); 5] = [
        ("POST", "/v1/approvals", b"{", 400, "malformed_json"),
        ("POST", "/approvals", b"{", 400, "malformed_json"),
        ("POST", "/v1/approvals", &large, 413, "payload_too_large"),
        ("GET", "/v1/approvals/x", b"", 400, "malformed_id"),
        ("POST", "/v1/approvals/x/approve", b"{}", 400, "malformed_id"),
    ];
    for (method, path, body, status, code) in checks {
        check(service.anonymous().send(method, path, &[], body).unwrap(), 401, "unauthenticated");
        check(service.requester("ann").send(method, path, &[], body).unwrap(), status, code);
    }
}

#[test]
fn a_token_comes_before_everything_in_the_body() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let anonymous = service.anonymous();
    let wrong = json!({ "approved_by": "bob@example.com", "surprise": 1 });
    check(approve(&anonymous, &path, &wrong), 401, "unauthenticated");
    check(approve(&anonymous, UNKNOWN, &wrong), 401, "unauthenticated");
    check(anonymous.get(&path), 401, "unauthenticated");
    check(anonymous.get(UNKNOWN), 401, "unauthenticated");
    check(anonymous.get("/v1/approvals?limit=0&surprise=1"), 401, "unauthenticated");
    check(anonymous.get("/v1/approvals?limit=1&limit=1"), 401, "unauthenticated");
    check(anonymous.post("/v1/approvals", &json!([])), 401, "unauthenticated");
    check(approve(&anonymous, &path, &json!(5)), 401, "unauthenticated");
    check(anonymous.post("/v1/approvals", &json!({})), 401, "unauthenticated");
    check(anonymous.post("/approvals", &json!({ "operation": "nonsense" })), 401, "unauthenticated");
}

#[test]
fn a_mismatch_comes_before_other_rules_and_those_before_the_request() {
    let service = Service::start();
    let bob = service.approver("bob");
    let both = json!({ "approved_by": "eve@example.com", "surprise": 1, "comments": 5 });
    check(approve(&bob, UNKNOWN, &both), 403, "identity_mismatch");
    check(approve(&bob, UNKNOWN, &json!({ "surprise": 1 })), 422, "validation_failed");
    check(approve(&bob, UNKNOWN, &json!({})), 404, "not_found");
    let create = json!({ "requested_by": "eve@example.com", "risk_level": "none" });
    check(bob.post("/v1/approvals", &create), 403, "identity_mismatch");
    // An approver may not create; they learn what is wrong with the body first.
    check(bob.post("/v1/approvals", &json!({ "risk_level": "none" })), 422, "validation_failed");
    check(bob.post("/v1/approvals", &Service::medium()), 403, "not_permitted");
    let dispatched = json!({ "operation": "approve_request", "request_id": "x", "approved_by": "eve@x.org" });
    check(bob.post("/approvals", &dispatched), 400, "malformed_id");
}

#[test]
fn what_is_not_visible_comes_before_who_asks() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    for caller in [
        service.person("bot", &["agent"]),
        service.requester("ben"),
        service.person("eve", &[]),
        service.program("deployer", &["developer"]),
    ] {
        check(approve(&caller, &path, &json!({ "parameters_digest": WRONG })), 404, "not_found");
        check(caller.post(&format!("{path}/execution"), &json!({})), 404, "not_found");
    }
}

/// Bob approves with a key; whatever he and the request become later, the retry is answered.
#[test]
fn a_replay_comes_before_who_asks_and_what_it_is_about() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let send = |groups: &[&str], body: &Value| {
        service.person("bob", groups).post_with_key(&format!("{path}/approve"), body, "k")
    };
    send(&["approver"], &json!({})).expect(200);
    let conflict = json!({ "comments": "fine" });
    let again = || {
        service.untouched(|| {
            for groups in [&["approver"][..], &["approver", "agent"], &["auditor"], &["guest"]] {
                send(groups, &json!({})).expect(200);
                check(send(groups, &conflict), 409, "idempotency_conflict");
            }
            check(send(&["developer"], &json!({})), 404, "not_found");
            check(send(&["approver"], &json!({ "surprise": 1 })), 422, "validation_failed");
        });
    };
    again();
    service.host.advance_milliseconds(73 * 60 * 60 * 1000);
    again();
    service.expire();
    again();
}

#[test]
fn agency_is_refused_before_own_requests_and_those_before_permission() {
    let service = Service::start();
    let body = json!({ "parameters_digest": WRONG });
    let of_bot = Service::create(&service.person("bot", &["agent"]), &Service::medium());
    check(
        approve(&service.person("bot", &["agent", "approver"]), &of_bot, &body),
        403,
        "agent_cannot_approve",
    );
    check(approve(&service.person("bot", &["agent"]), &of_bot, &body), 403, "agent_cannot_approve");
    let of_program = Service::create(&service.program("ci", &["developer"]), &Service::medium());
    check(approve(&service.program("ci", &["developer"]), &of_program, &body), 403, "agent_cannot_approve");
    let of_ann = Service::create(&service.requester("ann"), &Service::medium());
    for groups in [&["developer"][..], &["guest"], &["approver"], &["admin"]] {
        check(approve(&service.person("ann", groups), &of_ann, &body), 403, "self_approval");
    }
    for groups in [["auditor"], ["guest"]] {
        check(approve(&service.person("eve", &groups), &of_ann, &body), 403, "not_permitted");
    }
}

#[test]
fn who_asks_comes_before_the_state() {
    let service = Service::start();
    let ann = service.requester("ann");
    let (expired, approved) =
        (Service::create(&ann, &Service::medium()), Service::create(&ann, &Service::medium()));
    let bot_made = Service::create(&service.person("bot", &["agent"]), &Service::medium());
    service.host.advance_milliseconds(71 * 60 * 60 * 1000);
    Service::approve(&service.approver("bob"), &approved).expect(200);
    service.host.advance_milliseconds(60 * 60 * 1000);
    let (bob, auditor) = (service.approver("bob"), service.person("eve", &["auditor"]));
    let body = json!({ "parameters_digest": WRONG });
    for path in [&expired, &approved] {
        check(approve(&service.person("ann", &["approver"]), path, &body), 403, "self_approval");
        check(approve(&auditor, path, &body), 403, "not_permitted");
        check(auditor.post(&format!("{path}/reject"), &json!({ "reason": "no" })), 403, "not_permitted");
        check(auditor.post(&format!("{path}/comments"), &json!({ "text": "hm" })), 403, "not_permitted");
        check(bob.post(&format!("{path}/cancel"), &json!({})), 403, "not_permitted");
        check(bob.post(&format!("{path}/execution"), &body), 403, "not_permitted");
        let finish = json!({ "execution_id": Service::id(path), "outcome": "failed" });
        check(bob.put(&format!("{path}/execution"), &finish), 403, "not_permitted");
    }
    check(
        approve(&service.person("bot", &["agent", "admin"]), &bot_made, &body),
        403,
        "agent_cannot_approve",
    );
    check(approve(&bob, &expired, &body), 409, "expired");
    check(approve(&bob, &approved, &body), 409, "not_pending");
}

#[test]
fn the_state_comes_before_having_decided_and_that_before_the_digest() {
    let service = Service::start();
    let ann = service.requester("ann");
    let (bob, cleo) = (service.approver("bob"), service.approver("cleo"));
    let body = json!({ "parameters_digest": WRONG });
    let (half, whole) = (Service::create(&ann, &Service::high()), Service::create(&ann, &Service::high()));
    for path in [&half, &whole] {
        Service::approve(&bob, path).expect(200);
        check(approve(&bob, path, &body), 409, "already_decided");
        check(bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })), 409, "already_decided");
        check(approve(&cleo, path, &body), 409, "digest_mismatch");
    }
    check(ann.post(&format!("{half}/execution"), &body), 409, "not_approved");
    Service::approve(&cleo, &whole).expect(200);
    check(approve(&bob, &whole, &body), 409, "not_pending");
    check(ann.post(&format!("{whole}/execution"), &body), 409, "digest_mismatch");
    service.host.advance_milliseconds(72 * 60 * 60 * 1000);
    for path in [&half, &whole] {
        check(approve(&bob, path, &body), 409, "expired");
        check(ann.post(&format!("{path}/execution"), &body), 409, "expired");
    }
}

/// The original endpoint is the same use cases: the same order.
#[test]
fn the_original_endpoint_keeps_the_order() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let id = Service::id(&path);
    let send = |client: &Client, changes: Value| {
        let mut body = json!({ "operation": "approve_request", "request_id": id });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        client.post("/approvals", &body)
    };
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let all = json!({ "approved_by": "x@example.com", "surprise": 1, "parameters_digest": WRONG });
    check(send(&service.anonymous(), all.clone()), 401, "unauthenticated");
    check(send(&ann, all), 403, "identity_mismatch");
    check(send(&ann, json!({ "surprise": 1, "parameters_digest": WRONG })), 422, "validation_failed");
    check(send(&service.requester("ben"), json!({ "parameters_digest": WRONG })), 404, "not_found");
    check(send(&ann, json!({ "parameters_digest": WRONG })), 403, "self_approval");
    check(send(&bob, json!({ "parameters_digest": WRONG })), 409, "digest_mismatch");
    send(&bob, json!({})).expect(200);
    check(send(&bob, json!({ "parameters_digest": WRONG })), 409, "already_decided");
}
