//! GET /metrics

use crate::policy::{medium_with, policy_with};
use countersign_app::host::Clock as _;
use countersign_app::ports::{Publish, PublishError};
use countersign_core::cloud_event::CloudEvent;
use countersign_e2e::exposition::Exposition;
use countersign_e2e::grants::root;
use countersign_e2e::service::Service;
use countersign_e2e::transport::Fault;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;

fn scraped(service: &Service) -> Exposition {
    let answer = service.person("eve", &["auditor"]).get("/metrics");
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.status, 200, "{}", answer.text);
    Exposition::read(&answer.text)
}

/// Checks the values of series.
#[track_caller]
fn check(metrics: &Exposition, expected: &[(&str, f64)]) {
    for (series, value) in expected {
        assert_eq!(metrics.value(series), *value, "{series} in {:#?}", metrics.series);
    }
}

#[test]
fn what_happens_is_counted_once() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    check(&scraped(&service), &[("requests_total{operation=\"modify_storage\",risk=\"medium\"}", 0.0)]);
    // One is executed …
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(90_000);
    bob.post_with_key(&format!("{path}/approve"), &json!({}), "once").expect(200);
    bob.post_with_key(&format!("{path}/approve"), &json!({}), "once").expect(200);
    let id = Service::started(&ann, &path);
    service.host.advance_milliseconds(20_000);
    let done = json!({ "execution_id": id, "outcome": "succeeded" });
    ann.put(&format!("{path}/execution"), &done).expect(200);
    // … one is not heard of, and fails …
    let path = service.approved(&ann);
    let id = Service::started(&ann, &path);
    service.host.advance_milliseconds(3_600_000);
    assert_eq!(service.look().unknown, 1);
    ann.put(&format!("{path}/execution"), &json!({ "execution_id": id, "outcome": "failed" })).expect(200);
    // … and the others end before.
    Service::create(&ann, &Service::low());
    let path = Service::create(&ann, &Service::high());
    Service::approve(&bob, &path).expect(200);
    bob.post(&format!("{path}/withdraw"), &json!({})).expect(200);
    bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    let path = Service::create(&ann, &Service::high());
    ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    Service::create(&ann, &Service::high());
    service.host.advance_milliseconds(100 * 60 * 60 * 1000);
    assert_eq!(service.expire().expired, 2);

    let metrics = scraped(&service);
    check(
        &metrics,
        &[
            ("requests_total{operation=\"modify_storage\",risk=\"medium\"}", 2.0),
            ("requests_total{operation=\"modify_instance_class\",risk=\"high\"}", 3.0),
            ("requests_total{operation=\"enable_enhanced_monitoring\",risk=\"low\"}", 1.0),
            ("decisions_total{decision=\"approved\"}", 2.0),
            ("decisions_total{decision=\"approved_by_policy\"}", 1.0),
            ("decisions_total{decision=\"granted\"}", 1.0),
            ("decisions_total{decision=\"withdrawn\"}", 1.0),
            ("decisions_total{decision=\"rejected\"}", 1.0),
            ("decisions_total{decision=\"cancelled\"}", 1.0),
            ("decisions_total{decision=\"expired\"}", 2.0),
            ("time_to_decision_seconds_count", 3.0),
            ("time_to_decision_seconds_sum", 90.0),
            ("time_to_decision_seconds_bucket{le=\"60\"}", 2.0),
            ("time_to_decision_seconds_bucket{le=\"300\"}", 3.0),
            ("executions_total{outcome=\"succeeded\"}", 1.0),
            ("executions_total{outcome=\"failed\"}", 1.0),
            ("execution_duration_seconds_sum", 3620.0),
            ("leases_ended_total", 1.0),
            ("calls_total{operation=\"create\",status=\"201\"}", 6.0),
            ("calls_total{operation=\"approve\",status=\"200\"}", 4.0),
            ("calls_total{operation=\"metrics\",status=\"200\"}", 1.0),
            ("call_duration_seconds_count{operation=\"create\"}", 6.0),
            ("build_info{version=\"0.1.0\"}", 1.0),
        ],
    );
    assert_eq!(metrics.count("problems_total"), 0, "{metrics:?}");
}

#[test]
fn refusals_are_counted_by_code_and_faults_with_them() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    Service::approve(&ann, &path).expect_problem(403, "self_approval");
    service.anonymous().get(&path).expect_problem(401, "unauthenticated");
    ann.get("/v1/approvals/none").expect_problem(400, "malformed_id");
    ann.get("/nowhere").expect_problem(404, "route_not_found");
    ann.post("/health", &json!({})).expect_problem(405, "method_not_allowed");
    service.transport.set_plan(|_| Some(Fault::ServerError));
    ann.get(&path).expect_problem(503, "store_unavailable");
    service.transport.heal();
    let expected =
        ["self_approval", "unauthenticated", "malformed_id", "route_not_found", "store_unavailable"];
    let metrics = scraped(&service);
    for code in expected {
        assert_eq!(metrics.value(&format!("problems_total{{code=\"{code}\"}}")), 1.0, "{code}");
    }
    check(
        &metrics,
        &[
            ("calls_total{operation=\"approve\",status=\"403\"}", 1.0),
            ("calls_total{operation=\"get\",status=\"503\"}", 1.0),
            ("calls_total{operation=\"none\",status=\"404\"}", 1.0),
            ("calls_total{operation=\"none\",status=\"405\"}", 1.0),
        ],
    );
}

#[test]
fn only_those_who_may_query_what_everybody_did_read_them() {
    let service = Service::start();
    service.anonymous().get("/metrics").expect_problem(401, "unauthenticated");
    for group in ["developer", "approver", "guest", "agent", "executor", "nobody"] {
        let problem = service.person("ben", &[group]).get("/metrics").expect_problem(403, "not_permitted");
        assert!(problem["reasons"][0].as_str().is_some_and(|reason| reason.len() > 5), "{problem}");
    }
    for group in ["auditor", "admin"] {
        assert_eq!(service.person("eve", &[group]).get("/metrics").status, 200, "{group}");
    }
    let root = service.person("root", &["admin"]);
    root.post("/metrics", &json!({})).expect_problem(405, "method_not_allowed");
    root.get("/metrics/").expect_problem(404, "route_not_found");
    check(&scraped(&service), &[("problems_total{code=\"not_permitted\"}", 6.0)]);
    // They are in the trail, as counts.
    assert_eq!(service.record_counts(), 0);
    service.host.advance_milliseconds(11 * 60 * 1000);
    assert_eq!(service.record_counts(), 2, "of ben, and of the caller without a token");
}

/// A caller chooses no label: neither do names that policy does not know make series, nor does anything of a request become
/// one.
#[test]
fn series_are_few_whatever_callers_send() {
    let strange = "strange.name:of/an@operation-";
    let rules = format!("[operations.\"{strange}\"]\nproduction = \"medium\"\nnon_production = \"medium\"\n");
    let service = Service::under(policy_with(&rules, "", ""));
    let ann = service.requester("ann");
    for number in 0..12 {
        let operation = format!("made-up.{number}:/@{}", "x".repeat(100));
        Service::create(
            &service.requester(&format!("ann{number}")),
            &medium_with(&json!({ "operation_type": operation })),
        );
    }
    for operation in ["a\"b", "a\\", "a\nb{}", "", "#", "\u{202e}", "other"] {
        let status = ann.post("/v1/approvals", &medium_with(&json!({ "operation_type": operation }))).status;
        assert_eq!(status, if operation == "other" { 201 } else { 422 }, "{operation:?}");
    }
    Service::create(&ann, &medium_with(&json!({ "operation_type": strange, "instance_id": "dev-db-777" })));
    for path in ["/a%22b", "/v1/approvals/%0a", "/v1/approvals/x?a=%22b", "/metrics?a=b"] {
        assert!(ann.send("GET", path, &[], b"").is_ok(), "{path}");
    }
    let eve = service.person("eve", &["auditor"]);
    let text = eve.get("/metrics").text;
    let metrics = Exposition::read(&text);
    check(
        &metrics,
        &[
            ("requests_total{operation=\"other\",risk=\"high\"}", 13.0),
            (&format!("requests_total{{operation=\"{strange}\",risk=\"medium\"}}"), 1.0),
        ],
    );
    assert_eq!(metrics.count("requests_total"), 2, "{text}");
    for word in ["ann", "eve@", "dev-db", "777", "made-up", "disk is nearly", "allocated_storage"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert!(metrics.series.len() < 300, "{}", metrics.series.len());
    // The policy that is in force names them.
    service.replace_policy(policy_with("", "", ""));
    Service::create(&ann, &medium_with(&json!({ "operation_type": strange })));
    check(&scraped(&service), &[("requests_total{operation=\"other\",risk=\"high\"}", 14.0)]);
}

#[test]
fn calls_of_the_store_are_timed_and_conflicts_told_from_failures() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let before = scraped(&service);
    let mut faults = vec![Fault::TimeoutBefore, Fault::ThrottledAction, Fault::Conflict, Fault::Conflict];
    service.transport.set_plan(move |call| (call == "TransactWriteItems").then(|| faults.pop()).flatten());
    Service::approve(&service.approver("bob"), &path).expect(200);
    let after = scraped(&service);
    let of = |outcome: &str| {
        let series = format!("store_calls_total{{call=\"TransactWriteItems\",outcome=\"{outcome}\"}}");
        after.value(&series) - before.value(&series)
    };
    assert_eq!((of("answered"), of("conflict"), of("failed")), (1.0, 2.0, 2.0));
    let timed = "store_call_duration_seconds_count{call=\"TransactWriteItems\"}";
    assert_eq!(after.value(timed) - before.value(timed), 5.0);
    assert!(after.value("store_call_duration_seconds_count{call=\"GetItem\"}") > 0.0);
}

/// Refuses all, or takes all.
struct Subscriber {
    refuses: bool,
}

impl Publish for Subscriber {
    async fn publish(&self, _: &CloudEvent) -> Result<(), PublishError> {
        if self.refuses { Err(PublishError::Refused("scripted".to_owned())) } else { Ok(()) }
    }
}

#[test]
fn what_is_open_and_what_waits_is_measured_and_reading_asks_nothing_of_the_store() {
    let service = Service::start();
    let ann = service.requester("ann");
    for _ in 0..3 {
        Service::create(&ann, &Service::medium());
        service.host.advance_milliseconds(1000);
    }
    let path = service.approved(&ann);
    Service::started(&ann, &service.approved(&ann));
    service.host.advance_milliseconds(7000);
    service.measure();
    let token = service.person("eve", &["auditor"]);
    service.transport.take_calls();
    let metrics = Exposition::read(&token.get("/metrics").text);
    assert_eq!(service.transport.take_calls(), Vec::<String>::new());
    let now = service.host.now().as_millisecond() as f64 / 1000.0;
    check(
        &metrics,
        &[
            ("pending_requests", 3.0),
            ("pending_oldest_age_seconds", 10.0),
            ("approved_requests", 1.0),
            ("executing_requests", 1.0),
            ("executing_oldest_age_seconds", 7.0),
            ("outbox_entries", 8.0),
            ("outbox_oldest_age_seconds", 10.0),
            ("outbox_dead_letters", 0.0),
            ("log_oldest_age_seconds", 10.0),
            ("sweep_last_success_timestamp_seconds{sweep=\"measurement\"}", now),
            ("sweep_last_success_timestamp_seconds{sweep=\"delivery\"}", 0.0),
        ],
    );
    ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    for _ in 0..10 {
        service.deliver(&Subscriber { refuses: true });
    }
    ann.post(&format!("{path}/comments"), &json!({ "text": "why" })).expect(200);
    service.measure();
    check(
        &scraped(&service),
        &[("approved_requests", 0.0), ("outbox_entries", 1.0), ("outbox_dead_letters", 9.0)],
    );
    service.deliver(&Subscriber { refuses: false });
    service.measure();
    check(&scraped(&service), &[("outbox_entries", 0.0), ("outbox_oldest_age_seconds", 0.0)]);
    // What cannot be measured stays as it was, and the time of the last success tells.
    service.transport.set_plan(|_| Some(Fault::ServerError));
    service.host.advance_milliseconds(60_000);
    assert!(service.try_measure().is_err());
    service.transport.heal();
    let sweep = "sweep_last_success_timestamp_seconds{sweep=\"measurement\"}";
    check(&scraped(&service), &[("pending_requests", 3.0), (sweep, now)]);
}

#[test]
fn every_metric_is_described() {
    let service = Service::start();
    let ann = service.requester("ann");
    Service::approve(&ann, &Service::create(&ann, &Service::medium())).expect_problem(403, "self_approval");
    // What waits is measured by destination: there is one.
    let webhook = json!({ "url": "https://hooks.example.com/" });
    service.person("root", &["admin"]).post("/v1/webhooks", &webhook).expect(201);
    Service::create(&ann, &Service::medium());
    service.deliver(&Subscriber { refuses: false });
    service.measure();
    let text = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `countersign_"));
    let described: BTreeSet<_> = rows
        .map(|row| {
            let mut cells = row.split(" | ");
            let name = cells.next().unwrap().trim_end_matches('`');
            (format!("countersign_{name}"), cells.next().unwrap().to_owned())
        })
        .collect();
    let metrics: BTreeSet<_> = scraped(&service).types.into_iter().collect();
    assert_eq!(metrics, described);
}
