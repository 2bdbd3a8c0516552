//! Requests for an executor whose rules are known: what could not be carried out is refused when it is made, and what
//! would be called is shown before.

use crate::policy::policy_of;
use countersign_core::policy::BUNDLED_OPERATIONS;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

fn service() -> Service {
    let mut operations = BUNDLED_OPERATIONS.to_owned();
    for (operation, executor) in [("modify_storage", "rds"), ("failover", "rds"), ("reboot", "other")] {
        let table = format!("[operations.{operation}]\n");
        operations = operations.replace(&table, &format!("{table}executor = \"{executor}\"\n"));
    }
    Service::under(policy_of(&operations, "", ""))
}

fn body(operation: &str, parameters: Value) -> Value {
    json!({
        "operation_type": operation, "instance_id": "production-db-01", "environment": "production",
        "justification": "the disk is full", "parameters": parameters,
    })
}

#[test]
fn parameters_that_cannot_be_carried_out_are_refused_when_a_request_is_made() {
    let service = service();
    let ann = service.requester("ann");
    let wrong = body("modify_storage", json!({ "new_size": "200", "skip": true }));
    let problem = ann.post("/v1/approvals", &wrong).expect(422);
    assert_eq!(problem["code"], "validation_failed");
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/parameters/new_size", "/parameters/skip"]);
    let simulated = ann.post("/v1/approvals/simulate", &wrong).expect(200);
    assert_eq!((&simulated["permitted"], &simulated["calls"]), (&json!(false), &Value::Null));
    assert_eq!(simulated["refusals"][0]["errors"], problem["errors"]);
    ann.post("/v1/approvals", &body("modify_storage", json!({ "new_size": 200 }))).expect(201);
    // What another executor makes of its parameters is not known here.
    ann.post("/v1/approvals", &body("reboot", json!({ "skip": true }))).expect(201);
    ann.post("/v1/approvals", &body("delete_instance", json!({ "skip": true }))).expect(201);
}

#[test]
fn a_simulation_shows_the_calls_to_come() {
    let service = service();
    let ann = service.requester("ann");
    let calls = |operation, parameters| {
        let simulated = ann.post("/v1/approvals/simulate", &body(operation, parameters)).expect(200);
        simulated["calls"].clone()
    };
    assert_eq!(
        calls("modify_storage", json!({ "new_size": 200 })),
        json!([{ "action": "rds:ModifyDBInstance", "parameters": {
            "DBInstanceIdentifier": "production-db-01", "AllocatedStorage": 200, "ApplyImmediately": true } }])
    );
    let either = calls("failover", json!({}));
    assert!(either.as_array().unwrap().iter().all(|call| call["when"].is_string()) && either[1].is_object());
    assert_eq!(calls("reboot", json!({})), Value::Null);
}
