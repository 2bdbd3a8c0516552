//! POST /v1/approvals/{id}/cancel

use countersign_e2e::service::Service;
use serde_json::json;

#[test]
fn the_requester_cancels_before_execution_starts() {
    let service = Service::start();
    let ann = service.requester("ann");
    for path in [Service::create(&ann, &Service::medium()), service.approved(&ann)] {
        let body = json!({ "reason": "No longer needed" });
        let cancelled = ann.post(&format!("{path}/cancel"), &body).expect(200);
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(cancelled["cancelled_at"], "2026-01-01T00:00:00.000Z");
        assert_eq!(cancelled["cancelled_by"], "ann@example.com");
        assert_eq!(cancelled["cancellation_reason"], "No longer needed");
        let bob = service.approver("bob");
        Service::approve(&bob, &path).expect_problem(409, "not_pending");
        ann.post(&format!("{path}/execution"), &json!({})).expect_problem(409, "not_approved");
        let again = ann.post(&format!("{path}/cancel"), &json!({})).expect_problem(409, "not_pending");
        assert_eq!(again["current_status"], "cancelled");
    }
}

#[test]
fn once_it_runs_it_is_too_late() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    Service::started(&ann, &path);
    let problem = ann.post(&format!("{path}/cancel"), &json!({})).expect_problem(409, "not_pending");
    assert_eq!(problem["current_status"], "executing");
}

/// To stop is safe: an admin stops what its requester is not there to stop.
#[test]
fn an_admin_cancels_it_as_well_and_no_other_person() {
    let service = Service::start();
    let ann = service.requester("ann");
    for path in [Service::create(&ann, &Service::medium()), service.approved(&ann)] {
        let cancel = |groups: &[&str]| {
            service.person("eve", groups).post(&format!("{path}/cancel"), &json!({ "reason": "Not today" }))
        };
        service.untouched(|| {
            cancel(&["approver"]).expect_problem(403, "not_permitted");
            cancel(&["auditor", "guest"]).expect_problem(403, "not_permitted");
            cancel(&["developer"]).expect_problem(404, "not_found");
        });
        let cancelled = cancel(&["admin"]).expect(200);
        assert_eq!(
            (&cancelled["status"], &cancelled["cancelled_by"]),
            (&json!("cancelled"), &json!("eve@example.com"))
        );
        assert_eq!(cancelled["cancellation_reason"], "Not today");
        let events = ann.get(&format!("{path}/events")).expect(200);
        let last = events["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["event_type"], &last["user"]),
            (&json!("APPROVAL_CANCELLED"), &json!("eve@example.com"))
        );
    }
}
