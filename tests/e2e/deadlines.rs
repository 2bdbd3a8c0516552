//! Both deadlines, with no sweep but the one that a test asks for.

use countersign_e2e::service::Service;
use serde_json::{Value, json};

const HOUR: i64 = 60 * 60 * 1000;

/// Every command with a body that would be accepted in time.
fn commands(path: &str, execution_id: &str) -> Vec<(&'static str, &'static str, String, Value)> {
    vec![
        ("bob", "POST", format!("{path}/approve"), json!({})),
        ("bob", "POST", format!("{path}/reject"), json!({ "reason": "no" })),
        ("ann", "POST", format!("{path}/cancel"), json!({})),
        ("ann", "POST", format!("{path}/comments"), json!({ "text": "hm" })),
        ("ann", "POST", format!("{path}/execution"), json!({})),
        (
            "ann",
            "PUT",
            format!("{path}/execution"),
            json!({ "execution_id": execution_id, "outcome": "succeeded" }),
        ),
    ]
}

/// Everything there is to see of a request that expired, and every command refused.
#[track_caller]
fn check_expired(service: &Service, path: &str) {
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    assert_eq!(ann.get(path).expect(200)["status"], "expired");
    for (who, method, path, body) in commands(path, "01930000-0000-7000-8000-000000000000") {
        let client = if who == "ann" { &ann } else { &bob };
        let answer = client.send(method, &path, &[], body.to_string().as_bytes()).unwrap();
        assert_eq!(answer.body["code"], "expired", "{method} {path}");
        assert_eq!(answer.expect_problem(409, "expired")["current_status"], "expired");
    }
    let done = json!({ "operation": "mark_executed", "request_id": Service::id(path) });
    ann.post("/approvals", &done).expect_problem(409, "expired");
    for filter in ["", "&requested_by=ann@example.com", "&instance_id=dev-db-01"] {
        for (status, listed) in [("pending", false), ("approved", false), ("expired", true)] {
            let list = format!("/v1/approvals?status={status}{filter}");
            assert_eq!(bob.ids(&list).contains(&Service::id(path).to_owned()), listed, "{list}");
        }
    }
    let listed = bob.get("/v1/approvals?instance_id=dev-db-01").expect(200);
    let items = listed["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["request_id"] == Service::id(path)).unwrap();
    assert_eq!(item["status"], "expired");
}

#[test]
fn a_pending_request_expires_to_the_millisecond() {
    let service = Service::start();
    let ann = service.requester("ann");
    let (early, late) =
        (Service::create(&ann, &Service::medium()), Service::create(&ann, &Service::medium()));
    service.host.advance_milliseconds(72 * HOUR - 1);
    assert_eq!(ann.get(&late).expect(200)["status"], "pending");
    assert_eq!(ann.ids("/v1/approvals").len(), 2);
    assert_eq!(Service::approve(&service.approver("cleo"), &early).expect(200)["status"], "approved");
    service.host.advance_milliseconds(1);
    service.untouched(|| check_expired(&service, &late));
    assert_eq!(service.expire().expired, 1);
    service.untouched(|| check_expired(&service, &late));
}

#[test]
fn an_approved_request_lapses_to_the_millisecond() {
    let service = Service::start();
    let ann = service.requester("ann");
    service.host.advance_milliseconds(HOUR);
    let (early, late) = (service.approved(&ann), service.approved(&ann));
    let low = Service::create(&ann, &Service::low());
    service.host.advance_milliseconds(24 * HOUR - 1);
    assert_eq!(ann.ids("/v1/approvals?status=approved").len(), 3);
    Service::started(&ann, &early);
    service.host.advance_milliseconds(1);
    service.untouched(|| {
        check_expired(&service, &late);
        check_expired(&service, &low);
    });
    assert_eq!(service.expire().expired, 2);
    service.untouched(|| {
        check_expired(&service, &late);
        check_expired(&service, &low);
    });
    assert_eq!(ann.get(&early).expect(200)["status"], "executing");
}

#[test]
fn half_an_approval_does_not_stop_the_clock() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    service.host.advance_milliseconds(72 * HOUR - 1);
    Service::approve(&service.approver("bob"), &path).expect(200);
    service.host.advance_milliseconds(1);
    let problem = Service::approve(&service.approver("cleo"), &path).expect_problem(409, "expired");
    assert_eq!(problem["current_status"], "expired");
    let request = ann.get(&path).expect(200);
    assert_eq!((&request["status"], &request["approvals_received"]), (&json!("expired"), &json!(1)));
}

#[test]
fn a_tool_call_has_five_minutes_for_each() {
    let service = Service::start();
    let (bot, bob) = (service.person("bot", &["agent"]), service.approver("bob"));
    let mut body = Service::medium();
    body["operation_type"] = json!("write_file");
    let (first, second) = (Service::create(&bot, &body), Service::create(&bot, &body));
    service.host.advance_milliseconds(299_999);
    let approved = Service::approve(&bob, &first).expect(200);
    assert_eq!(approved["execute_by"], "2026-01-01T00:09:59.999Z");
    service.host.advance_milliseconds(1);
    Service::approve(&bob, &second).expect_problem(409, "expired");
    service.host.advance_milliseconds(299_998);
    assert_eq!(bot.get(&first).expect(200)["status"], "approved");
    service.host.advance_milliseconds(1);
    bot.post(&format!("{first}/execution"), &json!({})).expect_problem(409, "expired");
}

#[test]
fn the_sweep_writes_each_expiry_down_once() {
    let service = Service::start();
    let ann = service.requester("ann");
    let pending: Vec<_> = (0..5).map(|_| Service::create(&ann, &Service::medium())).collect();
    service.host.advance_milliseconds(71 * HOUR);
    let approved: Vec<_> = (0..5).map(|_| service.approved(&ann)).collect();
    assert_eq!(service.expire().expired, 0);
    service.host.advance_milliseconds(HOUR);
    assert_eq!((service.expire().expired, service.expire().expired), (5, 0));
    service.host.advance_milliseconds(23 * HOUR);
    assert_eq!((service.expire().expired, service.expire().expired), (5, 0));
    for path in pending.iter().chain(&approved) {
        let events = ann.get(&format!("{path}/events")).expect(200);
        let events = events["items"].as_array().unwrap();
        let last = events.last().unwrap();
        assert_eq!(last["event_type"], "APPROVAL_EXPIRED");
        assert_eq!((&last["user"], &last["kind"]), (&json!("system:expiry"), &json!("service")));
        let expiries = events.iter().filter(|event| event["event_type"] == "APPROVAL_EXPIRED");
        assert_eq!(expiries.count(), 1);
    }
}

#[test]
fn the_sweep_leaves_everything_else_alone() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let rejected = Service::create(&ann, &Service::medium());
    bob.post(&format!("{rejected}/reject"), &json!({ "reason": "no" })).expect(200);
    let cancelled = Service::create(&ann, &Service::medium());
    ann.post(&format!("{cancelled}/cancel"), &json!({})).expect(200);
    let executing = service.approved(&ann);
    Service::started(&ann, &executing);
    let executed = service.approved(&ann);
    let body = json!({ "execution_id": Service::started(&ann, &executed), "outcome": "succeeded" });
    ann.put(&format!("{executed}/execution"), &body).expect(200);
    service.host.advance_milliseconds(300 * 24 * HOUR);
    service.untouched(|| assert_eq!(service.expire().expired, 0));
}

/// What was written down stays, even if the clock is set back.
#[test]
fn expired_stays_expired() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(72 * HOUR);
    assert_eq!(service.expire().expired, 1);
    service.host.advance_milliseconds(-HOUR);
    assert_eq!(ann.get(&path).expect(200)["status"], "expired");
    assert_eq!(ann.ids("/v1/approvals"), Vec::<String>::new());
    Service::approve(&service.approver("bob"), &path).expect_problem(409, "expired");
}

/// Lists say the same before the sweep and after it, whichever way they are asked.
#[test]
fn no_list_depends_on_the_sweep() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for _ in 0..7 {
        Service::create(&ann, &Service::medium());
        service.approved(&ann);
        service.host.advance_milliseconds(10 * HOUR);
    }
    let lists = || {
        let mut all = Vec::new();
        for status in ["pending", "approved", "expired"] {
            for filter in ["", "&requested_by=ann@example.com", "&instance_id=dev-db-01"] {
                for client in [&ann, &bob] {
                    let mut ids = client.ids(&format!("/v1/approvals?status={status}{filter}"));
                    ids.sort();
                    all.push(ids);
                }
            }
        }
        all
    };
    let before = lists();
    assert_eq!((before[0].len(), before[6].len(), before[12].len()), (7, 2, 5));
    service.host.advance_milliseconds(3 * HOUR);
    let before = lists();
    assert_eq!(before[0].len() + before[6].len() + before[12].len(), 14);
    assert!(service.expire().expired > 0);
    assert_eq!(lists(), before);
}
