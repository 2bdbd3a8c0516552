//! POST /v1/approvals/{id}/execution

use countersign_e2e::service::Service;
use serde_json::json;

#[test]
fn an_approval_is_spent_once() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let execution = format!("{path}/execution");
    service.host.advance_milliseconds(1000);
    let started = ann.post(&execution, &json!({})).expect(200);
    assert_eq!(started["status"], "executing");
    assert_eq!(started["execution_started_by"], "ann@example.com");
    assert_eq!(started["execution_started_at"], "2026-01-01T00:00:01.000Z");
    let execution_id = started["execution_id"].as_str().unwrap();
    for _ in 0..2 {
        let problem = ann.post(&execution, &json!({})).expect_problem(409, "not_approved");
        assert_eq!(problem["current_status"], "executing");
    }
    let body = json!({ "execution_id": execution_id, "outcome": "failed" });
    ann.put(&execution, &body).expect(200);
    ann.post(&execution, &json!({})).expect_problem(409, "not_approved");
}

#[test]
fn only_what_is_approved_is_started() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    let start = || ann.post(&format!("{path}/execution"), &json!({})).expect_problem(409, "not_approved");
    assert_eq!(start()["current_status"], "pending");
    Service::approve(&bob, &path).expect(200);
    assert_eq!(start()["current_status"], "pending");
    bob.get(&path).expect(200);
    service.approver("cleo").post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    assert_eq!(start()["current_status"], "rejected");
}

#[test]
fn only_the_requester_starts() {
    let service = Service::start();
    let path = service.approved(&service.requester("ann"));
    let start =
        |groups: &[&str]| service.person("eve", groups).post(&format!("{path}/execution"), &json!({}));
    start(&["admin"]).expect_problem(403, "not_permitted");
    start(&["approver"]).expect_problem(403, "not_permitted");
    start(&["developer"]).expect_problem(404, "not_found");
    start(&["agent"]).expect_problem(404, "not_found");
}

#[test]
fn an_agent_executes_what_it_asked_for() {
    let service = Service::start();
    let bot = service.person("bot", &["agent"]);
    let path = service.approved(&bot);
    let body = json!({ "execution_id": Service::started(&bot, &path), "outcome": "succeeded" });
    assert_eq!(bot.put(&format!("{path}/execution"), &body).expect(200)["status"], "executed");
}

#[test]
fn an_executor_may_name_the_digest_of_what_they_run() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let digest = ann.get(&path).expect(200)["parameters_digest"].clone();
    let execution = format!("{path}/execution");
    let wrong = ann.post(&execution, &json!({ "parameters_digest": "0".repeat(64) }));
    assert_eq!(wrong.expect_problem(409, "digest_mismatch")["current_status"], "approved");
    ann.post(&execution, &json!({ "parameters_digest": digest })).expect(200);
}
