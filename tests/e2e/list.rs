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
fn a_page_holds_fifty_by_default() {
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

#[test]
fn a_range_to_a_day_includes_the_day() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let mut by_time = Vec::new();
    for _ in 0..5 {
        // 1 January 00:00, 16:00, 2 January 08:00, 3 January 00:00 less a millisecond, 16:00.
        let path = Service::create(&ann, &Service::medium());
        bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
        by_time.push(Service::id(&path).to_owned());
        let step = if by_time.len() == 3 { 16 * HOUR - 1 } else { 16 * HOUR };
        service.host.advance_milliseconds(step);
    }
    for filter in
        ["status=rejected", "status=rejected&requested_by=ann@example.com", "requested_by=ann@example.com"]
    {
        let check = |range: &str, expected: std::ops::Range<usize>| {
            let mut ids = bob.ids(&format!("/v1/approvals?{filter}&{range}"));
            ids.reverse();
            assert_eq!(ids, by_time[expected], "{filter}&{range}");
        };
        check("from=2026-01-01&to=2026-01-01", 0..2);
        check("from=2026-01-02&to=2026-01-02", 2..4);
        check("to=2026-01-02", 0..4);
        check("from=2026-01-02", 2..5);
        check("to=2026-01-02T00:00:00Z", 0..2);
        check("from=2026-01-01T12:00:00Z&to=2026-01-01", 1..2);
    }
    bob.get("/v1/approvals?from=2026-01-03&to=2026-01-02").expect_problem(422, "validation_failed");
}

#[test]
fn several_statuses_are_listed_together() {
    let service = Service::start();
    let ann = service.requester("ann");
    let by_status = one_of_each(&service, &ann);
    let bob = service.approver("bob");
    let of = |statuses: &[&str]| -> Vec<_> {
        statuses.iter().map(|status| Service::id(&by_status[status]).to_owned()).collect()
    };
    for filter in ["", "&requested_by=ann@example.com", "&instance_id=dev-db-01"] {
        for (query, expected) in [
            ("status=pending,approved", of(&["pending", "approved"])),
            ("status=approved&status=pending", of(&["pending", "approved"])),
            ("status=approved,approved&status=pending", of(&["pending", "approved"])),
            ("status=executing,approved,pending", of(&["pending", "approved", "executing"])),
        ] {
            assert_eq!(bob.ids(&format!("/v1/approvals?{query}{filter}")), expected, "{query}{filter}");
        }
        let all = "status=pending,approved,executing,executed,failed,rejected,cancelled,expired";
        let ids = bob.ids(&format!("/v1/approvals?{all}{filter}"));
        assert_eq!(ids.len(), 8, "{filter}");
        assert_eq!(ids[..3], of(&["pending", "approved", "executing"]), "{filter}");
        let mut closed = bob.ids(&format!("/v1/approvals?status=cancelled,expired,failed{filter}"));
        closed.sort();
        let mut expected = of(&["cancelled", "expired", "failed"]);
        expected.sort();
        assert_eq!(closed, expected, "{filter}");
    }
    // Newest first, whatever they are.
    let pages = bob.pages("/v1/approvals?status=rejected,cancelled,executed,failed,expired", 2);
    let times: Vec<_> = pages.iter().flatten().map(|item| item["closed_at"].to_string()).collect();
    assert!(times.is_sorted_by(|one, other| one >= other), "{times:?}");
}

#[test]
fn what_is_closed_says_since_when_and_what_is_open_does_not() {
    let service = Service::start();
    let ann = service.requester("ann");
    let by_status = one_of_each(&service, &ann);
    let bob = service.approver("bob");
    for (status, path) in by_status {
        for filter in ["", "&requested_by=ann@example.com", "&instance_id=dev-db-01"] {
            let list = bob.get(&format!("/v1/approvals?status={status}{filter}")).expect(200);
            let request = bob.get(&path).expect(200);
            let expected = match status {
                "pending" | "approved" | "executing" => &Value::Null,
                "executed" | "failed" => &request["executed_at"],
                "rejected" => &request["rejected_at"],
                "cancelled" => &request["cancelled_at"],
                _ => &request["expires_at"],
            };
            assert_eq!(&list["items"][0]["closed_at"], expected, "{status}{filter}");
            assert_eq!(list["items"][0].get("closed_at").is_none(), expected.is_null(), "{status}{filter}");
        }
    }
}

#[test]
fn risk_environment_and_operation_are_filters_of_every_list() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let high = Service::id(&Service::create(&ann, &Service::high())).to_owned();
    let medium = Service::id(&Service::create(&ann, &Service::medium())).to_owned();
    let mut other = Service::medium();
    other["operation_type"] = json!("create_snapshot");
    other["environment"] = json!("production");
    let snapshot = bob_sees(&bob, &Service::create(&ann, &other));
    let snapshot_risk = snapshot["risk_level"].as_str().unwrap().to_owned();
    let snapshot_id = snapshot["request_id"].as_str().unwrap().to_owned();
    let check = |query: &str, expected: &[&str]| {
        for filter in ["", "&requested_by=ann@example.com", "&status=pending,approved"] {
            let list = format!("/v1/approvals?{query}{filter}");
            let mut ids = bob.ids(&list);
            ids.sort();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(ids, expected, "{list}");
        }
        let members: serde_json::Map<_, _> = query
            .split('&')
            .map(|part| part.split_once('=').unwrap())
            .map(|(name, values)| (name.to_owned(), values.split(',').collect::<Value>()))
            .collect();
        for (operation, member) in [
            ("get_pending_approvals", json!({})),
            ("get_user_requests", json!({ "user_email": "ann@example.com" })),
            (
                "get_user_requests",
                json!({ "user_email": "ann@example.com", "status": ["pending", "approved"] }),
            ),
        ] {
            let mut body = member.clone();
            body["operation"] = json!(operation);
            body.as_object_mut().unwrap().extend(members.clone());
            let answer = bob.post("/approvals", &body).expect(200);
            assert_eq!(answer["items"].as_array().unwrap().len(), expected.len(), "{body}");
        }
    };
    assert_eq!(snapshot["status"], "pending");
    check("risk_level=high", &[&high]);
    check("risk_level=low", &[]);
    check("risk_level=high,medium,low", &[&high, &medium, &snapshot_id]);
    check("environment=non-production", &[&medium]);
    check("environment=production", &[&high, &snapshot_id]);
    check("operation_type=create_snapshot", &[&snapshot_id]);
    check("operation_type=create_snapshot,modify_storage", &[&snapshot_id, &medium]);
    check(&format!("operation_type=create_snapshot&risk_level={snapshot_risk}"), &[&snapshot_id]);
    check("operation_type=reboot&risk_level=high", &[]);
    // One value needs no array.
    let body = json!({ "operation": "get_instance_requests", "instance_id": "dev-db-01", "risk_level": "medium",
                       "status": "pending", "operation_type": "modify_storage" });
    assert_eq!(bob.post("/approvals", &body).expect(200)["items"][0]["request_id"], medium);
}

fn bob_sees(bob: &Client, path: &str) -> Value {
    bob.get(path).expect(200)
}

#[test]
fn a_value_that_no_filter_knows_is_refused_by_name() {
    let service = Service::start();
    let bob = service.approver("bob");
    for (query, pointer) in [
        ("status=", "/status"),
        ("status=open", "/status"),
        ("status=pending,", "/status"),
        ("status=pending,Approved", "/status"),
        ("status=pending&status=all", "/status"),
        ("risk_level=extreme", "/risk_level"),
        ("risk_level=high,", "/risk_level"),
        ("environment=staging", "/environment"),
        ("operation_type=modify_*", "/operation_type"),
        ("operation_type=", "/operation_type"),
        ("limit=5&limit=5", "/limit"),
        ("from=yesterday", "/from"),
        ("to=2026-02-30", "/to"),
    ] {
        let problem = bob.get(&format!("/v1/approvals?{query}")).expect_problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{query}");
    }
    let many = vec!["reboot"; 21].join(",");
    bob.get(&format!("/v1/approvals?operation_type={many}")).expect_problem(422, "validation_failed");
    for value in [
        json!([]),
        json!(5),
        json!(null),
        json!(["pending", 5]),
        json!("pending,approved"),
        json!([["pending"]]),
    ] {
        let body =
            json!({ "operation": "get_user_requests", "user_email": "ann@example.com", "status": value });
        let problem = bob.post("/approvals", &body).expect_problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/status", "{body}");
    }
}
