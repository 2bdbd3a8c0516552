//! GET /v1/reports/{period}

use countersign_e2e::service::Service;
use serde_json::{Value, json};

const HOUR: i64 = 60 * 60 * 1000;

/// On the first of January 2026 three requests of ann's: one approved after an hour, one rejected after two, and one that waits.
fn with_history() -> Service {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(HOUR);
    Service::approve(&bob, &path).expect(200);
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(2 * HOUR);
    bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    Service::create(&ann, &Service::medium());
    service.seal().unwrap();
    service.fold().unwrap();
    service
}

fn get(service: &Service, path: &str) -> Value {
    service.person("aud", &["auditor"]).get(&format!("/v1/reports/{path}")).expect(200)
}

#[test]
fn a_report_says_what_became_of_requests_and_who_asked_and_decided() {
    let service = with_history();
    let report = get(&service, "daily?date=2026-01-01");
    assert_eq!((&report["name"], &report["over"]), (&json!("2026-01-01"), &json!(false)));
    let outcomes = &report["outcomes"];
    assert_eq!(
        [&outcomes["requested"], &outcomes["approved"], &outcomes["rejected"], &outcomes["expired"]],
        [&json!(3), &json!(1), &json!(1), &json!(0)]
    );
    let times = &report["time_to_decision"];
    assert_eq!(
        (&times["shortest_milliseconds"], &times["longest_milliseconds"]),
        (&json!(HOUR), &json!(2 * HOUR))
    );
    assert_eq!((&times["count"], &times["average_milliseconds"]), (&json!(2), &json!(HOUR * 3 / 2)));
    assert_eq!(report["alerts"], json!(["many_rejections"]), "half of them");
    assert_eq!(
        report["people"],
        json!([
            { "person": "ann@example.com", "requested": 3, "approved": 0, "rejected": 0 },
            { "person": "bob@example.com", "requested": 0, "approved": 1, "rejected": 1 },
        ])
    );
    let waiting = &report["waiting"];
    assert_eq!((&waiting["count"], &waiting["more"]), (&json!(1), &json!(false)));
    let oldest = waiting["oldest"]["request_id"].as_str().unwrap();
    let request = service.requester("ann").get(&format!("/v1/approvals/{oldest}")).expect(200);
    assert_eq!(request["status"], "pending");
    assert_eq!(report["uncounted"], 0);
    assert!(report.get("dead_letters").is_none() && report.get("stuck_executions").is_none());
}

#[test]
fn a_report_is_on_the_period_of_the_date_or_on_the_last_one_that_is_over() {
    let service = with_history();
    let span = |path: &str| {
        let report = get(&service, path);
        let text = |name: &str| report[name].as_str().unwrap().to_owned();
        (text("name"), text("from"), text("to"))
    };
    let expected = |name: &str, from: &str, to: &str| (name.to_owned(), from.to_owned(), to.to_owned());
    assert_eq!(span("weekly?date=2026-01-01"), expected("2026-W01", "2025-12-29", "2026-01-04"));
    assert_eq!(span("monthly?date=2024-02-10"), expected("2024-02", "2024-02-01", "2024-02-29"));
    assert_eq!(span("daily"), expected("2025-12-31", "2025-12-31", "2025-12-31"));
    assert_eq!(span("weekly"), expected("2025-W52", "2025-12-22", "2025-12-28"));
    assert_eq!(span("monthly"), expected("2025-12", "2025-12-01", "2025-12-31"));
    assert_eq!(get(&service, "monthly")["over"], true);
    assert_eq!(get(&service, "monthly")["outcomes"]["requested"], 0);
    service.host.advance_milliseconds(24 * HOUR);
    assert_eq!(get(&service, "daily")["outcomes"]["requested"], 3, "the day of the history is over");
    let month = get(&service, "monthly?date=2026-01-02");
    assert_eq!(month["dead_letters"], json!({ "events": 0, "deliveries": 0 }));
    assert_eq!(month["stuck_executions"], 0);
}

#[test]
fn a_report_says_how_many_events_are_not_counted_yet() {
    let service = with_history();
    Service::create(&service.requester("ann"), &Service::medium());
    service.seal().unwrap();
    let report = get(&service, "daily?date=2026-01-01");
    assert!(report["uncounted"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["outcomes"]["requested"], 3);
    service.fold().unwrap();
    let report = get(&service, "daily?date=2026-01-01");
    assert_eq!((&report["uncounted"], &report["outcomes"]["requested"]), (&json!(0), &json!(4)));
}

#[test]
fn what_is_no_period_or_has_not_begun_is_refused() {
    let service = with_history();
    let auditor = service.person("aud", &["auditor"]);
    for (path, pointer) in [
        ("yearly", "/period"),
        ("Daily", "/period"),
        ("daily?date=2026-01-01T00:00:00Z", "/date"),
        ("daily?date=2026-02-30", "/date"),
        ("daily?date=2026-01-02", "/date"),
        ("monthly?date=2026-02-01", "/date"),
        ("weekly?from=2026-01-01", "/from"),
        ("weekly?period=daily", "/period"),
        ("weekly?date=2026-01-01&date=2026-01-01", "/date"),
    ] {
        let refused = auditor.get(&format!("/v1/reports/{path}"));
        let problem = refused.expect_problem(422, "validation_failed");
        assert!(problem.to_string().contains(&format!("\"{pointer}\"")), "{path}: {problem}");
    }
    auditor.get("/v1/reports").expect_problem(404, "route_not_found");
    auditor.post("/v1/reports/daily", &json!({})).expect_problem(405, "method_not_allowed");
}

#[test]
fn only_who_may_look_at_figures_reads_reports_and_that_is_recorded() {
    let service = with_history();
    for client in [service.requester("ann"), service.approver("bob"), service.person("gus", &["guest"])] {
        client.get("/v1/reports/daily").expect_problem(403, "not_permitted");
    }
    service.anonymous().get("/v1/reports/daily").expect(401);
    for _ in 0..3 {
        get(&service, "daily");
    }
    get(&service, "weekly");
    service.host.advance_milliseconds(1);
    let auditor = service.person("aud", &["auditor"]);
    let read = auditor.get("/v1/audit-logs?event_type=AUDIT_READ&user=aud@example.com").expect(200);
    let of_reports = |event: &&Value| event["details"]["operation"] == "report";
    let items = read["items"].as_array().unwrap();
    assert_eq!(items.iter().filter(of_reports).count(), 2, "once an hour for each period");
}

#[test]
fn a_decision_that_took_a_day_is_an_alert() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(25 * HOUR);
    service.approver("bob").post(&format!("{path}/reject"), &json!({ "reason": "late" })).expect(200);
    service.seal().unwrap();
    service.fold().unwrap();
    let report = get(&service, "monthly?date=2026-01-01");
    assert_eq!(report["alerts"], json!(["many_rejections", "slow_decisions"]));
}
