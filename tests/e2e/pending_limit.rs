//! Fifty pending requests a person: a flood of one person's blocks no other.

use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::json;

/// Fifty pending requests of Ann's.
fn full(ann: &Client) -> Vec<String> {
    (0..50).map(|_| Service::create(ann, &Service::medium())).collect()
}

#[track_caller]
fn check_full(ann: &Client) {
    for (path, body) in [
        ("/v1/approvals", Service::medium()),
        ("/v1/approvals", Service::high()),
        ("/approvals", Service::medium()),
    ] {
        let answer = ann.post(path, &body);
        assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("60"));
        answer.expect_problem(429, "too_many_pending");
    }
}

#[test]
fn the_fifty_first_is_refused_and_no_other_person_is() {
    let service = Service::start();
    let ann = service.requester("ann");
    full(&ann);
    service.untouched(|| check_full(&ann));
    ann.post_with_key("/v1/approvals", &Service::medium(), "new").expect_problem(429, "too_many_pending");
    // More groups are no more room; another person is.
    let body = Service::medium();
    let answer = service.person("ann", &["admin"]).post("/v1/approvals", &body);
    answer.expect_problem(429, "too_many_pending");
    for other in
        [service.requester("ben"), service.person("bot", &["agent"]), service.program("ci", &["developer"])]
    {
        other.post("/v1/approvals", &body).expect(201);
    }
    assert_eq!(service.approver("bob").ids("/v1/approvals").len(), 53);
}

#[test]
fn a_retry_of_one_that_counts_is_answered() {
    let service = Service::start();
    let ann = service.requester("ann");
    let keyed = || ann.post_with_key("/v1/approvals", &Service::medium(), "k");
    let first = keyed().expect(201);
    for _ in 0..49 {
        Service::create(&ann, &Service::medium());
    }
    check_full(&ann);
    assert_eq!(keyed().expect(200), first);
    let conflict = ann.post_with_key("/v1/approvals", &Service::high(), "k");
    conflict.expect_problem(409, "idempotency_conflict");
}

#[test]
fn every_way_out_of_pending_makes_room_for_one() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let pending = full(&ann);
    Service::approve(&bob, &pending[0]).expect(200);
    Service::create(&ann, &Service::medium());
    check_full(&ann);
    bob.post(&format!("{}/reject", pending[1]), &json!({ "reason": "no" })).expect(200);
    Service::create(&ann, &Service::medium());
    check_full(&ann);
    ann.post(&format!("{}/cancel", pending[2]), &json!({})).expect(200);
    Service::create(&ann, &Service::medium());
    check_full(&ann);
    // Half of what a high risk needs is no way out.
    bob.post(&format!("{}/cancel", pending[3]), &json!({})).expect_problem(403, "not_permitted");
    let high = Service::create(&service.requester("ben"), &Service::high());
    Service::approve(&bob, &high).expect(200);
    check_full(&ann);
}

#[test]
fn what_has_expired_takes_no_room_whether_or_not_it_was_swept() {
    let service = Service::start();
    let ann = service.requester("ann");
    full(&ann);
    service.host.advance_milliseconds(72 * 60 * 60 * 1000 - 1);
    check_full(&ann);
    service.host.advance_milliseconds(1);
    full(&ann);
    check_full(&ann);
    service.expire();
    check_full(&ann);
}

/// It waits for no approval, so it neither counts nor is held up.
#[test]
fn what_policy_approves_at_once_takes_no_room_and_needs_none() {
    let service = Service::start();
    let ann = service.requester("ann");
    for _ in 0..55 {
        Service::create(&ann, &Service::low());
    }
    full(&ann);
    check_full(&ann);
    Service::create(&ann, &Service::low());
}
