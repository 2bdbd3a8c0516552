//! GET /v1/me, and lists of what waits for the caller.

use crate::policy::policy_with;
use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn a_caller_learns_who_they_are_to_policy() {
    let people = "[people.\"bob@example.com\"]\naddresses = [\"robert@example.com\"]";
    let service = Service::under(policy_with("", people, ""));
    let me = |client: &Client| client.get("/v1/me").expect(200);
    let bob = me(&service.person("robert", &["approver", "nonsense"]));
    assert_eq!(
        bob,
        json!({
            "person": "bob@example.com", "kind": "human", "groups": ["approver"], "sees_all": true,
            "may_query_audit": false,
        })
    );
    let eve = me(&service.person("eve", &["auditor"]));
    assert_eq!((&eve["may_query_audit"], &eve["sees_all"]), (&json!(true), &json!(true)));
    let pipeline = me(&service.program("pipeline", &["developer"]));
    assert_eq!((&pipeline["person"], &pipeline["kind"]), (&json!("service:pipeline"), &json!("service")));
    service.untouched(|| service.anonymous().get("/v1/me").expect_problem(401, "unauthenticated"));
    service.requester("ann").get("/v1/me?x=1").expect_problem(422, "validation_failed");
}

fn waiting(client: &Client) -> Vec<Value> {
    let page = client.get("/v1/approvals?waiting_for=me").expect(200);
    assert_eq!(page["next_cursor"], Value::Null);
    page["items"].as_array().unwrap().clone()
}

fn ids(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| item["request_id"].as_str().unwrap().to_owned()).collect()
}

/// What such a list says is what comes of the decision, for every caller and request.
#[test]
fn what_waits_for_a_caller_is_what_the_caller_can_decide() {
    let rules = "[rules.classes]\noperations = [\"modify_instance_class\"]\nslots = { dba = 1 }";
    let service = Service::under(policy_with(rules, "", ""));
    let ann = service.person("ann", &["developer", "approver"]);
    let bob = service.person("bob", &["approver"]);
    let dba = service.person("dana", &["approver", "dba"]);
    let guest = service.person("gus", &["guest"]);
    let path = |body: &Value| Service::create(&ann, body);
    let (high, medium) = (path(&Service::high()), path(&Service::medium()));
    let half = path(&Service::high());
    Service::approve(&bob, &half).expect(200);
    let closed = path(&Service::medium());
    ann.post(&format!("{closed}/cancel"), &json!({})).expect(200);
    let by_bob = Service::create(&service.person("bob", &["developer", "approver"]), &Service::medium());

    let of_bob = waiting(&bob);
    assert_eq!(ids(&of_bob), [&high, &medium].map(|path| Service::id(path).to_owned()).into());
    let entry = |items: &[Value], path: &str| {
        items.iter().find(|item| item["request_id"] == Service::id(path)).unwrap().clone()
    };
    assert_eq!(entry(&of_bob, &high)["may"], json!(["approve", "reject"]));
    assert_eq!(
        entry(&of_bob, &high)["missing"],
        json!({ "slots": [{ "groups": ["dba"], "approvals": 1 }], "from_anybody": 1 })
    );
    let of_dba = waiting(&dba);
    let all = [&high, &medium, &half, &by_bob].map(|path| Service::id(path).to_owned());
    assert_eq!(ids(&of_dba), all.into());
    assert_eq!(waiting(&ann).len(), 1, "not the caller's own: bob's");
    assert!(guest.get("/v1/approvals?waiting_for=me").status == 403 || waiting(&guest).is_empty());
    assert_eq!(waiting(&service.person("aud", &["auditor"])), Vec::<Value>::new());
    assert_eq!(waiting(&service.program("pipeline", &["approver"])), Vec::<Value>::new());

    // A slot that the caller cannot fill is said to be one.
    Service::approve(&service.person("cy", &["approver"]), &high).expect(200);
    let left = waiting(&bob);
    assert_eq!(entry(&left, &high)["may"], json!(["reject"]));
    Service::approve(&bob, &high).expect_problem(403, "not_permitted");
    // Filters hold as well.
    let page = bob.get("/v1/approvals?waiting_for=me&risk_level=medium").expect(200);
    assert_eq!(ids(page["items"].as_array().unwrap()), [Service::id(&medium).to_owned()].into());
    for query in ["waiting_for=bob", "waiting_for=", "waiting_for=me&status=approved"] {
        bob.get(&format!("/v1/approvals?{query}")).expect_problem(422, "validation_failed");
    }
    // Other lists say nothing of it.
    let plain = bob.get("/v1/approvals").expect(200);
    assert!(plain["items"][0].get("may").is_none() && plain["items"][0].get("missing").is_none());
}

/// A page that was left open decides nothing that has changed since.
#[test]
fn a_decision_on_another_version_is_refused() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::medium());
    let shown = bob.get(&path).expect(200);
    ann.post(&format!("{path}/comments"), &json!({ "text": "wait" })).expect(200);
    let decide = |verb: &str, version: &Value| {
        let body = json!({
            "reason": "no", "content_digest": shown["content_digest"], "expected_version": version,
        });
        let body = if verb == "approve" {
            json!({ "content_digest": shown["content_digest"], "expected_version": version })
        } else {
            body
        };
        bob.post(&format!("{path}/{verb}"), &body)
    };
    service.untouched(|| {
        for verb in ["approve", "reject"] {
            decide(verb, &shown["version"]).expect_problem(409, "version_mismatch");
            for wrong in [json!(0), json!(-1), json!(1.5), json!("2")] {
                decide(verb, &wrong).expect_problem(422, "validation_failed");
            }
        }
    });
    let now = bob.get(&path).expect(200)["version"].clone();
    assert_eq!(decide("approve", &now).expect(200)["status"], "approved");
}
