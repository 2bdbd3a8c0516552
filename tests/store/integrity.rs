//! What happens to a request when something else than this deployment writes into its store: THREATS
//! 34, 35, 41 and 60.
//!
//! Each edit is taken back after it was found, so that the inspection at the end finds a whole store.

use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::host::Clock as _;
use countersign_app::ports::{LoadEvents, LoadRequest, Publish, PublishError, StoreError, Trail};
use countersign_app::verify::{self, Published, Verification};
use countersign_core::audit::Stream;
use countersign_core::canonical::CanonicalJson;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::RequestId;
use countersign_core::policy::PolicyText;
use countersign_core::request::Request;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_e2e::client::Client;
use countersign_e2e::inspection::{replace_attribute, scan, tables};
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;

type Item = HashMap<String, AttributeValue>;

/// The key that the harness starts services with.
fn key() -> DeploymentKey {
    DeploymentKey::new([9; 32])
}

fn store(service: &Service) -> (DynamoStore, DynamoOutbox) {
    let outbox = DynamoOutbox::new(service.database.clone(), tables().outbox);
    (DynamoStore::new(service.database.clone(), tables()), outbox)
}

fn verify_all(service: &Service) -> Verification {
    let (store, outbox) = store(service);
    service.block_on(verify::all(&service.host, &store, &outbox, &key())).unwrap()
}

fn put(service: &Service, table: &str, item: &Item) {
    let put = service.database.put_item().table_name(table).set_item(Some(item.clone()));
    service.block_on(put.send()).unwrap();
}

fn items(service: &Service, table: &str) -> Vec<Item> {
    service.block_on(scan(&service.database, table))
}

fn delete(service: &Service, table: &str, item: &Item, keys: &[&str]) {
    let key = keys.iter().map(|name| ((*name).to_owned(), item[*name].clone())).collect();
    service.block_on(service.database.delete_item().table_name(table).set_key(Some(key)).send()).unwrap();
}

/// A request with a decision, a withdrawal, comments and keys, approved and not started.
fn approved(service: &Service) -> (Client, String) {
    let ann = service.requester("ann");
    let body = json!({
        "operation_type": "modify_instance_class",
        "instance_id": "production-db-01",
        "parameters": { "target_instance_class": "db.r6g.xlarge" },
        "environment": "production",
        "justification": "CPU has been at 95 % since Monday",
        "estimated_cost": 250.5,
        "estimated_duration": "15 minutes",
        "ticket": "OPS-1234",
        "rollback_plan": "Change it back",
    });
    let created = ann.post_with_key("/v1/approvals", &body, "make").expect(201);
    let path = format!("/v1/approvals/{}", created["request_id"].as_str().unwrap());
    let approve = |name: &str, text: &str| {
        let body = json!({ "comments": text, "content_digest": created["content_digest"] });
        service.approver(name).post_with_key(&format!("{path}/approve"), &body, name).expect(200)
    };
    approve("bob", "agreed");
    approve("cy", "agreed as well");
    service.approver("cy").post(&format!("{path}/withdraw"), &json!({ "reason": "too early" })).expect(200);
    service.approver("cy").post(&format!("{path}/comments"), &json!({ "text": "later" })).expect(200);
    approve("dan", "now");
    (ann, path)
}

/// Every other value of this one that is still of its type: each element, each member, each text and
/// number changed by itself, and each left out.
fn edits(value: &AttributeValue) -> Vec<AttributeValue> {
    match value {
        AttributeValue::S(text) => texts(text).into_iter().map(AttributeValue::S).collect(),
        AttributeValue::N(number) => {
            vec![AttributeValue::N((number.parse::<f64>().unwrap() + 1.0).to_string())]
        }
        AttributeValue::Bool(is) => vec![AttributeValue::Bool(!is)],
        AttributeValue::L(elements) => {
            let mut edited = Vec::new();
            for (place, element) in elements.iter().enumerate() {
                for other in edits(element) {
                    let mut list = elements.clone();
                    list[place] = other;
                    edited.push(AttributeValue::L(list));
                }
                let mut list = elements.clone();
                list.remove(place);
                edited.push(AttributeValue::L(list));
            }
            if elements.len() > 1 {
                edited.push(AttributeValue::L(elements.iter().rev().cloned().collect()));
            }
            edited
        }
        AttributeValue::M(members) => edited_items(members).into_iter().map(AttributeValue::M).collect(),
        other => panic!("no item holds {other:?}"),
    }
}

fn edited_items(item: &Item) -> Vec<Item> {
    let mut edited = Vec::new();
    for (name, value) in item {
        for other in edits(value) {
            let mut item = item.clone();
            item.insert(name.clone(), other);
            edited.push(item);
        }
        let mut item = item.clone();
        item.remove(name);
        edited.push(item);
    }
    edited
}

/// Another text of the same kind: another digit of a time, a digest or an id, another letter of a name;
/// or another name of the closed set that it is from.
fn texts(text: &str) -> Vec<String> {
    let sets: [&[&str]; 3] = [
        &["pending", "approved", "executing", "rejected", "cancelled", "executed"],
        &["low", "medium", "high"],
        &["production", "non-production"],
    ];
    if let Some(set) = sets.into_iter().find(|set| set.contains(&text)) {
        return set.iter().filter(|other| **other != text).map(|other| (*other).to_owned()).collect();
    }
    let Some(place) = text.rfind(|c: char| c.is_ascii_alphanumeric()) else { return Vec::new() };
    let other = match &text[place..=place] {
        "0" => "1",
        "a" => "b",
        digit if digit.parse::<u8>().is_ok() => "0",
        _ => "a",
    };
    vec![format!("{}{other}{}", &text[..place], &text[place + 1..])]
}

/// The start is refused, the check of the store names the request, and nothing of it has changed.
#[track_caller]
fn is_found(service: &Service, requester: &Client, path: &str, edit: &str) {
    let answer = requester.post(&format!("{path}/execution"), &json!({}));
    assert_eq!(
        (answer.status, answer.body["code"].as_str()),
        (409, Some("integrity")),
        "{edit}: {}",
        answer.body
    );
    let id = RequestId::parse(Service::id(path)).unwrap();
    let (store, _) = store(service);
    let finding = service.block_on(verify::request(&service.host, &store, &key(), id)).unwrap();
    assert!(finding.is_some(), "{edit}: verify finds nothing");
}

#[test]
fn every_attribute_of_a_request_that_is_edited_is_found_at_the_start() {
    let service = Service::start();
    let (ann, path) = approved(&service);
    let table = tables().approvals;
    let item = items(&service, &table).remove(0);
    let mut count = 0;
    for edited in edited_items(&item) {
        // Under another id it is another request.
        if edited.get("request_id") != item.get("request_id") {
            continue;
        }
        put(&service, &table, &edited);
        let changed: Vec<_> = item.keys().filter(|name| item.get(*name) != edited.get(*name)).collect();
        is_found(&service, &ann, &path, &format!("{changed:?}"));
        count += 1;
    }
    assert!(count > 120, "only {count} edits were tried");
    put(&service, &table, &item);
    assert_eq!(verify_all(&service).findings, []);
    ann.post(&format!("{path}/execution"), &json!({})).expect(200);
}

#[test]
fn a_claim_is_no_damage_and_what_only_looks_like_one_is() {
    let service = Service::start();
    let (_, path) = approved(&service);
    let open = Service::create(&service.requester("ann"), &Service::high());
    let bob = service.approver("bob");
    bob.post(&format!("{open}/claim"), &json!({})).expect(200);
    assert_eq!(verify_all(&service).findings, []);
    let table = tables().approvals;
    let is_hold = |item: &Item| item["request_id"].as_s().unwrap().starts_with("hold#");
    let hold = items(&service, &table).into_iter().find(is_hold).unwrap();
    let mut forged = hold.clone();
    forged.insert("format".to_owned(), AttributeValue::S("countersign.hold.v2".to_owned()));
    put(&service, &table, &forged);
    assert_eq!(verify_all(&service).findings.len(), 1);
    // A hint that cannot be read hides no request.
    assert_eq!(bob.get(&open).expect(200)["hold"], Value::Null);
    put(&service, &table, &hold);
    assert_eq!(bob.get(&open).expect(200)["hold"]["by"], "bob@example.com");
    assert_eq!(bob.get(&path).expect(200)["hold"], Value::Null);
}

#[test]
fn every_edit_of_an_event_is_found_at_the_start_even_with_a_hash_of_its_own() {
    let service = Service::start();
    let (ann, path) = approved(&service);
    let table = tables().audit;
    for item in items(&service, &table) {
        let AttributeValue::S(text) = &item["event"] else { panic!("an event is text") };
        let event: Value = serde_json::from_str(text).unwrap();
        for edited in edited_events(&event) {
            for with_hash in [false, true] {
                let document = if with_hash { hashed(&edited) } else { CanonicalJson::of(&edited) };
                let mut forged = item.clone();
                forged.insert("event".to_owned(), AttributeValue::S(document.as_str().to_owned()));
                put(&service, &table, &forged);
                is_found(&service, &ann, &path, &format!("{edited}"));
            }
        }
        for copy in ["event_id"] {
            for other in edits(&item[copy]) {
                let mut forged = item.clone();
                forged.insert(copy.to_owned(), other);
                put(&service, &table, &forged);
                is_found(&service, &ann, &path, copy);
            }
        }
        put(&service, &table, &item);
        delete(&service, &table, &item, &["stream", "sequence"]);
        is_found(&service, &ann, &path, "an event is missing");
        put(&service, &table, &item);
    }
    assert_eq!(verify_all(&service).findings, []);
}

/// An event with each of its members, and of its details, changed by itself.
fn edited_events(event: &Value) -> Vec<Value> {
    let mut edited = Vec::new();
    for (name, value) in event.as_object().unwrap() {
        if name == "hash" {
            continue;
        }
        for other in edited_values(value) {
            let mut event = event.clone();
            event[name] = other;
            edited.push(event);
        }
    }
    edited
}

fn edited_values(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => texts(text).into_iter().map(Value::String).collect(),
        Value::Number(number) => vec![json!(number.as_f64().unwrap() + 1.0)],
        Value::Bool(is) => vec![json!(!is)],
        Value::Array(elements) if elements.is_empty() => vec![json!(["another"])],
        Value::Array(elements) => vec![json!(elements[1..])],
        Value::Object(members) => {
            let mut edited = Vec::new();
            for (name, member) in members {
                for other in edited_values(member) {
                    let mut value = value.clone();
                    value[name] = other;
                    edited.push(value);
                }
                let mut value = value.clone();
                value.as_object_mut().unwrap().remove(name);
                edited.push(value);
            }
            edited
        }
        Value::Null => Vec::new(),
    }
}

fn hashed(event: &Value) -> CanonicalJson {
    let mut event = event.clone();
    event.as_object_mut().unwrap().remove("hash");
    event["hash"] = json!(CanonicalJson::of(&event).digest().to_string());
    CanonicalJson::of(&event)
}

#[test]
fn every_edit_of_a_message_is_found_by_the_check_of_the_store() {
    let service = Service::start();
    approved(&service);
    let table = tables().outbox;
    for item in items(&service, &table) {
        for name in ["message", "seal"] {
            for other in edits(&item[name]) {
                let mut edited = item.clone();
                edited.insert(name.to_owned(), other);
                put(&service, &table, &edited);
                assert_eq!(verify_all(&service).findings.len(), 1, "{name}");
            }
        }
        let AttributeValue::S(text) = &item["message"] else { panic!("a message is text") };
        let message: Value = serde_json::from_str(text).unwrap();
        for edited in edited_values(&message) {
            let mut forged = item.clone();
            forged.insert("message".to_owned(), AttributeValue::S(edited.to_string()));
            put(&service, &table, &forged);
            assert_eq!(verify_all(&service).findings.len(), 1, "{edited}");
        }
        put(&service, &table, &item);
        // The same message in another partition.
        let mut moved = item.clone();
        let AttributeValue::S(shard) = &item["shard"] else { panic!("a shard is text") };
        let other = if shard == "0" { "1" } else { "0" };
        moved.insert("shard".to_owned(), AttributeValue::S(other.to_owned()));
        put(&service, &table, &moved);
        assert_eq!(verify_all(&service).findings.len(), 1, "moved");
        delete(&service, &table, &moved, &["shard", "event_id"]);
    }
    assert_eq!(verify_all(&service).findings, []);
}

/// The whole request with its whole trail, as this deployment wrote it some events ago: nothing in the
/// store can tell. What was published can, and the policy of a restored store lets nothing count.
#[test]
fn a_request_that_is_rolled_back_with_its_trail_is_found_against_what_was_published() {
    let service = Service::start();
    let (ann, path) = approved(&service);
    let tables = tables();
    let before: Vec<_> =
        [&tables.approvals, &tables.audit].map(|table| (table, items(&service, table))).into_iter().collect();
    Service::started(&ann, &path);
    let published: Vec<Published> = ann.get(&format!("{path}/events")).expect(200)["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| Published {
            request_id: RequestId::parse(event["request_id"].as_str().unwrap()).unwrap(),
            sequence: event["sequence"].as_u64().unwrap(),
            hash: event["hash"].as_str().unwrap().to_owned(),
        })
        .collect();
    let after: Vec<_> =
        [&tables.approvals, &tables.audit].map(|table| (table, items(&service, table))).into_iter().collect();
    for (table, items) in &before {
        for item in items {
            put(&service, table, item);
        }
    }
    let last = after[1].1.iter().max_by_key(|item| item["sequence"].as_n().unwrap().parse::<u64>().unwrap());
    delete(&service, &tables.audit, last.unwrap(), &["stream", "sequence"]);
    let (store, _) = store(&service);
    let mut verification = Verification::default();
    service.block_on(verification.check_published(&store, &published)).unwrap();
    assert_eq!(verification.findings.len(), 1);
    assert!(verification.findings[0].1.to_string().contains("was published"), "{:?}", verification.findings);

    for (table, items) in &after {
        for item in items {
            put(&service, table, item);
        }
    }
    let mut verification = Verification::default();
    service.block_on(verification.check_published(&store, &published)).unwrap();
    assert_eq!(verification.findings, []);
}

/// The damage of a request is recorded once, published, and the record verifies.
#[test]
fn damage_is_an_event_once_for_each_request() {
    let service = Service::start();
    let (ann, path) = approved(&service);
    let table = tables().approvals;
    let item = items(&service, &table).remove(0);
    let mut edited = item.clone();
    edited.insert("instance_id".to_owned(), AttributeValue::S("production-db-02".to_owned()));
    put(&service, &table, &edited);
    for _ in 0..3 {
        is_found(&service, &ann, &path, "instance_id");
    }
    let approver = service.approver("eve");
    approver.post(&format!("{path}/approve"), &json!({})).expect_problem(409, "integrity");
    let anomalies: Vec<_> = items(&service, &tables().audit)
        .into_iter()
        .filter(|item| item["stream"].as_s().unwrap().starts_with("system/integrity:"))
        .collect();
    assert_eq!(anomalies.len(), 1);
    let event: Value = serde_json::from_str(anomalies[0]["event"].as_s().unwrap()).unwrap();
    assert_eq!(event["event_type"], "ANOMALY_DETECTED");
    assert_eq!(event["user"], "ann@example.com");
    assert_eq!(event["details"]["request_id"], Service::id(&path));
    assert_eq!(hashed(&event).as_str(), anomalies[0]["event"].as_s().unwrap());
    let messages = items(&service, &tables().outbox);
    let told = messages.iter().filter(|item| item["message"].as_s().unwrap().contains("ANOMALY_DETECTED"));
    assert_eq!(told.count(), 1);
    put(&service, &table, &item);
    assert!(service.host.now() > countersign_core::timestamp::Timestamp::EARLIEST);
}

/// A creation that meets damage under another address of its sender names the damaged request.
#[test]
fn damage_that_a_retry_by_another_address_meets_is_recorded_under_the_damaged_request() {
    let people = |joined: &str| {
        let bundled = countersign_policy::load::BUNDLED;
        let people = format!("{}\n{joined}\n", bundled.people);
        let text = PolicyText { people: &people, ..bundled };
        countersign_policy::load::check(&text).unwrap().0
    };
    let service = Service::under(people(""));
    let first = service.person("annabel", &["developer"]);
    let made = first.post_with_key("/v1/approvals", &Service::medium(), "k").expect(201);
    let id = made["request_id"].as_str().unwrap();
    let replace = |value| service.block_on(replace_attribute(&service.database, id, "instance_id", value));
    let before = replace(Some(AttributeValue::S("other-db".to_owned())));
    let joined = "[people.\"ann@example.com\"]\naddresses = [\"annabel@example.com\"]";
    let later = service.again_under(people(joined));
    let retry = later.person("ann", &["developer"]).post_with_key("/v1/approvals", &Service::medium(), "k");
    retry.expect_problem(409, "integrity");
    let streams: Vec<_> =
        items(&service, &tables().audit).iter().map(|item| item["stream"].as_s().unwrap().clone()).collect();
    assert!(streams.contains(&format!("system/integrity:{id}")), "{streams:?}");
    assert_eq!(streams.iter().filter(|stream| stream.starts_with("system/")).count(), 1);
    replace(before);
}

/// A store to which a command comes between the read of a request and the read of its trail.
struct Busy<'a> {
    store: DynamoStore,
    between: Mutex<Vec<Box<dyn FnOnce() + Send + 'a>>>,
}

impl LoadRequest for Busy<'_> {
    async fn load(&self, id: RequestId) -> Result<Option<Request>, StoreError> {
        self.store.load(id).await
    }
}

impl LoadEvents for Busy<'_> {
    async fn load_stream(&self, stream: &Stream) -> Result<Trail, StoreError> {
        let command = self.between.lock().unwrap().pop();
        if let Some(command) = command {
            std::thread::scope(|scope| scope.spawn(command).join()).unwrap();
        }
        self.store.load_stream(stream).await
    }
}

#[test]
fn a_command_between_the_reads_of_a_verification_is_no_finding() {
    let service = Service::start();
    let (_, path) = approved(&service);
    let id = RequestId::parse(Service::id(&path)).unwrap();
    let comment = || {
        let (client, path) = (service.approver("dan"), format!("{path}/comments"));
        move || drop(client.post(&path, &json!({ "text": "meanwhile" })).expect(200))
    };
    let between: Vec<Box<dyn FnOnce() + Send>> = vec![Box::new(comment()), Box::new(comment())];
    let busy = Busy { store: store(&service).0, between: Mutex::new(between) };
    assert_eq!(service.block_on(verify::request(&service.host, &busy, &key(), id)).unwrap(), None);
    assert!(busy.between.lock().unwrap().is_empty());
}

/// What a torn backup leaves: a request as it was an event ago, with the whole trail. No command waits for
/// the other half, and stopping is refused like the rest, for a reason.
#[test]
fn a_request_that_stands_behind_its_trail_is_damaged_for_every_command() {
    for (command, body) in [
        ("approve", json!({})),
        ("reject", json!({ "reason": "no" })),
        ("comments", json!({ "text": "hm" })),
        ("cancel", json!({})),
    ] {
        let service = Service::start();
        let path = Service::create(&service.requester("ann"), &Service::high());
        let table = tables().approvals;
        let before = items(&service, &table).remove(0);
        service.approver("bob").post(&format!("{path}/comments"), &json!({ "text": "first" })).expect(200);
        let after = items(&service, &table).remove(0);
        put(&service, &table, &before);
        let caller = if command == "cancel" { service.requester("ann") } else { service.approver("cy") };
        caller.post(&format!("{path}/{command}"), &body).expect_problem(409, "integrity");
        let anomalies = items(&service, &tables().audit);
        let is_anomaly = |item: &&Item| item["stream"].as_s().unwrap().starts_with("system/integrity:");
        assert_eq!(anomalies.iter().filter(is_anomaly).count(), 1, "{command}");
        put(&service, &table, &after);
        caller.post(&format!("{path}/{command}"), &body).expect(200);
    }
}

#[test]
fn a_creation_whose_place_is_damaged_says_so() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = ann.post_with_key("/v1/approvals", &Service::medium(), "k").expect(201);
    let tables = tables();
    let request = items(&service, &tables.approvals).remove(0);
    delete(&service, &tables.approvals, &request, &["request_id"]);
    let again = || ann.post_with_key("/v1/approvals", &Service::medium(), "k");
    again().expect_problem(409, "integrity");
    put(&service, &tables.approvals, &request);
    assert_eq!(again().expect(200)["request_id"], path["request_id"]);
    // Without its first event.
    service.approver("bob").post(
        &format!("/v1/approvals/{}/comments", path["request_id"].as_str().unwrap()),
        &json!({ "text": "hm" }),
    );
    let first = items(&service, &tables.audit)
        .into_iter()
        .find(|item| {
            item["sequence"].as_n().unwrap() == "1" && item["stream"].as_s().unwrap().starts_with("request/")
        })
        .unwrap();
    delete(&service, &tables.audit, &first, &["stream", "sequence"]);
    again().expect_problem(409, "integrity");
    put(&service, &tables.audit, &first);
    assert_eq!(again().expect(200)["request_id"], path["request_id"]);
}

/// A subscriber that takes whatever comes.
struct Everything;

impl Publish for Everything {
    async fn publish(&self, _: &CloudEvent) -> Result<(), PublishError> {
        Ok(())
    }
}

#[test]
fn a_message_that_this_deployment_did_not_write_is_not_delivered() {
    let service = Service::start();
    Service::create(&service.requester("ann"), &Service::high());
    let table = tables().outbox;
    let entry = items(&service, &table).remove(0);
    let mut forged = entry.clone();
    let message = entry["message"].as_s().unwrap().replace("APPROVAL_REQUEST_CREATED", "APPROVAL_GRANTED");
    assert_ne!(entry["message"].as_s().unwrap(), &message);
    forged.insert("message".to_owned(), AttributeValue::S(message));
    put(&service, &table, &forged);
    let report = service.deliver(&Everything);
    assert_eq!((report.published, report.dead_lettered), (0, 1));
    let dead = items(&service, &table).remove(0);
    delete(&service, &table, &dead, &["shard", "event_id"]);
    put(&service, &table, &entry);
}

/// An event in the place of the anomaly's would keep the anomaly from being recorded.
#[test]
fn an_event_of_no_stream_of_ours_is_a_finding() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let table = tables().audit;
    for (stream, event) in [
        (format!("system/integrity:{}", Service::id(&path)), "{}"),
        ("system/other".to_owned(), "{}"),
        ("elsewhere".to_owned(), "nonsense"),
    ] {
        let item = Item::from([
            ("stream".to_owned(), AttributeValue::S(stream.clone())),
            ("sequence".to_owned(), AttributeValue::N("1".to_owned())),
            ("event_id".to_owned(), AttributeValue::S("0".to_owned())),
            ("event".to_owned(), AttributeValue::S(event.to_owned())),
        ]);
        put(&service, &table, &item);
        let findings = verify_all(&service).findings;
        assert_eq!(findings.len(), 1, "{stream}: {findings:?}");
        assert_eq!(findings[0].0, stream);
        delete(&service, &table, &item, &["stream", "sequence"]);
    }
}
