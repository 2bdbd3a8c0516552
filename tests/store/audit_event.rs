//! docs/audit-event.md and its JSON Schema, held against events of every type and against each other.

use crate::readers;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_core::audit::AuditEvent;
use countersign_core::canonical::CanonicalJson;
use countersign_core::event::EventType;
use countersign_core::text_key::TextKey;
use countersign_e2e::inspection::{scan, tables};
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator;

const PAGE: &str = include_str!("../../docs/audit-event.md");
const SCHEMA: &str = include_str!("../../docs/schemas/audit-event.json");

type Names = BTreeSet<String>;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn section(heading: &str) -> &'static str {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    section.split("\n## ").next().unwrap()
}

/// What stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Names {
    names.into_iter().map(str::to_owned).collect()
}

/// The details of each type, by the page: those that are always there, and those that may be.
fn details_of_the_page() -> BTreeMap<String, (Names, Names)> {
    let rows =
        section("Types").lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 5);
    let mut details: BTreeMap<String, (Names, Names)> = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').map(quoted).collect();
        let cell = |place: usize| names(cells[place].iter().copied());
        // A type with several rows always has only what all of them always have.
        let (always, possible) = details.entry(cells[1][0].to_owned()).or_insert((cell(3), cell(4)));
        let alike: Names = always.intersection(&cell(3)).cloned().collect();
        *possible = &(&*always | &*possible) | &(&cell(3) | &cell(4));
        *possible = &*possible - &alike;
        *always = alike;
    }
    details
}

/// An event of every type, as it is stored.
fn events() -> Vec<Value> {
    let service = readers::store();
    let table = tables().approvals;
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    ann.post(&format!("{path}/comments"), &json!({ "text": "soon" })).expect(200);
    let items = service.block_on(scan(&service.database, &table));
    let id = Service::id(&path);
    let whole = items.into_iter().find(|item| item["request_id"].as_s().unwrap() == id).unwrap();
    let put = |item| {
        let put = service.database.put_item().table_name(&table).set_item(Some(item));
        service.block_on(put.send()).unwrap();
    };
    let mut damaged = whole.clone();
    damaged.insert("instance_id".to_owned(), AttributeValue::S("production-db-02".to_owned()));
    put(damaged);
    ann.post(&format!("{path}/execution"), &json!({})).expect_problem(409, "integrity");
    put(whole);
    let bob = service.approver("bob");
    bob.get("/v1/audit-logs").expect_problem(403, "not_permitted");
    service.anonymous().get(&path).expect(401);
    service.host.advance_milliseconds(601_000);
    assert_eq!(service.record_counts(), 1);
    service.person("eve", &["auditor"]).get("/v1/audit-logs?limit=1").expect(200);
    service.host.advance_milliseconds(2 * 24 * 60 * 60 * 1000);
    assert!(service.erase(1).erased > 0);
    let items = service.block_on(scan(&service.database, &tables().audit));
    let events = items.iter().filter_map(|item| item.get("event"));
    events.map(|event| serde_json::from_str(event.as_s().unwrap()).unwrap()).collect()
}

/// Whether each document is valid, by another's implementation of JSON Schema.
fn are_valid(documents: &[Value]) -> Vec<bool> {
    let schema = jsonschema::options().should_validate_formats(true).build(&schema()).unwrap();
    documents.iter().map(|document| schema.is_valid(document)).collect()
}

#[test]
fn the_example_of_the_page_has_the_digest_and_the_hash_that_it_says() {
    let example = section("Example");
    let [text, key, digest, ..] = quoted(example)[..] else { panic!("{example}") };
    assert_eq!(TextKey::parse(key).unwrap().digest(text).to_string(), digest);
    let blocks: Vec<_> = example.split("\n```").skip(1).step_by(2).collect();
    let bytes: String = blocks[0].lines().skip(1).collect();
    let hash = blocks[1].lines().nth(1).unwrap();
    assert!(example.contains(&format!("these {} bytes", bytes.len())), "{}", bytes.len());
    let body = CanonicalJson::from_stored(&bytes).unwrap();
    assert_eq!(body.digest().to_string(), hash);
    let mut document = body.to_value();
    document["hash"] = json!(hash);
    let event = AuditEvent::read(&CanonicalJson::of(&document)).unwrap();
    assert_eq!(event.compute_hash(), event.hash);
    assert_eq!(document["details"]["comment_digest"], digest);
    assert_eq!(are_valid(&[document]), [true]);
}

#[test]
fn events_of_every_type_are_as_page_and_schema_say() {
    let (events, schema) = (events(), schema());
    let types: Names = events.iter().map(|event| event["event_type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(types, EventType::iter().map(|known| known.as_str().to_owned()).collect());
    assert_eq!(are_valid(&events), vec![true; events.len()]);

    let documented = details_of_the_page();
    assert_eq!(documented.keys().cloned().collect::<Names>(), types);
    let members: Names = quoted(section("Members")).into_iter().map(str::to_owned).collect();
    for event in &events {
        for name in event.as_object().unwrap().keys() {
            assert!(members.contains(name) && schema["properties"].get(name).is_some(), "{name}");
        }
        let event_type = event["event_type"].as_str().unwrap();
        let (always, possible) = &documented[event_type];
        let details: Names = event["details"].as_object().unwrap().keys().cloned().collect();
        assert!(always.is_subset(&details), "{event_type}: {details:?}");
        let all = always | possible;
        assert!(details.is_subset(&all), "{event_type}: {details:?}");
        let definition = &schema["$defs"][event_type];
        let required = definition["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        assert_eq!(&names(required), always, "{event_type}");
        let properties = definition["properties"].as_object().unwrap().keys();
        assert_eq!(properties.cloned().collect::<Names>(), all, "{event_type}");
    }
}

#[test]
fn the_schema_lets_in_what_is_not_known_and_nothing_that_is_wrong() {
    let events = events();
    let of_type = |name: &str| events.iter().find(|event| event["event_type"] == name).unwrap().clone();
    let edited = |name: &str, edit: &dyn Fn(&mut Value)| {
        let mut event = of_type(name);
        edit(&mut event);
        event
    };
    let granted = |edit: &dyn Fn(&mut Value)| edited("APPROVAL_GRANTED", edit);
    let valid = [
        granted(&|event| event["weight"] = json!({ "kilograms": [1, 2] })),
        granted(&|event| event["details"]["weight"] = json!(1)),
        granted(&|event| event["event_type"] = json!("KEY_ROTATED")),
    ];
    assert_eq!(are_valid(&valid), [true; 3]);
    let invalid = [
        granted(&|event| event["weight"] = json!({ "kilograms": [0.5] })),
        granted(&|event| event["details"]["weight"] = json!(0.5)),
        granted(&|event| event["details"]["weight"] = json!(9_007_199_254_740_992_u64)),
        granted(&|event| event["source_ip"] = Value::Null),
        granted(&|event| event["format"] = json!("countersign.audit.v2")),
        granted(&|event| event["stream"] = json!("board/1")),
        granted(&|event| event["stream"] = json!("system/1")),
        granted(&|event| event["details"] = json!({})),
        granted(&|event| {
            event.as_object_mut().unwrap().remove("status");
        }),
        edited("ANOMALY_DETECTED", &|event| event["status"] = json!("pending")),
        edited("EXECUTION_SUCCEEDED", &|event| event["details"]["actual_cost"] = json!(12)),
    ];
    assert_eq!(are_valid(&invalid), [false; 11]);
}
