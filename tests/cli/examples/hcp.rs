//! `examples/hcp-run-task`: what it asks for, and what it answers HCP Terraform.

use super::{Example, World};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

fn task(world: &World, run: &str) -> Value {
    let url = &world.stub.url;
    json!({
        "payload_version": 1, "stage": "post_plan", "access_token": "task-token", "is_speculative": false,
        "organization_name": "octo", "workspace_name": "shop", "workspace_id": "ws-1", "run_id": run,
        "task_result_id": "taskrs-1", "task_result_callback_url": format!("{url}/api/v2/task-results/1/callback"),
        "plan_json_api_url": format!("{url}/api/v2/plans/plan-1/json-output"),
    })
}

fn send_to_run_task(example: &Example, task: &Value, key: &str) -> u16 {
    let body = task.to_string();
    let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    example.post(&body, &[("x-tfc-task-signature", &hex::encode(mac.finalize().into_bytes()))]).0
}

fn result(world: &World, status: &str, said: &str) {
    let call = world.stub.next();
    assert_eq!((call.method.as_str(), call.path.as_str()), ("PATCH", "/api/v2/task-results/1/callback"));
    assert_eq!(call.token.as_deref(), Some("Bearer task-token"));
    assert_eq!(call.body["data"]["type"], "task-results");
    let attributes = &call.body["data"]["attributes"];
    assert_eq!(attributes["status"], status);
    assert!(attributes["message"].as_str().unwrap().contains(said), "{call:?}");
}

#[test]
fn a_run_of_terraform_goes_on_once_exactly_its_plan_is_approved() {
    let world = World::start();
    let example = world.hcp();
    let sent = task(&world, "run-1");
    assert_eq!(send_to_run_task(&example, &sent, "hmac-key"), 200);
    let id = example.asks();
    result(&world, "running", &id);
    let request = world.request(&id);
    assert_eq!(request["instance_id"], "octo/shop");
    let plan = hex::encode(Sha256::digest(r#"{"resource_changes":[]}"#));
    let bound = json!({
        "organization": "octo", "workspace": "shop", "workspace_id": "ws-1", "run_id": "run-1",
        "task_result_id": "taskrs-1", "plan_sha256": plan,
    });
    assert_eq!(request["parameters"], bound);
    world.approve(&id);
    result(&world, "passed", &id);
    assert_eq!(world.over(&example, &id)["status"], "executed");
    // The same task once more: the approval is used, and HCP Terraform has had its answer.
    assert_eq!(send_to_run_task(&example, &sent, "hmac-key"), 200);
    example.says("permit_spent");
    world.stub.nothing();
}

#[test]
fn a_run_of_terraform_fails_that_is_rejected_or_has_another_plan_than_was_approved() {
    let world = World::start();
    let example = world.hcp();
    send_to_run_task(&example, &task(&world, "run-1"), "hmac-key");
    let id = example.asks();
    result(&world, "running", &id);
    world.approvers[0].run(&["reject", &id, "--reason", "not today", "--yes"]).expect(0, "");
    result(&world, "failed", "rejected");
    send_to_run_task(&example, &task(&world, "run-2"), "hmac-key");
    let id = example.asks();
    result(&world, "running", &id);
    *world.stub.answers.plan.lock().unwrap() = r#"{"resource_changes":[1]}"#.to_owned();
    world.approve(&id);
    result(&world, "failed", "digest_mismatch");
    assert_eq!(world.request(&id)["status"], "approved");
    // A speculative plan is never applied.
    let mut speculative = task(&world, "run-3");
    speculative["is_speculative"] = json!(true);
    send_to_run_task(&example, &speculative, "hmac-key");
    result(&world, "passed", "speculative");
}

#[test]
fn a_run_task_takes_nothing_that_is_not_signed_and_sends_its_token_nowhere_else() {
    let world = World::start();
    let example = world.hcp();
    let sent = task(&world, "run-1");
    assert_eq!(send_to_run_task(&example, &sent, "another-key"), 401);
    assert_eq!(example.post(&sent.to_string(), &[]).0, 401);
    assert!(example.promised(256 * 1024 + 1).contains(" 413 "));
    for member in ["task_result_callback_url", "plan_json_api_url"] {
        for host in ["https://evil.example.com".to_owned(), format!("{}@evil.example.com", world.stub.url)] {
            let mut sent = sent.clone();
            sent[member] = json!(format!("{host}/api/v2/x"));
            assert_eq!(send_to_run_task(&example, &sent, "hmac-key"), 400, "{member} {host}");
        }
    }
    // What is sent when a run task is made.
    assert_eq!(send_to_run_task(&example, &json!({"stage": "test"}), "hmac-key"), 200);
    // A plan that is to be read elsewhere is not read.
    *world.stub.answers.archive.lock().unwrap() = "http://evil.example.com".to_owned();
    assert_eq!(send_to_run_task(&example, &sent, "hmac-key"), 200);
    example.says("given up");
    world.stub.nothing();
}
