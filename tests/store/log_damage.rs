//! Damage of each kind, found by holding a store against its log: what the store alone cannot know of itself.

use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::verify;
use countersign_app::verify_log::{self, LogFinding};
use countersign_core::canonical::CanonicalJson;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_e2e::audit_log::{log_keys, verified};
use countersign_e2e::inspection::{deployment_key, scan, tables};
use countersign_e2e::random::Random;
use countersign_e2e::repetitions::repetitions;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::HashMap;

type Item = HashMap<String, AttributeValue>;

/// A store with a log, in a state that is known to be good.
struct World {
    service: Service,
    audit: Vec<Item>,
    approvals: Vec<Item>,
    /// The requests as they were before their last command.
    earlier: Vec<Item>,
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().unwrap()
}

impl World {
    fn new() -> Self {
        let service = Service::start();
        let ann = service.requester("ann");
        let mut paths = Vec::new();
        for _ in 0..12 {
            let path = Service::create(&ann, &Service::high());
            Service::approve(&service.approver("bob"), &path).expect(200);
            Service::approve(&ann, &path).expect(403);
            paths.push(path);
        }
        let earlier = service.block_on(scan(&service.database, &tables().approvals));
        for path in &paths {
            ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
        }
        service.seal().unwrap();
        let audit = service.block_on(scan(&service.database, &tables().audit));
        let approvals = service.block_on(scan(&service.database, &tables().approvals));
        Self { service, audit, approvals, earlier }
    }

    fn put(&self, table: &str, item: Item) {
        let put = self.service.database.put_item().table_name(table).set_item(Some(item));
        self.service.block_on(put.send()).unwrap();
    }

    fn delete(&self, item: &Item) {
        let key = ["stream", "sequence"].map(|name| (name.to_owned(), item[name].clone())).into();
        let delete = self.service.database.delete_item().table_name(tables().audit).set_key(Some(key));
        self.service.block_on(delete.send()).unwrap();
    }

    fn repair(&self) {
        for item in &self.audit {
            self.put(&tables().audit, item.clone());
        }
        for item in &self.approvals {
            self.put(&tables().approvals, item.clone());
        }
    }

    /// All that is found, as a person is shown it.
    fn findings(&self) -> Vec<String> {
        let database = &self.service.database;
        let store = DynamoStore::new(database.clone(), tables());
        let outbox = DynamoOutbox::new(database.clone(), tables().outbox);
        let key = deployment_key();
        let mut log = verified(&self.service.log_path(), &log_keys()).unwrap();
        let size = log.checkpoint.size;
        self.service.block_on(async {
            let store_alone = verify::all(&self.service.host, &store, &outbox, &key).await.unwrap();
            let compared = verify_log::all(&store, &outbox, &mut log.places, size).await.unwrap();
            let mut findings: Vec<_> =
                store_alone.findings.iter().map(|(id, finding)| format!("store: {id} {finding}")).collect();
            findings.extend(compared.findings.iter().map(|(id, finding)| format!("{id} {finding}")));
            findings.extend(compared.forgotten.iter().map(|index| format!("forgotten {index}")));
            findings.extend(compared.unplaced.iter().map(|index| format!("unplaced {index}")));
            findings
        })
    }
}

/// Another event under the hash that follows from it.
fn rehashed(item: &Item) -> Item {
    let mut event: Value = serde_json::from_str(text(item, "event")).unwrap();
    event.as_object_mut().unwrap().remove("hash");
    event["channel"] = json!("direct");
    event["hash"] = json!(CanonicalJson::of(&event).digest().to_string());
    let mut item = item.clone();
    item.insert("event".to_owned(), AttributeValue::S(CanonicalJson::of(&event).as_str().to_owned()));
    item
}

/// What is done to a store after its events have been logged.
#[test]
fn each_kind_of_damage_is_found_and_nothing_else() {
    let world = World::new();
    assert_eq!(world.findings(), Vec::<String>::new());
    let mut random = Random(11);
    let is_leaf = |item: &Item| text(item, "stream").starts_with("leaf/");
    let (leaves, events): (Vec<_>, Vec<_>) = world.audit.iter().cloned().partition(is_leaf);
    let rounds = repetitions("DAMAGE_ROUNDS", 4);
    for kind in 0..9 {
        for _ in 0..rounds {
            let event = &events[random.below(events.len())];
            let leaf = &leaves[random.below(leaves.len())];
            let named = |item: &Item| text(item, "stream").trim_start_matches("leaf/").to_owned();
            let about = match kind {
                // An event is edited, without its hash and with it.
                0 => {
                    let mut item = event.clone();
                    let edited = text(event, "event").replacen("example.com", "example.org", 1);
                    item.insert("event".to_owned(), AttributeValue::S(edited));
                    world.put(&tables().audit, item);
                    named(event)
                }
                1 => {
                    world.put(&tables().audit, rehashed(event));
                    named(event)
                }
                2 => {
                    world.delete(event);
                    named(event)
                }
                // Two change places.
                3 => {
                    let other = &events[random.below(events.len())];
                    for (item, place) in [(event, other), (other, event)] {
                        let mut item = item.clone();
                        for name in ["stream", "sequence"] {
                            item.insert(name.to_owned(), place[name].clone());
                        }
                        world.put(&tables().audit, item);
                    }
                    if event == other {
                        continue;
                    }
                    named(event)
                }
                // The end of a stream is cut off; of a request, with its head.
                4 => {
                    let stream = text(event, "stream");
                    let of_stream = events.iter().filter(|item| text(item, "stream") == stream);
                    let last =
                        of_stream.max_by_key(|item| item["sequence"].as_n().unwrap().parse::<u64>().unwrap());
                    world.delete(last.unwrap());
                    if let Some(id) = stream.strip_prefix("request/") {
                        let earlier =
                            world.earlier.iter().find(|item| text(item, "request_id") == id).unwrap();
                        world.put(&tables().approvals, earlier.clone());
                    }
                    stream.to_owned()
                }
                // A request is gone with all that happened to it.
                5 => {
                    let stream = text(event, "stream");
                    for item in events.iter().filter(|item| text(item, "stream") == stream) {
                        world.delete(item);
                    }
                    if let Some(id) = stream.strip_prefix("request/") {
                        let key = [("request_id".to_owned(), AttributeValue::S(id.to_owned()))].into();
                        let delete = world
                            .service
                            .database
                            .delete_item()
                            .table_name(tables().approvals)
                            .set_key(Some(key));
                        world.service.block_on(delete.send()).unwrap();
                    }
                    stream.to_owned()
                }
                // The place of an event is gone, is another, or names another event.
                6 => {
                    world.delete(leaf);
                    named(leaf)
                }
                7 => {
                    let mut item = leaf.clone();
                    let index: u64 = leaf["leaf"].as_n().unwrap().parse().unwrap();
                    item.insert("leaf".to_owned(), AttributeValue::N((index + 1).to_string()));
                    world.put(&tables().audit, item);
                    named(leaf)
                }
                _ => {
                    let mut item = leaf.clone();
                    item.insert("hash".to_owned(), AttributeValue::S("0".repeat(64)));
                    world.put(&tables().audit, item);
                    named(leaf)
                }
            };
            let findings = world.findings();
            assert!(!findings.is_empty(), "{kind}: {about} was overlooked");
            let is_of_log = |finding: &String| !finding.starts_with("store: ");
            if ![0, 3].contains(&kind) {
                assert!(findings.iter().any(is_of_log), "{kind}: {about}: {findings:?}");
            }
            world.repair();
        }
        assert_eq!(world.findings(), Vec::<String>::new(), "{kind}");
    }
}

/// What no store can find out by itself: it was rolled back as a whole, or written anew by its own rules.
#[test]
fn a_store_that_is_consistent_in_itself_and_another_than_was_logged_is_found() {
    let world = World::new();
    let before = world.findings();
    assert!(before.is_empty());
    // An event that was never logged, and is not announced.
    let ann = world.service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    assert!(world.findings().is_empty(), "it is on its way");
    for item in world.service.block_on(scan(&world.service.database, &tables().outbox)) {
        if item.contains_key("message") {
            let key = ["shard", "event_id"].map(|name| (name.to_owned(), item[name].clone())).into();
            let delete = world.service.database.delete_item().table_name(tables().outbox).set_key(Some(key));
            world.service.block_on(delete.send()).unwrap();
        }
    }
    let stream = format!("request/{}", Service::id(&path));
    assert_eq!(world.findings(), [format!("{stream} {}", LogFinding::NotLogged(1))]);
}
