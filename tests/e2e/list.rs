//! GET /v1/approvals

use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const HOUR: i64 = 60 * 60 * 1000;

/// One request in every status, with its path by status. Made by `ann`, decided by `bob`.
fn one_of_each(service: &Service, ann: &Client) -> BTreeMap<&'static str, String> {
    let bob = service.approver("bob");
    let expired = Service::create(ann, &Service::medium());
    service.host.advance_milliseconds(72 * HOUR);
    let approved = || service.approved(ann);
    let finish = |path: &str, outcome: &str| {
        let execution_id = Service::started(ann, path);
        let body = json!({ "execution_id": execution_id, "outcome": outcome });
        ann.put(&format!("{path}/execution"), &body).expect(200);
    };
    let (executing, executed, failed) = (approved(), approved(), approved());
    Service::started(ann, &executing);
    finish(&executed, "succeeded");
    finish(&failed, "failed");
    let rejected = Service::create(ann, &Service::medium());
    bob.post(&format!("{rejected}/reject"), &json!({ "reason": "no" })).expect(200);
    let cancelled = Service::create(ann, &Service::medium());
    ann.post(&format!("{cancelled}/cancel"), &json!({})).expect(200);
    BTreeMap::from([
        ("pending", Service::create(ann, &Service::medium())),
        ("approved", approved()),
        ("executing", executing),
        ("executed", executed),
        ("failed", failed),
        ("rejected", rejected),
        ("cancelled", cancelled),
        ("expired", expired),
    ])
}

#[test]
fn every_status_lists_its_requests_and_no_others() {
    let service = Service::start();
    let ann = service.requester("ann");
    let by_status = one_of_each(&service, &ann);
    let bob = service.approver("bob");
    for sweep in [false, true] {
        if sweep {
            assert_eq!(service.expire().expired, 1);
        }
        for (status, path) in &by_status {
            for filter in ["", "&requested_by=ann@example.com", "&instance_id=dev-db-01"] {
                let list = format!("/v1/approvals?status={status}{filter}");
                assert_eq!(bob.ids(&list), [Service::id(path)], "{list}, swept: {sweep}");
            }
        }
        for filter in ["requested_by=ann@example.com", "instance_id=dev-db-01"] {
            assert_eq!(bob.ids(&format!("/v1/approvals?{filter}")).len(), 8, "{filter}");
        }
    }
}

#[test]
fn without_a_filter_it_lists_what_is_pending_the_most_urgent_first() {
    let service = Service::start();
    let ann = service.requester("ann");
    let patient = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(1000);
    let mut urgent = Service::medium();
    urgent["operation_type"] = json!("git_commit");
    let urgent = Service::create(&ann, &urgent);
    service.host.advance_milliseconds(1000);
    let newest = Service::create(&ann, &Service::high());
    Service::create(&ann, &Service::low());
    let expected = [&urgent, &patient, &newest].map(|path| Service::id(path).to_owned());
    assert_eq!(service.approver("bob").ids("/v1/approvals"), expected);
    assert_eq!(service.approver("bob").ids("/v1/approvals?status=pending"), expected);
}

#[test]
fn filters_hold_together() {
    let service = Service::start();
    let (ann, ben) = (service.requester("ann"), service.requester("ben"));
    let mine = Service::create(&ann, &Service::medium());
    Service::create(&ben, &Service::medium());
    Service::create(&ann, &Service::high());
    let bob = service.approver("bob");
    let check = |query: &str, expected: &[&str]| {
        assert_eq!(bob.ids(&format!("/v1/approvals?{query}")), expected, "{query}");
    };
    let id = Service::id(&mine);
    check("requested_by=ann@example.com&instance_id=dev-db-01", &[id]);
    check("requested_by=ANN@example.com&instance_id=dev-db-01&status=pending", &[id]);
    check("requested_by=ann@example.com&instance_id=dev-db-01&status=approved", &[]);
    check("requested_by=cleo@example.com", &[]);
    check("instance_id=dev-db-02&status=pending", &[]);
    check("status=rejected", &[]);
}

#[test]
fn a_developer_sees_only_their_own() {
    let service = Service::start();
    let (ann, ben) = (service.requester("ann"), service.requester("ben"));
    let mine = Service::create(&ann, &Service::medium());
    Service::create(&ben, &Service::medium());
    for (query, expected) in [
        ("", vec![Service::id(&mine)]),
        ("?status=pending", vec![Service::id(&mine)]),
        ("?instance_id=dev-db-01", vec![Service::id(&mine)]),
        ("?requested_by=ann@example.com", vec![Service::id(&mine)]),
        ("?requested_by=ben@example.com", vec![]),
        ("?requested_by=ben@example.com&status=pending", vec![]),
    ] {
        assert_eq!(ann.ids(&format!("/v1/approvals{query}")), expected, "{query}");
    }
}

/// Indexes hold what a list shows, and that is neither parameters nor what people wrote.
#[test]
fn a_list_shows_no_parameters_and_no_free_text() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    Service::approve(&service.approver("bob"), &path).expect(200);
    let list = service.approver("cleo").get("/v1/approvals").expect(200);
    let item = &list["items"][0];
    for name in ["parameters", "parameters_digest", "justification", "estimated_duration", "comments"] {
        assert_eq!(item.get(name), None, "{name}");
    }
    assert_eq!(item["approved_by"], json!(["bob@example.com"]));
    assert_eq!((&item["approvals_received"], &item["approvals_required"]), (&json!(1), &json!(2)));
    assert_eq!(item["estimated_cost"], 250.5);
    assert_eq!(list["next_cursor"], Value::Null);
}

#[test]
fn a_page_holds_fifty_unless_told() {
    let service = Service::start();
    for name in ["ann", "ben"] {
        let requester = service.requester(name);
        for _ in 0..30 {
            Service::create(&requester, &Service::medium());
        }
    }
    let list = service.approver("bob").get("/v1/approvals").expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 50);
    assert!(list["next_cursor"].is_string());
}

/// `from` and `to` mean when a closed request closed, and when an open one was made.
#[test]
fn a_range_of_time_includes_both_its_ends() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(HOUR);
    let open = Service::create(&ann, &Service::medium());
    bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    service.host.advance_milliseconds(HOUR);
    let check = |query: &str, expected: &str| {
        for filter in ["", "&requested_by=ann@example.com", "&instance_id=dev-db-01"] {
            let expected: Vec<_> =
                [expected].into_iter().filter(|path| !path.is_empty()).map(Service::id).collect();
            assert_eq!(bob.ids(&format!("/v1/approvals?{query}{filter}")), expected, "{query}{filter}");
        }
    };
    check("status=rejected&from=2026-01-01T01:00:00Z", &path);
    check("status=rejected&to=2026-01-01T01:00:00Z", &path);
    check("status=rejected&from=2026-01-01T01:00:00Z&to=2026-01-01T01:00:00Z", &path);
    check("status=rejected&from=2026-01-01T02:00:00%2B01:00&to=2026-01-01T01:00:00Z", &path);
    check("status=rejected&from=2026-01-01&to=2026-01-02", &path);
    check("status=rejected&from=2026-01-01T01:00:00.001Z", "");
    check("status=rejected&to=2026-01-01T00:59:59.999Z", "");
    check("status=pending&from=2026-01-01T01:00:00Z", &open);
    check("status=pending&to=2026-01-01T00:59:59.999Z", "");
    check("status=pending&from=2026-01-01T01:00:00.001Z", "");
}
