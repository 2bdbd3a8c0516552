//! POST /v1/approvals/{id}/reject

use countersign_e2e::service::Service;
use serde_json::json;

#[test]
fn one_rejection_ends_a_request_even_a_half_approved_one() {
    let service = Service::start();
    let (ann, bob, cleo) = (service.requester("ann"), service.approver("bob"), service.approver("cleo"));
    let path = Service::create(&ann, &Service::high());
    Service::approve(&bob, &path).expect(200);
    service.host.advance_milliseconds(1);
    let reject = format!("{path}/reject");
    let rejected = cleo.post(&reject, &json!({ "reason": "Not on a Friday" })).expect(200);
    assert_eq!(rejected["status"], "rejected");
    assert_eq!(rejected["rejected_by"], "cleo@example.com");
    assert_eq!(rejected["rejected_at"], "2026-01-01T00:00:00.001Z");
    assert_eq!(rejected["rejection_reason"], "Not on a Friday");
    assert_eq!(rejected["approved_by"], json!(["bob@example.com"]));

    let dan = service.approver("dan");
    for answer in [
        Service::approve(&dan, &path),
        dan.post(&reject, &json!({ "reason": "me too" })),
        cleo.post(&reject, &json!({ "reason": "again" })),
        ann.post(&format!("{path}/cancel"), &json!({})),
    ] {
        assert_eq!(answer.expect_problem(409, "not_pending")["current_status"], "rejected");
    }
    ann.post(&format!("{path}/execution"), &json!({})).expect_problem(409, "not_approved");
}

#[test]
fn a_reason_is_required() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    for body in [json!({}), json!({ "reason": "" }), json!({ "reason": " \n\t" }), json!({ "reason": null })]
    {
        let answer = service.approver("bob").post(&format!("{path}/reject"), &body);
        let problem = answer.expect_problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/reason", "{body}");
    }
}

#[test]
fn an_approved_request_is_past_rejecting() {
    let service = Service::start();
    let path = service.approved(&service.requester("ann"));
    let answer = service.approver("cleo").post(&format!("{path}/reject"), &json!({ "reason": "late" }));
    assert_eq!(answer.expect_problem(409, "not_pending")["current_status"], "approved");
}
