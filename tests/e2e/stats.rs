//! GET /v1/audit-logs/stats

use countersign_e2e::service::Service;
use serde_json::{Value, json};

/// Two requests of ann's, one approved after an hour and one rejected after two, and a call that was refused.
fn with_history() -> Service {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::medium());
    Service::approve(&ann, &path).expect(403);
    service.host.advance_milliseconds(60 * 60 * 1000);
    Service::approve(&bob, &path).expect(200);
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(2 * 60 * 60 * 1000);
    bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    service.seal().unwrap();
    service.fold().unwrap();
    service
}

#[test]
fn figures_say_what_there_was_and_how_long_decisions_took() {
    let service = with_history();
    let auditor = service.person("aud", &["auditor"]);
    let answer = auditor.get("/v1/audit-logs/stats").expect(200);
    let totals = &answer["totals"];
    for (name, expected) in [
        ("total", json!(2)),
        ("approved", json!(1)),
        ("rejected", json!(1)),
        ("refused", json!(1)),
        ("cancelled", json!(0)),
        ("rejection_rate", json!(0.5)),
        ("events", json!(5)),
    ] {
        assert_eq!(totals[name], expected, "{name}");
    }
    assert_eq!(answer["log_size"], 5);
    assert_eq!(answer["busiest_approvers"], json!([{ "person": "bob@example.com", "decisions": 2 }]));
    assert_eq!((&answer["from"], &answer["to"]), (&json!("2025-12-03"), &json!("2026-01-01")), "30 days");
    assert_eq!(answer["groups"][0]["name"], "2026-01-01");
    let durations = &totals["time_to_decision"];
    assert_eq!(durations["average_milliseconds"], 90 * 60 * 1000);
    let hours = |name: &str| durations[name].as_f64().unwrap() / 3_600_000.0;
    assert!((0.95..1.05).contains(&hours("median_milliseconds")), "{durations}");
    assert!((1.9..2.1).contains(&hours("p95_milliseconds")), "{durations}");
}

#[test]
fn figures_are_of_the_days_and_groups_that_are_asked_for() {
    let service = with_history();
    let auditor = service.person("aud", &["auditor"]);
    let get = |query: &str| auditor.get(&format!("/v1/audit-logs/stats?{query}")).expect(200);
    assert_eq!(get("from=2025-01-01&to=2025-12-31")["totals"]["total"], 0);
    assert_eq!(get("from=2026-01-01&to=2026-01-01")["totals"]["total"], 2);
    let names = |group_by: &str| -> Vec<Value> {
        let answer = get(&format!("group_by={group_by}"));
        answer["groups"].as_array().unwrap().iter().map(|group| group["name"].clone()).collect()
    };
    assert_eq!(names("user"), ["ann@example.com", "bob@example.com"]);
    assert_eq!(names("day"), ["2026-01-01"]);
    assert_eq!(names("operation").len(), 1);
    assert_eq!(names("event_type").len(), 4);
    for query in [
        "from=2026-02-01",
        "from=2024-01-01",
        "from=2026-01-01T00:00:00Z",
        "from=yesterday",
        "to=2026-13-01",
        "group_by=month",
        "limit=1",
        "from=2026-01-01&from=2026-01-01",
    ] {
        let refused = auditor.get(&format!("/v1/audit-logs/stats?{query}"));
        refused.expect_problem(422, "validation_failed");
    }
}

#[test]
fn only_who_may_query_events_reads_figures_and_that_is_recorded() {
    let service = with_history();
    for client in [service.requester("ann"), service.approver("bob"), service.person("gus", &["guest"])] {
        client.get("/v1/audit-logs/stats").expect_problem(403, "not_permitted");
    }
    service.anonymous().get("/v1/audit-logs/stats").expect(401);
    let auditor = service.person("aud", &["auditor"]);
    for _ in 0..3 {
        auditor.get("/v1/audit-logs/stats?from=2026-01-01").expect(200);
    }
    service.host.advance_milliseconds(1);
    let read = auditor.get("/v1/audit-logs?event_type=AUDIT_READ&user=aud@example.com").expect(200);
    let of_stats = |event: &&Value| event["details"]["operation"] == "stats";
    assert_eq!(read["items"].as_array().unwrap().iter().filter(of_stats).count(), 1, "once an hour");
}
