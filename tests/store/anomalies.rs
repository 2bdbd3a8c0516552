//! Anomalies: what the log gives is recorded once each, whatever fails, however often the log is looked at, and however many
//! programs look. What is recorded is compared with what one run over all raw events finds.

use aws_sdk_dynamodb::Client;
use countersign_anomalies::fold::AnomalyState;
use countersign_app::anomalies::{AnomalyStore as _, DetectionError, DetectionReport, Detector};
use countersign_app::log_reader::{LogReadError, LogReader};
use countersign_core::audit::AuditEvent;
use countersign_core::caller::Channel;
use countersign_core::canonical::CanonicalJson;
use countersign_dynamodb::store::DynamoStore;
use countersign_e2e::inspection::{deployment_key, scan, tables};
use countersign_e2e::random::Random;
use countersign_e2e::service::Service;
use countersign_e2e::signing::log_key;
use countersign_e2e::transport::Fault;
use serde_json::{Value, json};
use std::time::Duration;

const BUDGET: Duration = Duration::from_secs(60);

async fn detect_with(service: &Service, client: &Client) -> Result<DetectionReport, DetectionError> {
    let store = DynamoStore::new(client.clone(), tables());
    let (keys, key, host) = (log_key(), deployment_key(), service.host.clone());
    let storage = service.log();
    let log = LogReader { storage: &storage, keys: &keys, key: &key };
    Detector { store: &store, log, host: &host, channel: Channel::Local }.detect(BUDGET).await
}

fn detect(service: &Service, client: &Client) -> Result<DetectionReport, DetectionError> {
    service.block_on(detect_with(service, client))
}

/// Requests that come in bursts, are approved at once by the two who ask, and calls that are refused.
fn traffic(service: &Service, random: &mut Random, rounds: usize) {
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for _ in 0..rounds {
        let burst = [1, 3, 14][random.below(3)];
        for _ in 0..burst {
            let path = Service::create(&ann, &Service::medium());
            service.host.advance_milliseconds(random.below(4_000) as i64);
            Service::approve(&bob, &path).expect(200);
            ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
        }
        for _ in 0..[0, 0, 6][random.below(3)] {
            service.requester("dora").get("/v1/audit-logs").expect_problem(403, "not_permitted");
            service.requester("dora").post("/v1/approvals", &json!({ "operation_type": "x" }));
            let path = Service::create(&service.requester("dora"), &Service::medium());
            Service::approve(&service.requester("dora"), &path).expect_problem(403, "self_approval");
            service.requester("dora").post(&format!("{path}/cancel"), &json!({})).expect(200);
        }
        service.host.advance_milliseconds(random.below(20 * 60 * 60 * 1000) as i64);
    }
}

/// The details of each event about something unusual, and of each finding of one run over the events of the log.
fn recorded_and_expected(service: &Service) -> (Vec<String>, Vec<String>) {
    let items = service.block_on(scan(&service.database, &tables().audit));
    let events: Vec<Value> = items
        .iter()
        .filter_map(|item| serde_json::from_str(item.get("event")?.as_s().unwrap()).ok())
        .collect();
    let mut recorded: Vec<_> = events
        .iter()
        .filter(|event| event["event_type"] == "ANOMALY_DETECTED")
        .map(|event| event["details"].to_string())
        .collect();
    recorded.sort();
    let mut places: Vec<(u64, String, u64)> = items
        .iter()
        .filter(|item| item.contains_key("leaf"))
        .map(|item| {
            let number = |name: &str| item[name].as_n().unwrap().parse().unwrap();
            let stream = item["stream"].as_s().unwrap().trim_start_matches("leaf/").to_owned();
            (number("leaf"), stream, number("sequence"))
        })
        .collect();
    places.sort();
    let mut state = AnomalyState::default();
    let mut expected = Vec::new();
    for (_, stream, sequence) in places {
        let is_there = |event: &&Value| event["stream"] == stream && event["sequence"] == sequence;
        let event = events.iter().find(is_there).unwrap();
        let event = AuditEvent::read(&CanonicalJson::of(event)).unwrap();
        expected.extend(
            state
                .add(&event)
                .iter()
                .map(|finding| CanonicalJson::of(&finding.details()).to_value().to_string()),
        );
    }
    expected.sort();
    (recorded, expected)
}

/// Looks until there is nothing more, and compares.
#[track_caller]
fn check(service: &Service) -> usize {
    loop {
        service.seal().unwrap();
        if detect(service, &service.database).unwrap().entries == 0 {
            break;
        }
    }
    let (recorded, expected) = recorded_and_expected(service);
    assert_eq!(recorded, expected);
    recorded.len()
}

#[test]
fn what_is_unusual_is_recorded_once_however_often_the_log_is_looked_at() {
    let service = Service::start();
    assert_eq!(detect(&service, &service.database).unwrap(), DetectionReport::default(), "no log");
    let mut random = Random(1);
    for _ in 0..3 {
        traffic(&service, &mut random, 8);
        check(&service);
    }
    let found = check(&service);
    let items = service.block_on(scan(&service.database, &tables().audit));
    let rules = ["request_burst", "quick_approvals", "refused_attempts"];
    for rule in rules {
        let text = format!("\"rule\":\"{rule}\"");
        let has = |item: &&std::collections::HashMap<_, aws_sdk_dynamodb::types::AttributeValue>| {
            item.get("event").is_some_and(|event| event.as_s().unwrap().contains(&text))
        };
        assert!(items.iter().any(|item| has(&item)), "{rule} of {found}");
    }
}

#[test]
fn nothing_is_recorded_twice_or_lost_where_calls_fail() {
    let service = Service::start();
    let client = countersign_embedded::client(service.transport.clone());
    let mut failures = 0;
    for seed in 0..6 {
        let mut random = Random(seed);
        traffic(&service, &mut random, 4);
        service.seal().unwrap();
        for pass in 0..5 {
            let mut chance = Random(seed * 100 + pass);
            service.transport.set_plan(move |_| {
                (chance.below(3) == 0).then(|| Fault::ALL[chance.below(Fault::ALL.len())])
            });
            let detected = detect(&service, &client);
            failures += usize::from(!detected.is_ok_and(|report| !report.cut_short));
            service.transport.heal();
        }
        check(&service);
    }
    assert!(failures > 10, "{failures}");
}

/// A program that stops at any step, between the event and the cursor too, leaves what the next one goes on with.
#[test]
fn a_program_that_looks_may_stop_at_any_step() {
    let service = Service::start();
    let client = countersign_embedded::client(service.transport.clone());
    let mut random = Random(11);
    for fault in [Fault::Refused, Fault::TimeoutAfter] {
        for step in 0.. {
            traffic(&service, &mut random, 2);
            service.seal().unwrap();
            let mut calls = 0;
            service.transport.set_plan(move |_| {
                calls += 1;
                (calls > step).then_some(fault)
            });
            let detected = detect(&service, &client);
            service.transport.heal();
            if detected.as_ref().is_ok_and(|report| !report.cut_short) {
                break;
            }
            assert!(step < 60, "{fault:?}: {detected:?}");
            check(&service);
        }
    }
}

#[test]
fn programs_that_look_at_once_record_each_finding_once() {
    let service = Service::start();
    let mut random = Random(3);
    for _ in 0..4 {
        traffic(&service, &mut random, 6);
        service.seal().unwrap();
        service.block_on(async {
            let one = || async {
                for _ in 0..5 {
                    // The one that is slower finds out by the cursor, or by the event that is there.
                    let _ = detect_with(&service, &service.database).await;
                    tokio::task::yield_now().await;
                }
            };
            tokio::join!(one(), one(), one());
        });
        check(&service);
    }
}

#[test]
fn a_log_that_was_changed_or_cut_is_not_looked_at() {
    let service = Service::start();
    traffic(&service, &mut Random(2), 3);
    check(&service);
    let cursor = |service: &Service| {
        let store = DynamoStore::new(service.database.clone(), tables());
        service.block_on(store.anomaly_cursor()).unwrap()
    };
    let before = cursor(&service);
    traffic(&service, &mut Random(4), 2);
    service.seal().unwrap();
    let entries = service.log_path().join("tile/entries");
    let partial = std::fs::read_dir(&entries).unwrap().filter_map(Result::ok);
    for directory in partial.filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(directory.path()).unwrap().filter_map(Result::ok) {
            let mut bytes = std::fs::read(file.path()).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::remove_file(file.path()).unwrap();
            std::fs::write(file.path(), bytes).unwrap();
        }
    }
    let detected = detect(&service, &service.database);
    assert!(matches!(detected, Err(DetectionError::Log(LogReadError::Changed(_)))), "{detected:?}");
    assert_eq!(cursor(&service), before);
}

/// The sweep of `serve` does it after sealing, and counts what it found.
#[test]
fn the_sweep_counts_what_it_found() {
    let service = Service::start();
    let ann = service.requester("ann");
    for _ in 0..12 {
        Service::create(&ann, &Service::medium());
    }
    service.seal().unwrap();
    let report = service.detect().unwrap();
    assert_eq!(report.found.values().sum::<u64>(), 1);
    service.host.advance_milliseconds(1_000);
    let auditor = service.person("aud", &["auditor"]);
    let found = auditor.get("/v1/audit-logs?event_type=ANOMALY_DETECTED").expect(200);
    let event = &found["items"][0];
    assert_eq!(event["stream"], "system/anomalies:2026-01/ann@example.com");
    assert_eq!(
        (&event["user"], &event["details"]["rule"]),
        (&json!("system:anomalies"), &json!("request_burst"))
    );
}
