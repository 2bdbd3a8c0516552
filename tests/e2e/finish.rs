//! PUT /v1/approvals/{id}/execution

use countersign_e2e::service::Service;
use serde_json::{Value, json};

fn report(execution_id: &str, outcome: &str) -> Value {
    json!({ "execution_id": execution_id, "outcome": outcome })
}

#[test]
fn both_outcomes_are_published_with_their_result_and_cost() {
    let service = Service::start();
    let ann = service.requester("ann");
    for (outcome, status) in [("succeeded", "executed"), ("failed", "failed")] {
        let path = service.approved(&ann);
        let mut body = report(&Service::started(&ann, &path), outcome);
        body["result"] = json!({ "exit": 0, "log": ["a", "b"] });
        body["actual_cost"] = json!(12.34);
        let finished = ann.put(&format!("{path}/execution"), &body).expect(200);
        assert_eq!(finished["status"], status);
        assert_eq!(finished["executed_at"], "2026-01-01T00:00:00.000Z");
        assert_eq!(finished["execution_result"], body["result"]);
        assert_eq!(finished["actual_cost"], 12.34);
    }
}

#[test]
fn a_result_is_any_json_but_null() {
    let service = Service::start();
    let ann = service.requester("ann");
    for result in [json!("done"), json!(0), json!(false), json!([]), json!({}), json!([null])] {
        let path = service.approved(&ann);
        let mut body = report(&Service::started(&ann, &path), "succeeded");
        body["result"] = result.clone();
        let finished = ann.put(&format!("{path}/execution"), &body).expect(200);
        assert_eq!(finished["execution_result"], result);
    }
}

#[test]
fn only_the_execution_that_runs_is_finished() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let execution = format!("{path}/execution");
    let other = "01930000-0000-7000-8000-000000000000";
    let finish = |id: &str| ann.put(&execution, &report(id, "succeeded"));
    assert_eq!(finish(other).expect_problem(409, "execution_mismatch")["current_status"], "approved");
    let id = Service::started(&ann, &path);
    assert_eq!(finish(other).expect_problem(409, "execution_mismatch")["current_status"], "executing");
    finish(&id).expect(200);
    for id in [id.as_str(), other] {
        assert_eq!(finish(id).expect_problem(409, "execution_mismatch")["current_status"], "executed");
    }
}

#[test]
fn what_was_never_approved_is_not_finished() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let body = report("01930000-0000-7000-8000-000000000000", "succeeded");
    ann.put(&format!("{path}/execution"), &body).expect_problem(409, "not_approved");
}

#[test]
fn an_admin_clears_a_stuck_execution_as_failed_and_in_no_other_way() {
    let service = Service::start();
    let ann = service.person("ann", &["admin"]);
    let path = service.approved(&ann);
    let execution = format!("{path}/execution");
    let id = Service::started(&ann, &path);
    let finish = |name: &str, groups: &[&str], outcome: &str| {
        service.person(name, groups).put(&execution, &report(&id, outcome))
    };
    finish("eve", &["admin"], "succeeded").expect_problem(403, "not_permitted");
    finish("eve", &["approver"], "failed").expect_problem(403, "not_permitted");
    finish("eve", &["auditor"], "failed").expect_problem(403, "not_permitted");
    finish("eve", &["developer"], "failed").expect_problem(404, "not_found");
    let finished = finish("eve", &["admin"], "failed").expect(200);
    assert_eq!(
        (&finished["status"], &finished["execution_started_by"]),
        (&json!("failed"), &json!("ann@example.com"))
    );
    finish("ann", &["admin"], "succeeded").expect_problem(409, "execution_mismatch");
}

/// A crash in between leaves it visibly executing: no deadline takes it away, and it is not run again.
#[test]
fn a_stuck_execution_stays_visible_until_it_is_finished() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let id = Service::started(&ann, &path);
    service.host.advance_milliseconds(60 * 24 * 60 * 60 * 1000);
    assert_eq!(service.expire().expired, 0);
    assert_eq!(ann.get(&path).expect(200)["status"], "executing");
    assert_eq!(ann.ids("/v1/approvals?status=executing"), [Service::id(&path)]);
    assert_eq!(ann.put(&format!("{path}/execution"), &report(&id, "failed")).expect(200)["status"], "failed");
}
