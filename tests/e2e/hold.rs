//! POST and DELETE /v1/approvals/{id}/claim

use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::sync::Barrier;

const MINUTE: i64 = 60_000;

fn claim(client: &Client, path: &str, body: &Value) -> countersign_e2e::client::Answer {
    client.post(&format!("{path}/claim"), body)
}

/// Who looks at a request, as it is shown by itself and in each list.
#[track_caller]
fn shown(service: &Service, path: &str) -> Option<String> {
    let (ann, dan) = (service.requester("ann"), service.approver("dan"));
    let by = |request: &Value| request["hold"]["by"].as_str().map(str::to_owned);
    let alone = by(&ann.get(path).expect(200));
    for list in
        ["/v1/approvals", "/v1/approvals?waiting_for=me", "/v1/approvals?instance_id=production-db-01"]
    {
        let listed = dan.get(list).expect(200);
        let found = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| path.ends_with(item["request_id"].as_str().unwrap()));
        if let Some(found) = found {
            assert_eq!(by(found), alone, "{list}");
        }
    }
    alone
}

#[test]
fn a_claim_is_shown_everywhere_and_changes_nothing_of_the_request() {
    let service = Service::start();
    let (ann, bob, carol) = (service.requester("ann"), service.approver("bob"), service.approver("carol"));
    let path = Service::create(&ann, &Service::high());
    let before = ann.get(&path).expect(200);
    assert_eq!(shown(&service, &path), None);
    let held = claim(&bob, &path, &json!({})).expect(200);
    assert_eq!(held["hold"]["by"], "bob@example.com");
    assert_eq!(held["version"], before["version"]);
    assert_eq!(held["audit_head"], before["audit_head"]);
    assert_eq!(shown(&service, &path).as_deref(), Some("bob@example.com"));
    let events = ann.get(&format!("{path}/events")).expect(200);
    assert_eq!(events["items"].as_array().unwrap().len(), 1, "a claim is no event");
    // It keeps no approver from deciding.
    Service::approve(&carol, &path).expect(200);
    assert_eq!(shown(&service, &path).as_deref(), Some("bob@example.com"));
    Service::approve(&bob, &path).expect(200);
    assert_eq!(shown(&service, &path), None, "the request is decided");
    claim(&service.approver("dan"), &path, &json!({})).expect_problem(409, "not_pending");
}

#[test]
fn who_may_not_approve_may_not_claim() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    claim(&service.anonymous(), &path, &json!({})).expect_problem(401, "unauthenticated");
    claim(&ann, &path, &json!({})).expect_problem(403, "self_approval");
    claim(&service.person("eve", &["auditor"]), &path, &json!({})).expect_problem(403, "not_permitted");
    claim(&service.person("dev", &["developer"]), &path, &json!({})).expect_problem(404, "not_found");
    claim(&service.program("robot", &["approver"]), &path, &json!({}))
        .expect_problem(403, "agent_cannot_approve");
    Service::approve(&bob, &path).expect(200);
    claim(&bob, &path, &json!({})).expect_problem(409, "already_decided");
    assert_eq!(shown(&service, &path), None);
    let unknown = "/v1/approvals/01930000-0000-7000-8000-000000000000";
    claim(&bob, unknown, &json!({})).expect_problem(404, "not_found");
    bob.delete(&format!("{unknown}/claim")).expect_problem(404, "not_found");
}

#[test]
fn the_second_approver_hears_who_was_first_and_may_take_over() {
    let service = Service::start();
    let (bob, carol) = (service.approver("bob"), service.approver("carol"));
    let path = Service::create(&service.requester("ann"), &Service::high());
    let held = claim(&bob, &path, &json!({ "minutes": 30 })).expect(200);
    let problem = claim(&carol, &path, &json!({})).expect_problem(409, "claimed");
    let detail = problem["detail"].as_str().unwrap();
    let until = held["hold"]["until"].as_str().unwrap();
    assert!(detail.contains("bob@example.com") && detail.contains(until), "{detail}");
    claim(&carol, &path, &json!({ "take": false })).expect_problem(409, "claimed");
    carol.delete(&format!("{path}/claim")).expect_problem(409, "claimed");
    assert_eq!(claim(&carol, &path, &json!({ "take": true })).expect(200)["hold"]["by"], "carol@example.com");
    bob.delete(&format!("{path}/claim")).expect_problem(409, "claimed");
    assert_eq!(shown(&service, &path).as_deref(), Some("carol@example.com"));
}

#[test]
fn a_claim_ends_by_its_time_is_prolonged_and_is_given_back() {
    let service = Service::start();
    let (bob, carol) = (service.approver("bob"), service.approver("carol"));
    let path = Service::create(&service.requester("ann"), &Service::high());
    claim(&bob, &path, &json!({})).expect(200);
    service.host.advance_milliseconds(15 * MINUTE - 1);
    assert_eq!(shown(&service, &path).as_deref(), Some("bob@example.com"));
    claim(&bob, &path, &json!({ "minutes": 2 })).expect(200);
    service.host.advance_milliseconds(2 * MINUTE - 1);
    assert_eq!(shown(&service, &path).as_deref(), Some("bob@example.com"));
    service.host.advance_milliseconds(1);
    assert_eq!(shown(&service, &path), None);
    claim(&carol, &path, &json!({})).expect(200);
    let given_back = carol.delete(&format!("{path}/claim")).expect(200);
    assert_eq!(given_back["hold"], Value::Null);
    assert_eq!(shown(&service, &path), None);
    // Again, and by others: nothing is left to give back.
    carol.delete(&format!("{path}/claim")).expect(200);
    bob.delete(&format!("{path}/claim")).expect(200);
    claim(&bob, &path, &json!({})).expect(200);
}

#[test]
fn of_two_approvers_at_the_same_moment_one_gets_it() {
    let service = Service::start();
    for _ in 0..8 {
        let path = Service::create(&service.requester("ann"), &Service::high());
        let clients = ["bob", "carol", "dan"].map(|name| service.approver(name));
        let barrier = Barrier::new(clients.len());
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let calls = clients.each_ref().map(|client| {
                let (barrier, path) = (&barrier, &path);
                scope.spawn(move || {
                    barrier.wait();
                    claim(client, path, &json!({})).status
                })
            });
            calls.map(|call| call.join().unwrap()).to_vec()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 2, "{statuses:?}");
    }
}

#[test]
fn a_waiter_hears_of_a_claim_by_its_entity_tag() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    let tag = |client: &Client| client.get(&path).headers["etag"].clone();
    let (free, again) = (tag(&ann), tag(&ann));
    assert_eq!(free, again);
    claim(&bob, &path, &json!({})).expect(200);
    assert_ne!(tag(&ann), free);
}

#[test]
fn what_is_no_claim_is_refused_by_field_and_rule() {
    let service = Service::start();
    let bob = service.approver("bob");
    let path = Service::create(&service.requester("ann"), &Service::high());
    for (body, pointer) in [
        (json!({ "minutes": 0 }), "/minutes"),
        (json!({ "minutes": 61 }), "/minutes"),
        (json!({ "minutes": 1.5 }), "/minutes"),
        (json!({ "minutes": "15" }), "/minutes"),
        (json!({ "take": "yes" }), "/take"),
        (json!({ "by": "carol@example.com" }), "/by"),
    ] {
        let problem = claim(&bob, &path, &body).expect_problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    claim(&bob, &path, &json!({ "minutes": 1 })).expect(200);
    claim(&bob, &path, &json!({ "minutes": 60 })).expect(200);
}
