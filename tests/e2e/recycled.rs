//! THREATS 61 over HTTP: an address that goes from one person to another, by the policy or by the token.

use crate::policy::{policy_with, reasons, refused, start, status};
use countersign_core::policy::Policy;
use countersign_e2e::service::Service;
use serde_json::json;

/// Alice is known by another address now, and carl has alice@.
const RETIRED: &str = "[people.\"alice.b@example.com\"]\nretired = [\"alice@example.com\"]\n\
                       [people.\"carl@example.com\"]\naddresses = [\"alice@example.com\"]";

fn policy(people: &str) -> Policy {
    policy_with("", people, "")
}

#[test]
fn the_new_holder_of_an_address_inherits_nothing_that_was_made_under_it() {
    let service = Service::under(policy(""));
    let alice = service.requester("alice");
    let pending = Service::create(&alice, &Service::medium());
    let approved = service.approved(&alice);
    let running = service.approved(&alice);
    let execution_id = Service::started(&alice, &running);
    let keyed = alice.post_with_key("/v1/approvals", &Service::high(), "k").expect(201);

    let now = service.again_under(policy(RETIRED));
    // By the recycled address, which is in the token, or by their own.
    for name in ["alice", "carl"] {
        let carl = now.requester(name);
        now.untouched(|| {
            for path in [&pending, &approved, &running] {
                refused(carl.get(path), 404, "not_found");
                refused(carl.get(&format!("{path}/events")), 404, "not_found");
                refused(carl.get(&format!("{path}/explain")), 404, "not_found");
                refused(carl.post(&format!("{path}/cancel"), &json!({})), 404, "not_found");
                refused(carl.post(&format!("{path}/comments"), &json!({ "text": "hm" })), 404, "not_found");
                refused(start(&carl, path), 404, "not_found");
            }
            let finish = json!({ "execution_id": execution_id, "outcome": "succeeded" });
            refused(carl.put(&format!("{running}/execution"), &finish), 404, "not_found");
            for query in ["", "?status=approved", "?status=executing", "?requested_by=alice@example.com"] {
                assert!(carl.ids(&format!("/v1/approvals{query}")).is_empty(), "{name} {query}");
            }
            // Who sees what others ask for sees these, and may do no more with them.
            let sees = now.person(name, &["developer", "auditor"]);
            assert_eq!(status(&sees, &approved), "approved");
            refused(start(&sees, &approved), 403, "not_permitted");
            refused(sees.post(&format!("{approved}/cancel"), &json!({})), 403, "not_permitted");
        });
    }
    // A key that alice has used is another key of another person, and her requests are none of theirs.
    let carls = now.requester("carl").post_with_key("/v1/approvals", &Service::high(), "k").expect(201);
    assert_ne!(carls["request_id"], keyed["request_id"]);
    assert_eq!(carls["requested_by"], "carl@example.com");

    // Alice goes on with hers.
    let alice = now.requester("alice.b");
    let again = alice.post_with_key("/v1/approvals", &Service::high(), "k").expect(200);
    assert_eq!(again["request_id"], keyed["request_id"]);
    assert_eq!(start(&alice, &approved).expect(200)["status"], "executing");
    assert_eq!(alice.post(&format!("{pending}/cancel"), &json!({})).expect(200)["status"], "cancelled");
    let finish = json!({ "execution_id": execution_id, "outcome": "succeeded" });
    assert_eq!(alice.put(&format!("{running}/execution"), &finish).expect(200)["status"], "executed");
}

/// The limit of pending requests is of what a person has made themselves.
#[test]
fn what_a_former_holder_has_pending_is_not_counted() {
    let service = Service::under(policy_with("[rules.few]\npending_limit = 1", "", ""));
    Service::create(&service.requester("alice"), &Service::medium());
    let now = service.again_under(policy_with("[rules.few]\npending_limit = 1", RETIRED, ""));
    refused(now.requester("alice.b").post("/v1/approvals", &Service::medium()), 429, "too_many_pending");
    Service::create(&now.requester("alice"), &Service::medium());
    refused(now.requester("carl").post("/v1/approvals", &Service::medium()), 429, "too_many_pending");
}

#[test]
fn a_token_with_a_retired_address_is_refused_until_its_new_holder_is_listed() {
    let retired = "[people.\"alice.b@example.com\"]\nretired = [\"alice@example.com\"]";
    let service = Service::under(policy(retired));
    service.untouched(|| {
        let problem = refused(service.requester("alice").get("/v1/approvals"), 403, "not_permitted");
        assert!(reasons(&problem).contains("is a retired address"), "{problem}");
        refused(service.requester("alice").post("/v1/approvals", &Service::medium()), 403, "not_permitted");
    });
}

/// Alice has left. What she approved does not count, and what carl approves does.
#[test]
fn an_approver_with_a_recycled_address_counts_as_themselves() {
    let left = RETIRED.replacen('\n', "\ndisabled = true\n", 1);
    let service = Service::under(policy(""));
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    Service::approve(&service.approver("alice"), &path).expect(200);
    Service::approve(&service.approver("bob"), &path).expect(200);
    let now = service.again_under(policy(&left));
    refused(start(&now.requester("ann"), &path), 409, "approvals_insufficient");
    let withdraw = |name: &str| now.approver(name).post(&format!("{path}/withdraw"), &json!({}));
    now.untouched(|| {
        refused(withdraw("alice"), 409, "not_decided");
        refused(withdraw("carl"), 409, "not_decided");
    });
    // With alice@ in the token: in the place of the approval on record, which is of that address.
    let approved = Service::approve(&now.approver("alice"), &path).expect(200);
    assert_eq!(approved["status"], "approved");
    assert_eq!(approved["approved_by"], json!(["bob@example.com", "carl@example.com"]));
    assert_eq!(start(&now.requester("ann"), &path).expect(200)["status"], "executing");
}
