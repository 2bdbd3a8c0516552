//! POST /v1/approvals/{id}/target

use countersign_e2e::service::Service;
use serde_json::json;

#[test]
fn a_target_is_recorded_once_and_approvers_see_it() {
    let service = Service::start();
    let ann = service.requester("ann");
    let executor = service.program("rds-executor", &["executor"]);
    let path = Service::create(&ann, &Service::high());
    let observe = format!("{path}/target");
    let body = json!({ "target": { "status": "available", "pending": { "class": null } } });
    let shown = executor.post(&observe, &body).expect(200);
    assert_eq!((&shown["target"], &shown["status"]), (&body["target"], &json!("pending")));
    assert_eq!(shown["target_observed_by"], "service:rds-executor");
    executor.post(&observe, &body).expect_problem(409, "already_observed");
    let seen = service.approver("bob").get(&path).expect(200);
    assert_eq!(seen["target_digest"], shown["target_digest"]);
    let hidden = service.person("gus", &["guest"]).get(&path).expect(200);
    assert_eq!((hidden.get("target"), hidden.get("target_digest")), (None, None));
}

#[test]
fn only_an_executor_records_it_and_only_before_the_start() {
    let service = Service::start();
    let ann = service.requester("ann");
    let executor = service.program("rds-executor", &["executor"]);
    let path = service.approved(&ann);
    let observe = format!("{path}/target");
    let body = json!({ "target": {} });
    for (client, status, code) in [
        (ann.clone(), 403, "not_permitted"),
        (service.approver("bob"), 403, "not_permitted"),
        (service.person("root", &["admin"]), 403, "not_permitted"),
        (service.person("ella", &["executor"]), 403, "not_permitted"),
        (service.requester("ben"), 404, "not_found"),
    ] {
        client.post(&observe, &body).expect_problem(status, code);
    }
    for bad in [json!({}), json!({ "target": 1 }), json!({ "target": [] }), json!({ "target": null })] {
        executor.post(&observe, &bad).expect_problem(422, "validation_failed");
    }
    let large = json!({ "target": { "t": "t".repeat(6 * 1024) } });
    executor.post(&observe, &large).expect_problem(422, "validation_failed");
    Service::started(&ann, &path);
    executor.post(&observe, &body).expect_problem(409, "not_pending");
}
