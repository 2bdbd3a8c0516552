//! The audit log: each event is an entry of one tree, exactly once and in the order of its stream, whatever fails and
//! however many sealers there are; and nothing more is signed where log and store do not belong together.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::log::{LogIndex as _, Scan};
use countersign_app::ports::{Outbox as _, OutboxKey, Publish, PublishError};
use countersign_app::seal::{SealError, SealReport};
use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::key::{KeyStatus, PrivateKey, Purpose};
use countersign_audit::tile::{Content, Tile, entries_of, push_entry};
use countersign_audit::tree::leaf_hash;
use countersign_core::audit::Stream;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::ids::RequestId;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_e2e::audit_log::{log_keys, verified};
use countersign_e2e::inspection::{self, scan, tables};
use countersign_e2e::service::Service;
use countersign_e2e::signing::log_key;
use countersign_e2e::transport::Fault;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// An event by its stream and its place in it.
type Place = (String, u64);

/// The events of a log in its order, after all of it has been checked.
fn logged(path: &Path) -> Vec<Place> {
    verified(path, &log_keys()).unwrap().events
}

fn items_of(service: &Service, table: &str) -> Vec<std::collections::HashMap<String, AttributeValue>> {
    service.block_on(scan(&service.database, table))
}

/// All events of the store, and its leaves with their places in the log.
fn stored(service: &Service) -> (BTreeSet<Place>, BTreeMap<u64, Place>) {
    let (mut events, mut leaves) = (BTreeSet::new(), BTreeMap::new());
    for item in items_of(service, &tables().audit) {
        let stream = item["stream"].as_s().unwrap();
        let number = |name: &str| item[name].as_n().unwrap().parse::<u64>().unwrap();
        match stream.strip_prefix("leaf/") {
            None => assert!(events.insert((stream.clone(), number("sequence")))),
            Some(stream) => {
                let place = (stream.to_owned(), number("sequence"));
                assert_eq!(leaves.insert(number("leaf"), place), None, "two leaves in one place");
            }
        }
    }
    (events, leaves)
}

/// That every event of the store is in the log exactly once, with a leaf that says where.
#[track_caller]
pub(crate) fn check(service: &Service) -> usize {
    let (events, leaves) = stored(service);
    let logged = logged(&service.log_path());
    assert_eq!(leaves.into_values().collect::<Vec<_>>(), logged, "leaves and log");
    assert_eq!(logged.iter().cloned().collect::<BTreeSet<_>>(), events, "events and log");
    assert_eq!(logged.len(), events.len());
    logged.len()
}

/// Writes some events of each kind.
pub(crate) fn write(service: &Service, times: usize) {
    let ann = service.requester("ann");
    for _ in 0..times {
        let path = Service::create(&ann, &Service::medium());
        Service::approve(&ann, &path).expect(403);
        Service::approve(&service.approver("bob"), &path).expect(200);
        ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    }
    service.person("aud", &["auditor"]).get("/v1/audit-logs?limit=1").expect(200);
}

/// Takes everything.
struct Taken;

impl Publish for Taken {
    async fn publish(&self, _: &CloudEvent) -> Result<(), PublishError> {
        Ok(())
    }
}

#[test]
fn every_event_becomes_an_entry_once_and_in_order() {
    let service = Service::start();
    let report = service.seal().unwrap();
    assert_eq!(report, SealReport::default());
    assert!(!service.log_path().join("checkpoint").exists(), "no event, no log");
    for times in [1, 30, 90] {
        write(&service, times);
        let report = service.seal().unwrap();
        assert!(report.logged > times && report.refused.is_empty() && report.unplaced == 0, "{report:?}");
        check(&service);
        let checkpoint = fs::read(service.log_path().join("checkpoint")).unwrap();
        assert_eq!(service.seal().unwrap(), SealReport::default());
        assert_eq!(fs::read(service.log_path().join("checkpoint")).unwrap(), checkpoint);
    }
    assert!(check(&service) > 256, "more than one tile");
    // What a full tile has is nowhere else.
    assert!(service.log_path().join("tile/entries/000").exists());
    assert!(!service.log_path().join("tile/entries/000.p").exists());
}

/// Marks an entry as settled in one way, then in the other.
#[test]
fn an_entry_is_gone_when_it_is_both_published_and_logged() {
    for log_first in [true, false] {
        let service = Service::start();
        write(&service, 3);
        let waits = || {
            items_of(&service, &tables().outbox).iter().filter(|item| item.contains_key("message")).count()
        };
        let all = waits();
        let backlog = || {
            let outbox = DynamoOutbox::new(service.database.clone(), tables().outbox);
            service.block_on(outbox.backlog()).unwrap()
        };
        assert!(backlog().oldest.is_some() && backlog().unlogged.is_some());
        if log_first {
            service.seal().unwrap();
            assert!(backlog().oldest.is_some() && backlog().unlogged.is_none());
        } else {
            assert_eq!(service.deliver(&Taken).published, all);
            assert!(backlog().oldest.is_none() && backlog().unlogged.is_some());
            assert_eq!(service.deliver(&Taken).published, 0, "published is not published again");
        }
        assert_eq!(waits(), all, "it waits for the other");
        if log_first {
            assert_eq!(service.deliver(&Taken).published, all);
        } else {
            service.seal().unwrap();
        }
        assert_eq!(waits(), 0);
        let recorded = items_of(&service, &tables().outbox);
        assert!(recorded.iter().all(|item| item["shard"].as_s().unwrap() != "recorded"), "{recorded:?}");
        check(&service);
    }
}

#[test]
fn a_dead_letter_is_logged_and_waits_for_its_delivery() {
    let service = Service::start();
    write(&service, 1);
    let outbox = DynamoOutbox::new(service.database.clone(), tables().outbox);
    let keys: Vec<OutboxKey> = items_of(&service, &tables().outbox)
        .iter()
        .filter(|item| item.contains_key("message"))
        .map(|item| OutboxKey {
            shard: item["shard"].as_s().unwrap().clone(),
            event_id: item["event_id"].as_s().unwrap().clone(),
        })
        .collect();
    for key in &keys {
        service.block_on(outbox.dead_letter(key)).unwrap();
    }
    service.seal().unwrap();
    check(&service);
    let dead = service.block_on(outbox.dead(None)).unwrap().entries;
    assert_eq!(dead.len(), keys.len());
    // Put back, it is known to be logged, and is gone with its delivery.
    for entry in dead {
        assert!(service.block_on(outbox.redrive(entry.event.unwrap().notice.event_id())).unwrap());
    }
    assert_eq!(service.deliver(&Taken).published, keys.len());
    assert!(items_of(&service, &tables().outbox).iter().all(|item| !item.contains_key("message")));
}

#[test]
fn an_entry_that_is_lost_is_made_up_for_by_the_next_of_its_stream() {
    let service = Service::start();
    service.seal().unwrap();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    delete_outbox(&service);
    assert_eq!(service.seal().unwrap().logged, 0, "no entry names it");
    ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    assert_eq!(service.seal().unwrap().logged, 2);
    check(&service);
}

fn delete(
    client: &Client,
    service: &Service,
    table: &str,
    item: &std::collections::HashMap<String, AttributeValue>,
    names: [&str; 2],
) {
    let key = names.map(|name| (name.to_owned(), item[name].clone())).into();
    service.block_on(client.delete_item().table_name(table).set_key(Some(key)).send()).unwrap();
}

fn delete_outbox(service: &Service) {
    for item in items_of(service, &tables().outbox) {
        if ["0", "1", "2", "3", "recorded"].contains(&item["shard"].as_s().unwrap().as_str()) {
            delete(&service.database, service, &tables().outbox, &item, ["shard", "event_id"]);
        }
    }
}

#[test]
fn events_from_before_the_log_are_logged_by_the_first_pass() {
    let service = Service::start();
    write(&service, 150);
    delete_outbox(&service);
    // It may end anywhere, and goes on there.
    let mut passes = 0;
    loop {
        passes += 1;
        assert!(passes < 500);
        let mut calls = 0;
        service.transport.set_plan(move |_| {
            calls += 1;
            (calls > 150).then_some(Fault::Refused)
        });
        let sealed = service.seal();
        service.transport.heal();
        if sealed.is_ok() {
            break;
        }
    }
    assert!(passes > 2, "{passes}");
    assert!(check(&service) > 450);
    let store = DynamoStore::new(service.database.clone(), tables());
    assert_eq!(service.block_on(store.log_head()).unwrap().unwrap().scan, Scan::Done);
}

/// Replaces an attribute of an event, past every rule.
fn damage(service: &Service, stream: &str, sequence: u64, change: impl Fn(&str) -> String) {
    let items = items_of(service, &tables().audit);
    let is_it = |item: &&std::collections::HashMap<_, AttributeValue>| {
        item["stream"].as_s().unwrap() == stream && *item["sequence"].as_n().unwrap() == sequence.to_string()
    };
    let mut item = items.iter().find(is_it).unwrap().clone();
    let event = change(item["event"].as_s().unwrap());
    item.insert("event".to_owned(), AttributeValue::S(event));
    let put = service.database.put_item().table_name(&tables().audit).set_item(Some(item));
    service.block_on(put.send()).unwrap();
}

/// Fixes an edited event with its hash, as one does who can write to the store.
fn rehashed(event: &str, from: &str, to: &str) -> String {
    let mut event: serde_json::Value = serde_json::from_str(&event.replace(from, to)).unwrap();
    event.as_object_mut().unwrap().remove("hash");
    let hash = countersign_core::canonical::CanonicalJson::of(&event).digest().to_string();
    event["hash"] = json!(hash);
    countersign_core::canonical::CanonicalJson::of(&event).as_str().to_owned()
}

/// An event that was edited before it was logged.
#[test]
fn an_event_that_does_not_verify_is_not_logged_and_holds_up_no_other_stream() {
    type Damage = fn(&str) -> String;
    let edits: [(Damage, &str); 4] = [
        (|event| event.replace("developer", "operator").replace("modify_storage", "reboot"), "was edited"),
        (
            |event| rehashed(event, "modify_storage", "reboot"),
            "is another than the one that the outbox names",
        ),
        (|_| "{}".to_owned(), "cannot be read"),
        (|event| event.replacen("\"sequence\":1", "\"sequence\":2", 1), ""),
    ];
    for (edit, reason) in edits {
        let service = Service::start();
        service.seal().unwrap();
        let ann = service.requester("ann");
        let path = Service::create(&ann, &Service::medium());
        let stream = format!("request/{}", Service::id(&path));
        let item = |service: &Service| {
            items_of(service, &tables().audit)
                .into_iter()
                .find(|item| *item["stream"].as_s().unwrap() == stream)
                .unwrap()
        };
        let good = item(&service)["event"].as_s().unwrap().clone();
        damage(&service, &stream, 1, edit);
        write(&service, 2);
        let report = service.seal().unwrap();
        assert_eq!(report.refused.keys().collect::<Vec<_>>(), [&stream]);
        let refused = &report.refused[&stream];
        assert_eq!(refused.sequence, 1);
        assert!(refused.reason.contains(reason), "{refused}");
        let (events, leaves) = stored(&service);
        assert_eq!(leaves.len() + 1, events.len());
        assert!(logged(&service.log_path()).iter().all(|(name, _)| *name != stream));
        let outbox = DynamoOutbox::new(service.database.clone(), tables().outbox);
        assert!(service.block_on(outbox.backlog()).unwrap().unlogged.is_some(), "its entry rings");
        // Repaired, it is logged after all.
        damage(&service, &stream, 1, |_| good.clone());
        assert!(service.seal().unwrap().refused.is_empty());
        check(&service);
    }
}

/// An event of which the one before was exchanged after it had been logged.
#[test]
fn an_event_that_was_exchanged_once_it_was_logged_is_followed_by_none() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    service.seal().unwrap();
    let stream = format!("request/{}", Service::id(&path));
    ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    let items = items_of(&service, &tables().audit);
    let good = items
        .iter()
        .find(|item| *item["stream"].as_s().unwrap() == stream && item["sequence"].as_n().unwrap() == "1");
    let good = good.unwrap()["event"].as_s().unwrap().clone();
    damage(&service, &stream, 1, |event| rehashed(event, "modify_storage", "reboot"));
    let report = service.seal().unwrap();
    assert_eq!(report.refused[&stream].reason, "is another than the one that was logged");
    damage(&service, &stream, 1, |_| good.clone());
    assert_eq!(service.seal().unwrap().logged, 1);
    check(&service);
}

/// Log and store that do not belong together.
#[test]
fn nothing_is_signed_where_log_and_store_do_not_belong_together() {
    let service = Service::start();
    write(&service, 5);
    service.seal().unwrap();
    let log = service.log_path();
    let (early, early_checkpoint) = (snapshot(&log), fs::read(log.join("checkpoint")).unwrap());
    for _ in 0..2 {
        write(&service, 5);
        service.seal().unwrap();
    }
    write(&service, 1);
    let restore = |files: &BTreeMap<String, Vec<u8>>| {
        fs::remove_dir_all(&log).unwrap();
        for (name, bytes) in files {
            let path = log.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    };
    let good = snapshot(&log);
    let refused = |service: &Service| {
        let before = snapshot(&log);
        let error = service.untouched(|| service.seal().unwrap_err());
        assert_eq!(snapshot(&log), before, "{error}");
        error
    };

    // The log was rolled back with its checkpoint.
    restore(&early);
    assert!(matches!(refused(&service), SealError::LogBehind { .. }));
    // Or is gone.
    restore(&BTreeMap::new());
    fs::create_dir_all(&log).unwrap();
    assert!(matches!(refused(&service), SealError::LogBehind { log: 0, .. }));
    // The checkpoint alone was.
    restore(&good);
    fs::write(log.join("checkpoint"), early_checkpoint).unwrap();
    assert!(matches!(refused(&service), SealError::LogBehind { .. }));
    // Signed by another key, or by ours for another purpose.
    let note = String::from_utf8(good["checkpoint"].clone()).unwrap();
    let text = countersign_audit::note::text_of(&note).unwrap();
    let checkpoint = Checkpoint::of_text(text).unwrap();
    let size = checkpoint.size;
    let other = PrivateKey::from_bytes(&[8; 32]);
    let forged =
        checkpoint.signed(&other.public(Purpose::Log, KeyStatus::Current), &other.sign(text.as_bytes()));
    fs::write(log.join("checkpoint"), forged).unwrap();
    assert!(matches!(refused(&service), SealError::Checkpoint(_)));
    // Ours, of another log.
    let foreign = Checkpoint { origin: "urn:countersign:deployment:0a".to_owned(), ..checkpoint };
    let key = log_key().public(Purpose::Log, KeyStatus::Current);
    fs::write(log.join("checkpoint"), foreign.signed(&key, &log_key().sign(foreign.text().as_bytes())))
        .unwrap();
    assert!(matches!(refused(&service), SealError::Origin(_)));
    // Each file that the next root depends on, changed or gone.
    restore(&good);
    for name in good.keys().filter(|name| *name != "checkpoint") {
        let width = Tile::parse(name).unwrap().width;
        let is_last = u64::from(width) == size % 256;
        let mut bytes = good[name].clone();
        bytes[5] ^= 1;
        fs::write(log.join(name), &bytes).unwrap();
        if is_last {
            assert!(matches!(refused(&service), SealError::Changed(_)), "{name}");
            fs::remove_file(log.join(name)).unwrap();
            assert!(matches!(refused(&service), SealError::Changed(_)), "{name}");
        }
        fs::write(log.join(name), &good[name]).unwrap();
    }
    // An entry and its hash together: only the root knows of it.
    let [entries, hashes] = [Content::Entries, Content::Hashes { level: 0 }]
        .map(|content| Tile::of_tree(content, size / 256, size).unwrap());
    let bundle = &good[&entries.to_string()];
    let (mut another, mut tile) = (Vec::new(), Vec::new());
    for (place, entry) in entries_of(bundle, entries.width).unwrap().into_iter().enumerate() {
        let entry = if place == 1 { b"another" } else { entry };
        push_entry(&mut another, entry).unwrap();
        tile.extend(leaf_hash(entry));
    }
    fs::write(log.join(entries.to_string()), another).unwrap();
    fs::write(log.join(hashes.to_string()), tile).unwrap();
    assert!(matches!(refused(&service), SealError::Changed(_)));
    restore(&good);
    // The store was rolled back behind the log: its head, to before the last batch.
    let head = items_of(&service, &tables().outbox)
        .into_iter()
        .find(|item| item["shard"].as_s().unwrap() == "log")
        .unwrap();
    let mut rolled_back = head.clone();
    rolled_back.insert("size".to_owned(), AttributeValue::N("3".to_owned()));
    rolled_back.insert("batch".to_owned(), AttributeValue::L(Vec::new()));
    let put = |item| {
        service
            .block_on(service.database.put_item().table_name(&tables().outbox).set_item(Some(item)).send())
            .unwrap();
    };
    put(rolled_back);
    assert!(matches!(refused(&service), SealError::StoreBehind { store: 3, .. }));
    put(head);
    service.seal().unwrap();
    check(&service);
}

fn snapshot(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(path) = directories.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

/// An event has one leaf, found with one read.
#[test]
fn the_leaf_of_an_event_is_found_by_its_place() {
    let service = Service::start();
    write(&service, 2);
    service.seal().unwrap();
    let store = DynamoStore::new(service.database.clone(), tables());
    service.transport.take_calls();
    for (index, (stream, sequence)) in (0..).zip(logged(&service.log_path())) {
        let stream = Stream::parse(&stream).unwrap();
        let leaf = service.block_on(store.leaf(&stream, sequence)).unwrap().unwrap();
        assert_eq!((leaf.index, leaf.sequence), (index, sequence));
        assert_eq!(service.block_on(store.leaf(&stream, sequence + 100)).unwrap(), None);
    }
    let unknown = Stream::request(RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap());
    assert_eq!(service.block_on(store.leaf(&unknown, 1)).unwrap(), None);
    assert_eq!(service.block_on(store.last_leaf(&unknown)).unwrap(), None);
    assert!(!service.block_on(inspection::events(&service.database)).is_empty());
}
