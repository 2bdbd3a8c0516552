//! POST /v1/approvals/{id}/withdraw

use crate::policy::{policy_with, refused, start, status};
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::{Value, json};

/// One hour, in milliseconds.
const HOUR: i64 = 60 * 60 * 1000;

fn withdraw(approver: &Client, path: &str) -> Answer {
    approver.post(&format!("{path}/withdraw"), &json!({}))
}

/// The trail of a request, which is whole.
#[track_caller]
fn trail(client: &Client, path: &str) -> Vec<Value> {
    let trail = client.get(&format!("{path}/events")).expect(200);
    assert_eq!(trail["verified"], true, "{trail}");
    trail["items"].as_array().unwrap().clone()
}

#[test]
fn an_approver_takes_their_own_approval_back() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let bob = service.approver("bob");
    Service::approve(&bob, &path).expect(200);
    service.host.advance_milliseconds(60_000);
    let body = json!({ "reason": "Wrong instance", "withdrawn_by": "bob@example.com" });
    let withdrawn = bob.post(&format!("{path}/withdraw"), &body).expect(200);
    assert_eq!(withdrawn["status"], "pending");
    assert_eq!((&withdrawn["approvals_received"], &withdrawn["approved_by"]), (&json!(0), &json!([])));
    assert_eq!(withdrawn["decisions"], json!([]));
    let withdrawal = &withdrawn["withdrawals"][0];
    assert_eq!(withdrawal["person"], "bob@example.com");
    assert_eq!(withdrawal["at"], "2026-01-01T00:01:00.000Z");
    assert_eq!(
        withdrawn["comments"],
        json!([{
            "user": "bob@example.com",
            "timestamp": "2026-01-01T00:01:00.000Z",
            "action": "commented",
            "comment": "Wrong instance",
        }])
    );
    assert_eq!(bob.get(&path).expect(200), withdrawn);
}

#[test]
fn what_was_withdrawn_stays_in_the_trail() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let bob = service.approver("bob");
    let granted = Service::approve(&bob, &path).expect(200)["decisions"][0]["event_id"].clone();
    withdraw(&bob, &path).expect(200);
    Service::approve(&bob, &path).expect(200);
    let trail = trail(&bob, &path);
    let types: Vec<_> = trail.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        ["APPROVAL_REQUEST_CREATED", "APPROVAL_GRANTED", "APPROVAL_WITHDRAWN", "APPROVAL_GRANTED"]
    );
    assert_eq!(trail[1]["event_id"], granted);
    let withdrawal = &trail[2];
    assert_eq!((&withdrawal["user"], &withdrawal["status"]), (&json!("bob@example.com"), &json!("pending")));
    assert_eq!(withdrawal["details"]["withdraws"], json!([granted]));
    assert_eq!(withdrawal["details"]["approvals_received"], 0);
    assert_eq!(withdrawal["details"].get("reason_digest"), None);
    let request = bob.get(&path).expect(200);
    assert_eq!(request["decisions"][0]["event_id"], trail[3]["event_id"]);
    assert_eq!(request["withdrawals"][0]["event_id"], withdrawal["event_id"]);
}

#[test]
fn what_was_approved_is_pending_again_when_too_few_are_left() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    let (bob, cleo) = (service.approver("bob"), service.approver("cleo"));
    Service::approve(&bob, &path).expect(200);
    Service::approve(&cleo, &path).expect(200);
    let withdrawn = withdraw(&bob, &path).expect(200);
    assert_eq!(withdrawn["status"], "pending");
    assert_eq!(withdrawn["approved_by"], json!(["cleo@example.com"]));
    assert_eq!((withdrawn.get("approved_at"), withdrawn.get("execute_by")), (None, None));
    service.untouched(|| refused(start(&ann, &path), 409, "not_approved"));
    // The approval that completes it again lasts as long as any.
    service.host.advance_milliseconds(HOUR);
    let approved = Service::approve(&service.approver("dan"), &path).expect(200);
    assert_eq!(approved["status"], "approved");
    assert_eq!(approved["approved_at"], "2026-01-01T01:00:00.000Z");
    assert_eq!(approved["execute_by"], "2026-01-02T01:00:00.000Z");
    start(&ann, &path).expect(200);
}

#[test]
fn it_stays_approved_when_enough_are_left() {
    let service = Service::under(policy_with("", "", ""));
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let before = ann.get(&path).expect(200);
    // A policy that asks for two was in force for a while.
    let strict = service.again_under(policy_with("[rules.two]\napprovals = 2", "", ""));
    assert_eq!(Service::approve(&strict.approver("cleo"), &path).expect(200)["status"], "approved");
    let withdrawn = withdraw(&service.approver("bob"), &path).expect(200);
    assert_eq!(withdrawn["status"], "approved");
    assert_eq!(withdrawn["approved_by"], json!(["cleo@example.com"]));
    for member in ["approved_at", "execute_by"] {
        assert_eq!(withdrawn[member], before[member], "{member}");
    }
    start(&ann, &path).expect(200);
}

#[test]
fn it_is_expired_when_its_time_to_be_pending_is_over() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let bob = service.approver("bob");
    service.host.advance_milliseconds(71 * HOUR);
    Service::approve(&bob, &path).expect(200);
    service.host.advance_milliseconds(2 * HOUR);
    assert_eq!(status(&ann, &path), "approved");
    let withdrawn = withdraw(&bob, &path).expect(200);
    assert_eq!(withdrawn["status"], "expired");
    // It closes with the approval, which had kept it open beyond that time.
    assert_eq!(withdrawn["closed_at"], "2026-01-04T01:00:00.000Z");
    assert_eq!(withdrawn["expires_at"], "2026-01-04T00:00:00.000Z");
    assert_eq!(withdrawn.get("execute_by"), None);
    assert_eq!(trail(&ann, &path).last().unwrap()["status"], "expired");
    service.untouched(|| {
        refused(withdraw(&bob, &path), 409, "expired");
        refused(Service::approve(&bob, &path), 409, "expired");
        refused(start(&ann, &path), 409, "expired");
    });
    assert_eq!(ann.ids("/v1/approvals?status=expired"), [Service::id(&path)]);
}

#[test]
fn callers_without_an_approval_on_the_request_have_nothing_to_withdraw() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    Service::approve(&service.approver("bob"), &path).expect(200);
    service.untouched(|| {
        for caller in [
            ann.clone(),
            service.approver("cleo"),
            service.person("dan", &["admin"]),
            service.person("eve", &["auditor"]),
            service.person("gus", &["guest"]),
            service.program("deployer", &["approver"]),
            service.person("bot", &["agent", "approver"]),
        ] {
            let problem = refused(withdraw(&caller, &path), 409, "not_decided");
            assert_eq!(problem["current_status"], "pending");
        }
        withdraw(&service.requester("ben"), &path).expect_problem(404, "not_found");
        withdraw(&service.anonymous(), &path).expect_problem(401, "unauthenticated");
        let of_bob = json!({ "withdrawn_by": "bob@example.com" });
        service
            .approver("cleo")
            .post(&format!("{path}/withdraw"), &of_bob)
            .expect_problem(403, "identity_mismatch");
    });
    // Policy itself approved this one: there is no approval.
    let path = Service::create(&ann, &Service::low());
    let problem = refused(withdraw(&service.approver("bob"), &path), 409, "not_decided");
    assert_eq!(problem["current_status"], "approved");
}

#[test]
fn it_takes_no_permission_of_policy_and_any_address_of_the_approver() {
    let people = "[people.\"bob@example.com\"]\naddresses = [\"robert@example.com\"]";
    let service = Service::under(policy_with("", people, ""));
    for (email, groups) in [("robert@example.com", &["approver"][..]), ("bob@example.com", &["auditor"])] {
        let path = Service::create(&service.requester("ann"), &Service::high());
        Service::approve(&service.approver("bob"), &path).expect(200);
        let bob = Client::new(service.base(), Some(service.token(email, groups)));
        let withdrawn = withdraw(&bob, &path).expect(200);
        assert_eq!(withdrawn["withdrawals"][0]["person"], "bob@example.com", "{email}");
        assert_eq!(withdrawn["approved_by"], json!([]), "{email}");
    }
}

#[test]
fn once_it_is_started_or_closed_it_is_too_late() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let approved = || service.approved(&ann);
    let executing = approved();
    Service::started(&ann, &executing);
    let finished = |outcome: &str| {
        let path = approved();
        let body = json!({ "execution_id": Service::started(&ann, &path), "outcome": outcome });
        ann.put(&format!("{path}/execution"), &body).expect(200);
        path
    };
    let cancelled = approved();
    ann.post(&format!("{cancelled}/cancel"), &json!({})).expect(200);
    let rejected = Service::create(&ann, &Service::high());
    Service::approve(&bob, &rejected).expect(200);
    let body = json!({ "reason": "no" });
    service.approver("cleo").post(&format!("{rejected}/reject"), &body).expect(200);
    let cases = [
        (executing, "executing"),
        (finished("succeeded"), "executed"),
        (finished("failed"), "failed"),
        (cancelled, "cancelled"),
        (rejected, "rejected"),
    ];
    service.untouched(|| {
        for (path, status) in &cases {
            for approver in [&bob, &service.approver("cleo")] {
                let problem = refused(withdraw(approver, path), 409, "not_pending");
                assert_eq!(problem["current_status"], *status);
            }
        }
    });
    let half = Service::create(&ann, &Service::high());
    Service::approve(&bob, &half).expect(200);
    service.host.advance_milliseconds(72 * HOUR);
    service.untouched(|| refused(withdraw(&bob, &half), 409, "expired"));
    service.expire();
    service.untouched(|| refused(withdraw(&bob, &half), 409, "expired"));
}

#[test]
fn a_retry_with_the_same_key_withdraws_nothing_more() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let bob = service.approver("bob");
    let withdrawal = format!("{path}/withdraw");
    let body = json!({ "reason": "Wrong instance" });
    let send = || bob.post_with_key(&withdrawal, &body, "key");
    let replayed = |answer: &Answer| answer.headers.get("idempotent-replayed").cloned();
    Service::approve(&bob, &path).expect(200);
    let first = send();
    assert_eq!(replayed(&first), None);
    first.expect(200);
    service.untouched(|| {
        let again = send();
        assert_eq!(replayed(&again).as_deref(), Some("true"));
        assert_eq!(again.expect(200)["approvals_received"], 0);
        let other = bob.post_with_key(&withdrawal, &json!({ "reason": "Another" }), "key");
        other.expect_problem(409, "idempotency_conflict");
        refused(withdraw(&bob, &path), 409, "not_decided");
    });
    // It withdraws no approval that was given after it.
    Service::approve(&bob, &path).expect(200);
    service.untouched(|| {
        let again = send();
        assert_eq!(replayed(&again).as_deref(), Some("true"));
        assert_eq!(again.expect(200)["approvals_received"], 1);
    });
}

#[test]
fn an_approver_may_approve_or_reject_afterwards() {
    let service = Service::start();
    let ann = service.requester("ann");
    let bob = service.approver("bob");
    let path = service.approved(&ann);
    withdraw(&bob, &path).expect(200);
    let approved = Service::approve(&bob, &path).expect(200);
    assert_eq!((&approved["status"], &approved["approvals_received"]), (&json!("approved"), &json!(1)));
    withdraw(&bob, &path).expect(200);
    let rejected = bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    assert_eq!(
        (&rejected["status"], &rejected["rejected_by"]),
        (&json!("rejected"), &json!("bob@example.com"))
    );
    assert_eq!(rejected["approved_by"], json!([]));
    assert_eq!(rejected["withdrawals"].as_array().unwrap().len(), 2);
}

#[test]
fn approvals_of_a_request_are_withdrawn_six_times() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let (bob, cleo) = (service.approver("bob"), service.approver("cleo"));
    for approver in [&bob, &cleo].into_iter().cycle().take(6) {
        Service::approve(approver, &path).expect(200);
        withdraw(approver, &path).expect(200);
    }
    service.untouched(|| refused(withdraw(&bob, &path), 409, "not_decided"));
    Service::approve(&bob, &path).expect(200);
    let problem = service.untouched(|| refused(withdraw(&bob, &path), 403, "not_permitted"));
    assert!(problem["detail"].as_str().unwrap().contains("6 times"), "{problem}");
    // What is left is to end the request.
    let cancelled = service.person("dan", &["admin"]).post(&format!("{path}/cancel"), &json!({})).expect(200);
    assert_eq!(cancelled["withdrawals"].as_array().unwrap().len(), 6);
    assert_eq!(trail(&bob, &path).len(), 1 + 2 * 6 + 2);
}

#[test]
fn a_reason_needs_room_among_the_comments_and_a_withdrawal_needs_no_reason() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let bob = service.approver("bob");
    Service::approve(&bob, &path).expect(200);
    let comment = json!({ "text": "x".repeat(2000) });
    while bob.post(&format!("{path}/comments"), &comment).status == 200 {}
    let reason = json!({ "reason": "y".repeat(2000) });
    service.untouched(|| {
        bob.post(&format!("{path}/withdraw"), &reason).expect_problem(422, "validation_failed");
        for wrong in [json!({ "reason": "" }), json!({ "reason": null }), json!({ "comments": "no" })] {
            bob.post(&format!("{path}/withdraw"), &wrong).expect_problem(422, "validation_failed");
        }
    });
    bob.send("POST", &format!("{path}/withdraw"), &[], b"").unwrap().expect(200);
}

#[test]
fn the_original_endpoint_names_it_withdraw_approval() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let bob = service.approver("bob");
    Service::approve(&bob, &path).expect(200);
    let body = json!({ "operation": "withdraw_approval", "request_id": Service::id(&path), "reason": "no" });
    let withdrawn = bob.post("/approvals", &body).expect(200);
    assert_eq!(withdrawn["withdrawals"][0]["person"], "bob@example.com");
    bob.post("/approvals", &body).expect_problem(409, "not_decided");
}

/// Stopping is always safe: an approver who may no longer see a request takes their approval back, learns
/// nothing that policy hides, and no other person learns that the request exists.
#[test]
fn an_approver_who_has_lost_the_sight_of_a_request_takes_their_approval_back() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    Service::approve(&service.approver("bob"), &path).expect(200);
    let (bob, cy) = (service.person("bob", &[]), service.person("cy", &[]));
    bob.get(&path).expect_problem(404, "not_found");
    withdraw(&cy, &path).expect_problem(404, "not_found");
    let withdrawn = withdraw(&bob, &path).expect(200);
    assert_eq!(withdrawn["decisions"], json!([]));
    for hidden in ["parameters", "parameters_digest", "content", "content_digest"] {
        assert_eq!(withdrawn.get(hidden), None, "{hidden}");
    }
    withdraw(&bob, &path).expect_problem(404, "not_found");
    assert_eq!(trail(&service.approver("cy"), &path).len(), 3);
}
