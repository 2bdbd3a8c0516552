//! `examples/github-deployment-rule`: what it asks for, and what it answers GitHub.

use super::{Example, World, find};
use countersign_permit::{KeySet, KeyStatus, PrivateKey, Purpose};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

fn deployment(world: &World, run: u64) -> Value {
    let url = &world.stub.url;
    json!({
        "action": "requested", "environment": "production", "event": "push",
        "deployment_callback_url": format!("{url}/repos/octo/shop/actions/runs/{run}/deployment_protection_rule"),
        "deployment": {"id": 7, "ref": "main", "sha": "a".repeat(40)},
        "repository": {"full_name": "octo/shop"},
    })
}

fn send_to_github_rule(rule: &Example, event: &Value, secret: &str) -> u16 {
    let body = event.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    rule.post(&body, &[("x-github-event", "deployment_protection_rule"), ("x-hub-signature-256", &signature)])
        .0
}

fn review(world: &World, run: u64, state: &str, said: &str) {
    let call = world.stub.next();
    assert_eq!(call.method, "POST");
    assert_eq!(call.path, format!("/repos/octo/shop/actions/runs/{run}/deployment_protection_rule"));
    assert_eq!(call.token.as_deref(), Some("Bearer installation-token"));
    assert_eq!((&call.body["state"], &call.body["environment_name"]), (&json!(state), &json!("production")));
    assert!(call.body["comment"].as_str().unwrap().contains(said), "{call:?}");
}

#[test]
fn a_deployment_of_github_goes_on_once_exactly_it_is_approved() {
    let world = World::start();
    let rule = world.github(&[]);
    let event = deployment(&world, 1);
    assert_eq!(send_to_github_rule(&rule, &event, "webhook-secret"), 202);
    let id = rule.asks();
    let request = world.request(&id);
    assert_eq!(request["instance_id"], "octo/shop");
    let bound = json!({
        "repository": "octo/shop", "environment": "production", "ref": "main", "sha": "a".repeat(40), "run_id": 1,
        "deployment_id": 7,
    });
    assert_eq!(request["parameters"], bound);
    world.stub.nothing();
    world.approve(&id);
    review(&world, 1, "approved", &id);
    let request = world.over(&rule, &id);
    assert_eq!((&request["status"], &request["claimed_by"]), (&json!("executed"), &json!("service:example")));
    // The same event once more: the approval is used, and GitHub has had its answer.
    assert_eq!(send_to_github_rule(&rule, &event, "webhook-secret"), 202);
    rule.says("permit_spent");
    world.stub.nothing();
}

#[test]
fn a_deployment_of_github_that_is_not_approved_is_rejected() {
    let world = World::start();
    let rule = world.github(&[]);
    assert_eq!(send_to_github_rule(&rule, &deployment(&world, 2), "webhook-secret"), 202);
    let id = rule.asks();
    world.approvers[0].run(&["reject", &id, "--reason", "not today", "--yes"]).expect(0, "");
    review(&world, 2, "rejected", "rejected");
    // A permit that no trusted key has signed, and one that another deployment has given.
    let keys = KeySet::new(vec![
        PrivateKey::from_bytes(&[9; 32]).unwrap().public(Purpose::Permit, KeyStatus::Current),
    ]);
    let keys = world.file("keys.json", &keys.to_json().to_string());
    for (run, variable) in
        [(3, ("COUNTERSIGN_KEYS", keys.as_str())), (4, ("COUNTERSIGN_ISSUER", "urn:another"))]
    {
        let rule = world.github(&[variable]);
        assert_eq!(send_to_github_rule(&rule, &deployment(&world, run), "webhook-secret"), 202);
        let id = rule.asks();
        world.approve(&id);
        review(&world, run, "rejected", "permit_invalid");
        let request = world.request(&id);
        assert_eq!((&request["status"], &request["claimed_by"]), (&json!("failed"), &Value::Null));
    }
}

#[test]
fn the_rule_of_github_takes_nothing_that_github_has_not_signed_and_sends_its_token_nowhere_else() {
    let world = World::start();
    let rule = world.github(&[]);
    let event = deployment(&world, 1);
    assert_eq!(send_to_github_rule(&rule, &event, "another-secret"), 401);
    assert_eq!(rule.post(&event.to_string(), &[("x-hub-signature-256", "sha256=0")]).0, 401);
    assert_eq!(rule.post(&event.to_string(), &[]).0, 401);
    assert!(rule.promised(1024 * 1024 + 1).contains(" 413 "));
    let path = "repos/octo/shop/actions/runs/1/deployment_protection_rule";
    for url in [
        format!("https://evil.example.com/{path}"),
        format!("{}@evil.example.com/{path}", world.stub.url),
        format!("{}.evil.example.com/{path}", world.stub.url),
        format!("{}/{}", world.stub.url, path.replace("shop", "another")),
        format!("{}/{path}?x=1", world.stub.url),
    ] {
        let mut event = event.clone();
        event["deployment_callback_url"] = json!(url);
        assert_eq!(send_to_github_rule(&rule, &event, "webhook-secret"), 400, "{url}");
    }
    world.stub.nothing();
    let listed = world.approvers[0].json(&["list"]);
    assert_eq!(find(&listed, "request_id"), None, "{listed}");
}
