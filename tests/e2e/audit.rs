//! GET /v1/audit-logs

use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A service with a history: three requests of ann's, a decision each of bob's and carol's, a day between.
fn with_history() -> (Service, Vec<String>) {
    let service = Service::start();
    let (ann, bob, carol) = (service.requester("ann"), service.approver("bob"), service.approver("carol"));
    let mut paths = Vec::new();
    for _ in 0..3 {
        let path = Service::create(&ann, &Service::high());
        Service::approve(&bob, &path).expect(200);
        carol.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
        service.host.advance_milliseconds(24 * 60 * 60 * 1000);
        paths.push(path);
    }
    (service, paths)
}

fn auditor(service: &Service) -> Client {
    service.person("aud", &["auditor"])
}

fn page(client: &Client, query: &str) -> (Vec<Value>, Option<String>) {
    let mut answer = client.get(&format!("/v1/audit-logs{query}")).expect(200);
    let Value::Array(items) = answer["items"].take() else { panic!("{answer}") };
    (items, answer["next_cursor"].as_str().map(str::to_owned))
}

fn all(client: &Client, query: &str) -> Vec<Value> {
    let separator = if query.is_empty() { "?" } else { "&" };
    let (items, cursor) = page(client, &format!("{query}{separator}limit=500"));
    assert_eq!(cursor, None, "{query}");
    items
}

fn places(events: &[Value]) -> BTreeSet<(String, u64)> {
    events.iter().map(|event| (event["stream"].to_string(), event["sequence"].as_u64().unwrap())).collect()
}

/// Each filter alone, and all of them together, give what holds of the events when all are read.
#[test]
fn a_filter_gives_what_holds_of_all_events() {
    let (service, paths) = with_history();
    let auditor = auditor(&service);
    let every = all(&auditor, "");
    assert_eq!(every.len(), 9);
    let times: Vec<_> = every.iter().map(|event| event["timestamp"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let second = Service::id(&paths[1]);
    let instance = every[0]["instance_id"].as_str().unwrap();
    let is = |name: &'static str, value: &str| {
        let value = value.to_owned();
        move |event: &Value| event[name] == value.as_str()
    };
    type Holds = Box<dyn Fn(&Value) -> bool>;
    let filters: Vec<(String, Holds)> = vec![
        ("user=bob@example.com".to_owned(), Box::new(is("user", "bob@example.com"))),
        ("user=eve@example.com".to_owned(), Box::new(|_| false)),
        ("event_type=APPROVAL_GRANTED".to_owned(), Box::new(is("event_type", "APPROVAL_GRANTED"))),
        (
            "event_type=APPROVAL_GRANTED,APPROVAL_REJECTED".to_owned(),
            Box::new(|event| event["event_type"] != "APPROVAL_REQUEST_CREATED"),
        ),
        (format!("request_id={second}"), Box::new(is("request_id", second))),
        (format!("stream=request/{second}"), Box::new(is("request_id", second))),
        ("stream=system/integrity:x".to_owned(), Box::new(|_| false)),
        (format!("instance_id={instance}"), Box::new(is("instance_id", instance))),
        ("instance_id=another-db".to_owned(), Box::new(|_| false)),
        ("from=2026-01-02".to_owned(), Box::new(|event| event["timestamp"].as_str() >= Some("2026-01-02"))),
        ("to=2026-01-02".to_owned(), Box::new(|event| event["timestamp"].as_str() < Some("2026-01-03"))),
        (
            "from=2026-01-02&to=2026-01-02".to_owned(),
            Box::new(|event| event["timestamp"].as_str().unwrap().starts_with("2026-01-02")),
        ),
    ];
    let mut seen = 0;
    for (first, holds) in &filters {
        for (second, also) in &filters {
            let name = |filter: &str| filter.split('=').next().unwrap().to_owned();
            let is_same_place = [name(first), name(second)] == ["request_id", "stream"]
                || [name(first), name(second)] == ["stream", "request_id"];
            if first != second
                && (name(first) == name(second) || is_same_place || first.starts_with("from=2026-01-02&"))
            {
                continue;
            }
            if second.starts_with("from=2026-01-02&") && name(first) != "user" {
                continue;
            }
            let query = if first == second { first.clone() } else { format!("{first}&{second}") };
            let expected: Vec<_> =
                every.iter().filter(|event| holds(event) && also(event)).cloned().collect();
            let given = all(&auditor, &format!("?{query}"));
            assert_eq!(places(&given), places(&expected), "{query}");
            assert_eq!(given, expected, "{query}");
            let mut newest_first = all(&auditor, &format!("?{query}&order=desc"));
            newest_first.reverse();
            assert_eq!(newest_first, expected, "{query}");
            seen += given.len();
        }
    }
    assert!(seen > 100, "{seen}");
}

/// THREATS 10: a cursor is of its query and its caller.
#[test]
fn pages_of_any_size_make_the_same_walk() {
    let (service, paths) = with_history();
    let auditor = auditor(&service);
    let path = Service::id(&paths[0]);
    let mut made = 0;
    for filter in [
        "order=asc",
        "order=desc",
        "user=ann@example.com",
        "event_type=APPROVAL_GRANTED",
        &format!("request_id={path}"),
    ] {
        for limit in [1, 2, 4] {
            let whole = all(&auditor, &format!("?{filter}"));
            let (mut walked, mut cursor) = (Vec::new(), String::new());
            loop {
                let (items, next) = page(&auditor, &format!("?{filter}&limit={limit}{cursor}"));
                assert!(items.len() <= limit);
                walked.extend(items);
                // What comes meanwhile is on no page of this walk.
                service.host.advance_milliseconds(1);
                made += 1;
                Service::create(&service.requester(&format!("d{made}")), &Service::medium());
                match next {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(walked, whole, "{filter} {limit}");
        }
    }
    let (_, cursor) = page(&auditor, "?limit=1");
    let cursor = cursor.unwrap();
    let other = service.person("dan", &["auditor"]);
    for (client, query) in
        [(&other, "?limit=1"), (&auditor, "?limit=1&order=desc"), (&auditor, "?user=ann@example.com")]
    {
        let refused = client.get(&format!("/v1/audit-logs{query}&cursor={cursor}"));
        assert_eq!(refused.expect(400)["code"], "malformed_cursor", "{query}");
    }
}

/// What is under way, or has the time of now, may still be joined by another event: it is not given.
#[test]
fn what_is_not_settled_is_not_given() {
    let service = Service::start();
    let auditor = auditor(&service);
    Service::create(&service.requester("ann"), &Service::medium());
    let first = auditor.get("/v1/audit-logs?user=ann@example.com").expect(200);
    assert_eq!(first["items"], json!([]), "of this very millisecond");
    service.host.advance_milliseconds(1);
    let second = auditor.get("/v1/audit-logs?user=ann@example.com").expect(200);
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert!(first["settled_until"].as_str() < second["settled_until"].as_str());
    let event_time = second["items"][0]["timestamp"].as_str().unwrap();
    assert_eq!(second["settled_until"], event_time);
}

#[test]
fn who_may_not_query_is_refused_and_learns_nothing() {
    let (service, _) = with_history();
    for client in [service.requester("ann"), service.approver("bob"), service.person("eve", &["guest"])] {
        for query in ["", "?user=ann@example.com", "?request_id=01930000-0000-7000-8000-000000000000"] {
            let refused = client.get(&format!("/v1/audit-logs{query}")).expect(403);
            assert_eq!(refused["code"], "not_permitted", "{query}");
        }
    }
    assert_eq!(all(&service.person("root", &["admin"]), "").len(), 9);
}

#[test]
fn each_broken_rule_is_named() {
    let service = Service::start();
    let auditor = auditor(&service);
    for (query, pointer) in [
        ("user=x", "/user"),
        ("event_type=approved", "/event_type"),
        ("request_id=1", "/request_id"),
        ("instance_id=a%20b", "/instance_id"),
        ("stream=board/x", "/stream"),
        ("request_id=01930000-0000-7000-8000-000000000000&stream=system/x", "/stream"),
        ("from=yesterday", "/from"),
        ("from=2026-02-01&to=2026-01-01", "/from"),
        ("to=2026-13-01", "/to"),
        ("order=up", "/order"),
        ("limit=0", "/limit"),
        ("limit=501", "/limit"),
        ("limit=2&limit=3", "/limit"),
        ("user=ann@example.com&user=bob@example.com", "/user"),
        ("who=ann", "/who"),
    ] {
        let refused = auditor.get(&format!("/v1/audit-logs?{query}")).expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{query}: {refused}");
    }
}
