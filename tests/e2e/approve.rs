//! POST /v1/approvals/{id}/approve

use countersign_e2e::service::Service;
use serde_json::json;

/// An approver who puts the digest into the query string must not believe that it was checked.
#[test]
fn a_field_in_the_query_string_is_refused_and_not_ignored() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    let body = bob
        .post(&format!("{path}/approve?parameters_digest=0"), &serde_json::json!({}))
        .expect_problem(422, "validation_failed");
    assert_eq!(body["errors"][0]["pointer"], "/parameters_digest");
    assert_eq!(ann.get(&path).expect(200)["approvals_received"], 0);
    ann.post("/v1/approvals?risk_level=low", &Service::high()).expect_problem(422, "validation_failed");
}

#[test]
fn a_high_risk_takes_two_people() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let first = Service::approve(&service.approver("bob"), &path).expect(200);
    assert_eq!((&first["status"], &first["approvals_received"]), (&json!("pending"), &json!(1)));
    assert_eq!(first.get("execute_by"), None);
    service.host.advance_milliseconds(60_000);
    let second = Service::approve(&service.approver("cleo"), &path).expect(200);
    assert_eq!((&second["status"], &second["approvals_received"]), (&json!("approved"), &json!(2)));
    assert_eq!(second["approved_by"], json!(["bob@example.com", "cleo@example.com"]));
    assert_eq!(second["approved_at"], "2026-01-01T00:01:00.000Z");
    assert_eq!(second["execute_by"], "2026-01-02T00:01:00.000Z");
    Service::approve(&service.approver("dan"), &path).expect_problem(409, "not_pending");
}

#[test]
fn no_approver_counts_twice_however_many_groups_they_are_in() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    Service::approve(&service.person("bob", &["approver"]), &path).expect(200);
    for groups in [&["approver"][..], &["admin"], &["approver", "admin", "auditor"], &["approver", "dba"]] {
        let problem =
            Service::approve(&service.person("bob", groups), &path).expect_problem(409, "already_decided");
        assert_eq!(problem["current_status"], "pending");
    }
    let token = service.token("BOB@Example.com", &["approver"]);
    let bob = countersign_e2e::client::Client::new(service.base(), Some(token));
    Service::approve(&bob, &path).expect_problem(409, "already_decided");
    bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect_problem(409, "already_decided");
}

#[test]
fn no_caller_approves_their_own_request_whatever_they_are() {
    let service = Service::start();
    let path = Service::create(&service.person("ann", &["admin"]), &Service::medium());
    for groups in [&["admin"][..], &["admin", "approver"], &["approver"], &["developer", "approver"]] {
        let ann = service.person("ann", groups);
        Service::approve(&ann, &path).expect_problem(403, "self_approval");
        ann.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect_problem(403, "self_approval");
    }
    Service::approve(&service.person("bob", &["admin"]), &path).expect(200);
}

#[test]
fn agents_and_programs_never_approve() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    for caller in [
        service.person("bot", &["agent", "approver"]),
        service.person("bot", &["agent", "admin"]),
        service.program("deployer", &["approver"]),
        service.program("deployer", &["admin"]),
    ] {
        Service::approve(&caller, &path).expect_problem(403, "agent_cannot_approve");
        let reject = caller.post(&format!("{path}/reject"), &json!({ "reason": "no" }));
        reject.expect_problem(403, "agent_cannot_approve");
    }
}

#[test]
fn an_approver_may_name_the_digest_they_saw() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let bob = service.approver("bob");
    let digest = bob.get(&path).expect(200)["parameters_digest"].as_str().unwrap().to_owned();
    let approve =
        |digest: &str| bob.post(&format!("{path}/approve"), &json!({ "parameters_digest": digest }));
    for wrong in [
        "",
        "0",
        &"0".repeat(64),
        &digest.to_uppercase(),
        &digest[..63],
        &format!("{digest} "),
        &format!("sha256:{digest}"),
    ] {
        let problem = approve(wrong).expect_problem(409, "digest_mismatch");
        assert_eq!(problem["current_status"], "pending", "{wrong}");
    }
    assert_eq!(approve(&digest).expect(200)["approvals_received"], 1);
}

#[test]
fn a_comment_comes_with_the_decision() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let body = json!({ "comments": "Looks right\nto me" });
    let approved = service.approver("bob").post(&format!("{path}/approve"), &body).expect(200);
    assert_eq!(approved["decisions"][0]["comment"], "Looks right\nto me");
    assert_eq!(approved["decisions"][0]["decision"], "approved");
    assert_eq!(
        approved["comments"],
        json!([{
            "user": "bob@example.com",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "action": "approved",
            "comment": "Looks right\nto me",
        }])
    );
}

#[test]
fn an_empty_body_will_do() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let approve = format!("{path}/approve");
    service.approver("bob").send("POST", &approve, &[], b"").unwrap().expect(200);
}

#[test]
fn what_policy_has_approved_needs_no_approver() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::low());
    let problem = Service::approve(&service.approver("bob"), &path).expect_problem(409, "not_pending");
    assert_eq!(problem["current_status"], "approved");
}
