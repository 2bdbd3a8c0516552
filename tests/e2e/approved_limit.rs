//! What policy approves at once has a limit of its own: how much of it one person may leave unstarted.

use crate::policy::policy_with;
use countersign_core::policy::Policy;
use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

/// A rule that lowers the limit for the operation that policy approves at once.
fn limited(limit: u16) -> Policy {
    let rule = format!("[rules.few]\noperations = [\"enable_*\"]\napproved_limit = {limit}");
    policy_with(&rule, "", "")
}

#[track_caller]
fn refused(client: &Client, body: &Value) {
    for path in ["/v1/approvals", "/approvals"] {
        let answer = client.post(path, body);
        assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("60"));
        let problem = answer.expect_problem(429, "too_many_approved");
        assert_eq!(problem["reasons"], json!([problem["detail"]]));
    }
}

/// THREATS 44, of what waits for no one.
#[test]
fn what_policy_approves_at_once_ends_at_its_limit() {
    let service = Service::under(limited(3));
    let (ann, ben) = (service.requester("ann"), service.requester("ben"));
    let keyed = || ann.post_with_key("/v1/approvals", &Service::low(), "k");
    let first = keyed().expect(201);
    assert_eq!(first["status"], "approved");
    let second = Service::create(&ann, &Service::low());
    let third = Service::create(&ann, &Service::low());
    service.untouched(|| refused(&ann, &Service::low()));
    // A retry is answered like its first; what waits for people is counted by itself.
    assert_eq!(keyed().expect(200), first);
    ann.post("/v1/approvals", &Service::medium()).expect(201);
    Service::create(&ben, &Service::low());
    let simulation = ann.post("/v1/approvals/simulate", &Service::low()).expect(200);
    assert_eq!((&simulation["permitted"], &simulation["approved_limit"]), (&json!(false), &json!(3)));
    assert_eq!(simulation["refusals"][0]["code"], "too_many_approved");
    // Started, withdrawn or expired, each makes room for one.
    Service::started(&ann, &second);
    Service::create(&ann, &Service::low());
    refused(&ann, &Service::low());
    ann.post(&format!("{third}/cancel"), &json!({})).expect(200);
    Service::create(&ann, &Service::low());
    refused(&ann, &Service::low());
    service.host.advance_milliseconds(24 * 60 * 60 * 1000);
    Service::create(&ann, &Service::low());
}

#[test]
fn what_people_have_approved_counts_and_is_never_refused_for_it() {
    let service = Service::under(limited(2));
    let ann = service.requester("ann");
    for _ in 0..3 {
        service.approved(&ann);
    }
    refused(&ann, &Service::low());
    service.approved(&ann);
}
