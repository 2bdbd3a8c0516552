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

/// A runbook that policy names says which parameter the target is, and shows which call is to come.
#[test]
fn an_executor_of_runbooks_is_held_against_the_form_of_its_parameters() {
    let mut operations = BUNDLED_OPERATIONS.to_owned();
    for (operation, members) in [
        ("reboot", "executor = \"ssm_automation\"\nrunbook = \"Restart:7:InstanceId\""),
        ("failover", "executor = \"runbooks-eu\"\nrunbook = \"Restart:8:InstanceId\""),
        ("modify_storage", "executor = \"ssm_automation\""),
    ] {
        let table = format!("[operations.{operation}]\n");
        operations = operations.replace(&table, &format!("{table}{members}\n"));
    }
    let service = Service::under(policy_of(&operations, "", ""));
    let ann = service.requester("ann");
    let wrong = json!({ "InstanceId": "other", "Deep": { "a": 1 }, "Mode": "hard" });
    for (operation, expected) in [
        ("reboot", vec!["/parameters/Deep", "/parameters/InstanceId"]),
        ("failover", vec!["/parameters/Deep", "/parameters/InstanceId"]),
        // Which parameter the target is, is not known here.
        ("modify_storage", vec!["/parameters/Deep"]),
    ] {
        let problem = ann.post("/v1/approvals", &body(operation, wrong.clone())).expect(422);
        let errors = problem["errors"].as_array().unwrap();
        let mut pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, expected, "{operation}");
        ann.post("/v1/approvals", &body(operation, json!({ "Mode": "hard" }))).expect(201);
    }
    let simulate = |operation| {
        ann.post("/v1/approvals/simulate", &body(operation, json!({ "Mode": "hard" }))).expect(200)
    };
    let simulated = simulate("reboot");
    assert_eq!(
        simulated["calls"],
        json!([{ "action": "ssm:StartAutomationExecution", "parameters": {
            "DocumentName": "Restart", "DocumentVersion": "7", "ClientToken": "${execution_id}",
            "Parameters": { "InstanceId": ["production-db-01"], "Mode": ["hard"] } } }])
    );
    assert!(simulated["rules"].to_string().contains("by the runbook Restart, version 7"), "{simulated}");
    assert_eq!(simulate("modify_storage")["calls"], Value::Null);
}

#[test]
fn what_is_to_start_by_itself_needs_an_executor() {
    let service = service();
    let ann = service.requester("ann");
    let mut automatic = body("delete_instance", json!({}));
    automatic["execution"] = json!("automatic");
    let problem = ann.post("/v1/approvals", &automatic).expect(422);
    assert_eq!(
        (&problem["code"], &problem["errors"][0]["pointer"]),
        (&json!("validation_failed"), &json!("/execution"))
    );
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("policy names no executor"), "{problem}");
    automatic["operation_type"] = json!("reboot");
    ann.post("/v1/approvals", &automatic).expect(201);
}
