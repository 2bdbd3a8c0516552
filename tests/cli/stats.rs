//! `countersign audit stats`, of a running service.

use crate::Person;
use crate::auditor::Auditor;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_e2e::inspection::{scan, tables};
use countersign_e2e::service::Service;
use serde_json::{Value, json};

#[test]
fn figures_are_shown_with_bars_and_as_json() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    auditor.person.run(&["audit", "stats"]).expect(0, "of the first 0 events in the audit log");
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for day in 1..4 {
        for _ in 0..day {
            let path = Service::create(&ann, &Service::medium());
            service.host.advance_milliseconds(60_000);
            Service::approve(&bob, &path).expect(200);
        }
        service.host.advance_milliseconds(24 * 60 * 60 * 1000);
    }
    let mut body = Service::medium();
    body["estimated_cost"] = json!(12.5);
    let path = Service::create(&ann, &body);
    bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    service.seal().unwrap();
    service.fold().unwrap();
    let range = ["--from", "2026-01-01", "--to", "2026-01-31"];
    let ended = auditor.person.run(&[&["audit", "stats"], range.as_slice()].concat());
    for said in [
        "2026-01-01 to 2026-01-31, by day",
        "requests      7",
        "approved      6",
        "rejection     14.3 % of decisions",
        "bob@example.com  7",
        "answered in   51s on average; 7 approvals and rejections",
        "cost          12.5 estimated, named by 1 of 7 requests",
        "slowest       bob@example.com  51s on average, 7 in all",
        "slow groups   approver  1m on average, 6 in all",
        "2026-01-01  1  ████",
        "events in the audit log",
    ] {
        ended.expect(0, said);
    }
    let bars = |name: &str| {
        let line = ended.stdout.lines().rfind(|line| line.starts_with(name)).unwrap();
        line.chars().filter(|character| *character == '█').count()
    };
    assert_eq!((bars("2026-01-03"), bars("2026-01-01")), (40, 13), "{}", ended.stdout);
    for group in ["user", "operation", "group", "event_type", "event-type"] {
        let ended =
            auditor.person.run(&[&["audit", "stats", "--group-by", group], range.as_slice()].concat());
        match group {
            "user" => ended.expect(0, "ann@example.com  7"),
            "operation" => ended.expect(0, "  7  █"),
            "group" => ended.expect(0, "approver  6  █"),
            "event_type" => ended.expect(0, "APPROVAL_REJECTED         1"),
            _ => ended.expect(2, "--group-by"),
        }
    }
    let ended = auditor.person.run(&[&["audit", "stats", "--json"], range.as_slice()].concat());
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(answer["totals"]["total"], 7);
    let (keys, log) = (auditor.path("jwks.json"), service.log_path());
    for log in [service.base(), log.to_str().unwrap()] {
        let recounted = auditor.person.run(&["audit", "rebuild", "--log", log, "--key", &keys]);
        recounted.expect(0, "equal: the service answers what ");
    }
    auditor.person.run(&["audit", "rebuild", "--log", service.base()]).expect(2, "--key");
    auditor.person.run(&["audit", "rebuild", "--log", service.base(), "--replace"]).expect(2, "--data-dir");
    auditor.person.run(&["audit", "stats", "--from", "soon"]).expect(3, "2026-01-31");
    let guest = Person::at(service.base(), Some(service.token("gus@example.com", &["guest"])));
    guest.run(&["audit", "stats"]).expect(3, "query_audit");
}

/// Figures that were edited in the store are those that the service answers, and not those of its log.
#[test]
fn a_service_that_answers_other_figures_than_its_log_gives_is_found() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    let ann = service.requester("ann");
    for _ in 0..3 {
        Service::create(&ann, &Service::medium());
    }
    service.seal().unwrap();
    service.fold().unwrap();
    let keys = auditor.path("jwks.json");
    let rebuild = || auditor.person.run(&["audit", "rebuild", "--log", service.base(), "--key", &keys]);
    rebuild().expect(0, "equal: the service answers what 3 events of the log give");
    let table = tables().outbox;
    let items = service.block_on(scan(&service.database, &table));
    let day = items.into_iter().find(|item| {
        item["shard"].as_s().is_ok_and(|shard| shard == "figures") && item.contains_key("document")
    });
    let mut day = day.unwrap();
    let document = day["document"].as_s().unwrap().replacen("\"total\":3", "\"total\":4", 1);
    day.insert("document".to_owned(), AttributeValue::S(document));
    service.block_on(service.database.put_item().table_name(&table).set_item(Some(day)).send()).unwrap();
    rebuild().expect(1, "the service answers other figures than its log gives, by day");
}
