//! GET /v1/approvals/{id}/execution

use countersign_e2e::service::Service;
use serde_json::json;

#[test]
fn the_permit_is_given_again_until_it_is_of_no_use_any_more() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let execution = format!("{path}/execution");
    ann.get(&execution).expect_problem(409, "not_approved");
    let started = ann.post(&execution, &json!({})).expect(200);
    let permit = started["permit"].as_str().unwrap().to_owned();
    assert_eq!(permit.split('.').count(), 3);
    let shown = ann.get(&execution).expect(200);
    assert_eq!(shown["execution_id"], started["execution_id"]);
    assert_eq!(shown["execution_state"], "started");
    assert_eq!(shown["execution_audience"], "client");
    assert_eq!(shown["permit"], permit, "it follows from what is stored");
    // A comment moves the head of the trail; the permit names the start.
    ann.post(&format!("{path}/comments"), &json!({ "text": "now" })).expect(200);
    assert_eq!(ann.get(&execution).expect(200)["permit"], permit);
    // Others see how far it is, and get no permit.
    for client in [service.approver("bob"), service.person("root", &["admin"])] {
        let seen = client.get(&execution).expect(200);
        assert_eq!((&seen["execution_state"], seen.get("permit")), (&json!("started"), None));
    }
    service.requester("ben").get(&execution).expect_problem(404, "not_found");
    service.host.advance_milliseconds(900_000);
    assert_eq!(ann.get(&execution).expect(200).get("permit"), None);
    assert!(ann.get(&path).expect(200).get("permit").is_none());
}

#[test]
fn a_retry_of_the_start_gets_the_permit_again() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let start = || ann.post_with_key(&format!("{path}/execution"), &json!({}), "go");
    let first = start().expect(200);
    assert_eq!(start().expect(200)["permit"], first["permit"]);
    service
        .person("root", &["admin"])
        .post(&format!("{path}/comments"), &json!({ "text": "hm" }))
        .expect(200);
    assert_eq!(start().expect(200)["permit"], first["permit"]);
}

/// THREATS 24: nothing is heard, the sweep writes it down, an admin who has not asked for it settles it.
#[test]
fn an_execution_that_is_not_heard_of_is_unknown_and_is_settled() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let id = Service::started(&ann, &path);
    let execution = format!("{path}/execution");
    let state = || ann.get(&execution).expect(200)["execution_state"].clone();
    service.host.advance_milliseconds(3_599_999);
    assert_eq!(service.look().unknown, 0);
    assert_eq!(state(), "started");
    service.host.advance_milliseconds(1);
    assert_eq!(state(), "unknown", "before any sweep");
    assert_eq!(service.look().unknown, 1);
    assert_eq!(service.look().unknown, 0);
    let shown = ann.get(&path).expect(200);
    assert_eq!((&shown["status"], &shown["execution_state"]), (&json!("executing"), &json!("unknown")));
    let events = ann.get(&format!("{path}/events")).expect(200);
    let last = events["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["event_type"], &last["user"]), (&json!("EXECUTION_UNKNOWN"), &json!("system:expiry")));
    assert_eq!(events["verified"], true);
    let root = service.person("root", &["admin"]);
    let settle = |note: Option<&str>| {
        let mut body = json!({ "execution_id": id, "outcome": "succeeded" });
        if let Some(note) = note {
            body["note"] = json!(note);
        }
        root.put(&execution, &body)
    };
    let problem = settle(None).expect_problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/note");
    let settled = settle(Some("the instance has the new class")).expect(200);
    assert_eq!(settled["status"], "executed");
    assert_eq!(settled["execution_note"], "the instance has the new class");
    ann.put(&execution, &json!({ "execution_id": id, "outcome": "failed" }))
        .expect_problem(409, "execution_mismatch");
}

#[test]
fn an_execution_that_goes_on_says_so() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let id = Service::started(&ann, &path);
    let execution = format!("{path}/execution");
    let running = json!({ "execution_id": id, "outcome": "running" });
    let versions: Vec<_> = [1, 1_000_000, 1_000_000, 3_000_000, 10_000_000]
        .into_iter()
        .map(|wait| {
            service.host.advance_milliseconds(wait);
            service.look();
            let shown = ann.put(&execution, &running).expect(200);
            assert_eq!(shown["execution_state"], "started");
            shown["version"].as_u64().unwrap()
        })
        .collect();
    // Too soon, renewed, too soon after that, renewed; written down as unknown and heard of again.
    assert_eq!(versions, [3, 4, 5, 6, 8]);
    let more = json!({ "execution_id": id, "outcome": "running", "result": 1 });
    ann.put(&execution, &more).expect_problem(422, "validation_failed");
    service.requester("ben").put(&execution, &running).expect_problem(404, "not_found");
    service.person("root", &["admin"]).put(&execution, &running).expect_problem(403, "not_permitted");
    ann.put(&execution, &json!({ "execution_id": id, "outcome": "succeeded" })).expect(200);
    ann.put(&execution, &running).expect_problem(409, "execution_mismatch");
}
