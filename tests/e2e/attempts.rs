//! What is recorded of calls that change no request: refused attempts, and reading across requests.

use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const MINUTE: i64 = 60 * 1000;

/// The events of a type, as an auditor sees them, whose own reading of them is not in question.
fn recorded(service: &Service, event_type: &str) -> Vec<Value> {
    service.host.advance_milliseconds(1);
    let auditor = service.person("aud", &["auditor"]);
    let mut page = auditor.get(&format!("/v1/audit-logs?event_type={event_type}&limit=500")).expect(200);
    let Value::Array(items) = page["items"].take() else { panic!("{page}") };
    items
}

fn attempts(service: &Service) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    recorded(service, "ATTEMPT_REFUSED")
        .iter()
        .map(|event| {
            (text(&event["user"]), text(&event["details"]["operation"]), text(&event["details"]["code"]))
        })
        .collect()
}

#[test]
fn each_attempt_at_what_is_not_permitted_is_an_event() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    let id = Service::id(&path);
    let own = service.person("ann", &["developer", "approver"]);
    Service::approve(&own, &path).expect(403);
    Service::approve(&service.person("guy", &["guest"]), &path).expect(403);
    let bob = service.approver("bob");
    bob.post(&format!("{path}/approve"), &json!({ "approved_by": "carol@example.com" })).expect(403);
    bob.post(&format!("{path}/approve"), &json!({ "content_digest": "0".repeat(64) })).expect(409);
    Service::approve(&service.person("robot", &["agent", "approver"]), &path).expect(403);
    // What is misspelt, late or not there is no attempt.
    bob.post(&format!("{path}/approve"), &json!({ "content_digest": 1 })).expect(422);
    bob.post(&format!("{path}/execution"), &json!({})).expect(403);
    bob.get("/v1/approvals/01930000-0000-7000-8000-000000000000").expect(404);
    let expected = [
        ("ann@example.com", "approve", "self_approval"),
        ("guy@example.com", "approve", "not_permitted"),
        ("bob@example.com", "approve", "identity_mismatch"),
        ("bob@example.com", "approve", "digest_mismatch"),
        ("robot@example.com", "approve", "agent_cannot_approve"),
        ("bob@example.com", "start", "not_permitted"),
    ];
    let expected: Vec<_> =
        expected.map(|(user, operation, code)| (user.into(), operation.into(), code.into())).into();
    assert_eq!(attempts(&service), expected);
    let events = recorded(&service, "ATTEMPT_REFUSED");
    assert!(events.iter().all(|event| event["details"]["request_id"] == id), "{events:?}");
    assert_eq!(events[0]["stream"], "refused/2026-01-01/ann@example.com");
    assert_eq!(events[0]["kind"], "human");
    assert!(events[0].get("request_id").is_none(), "the request has not changed: {}", events[0]);
    assert_eq!(ann.get(&path).expect(200)["version"], 1);
}

/// A caller in a loop fills no trail: after twenty a day, attempts are counted.
#[test]
fn many_attempts_are_counted() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let guy = service.person("guy", &["guest"]);
    for _ in 0..27 {
        Service::approve(&guy, &path).expect(403);
    }
    Service::approve(&service.person("eve", &["guest"]), &path).expect(403);
    assert_eq!(attempts(&service).len(), 21, "each person has twenty");
    assert_eq!(service.record_counts(), 0, "not yet");
    service.host.advance_milliseconds(10 * MINUTE);
    assert_eq!(service.record_counts(), 1);
    assert_eq!(service.record_counts(), 0, "once");
    let events = recorded(&service, "ATTEMPT_REFUSED");
    let count = events.last().unwrap();
    assert_eq!((&count["user"], &count["sequence"]), (&json!("guy@example.com"), &json!(21)));
    assert_eq!(count["details"]["counts"], json!({ "not_permitted": 7 }));
    Service::approve(&guy, &path).expect(403);
    assert_eq!(attempts(&service).len(), 22, "still counted");
    // On another day they are singled out again, and what was left over is written down.
    service.host.advance_milliseconds(24 * 60 * MINUTE);
    Service::approve(&guy, &path).expect(403);
    assert_eq!(service.record_counts(), 1);
    let events = recorded(&service, "ATTEMPT_REFUSED");
    let streams: Vec<_> = events.iter().map(|event| event["stream"].as_str().unwrap()).skip(22).collect();
    assert_eq!(streams, ["refused/2026-01-02/guy@example.com", "refused/2026-01-01/guy@example.com"]);
}

#[test]
fn calls_of_strangers_and_refused_reads_are_counted_alone() {
    let service = Service::start();
    let stranger = Client::new(service.base(), None);
    for _ in 0..3 {
        stranger.get("/v1/approvals").expect(401);
    }
    service.requester("ann").get("/v1/audit-logs").expect(403);
    service.record_counts();
    service.host.advance_milliseconds(10 * MINUTE);
    assert_eq!(service.record_counts(), 2);
    let mut counts: Vec<_> = recorded(&service, "ATTEMPT_REFUSED")
        .iter()
        .map(|event| (event["user"].to_string(), event["details"]["counts"].to_string()))
        .collect();
    counts.sort();
    let expected = [
        ("\"ann@example.com\"", "{\"not_permitted\":1}"),
        ("\"system:unauthenticated\"", "{\"unauthenticated\":3}"),
    ];
    assert_eq!(counts, expected.map(|(user, counts)| (user.to_owned(), counts.to_owned())));
}

#[test]
fn reading_across_requests_is_recorded_once_an_hour_for_each_filter() {
    let service = Service::start();
    let auditor = service.person("aud", &["auditor"]);
    let read = |query: &str| auditor.get(&format!("/v1/audit-logs{query}")).expect(200);
    for query in
        ["?user=ann@example.com", "?user=ann@example.com&limit=1", "?user=ann@example.com&order=desc", ""]
    {
        read(query);
    }
    let mine = || {
        service.host.advance_milliseconds(1);
        let page = auditor.get("/v1/audit-logs?stream=read/2026-01-01/aud@example.com").expect(200);
        let items = page["items"].as_array().unwrap().clone();
        items.into_iter().map(|event| event["details"]["filters"].clone()).collect::<Vec<_>>()
    };
    let first = [json!({ "user": "ann@example.com" }), json!({})];
    assert_eq!(mine()[..2], first);
    service.host.advance_milliseconds(59 * MINUTE);
    read("?user=ann@example.com");
    let after_an_hour = mine().len();
    service.host.advance_milliseconds(2 * MINUTE);
    read("?user=ann@example.com");
    assert!(mine().len() > after_an_hour, "an hour has passed");
    // A refused query reads nothing.
    service.requester("ann").get("/v1/audit-logs").expect(403);
    let page = auditor.get("/v1/audit-logs?user=ann@example.com&event_type=AUDIT_READ").expect(200);
    assert_eq!(page["items"], json!([]));
}
