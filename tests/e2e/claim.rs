//! POST /v1/approvals/{id}/execution/claim

use countersign_core::policy::{BUNDLED_OPERATIONS, Policy, PolicyText};
use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use countersign_e2e::signing::signing_key;
use countersign_permit::{Claims, Expected, KeySet, KeyStatus, PrivateKey, Purpose, SigningInput, verify};
use countersign_policy::load;
use serde_json::{Value, json};

/// With an executor for the operations of [`Service::high`] and [`Service::medium`].
fn with_executor() -> Policy {
    let operations = ["modify_instance_class", "modify_storage"].iter().fold(
        BUNDLED_OPERATIONS.to_owned(),
        |operations, name| {
            let table = format!("[operations.{name}]\n");
            operations.replace(&table, &format!("{table}executor = \"rds\"\n"))
        },
    );
    let text = PolicyText { operations: &operations, ..load::BUNDLED };
    load::check(&text).unwrap_or_else(|error| panic!("{error}")).0
}

fn start(client: &Client, path: &str) -> Value {
    client.post(&format!("{path}/execution"), &json!({})).expect(200)
}

fn keys() -> KeySet {
    KeySet::new(vec![signing_key().public(Purpose::Permit, KeyStatus::Current)])
}

/// What a permit says, whatever it is for.
fn claims(started: &Value) -> Claims {
    let permit = started["permit"].as_str().unwrap();
    let said = permit.split('.').nth(1).unwrap();
    let said: Value = serde_json::from_slice(&base64_url(said)).unwrap();
    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    let (issuer, audience) = (text("iss"), text("aud"));
    let now = said["iat"].as_u64().unwrap();
    let expected = Expected { issuer: &issuer, audience: &audience, now, parameters_digest: None };
    verify(permit, &keys(), &expected).unwrap()
}

fn base64_url(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn signed(key: &PrivateKey, claims: Claims) -> String {
    let public = key.public(Purpose::Permit, KeyStatus::Current);
    let input = SigningInput::new(public.key_id(), claims);
    let signature = key.sign(input.as_bytes());
    input.with_signature(&signature)
}

#[test]
fn a_permit_says_what_was_approved() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let started = start(&ann, &path);
    let claims = claims(&started);
    let head = service.approver("bob").get(&format!("{path}/events")).expect(200);
    let head = head["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(head["event_type"], "EXECUTION_STARTED");
    for (said, expected) in [
        (&claims.iss, &head["origin"]),
        (&claims.sub, &started["request_id"]),
        (&claims.jti, &started["execution_id"]),
        (&claims.aud, &json!("client")),
        (&claims.operation_type, &started["operation_type"]),
        (&claims.instance_id, &started["instance_id"]),
        (&claims.environment, &started["environment"]),
        (&claims.risk_level, &started["risk_level"]),
        (&claims.content_digest, &started["content_digest"]),
        (&claims.parameters_digest, &started["parameters_digest"]),
        (&claims.policy_version, &started["policy_version"]),
        (&claims.requested_by, &json!("ann@example.com")),
        (&claims.started_by, &json!("ann@example.com")),
        (&claims.audit_head, &head["hash"]),
    ] {
        assert_eq!(&json!(said), expected);
    }
    assert_eq!((claims.exp - claims.iat, claims.target_digest), (900, None));
    assert_eq!(json!(claims.approved_by), started["approved_by"]);
}

#[test]
fn a_claim_succeeds_once() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let started = start(&ann, &path);
    let claim = format!("{path}/execution/claim");
    let body = json!({ "permit": started["permit"] });
    let claimed = ann.post(&claim, &body).expect(200);
    assert_eq!((&claimed["status"], &claimed["execution_state"]), (&json!("executing"), &json!("claimed")));
    assert_eq!(claimed["claimed_by"], "ann@example.com");
    for _ in 0..2 {
        assert_eq!(
            ann.post(&claim, &body).expect_problem(409, "permit_spent")["current_status"],
            "executing"
        );
    }
    assert_eq!(ann.get(&format!("{path}/execution")).expect(200).get("permit"), None);
    let report = json!({ "execution_id": started["execution_id"], "outcome": "succeeded" });
    ann.put(&format!("{path}/execution"), &report).expect(200);
    ann.post(&claim, &body).expect_problem(409, "permit_spent");
}

#[test]
fn a_claim_whose_answer_was_lost_is_found_by_its_key() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let body = json!({ "permit": start(&ann, &path)["permit"] });
    let claim = format!("{path}/execution/claim");
    let first = ann.post_with_key(&claim, &body, "mine");
    assert_eq!((first.status, first.headers.contains_key("idempotent-replayed")), (200, false));
    service.host.advance_milliseconds(1_000_000);
    let again = ann.post_with_key(&claim, &body, "mine");
    assert_eq!((again.status, again.headers.contains_key("idempotent-replayed")), (200, true));
    ann.post_with_key(&claim, &body, "another").expect_problem(409, "permit_spent");
}

#[test]
fn what_was_not_signed_for_this_execution_claims_nothing() {
    let service = Service::start();
    let ann = service.requester("ann");
    let (path, other) = (service.approved(&ann), service.approved(&ann));
    let (started, others) = (start(&ann, &path), start(&ann, &other));
    let claim = |permit: &str| ann.post(&format!("{path}/execution/claim"), &json!({ "permit": permit }));
    let permit = started["permit"].as_str().unwrap();
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut claims = claims(&started);
        change(&mut claims);
        signed(&signing_key(), claims)
    };
    let foreign = signed(&PrivateKey::from_bytes(&[6; 32]).unwrap(), claims(&started));
    let cut = &permit[..permit.len() - 1];
    for (what, permit) in [
        ("nothing", ""),
        ("no token", "x"),
        ("cut short", cut),
        ("of another request", others["permit"].as_str().unwrap()),
        ("signed by another key", &foreign),
        ("another audience", &with(&|claims| claims.aud = "rds".to_owned())),
        ("another deployment", &with(&|claims| claims.iss = "urn:countersign:deployment:0".to_owned())),
        ("another subject", &with(&|claims| claims.sub = Service::id(&other).to_owned())),
        ("another execution", &with(&|claims| claims.jti = claims.sub.clone())),
        ("other content", &with(&|claims| claims.content_digest = "0".repeat(64))),
    ] {
        let problem = claim(permit).expect_problem(403, "permit_invalid");
        assert!(!problem["detail"].as_str().unwrap().contains("eyJ"), "{what}: {problem}");
    }
    for place in 0..permit.len() {
        let mut changed = permit.as_bytes().to_vec();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        claim(std::str::from_utf8(&changed).unwrap()).expect_problem(403, "permit_invalid");
    }
    claim(permit).expect(200);
}

#[test]
fn a_permit_that_has_expired_claims_nothing() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let body = json!({ "permit": start(&ann, &path)["permit"] });
    service.host.advance_milliseconds(900_000);
    ann.post(&format!("{path}/execution/claim"), &body).expect_problem(409, "permit_expired");
}

#[test]
fn the_digest_of_what_is_about_to_run_is_held_against_the_request() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let started = start(&ann, &path);
    let claim = |digest: &Value| {
        ann.post(
            &format!("{path}/execution/claim"),
            &json!({ "permit": started["permit"], "parameters_digest": digest }),
        )
    };
    claim(&json!("0".repeat(64))).expect_problem(409, "digest_mismatch");
    claim(&started["parameters_digest"]).expect(200);
}

/// An executor that policy names pulls what is approved: it observes, starts, claims and reports, and nobody else does.
#[test]
fn an_executor_carries_out_what_policy_names_it_for() {
    let service = Service::under(with_executor());
    let ann = service.requester("ann");
    let executor = service.program("rds-executor", &["executor"]);
    let mut body = Service::high();
    body["execution"] = json!("automatic");
    let path = Service::create(&ann, &body);
    let target = json!({ "target": { "instance_class": "db.r6g.large" } });
    executor.post(&format!("{path}/target"), &target).expect(200);
    let shown = service.approver("bob").get(&path).expect(200);
    assert_eq!((&shown["executor"], &shown["execution"]), (&json!("rds"), &json!("automatic")));
    assert_eq!(shown["target"], target["target"]);
    executor.post(&format!("{path}/execution"), &json!({})).expect_problem(409, "not_approved");
    for name in ["bob", "cleo"] {
        Service::approve(&service.approver(name), &path).expect(200);
    }
    executor.post(&format!("{path}/approve"), &json!({})).expect_problem(403, "agent_cannot_approve");
    let started = start(&executor, &path);
    assert_eq!(started["execution_started_by"], "service:rds-executor");
    let claims = claims(&started);
    assert_eq!((claims.aud.as_str(), json!(claims.target_digest)), ("rds", started["target_digest"].clone()));
    let claim = format!("{path}/execution/claim");
    let permit = json!({ "permit": started["permit"] });
    ann.post(&claim, &permit).expect_problem(403, "not_permitted");
    service.person("root", &["admin"]).post(&claim, &permit).expect_problem(403, "not_permitted");
    service.program("other", &["developer"]).post(&claim, &permit).expect_problem(404, "not_found");
    executor.post(&claim, &permit).expect(200);
    let report =
        json!({ "execution_id": started["execution_id"], "outcome": "succeeded", "result": { "ok": true } });
    ann.put(&format!("{path}/execution"), &report).expect_problem(403, "not_permitted");
    assert_eq!(executor.put(&format!("{path}/execution"), &report).expect(200)["status"], "executed");
}

#[test]
fn what_an_executor_carries_out_is_not_reported_in_one_call() {
    let service = Service::under(with_executor());
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let body = json!({ "operation": "mark_executed", "request_id": Service::id(&path) });
    ann.post("/approvals", &body).expect_problem(403, "not_permitted");
    assert_eq!(ann.get(&path).expect(200)["status"], "approved", "nothing is half done");
}

/// A requester who starts it hands the permit to nobody: the executor asks for it.
#[test]
fn an_executor_gets_the_permit_of_what_the_requester_has_started() {
    let service = Service::under(with_executor());
    let ann = service.requester("ann");
    let executor = service.program("rds-executor", &["executor"]);
    let path = service.approved(&ann);
    executor.post(&format!("{path}/execution"), &json!({})).expect_problem(403, "not_permitted");
    let started = start(&ann, &path);
    assert_eq!(started.get("permit"), None, "it is of no use to her");
    let permit = executor.get(&format!("{path}/execution")).expect(200)["permit"].clone();
    executor.post(&format!("{path}/execution/claim"), &json!({ "permit": permit })).expect(200);
}
