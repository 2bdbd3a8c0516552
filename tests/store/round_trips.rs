//! The budget: which calls to the database each operation makes.

use countersign_e2e::client::Answer;
use countersign_e2e::service::Service;
use serde_json::json;
use std::collections::BTreeMap;

const READ: &str = "GetItem";
const QUERY: &str = "Query";
const TRANSACTION: &str = "TransactWriteItems";
const EVENTS: &str = "BatchGetItem";

/// Fails unless the call made exactly these calls to the database.
#[track_caller]
fn check(
    service: &Service,
    expected: &[&str],
    status: u16,
    call: impl FnOnce() -> Answer,
) -> serde_json::Value {
    service.transport.take_calls();
    let body = call().expect(status);
    assert_eq!(service.transport.take_calls(), expected);
    body
}

#[test]
fn every_operation_stays_within_its_round_trips() {
    let service = Service::start();
    let (ann, bob, cat) = (service.requester("ann"), service.approver("bob"), service.approver("cat"));
    let eve = service.person("eve", &["auditor"]);
    let create = || ann.post("/v1/approvals", &Service::high());
    let created = check(&service, &[QUERY, TRANSACTION], 201, create);
    let path = format!("/v1/approvals/{}", created["request_id"].as_str().unwrap());
    let at = |suffix: &str| format!("{path}{suffix}");

    // The claim of a request is read together with the request, and all claims together with a list: one round trip.
    check(&service, &[READ, READ], 200, || ann.get(&path));
    check(&service, &[QUERY, QUERY], 200, || bob.get("/v1/approvals"));
    check(&service, &[QUERY, QUERY], 200, || bob.get("/v1/approvals?status=pending&limit=1"));
    check(&service, &[QUERY, QUERY], 200, || ann.get("/v1/approvals"));
    check(&service, &[QUERY, QUERY], 200, || bob.get("/v1/approvals?requested_by=ann@example.com"));
    check(&service, &[QUERY, QUERY], 200, || bob.get("/v1/approvals?instance_id=production-db-01"));
    let rejected = "/v1/approvals?status=rejected&requested_by=ann@example.com";
    check(&service, &[QUERY], 200, || bob.get(rejected));
    check(&service, &[READ, READ, "PutItem"], 200, || bob.post(&at("/claim"), &json!({})));
    check(&service, &[READ, READ], 409, || cat.post(&at("/claim"), &json!({})));
    check(&service, &[READ, READ, "PutItem"], 200, || bob.delete(&at("/claim")));
    check(&service, &[READ, QUERY], 200, || bob.get(&at("/events")));
    // What is read across requests is recorded before it is answered, once an hour: of the first hour of a day, the day
    // before counts as well.
    service.host.advance_milliseconds(1000);
    let query = || eve.get("/v1/audit-logs?instance_id=production-db-01");
    check(&service, &[QUERY, QUERY, QUERY, TRANSACTION, QUERY, EVENTS], 200, query);
    check(&service, &[QUERY, QUERY, EVENTS], 200, query);
    check(&service, &[READ, TRANSACTION], 200, || ann.post(&at("/comments"), &json!({ "text": "soon?" })));
    check(&service, &[READ, TRANSACTION], 200, || Service::approve(&bob, &path));
    check(&service, &[READ, TRANSACTION], 200, || Service::approve(&cat, &path));
    check(&service, &[READ, TRANSACTION], 200, || cat.post(&at("/withdraw"), &json!({})));
    check(&service, &[READ, TRANSACTION], 200, || Service::approve(&cat, &path));
    let started =
        check(&service, &[READ, QUERY, TRANSACTION], 200, || ann.post(&at("/execution"), &json!({})));
    let finish = json!({ "execution_id": started["execution_id"], "outcome": "succeeded" });
    check(&service, &[READ, TRANSACTION], 200, || ann.put(&at("/execution"), &finish));

    let rejected = Service::create(&ann, &Service::medium());
    let reject = || bob.post(&format!("{rejected}/reject"), &json!({ "reason": "not now" }));
    check(&service, &[READ, TRANSACTION], 200, reject);
    let cancelled = Service::create(&ann, &Service::medium());
    check(&service, &[READ, TRANSACTION], 200, || ann.post(&format!("{cancelled}/cancel"), &json!({})));
}

/// However long it waits, and whatever happens to other requests meanwhile.
#[test]
fn a_waiter_costs_no_store_call_until_something_happens() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let (path, other) = (Service::create(&ann, &Service::high()), Service::create(&ann, &Service::high()));
    check(&service, &[READ, READ], 200, || ann.get(&format!("{path}?wait=1")));
    let at_once = check(&service, &[READ, READ], 200, || ann.get(&format!("{path}?wait=25&since_version=0")));
    assert_eq!(at_once["version"], 1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ann.get(&format!("{path}?wait=25")).expect(200));
        // It watches before it reads: the request, and its claim beside it.
        let mut reads = 0;
        while reads < 2 {
            reads += service.transport.take_calls().len();
            std::thread::yield_now();
        }
        check(&service, &[READ, TRANSACTION], 200, || Service::approve(&bob, &other));
        Service::approve(&bob, &path).expect(200);
        assert_eq!(waiting.join().unwrap()["version"], 2);
    });
    assert_eq!(
        service.transport.take_calls(),
        [READ, TRANSACTION, READ, READ],
        "the approval, and one read after it of the request and its claim"
    );
}

#[test]
fn a_refusal_is_recorded_once_and_a_replay_reads_once() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    // The event of a refusal is put after the last one of the caller's day.
    check(&service, &[READ, QUERY, TRANSACTION], 403, || Service::approve(&ann, &path));
    let approve = || bob.post_with_key(&format!("{path}/approve"), &json!({}), "key");
    check(&service, &[READ, TRANSACTION], 200, approve);
    check(&service, &[READ], 200, approve);
    check(&service, &[], 401, || service.anonymous().get(&path));
    check(&service, &[], 422, || ann.post("/v1/approvals", &json!({})));
    check(&service, &[], 200, || service.anonymous().get("/health"));
}

/// Figures that a change moves on purpose: benches/figures.toml.
#[test]
fn the_bytes_that_operations_send_are_those_that_are_written_down() {
    let figures: toml::Table =
        std::fs::read_to_string(countersign_e2e::grants::root().join("benches/figures.toml"))
            .unwrap()
            .parse()
            .unwrap();
    let written: BTreeMap<String, u64> = figures["bytes_to_the_store"].clone().try_into().unwrap();
    let service = Service::start();
    let (ann, bob, cat) = (service.requester("ann"), service.approver("bob"), service.approver("cat"));
    let mut sent = BTreeMap::new();
    let mut measured = |operation: &str, call: &dyn Fn() -> Answer| {
        service.transport.take_bytes_sent();
        let answer = call();
        sent.insert(operation.to_owned(), service.transport.take_bytes_sent());
        answer
    };
    let created = measured("create", &|| ann.post("/v1/approvals", &Service::high())).expect(201);
    let path = format!("/v1/approvals/{}", created["request_id"].as_str().unwrap());
    measured("approve", &|| Service::approve(&bob, &path)).expect(200);
    measured("get", &|| ann.get(&path)).expect(200);
    measured("list", &|| bob.get("/v1/approvals")).expect(200);
    measured("comment", &|| ann.post(&format!("{path}/comments"), &json!({ "text": "soon?" }))).expect(200);
    measured("reject", &|| cat.post(&format!("{path}/reject"), &json!({ "reason": "not now" }))).expect(200);
    let fits = |operation: &String| {
        written.get(operation).is_some_and(|bytes| bytes.abs_diff(sent[operation]) * 50 <= *bytes)
    };
    let is_same = written.len() == sent.len() && sent.keys().all(fits);
    assert!(is_same, "benches/figures.toml says {written:?}, and it is {sent:?}");
}
