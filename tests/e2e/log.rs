//! The files of the audit log over HTTP: for those who may query events, and for no one else.

use countersign_e2e::service::Service;
use serde_json::json;
use std::fs;

#[test]
fn those_who_may_query_events_read_the_files_of_the_log() {
    let service = Service::start();
    let auditor = service.person("aud", &["auditor"]);
    auditor.get("/v1/log/checkpoint").expect_problem(404, "not_found");
    Service::create(&service.requester("ann"), &Service::high());
    service.seal().unwrap();
    let checkpoint = auditor.get("/v1/log/checkpoint");
    assert_eq!(checkpoint.status, 200);
    assert_eq!(checkpoint.text, fs::read_to_string(service.log_path().join("checkpoint")).unwrap());
    assert_eq!(checkpoint.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(checkpoint.headers["cache-control"], "no-store");
    // The first call was recorded as well: two events.
    let bundle = auditor.get("/v1/log/tile/entries/000.p/2");
    assert_eq!((bundle.status, bundle.headers["content-type"].as_str()), (200, "application/octet-stream"));
    for path in [
        "tile/entries/001",
        "tile/0/000",
        "tile/entries/000.p/3",
        "tile",
        "",
        "../deployment.key",
        "tile/../checkpoint",
        "tile/..%2f..%2fdeployment.key",
        "%2e%2e/deployment.key",
        "checkpoint/",
    ] {
        let answer = auditor.get(&format!("/v1/log/{path}"));
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
    }
    auditor.post("/v1/log/checkpoint", &json!({})).expect_problem(405, "method_not_allowed");
}

#[test]
fn a_log_is_not_for_others_and_that_it_was_read_is_an_event() {
    let service = Service::start();
    Service::create(&service.requester("ann"), &Service::high());
    service.seal().unwrap();
    let anonymous = service.anonymous().get("/v1/log/checkpoint");
    assert_eq!(anonymous.headers["www-authenticate"], "Bearer");
    anonymous.expect_problem(401, "unauthenticated");
    for (name, group) in [("ann", "developer"), ("gus", "guest")] {
        let refused = service.person(name, &[group]).get("/v1/log/checkpoint");
        refused.expect_problem(403, "not_permitted");
    }
    let auditor = service.person("aud", &["auditor"]);
    for _ in 0..3 {
        assert_eq!(auditor.get("/v1/log/checkpoint").status, 200);
    }
    assert_eq!(service.record_counts(), 0, "not old enough");
    service.host.advance_milliseconds(11 * 60 * 1000);
    assert_eq!(service.record_counts(), 3, "two callers, and those who are not known");
    service.host.advance_milliseconds(1);
    let page = auditor.get("/v1/audit-logs?event_type=AUDIT_READ,ATTEMPT_REFUSED").expect(200);
    let read: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event_type"] == "AUDIT_READ" && event["details"]["operation"] == "log")
        .collect();
    assert_eq!(read.len(), 1, "once an hour: {page}");
    assert_eq!(read[0]["user"], "aud@example.com");
}
