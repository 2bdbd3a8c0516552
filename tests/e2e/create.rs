//! POST /v1/approvals

use countersign_core::canonical::CanonicalJson;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

fn with(mut body: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        body[*name] = value.clone();
    }
    body
}

#[test]
fn the_three_original_examples() {
    let service = Service::start();
    let ann = service.requester("ann");
    for (body, risk, required, status) in [
        (Service::high(), "high", 2, "pending"),
        (Service::medium(), "medium", 1, "pending"),
        (Service::low(), "low", 0, "approved"),
    ] {
        let created = ann.post("/v1/approvals", &body).expect(201);
        assert_eq!(created["risk_level"], risk);
        assert_eq!(created["approvals_required"], required);
        assert_eq!(created["status"], status);
        assert_eq!(created["requested_by"], "ann@example.com");
        assert_eq!(created["parameters"], body["parameters"]);
    }
}

#[test]
fn everything_that_was_sent_is_shown() {
    let service = Service::start();
    let answer = service.requester("ann").post("/v1/approvals", &Service::high());
    let location = answer.headers["location"].clone();
    let created = answer.expect(201);
    let sent = Service::high();
    for name in [
        "operation_type",
        "instance_id",
        "parameters",
        "environment",
        "justification",
        "estimated_cost",
        "estimated_duration",
    ] {
        assert_eq!(created[name], sent[name], "{name}");
    }
    assert_eq!(created["requested_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(created["expires_at"], "2026-01-04T00:00:00.000Z");
    assert_eq!((&created["version"], &created["approvals_received"]), (&json!(1), &json!(0)));
    assert_eq!((&created["decisions"], &created["comments"]), (&json!([]), &json!([])));
    for absent in ["execute_by", "approved_at", "execution_id", "filed_by", "rejected_by"] {
        assert_eq!(created.get(absent), None, "{absent}");
    }
    assert_eq!(service.approver("bob").get(&location).expect(200), created);
}

/// It says who is reminded and when; what policy demands is the same whatever it says.
#[test]
fn a_priority_is_part_of_what_is_approved_and_changes_no_demand() {
    let service = Service::start();
    let ann = service.requester("ann");
    let plain = ann.post("/v1/approvals", &Service::high()).expect(201);
    assert_eq!((plain.get("priority"), plain["content"].get("priority")), (None, None));
    for priority in ["P1", "P2", "P3", "P4"] {
        let made = ann.post("/v1/approvals", &with(Service::high(), &[("priority", json!(priority))]));
        let made = made.expect(201);
        assert_eq!((&made["priority"], &made["content"]["priority"]), (&json!(priority), &json!(priority)));
        assert_ne!(made["content_digest"], plain["content_digest"]);
        for demand in ["approvals_required", "slots", "digest_required", "risk_level", "expires_at", "rules"]
        {
            assert_eq!(made[demand], plain[demand], "{priority} {demand}");
        }
    }
    for wrong in [json!("P0"), json!("p1"), json!("P5"), json!(1), json!(""), json!(["P1"])] {
        let problem = ann.post("/v1/approvals", &with(Service::high(), &[("priority", wrong.clone())]));
        let problem = problem.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], "/priority", "{wrong}");
    }
}

#[test]
fn a_low_risk_is_approved_at_once_and_must_be_started_within_a_day() {
    let service = Service::start();
    let created = service.requester("ann").post("/v1/approvals", &Service::low()).expect(201);
    assert_eq!(created["approved_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(created["execute_by"], "2026-01-02T00:00:00.000Z");
    assert_eq!(created["approved_by"], json!([]));
}

/// Declarations raise what policy says and never lower it; what policy does not list is high.
#[test]
fn what_is_declared_never_lowers_what_policy_says() {
    let service = Service::start();
    let ann = service.requester("ann");
    let check = |changes: &[(&str, Value)], expected: (&str, &str, u64)| {
        let body = with(Service::medium(), changes);
        let created = ann.post("/v1/approvals", &body).expect(201);
        let (risk, environment, required) = expected;
        assert_eq!(created["risk_level"], risk, "{body}");
        assert_eq!(created["environment"], environment, "{body}");
        assert_eq!(created["approvals_required"], required, "{body}");
    };
    check(&[], ("medium", "non-production", 1));
    check(&[("risk_level", json!("low"))], ("medium", "non-production", 1));
    check(&[("risk_level", json!("high"))], ("high", "non-production", 2));
    check(&[("environment", json!("production"))], ("high", "production", 2));
    check(&[("instance_id", json!("orders-db"))], ("high", "production", 2));
    check(&[("instance_id", json!("Dev-db-01"))], ("high", "production", 2));
    check(&[("instance_id", json!("my-dev-db"))], ("high", "production", 2));
    check(&[("operation_type", json!("drop_table"))], ("high", "non-production", 2));
    check(&[("operation_type", json!("Modify_Storage"))], ("high", "non-production", 2));
    check(&[("operation_type", json!("delete_instance"))], ("high", "non-production", 2));
    check(
        &[("operation_type", json!("drop_table")), ("risk_level", json!("low"))],
        ("high", "non-production", 2),
    );
    check(
        &[("operation_type", json!("execute_bash")), ("risk_level", json!("low"))],
        ("high", "non-production", 2),
    );
    check(&[("operation_type", json!("write_file"))], ("medium", "non-production", 1));
    check(&[("operation_type", json!("git_commit"))], ("medium", "non-production", 1));
    check(&[("operation_type", json!("read_file"))], ("low", "non-production", 0));
    check(
        &[("operation_type", json!("read_file")), ("risk_level", json!("medium"))],
        ("medium", "non-production", 1),
    );
}

#[test]
fn a_tool_call_lives_for_five_minutes() {
    let service = Service::start();
    let body = with(Service::medium(), &[("operation_type", json!("execute_python"))]);
    let created = service.requester("ann").post("/v1/approvals", &body).expect(201);
    assert_eq!(created["expires_at"], "2026-01-01T00:05:00.000Z");
}

#[test]
fn the_digest_is_over_the_canonical_parameters() {
    let service = Service::start();
    let ann = service.requester("ann");
    let check = |sent: &str, canonical: &str| {
        let body = Service::medium().to_string().replace("{\"allocated_storage\":200}", sent);
        let created = ann.send("POST", "/v1/approvals", &[], body.as_bytes()).unwrap().expect(201);
        let digest = countersign_core::digest::Digest::of(canonical).to_string();
        assert_eq!(created["parameters_digest"], digest, "{sent}");
        assert_eq!(CanonicalJson::of(&created["parameters"]).as_str(), canonical, "{sent}");
    };
    check(r#"{"b": 1.0, "a": [1e2, -0]}"#, r#"{"a":[100,0],"b":1}"#);
    check("{ }", "{}");
    check(r#"{"\u0061": "\u00e9", "B": null}"#, r#"{"B":null,"a":"é"}"#);
    check(r#"{"big": 9007199254740991, "tiny": 1e-7}"#, r#"{"big":9007199254740991,"tiny":1e-7}"#);
    check(r#"{"😀": 1, "ﬀ": 2}"#, r#"{"😀":1,"ﬀ":2}"#);
    check(r#"{"":{"":[[],{}]}}"#, r#"{"":{"":[[],{}]}}"#);
}

#[test]
fn every_broken_rule_is_reported_at_once() {
    let service = Service::start();
    let body = json!({
        "operation_type": "a b",
        "parameters": [],
        "environment": "prod",
        "risk_level": "HIGH",
        "justification": " ",
        "estimated_cost": -1,
        "estimated_duration": null,
        "surprise/~": true,
    });
    let problem =
        service.requester("ann").post("/v1/approvals", &body).expect_problem(422, "validation_failed");
    let errors = problem["errors"].as_array().unwrap();
    let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        pointers,
        [
            "/environment",
            "/estimated_cost",
            "/estimated_duration",
            "/instance_id",
            "/justification",
            "/operation_type",
            "/parameters",
            "/risk_level",
            "/surprise~1~0",
        ]
    );
    assert!(errors.iter().all(|error| !error["message"].as_str().unwrap().is_empty()));
}

#[test]
fn a_requester_may_name_themselves() {
    let service = Service::start();
    let ann = service.requester("ann");
    for spelling in ["ann@example.com", "Ann@Example.COM", " ann@example.com "] {
        let body = with(Service::medium(), &[("requested_by", json!(spelling))]);
        assert_eq!(ann.post("/v1/approvals", &body).expect(201)["requested_by"], "ann@example.com");
    }
}

/// The call that newcomers copy.
#[test]
fn the_call_in_the_readme_creates_a_request() {
    let readme = include_str!("../../README.md");
    let call = readme.split("```sh\n").find(|block| block.starts_with("curl ")).unwrap();
    let (options, rest) = call.split_once(" -d '").unwrap();
    let body = rest.split('\'').next().unwrap();
    let headers: Vec<_> =
        options.split(" -H ").skip(1).map(|header| header.trim_matches(['"', '\''])).collect();
    assert_eq!(headers, ["Authorization: Bearer $ANN", "Content-Type: application/json"]);
    let service = Service::start();
    let ann = service.requester("ann");
    let created = ann.send("POST", "/v1/approvals", &[("content-type", "application/json")], body.as_bytes());
    assert_eq!(created.unwrap().expect(201)["operation_type"], "modify_storage");
}
