//! The stored formats as docs/data-model.md describes them, read by a program in another language that
//! knows that page only: `tests/readers/store.py`.

use crate::courier::Taker;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_e2e::audit_log::{log_keys, verified};
use countersign_e2e::grants::root;
use countersign_e2e::inspection::{DEPLOYMENT_KEY, scan, tables};
use countersign_e2e::service::Service;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// An attribute as plain JSON.
fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => serde_json::from_str(number).unwrap(),
        AttributeValue::Bool(is) => json!(is),
        AttributeValue::L(elements) => elements.iter().map(plain).collect(),
        AttributeValue::M(members) => {
            members.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>().into()
        }
        other => panic!("no item holds {other:?}"),
    }
}

fn dump(service: &Service) -> Value {
    let tables = tables();
    let items = |table: &str| -> Value {
        let items = service.block_on(scan(&service.database, table));
        items.into_iter().map(|item| plain(&AttributeValue::M(item))).collect()
    };
    json!({
        "key": DEPLOYMENT_KEY.map(|byte| format!("{byte:02x}")).concat(),
        "approvals": items(&tables.approvals),
        "audit": items(&tables.audit),
        "outbox": items(&tables.outbox),
        "deliveries": items(&tables.deliveries.unwrap()),
    })
}

/// Whether the program finds nothing, and what it prints.
fn read(store: &Value) -> (bool, String) {
    let mut program = Command::new("python3")
        .arg(root().join("tests/readers/store.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("these tests need Python 3");
    program.stdin.take().unwrap().write_all(store.to_string().as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// A store with every status, and with every attribute that a request can have.
pub(crate) fn store() -> Service {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let mut full = Service::high();
    full["estimated_cost"] = json!(0.00001);
    full["estimated_duration"] = json!("15 minutes");
    full["ticket"] = json!("OPS-1234");
    full["rollback_plan"] = json!("Zur\u{fc}ck \u{1f600} \"quoted\" \\ /");
    full["priority"] = json!("P2");
    let rich = ann.post_with_key("/v1/approvals", &full, "make").expect(201);
    let path = format!("/v1/approvals/{}", rich["request_id"].as_str().unwrap());
    for name in ["bob", "cy"] {
        let body = json!({ "comments": "\u{e9} agreed", "content_digest": rich["content_digest"] });
        service.approver(name).post_with_key(&format!("{path}/approve"), &body, name).expect(200);
    }
    service.approver("cy").post(&format!("{path}/withdraw"), &json!({ "reason": "too early" })).expect(200);
    Service::approve(&service.approver("dan"), &path).expect(200);
    let finish = |path: &str, outcome: &str| {
        let mut body = json!({ "execution_id": Service::started(&ann, path), "outcome": outcome });
        body["result"] = json!({ "rows": [1, "\u{e9}"] });
        body["actual_cost"] = json!(12.5);
        ann.put(&format!("{path}/execution"), &body).expect(200);
    };
    finish(&path, "succeeded");
    finish(&service.approved(&ann), "failed");
    Service::started(&ann, &service.approved(&ann));
    service.approved(&ann);
    executed_by_an_executor(&service);
    let create = || Service::create(&ann, &Service::medium());
    bob.post(&format!("{}/reject", create()), &json!({ "reason": "no" })).expect(200);
    ann.post(&format!("{}/cancel", create()), &json!({ "reason": "not needed" })).expect(200);
    create();
    service.host.advance_milliseconds(100 * 60 * 60 * 1000);
    service.expire();
    service.seal().unwrap();
    create();
    service
}

/// Observed, begun at its time, claimed, renewed, not heard of, settled with a note; and another that is not heard of.
fn executed_by_an_executor(service: &Service) {
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let executor = service.program("executor", &["executor"]);
    let mut body = Service::medium();
    body["execute_at"] = json!("2026-01-01T01:00:00Z");
    body["window"] = json!({ "from": "2026-01-01T01:00:00Z", "to": "2026-01-01T02:00:00Z" });
    let path = Service::create(&ann, &body);
    executor.post(&format!("{path}/target"), &json!({ "target": { "class": "db.t3.\u{e9}" } })).expect(200);
    Service::approve(&bob, &path).expect(200);
    service.host.advance_milliseconds(3_600_000);
    let execution = format!("{path}/execution");
    let started = ann.post(&execution, &json!({})).expect(200);
    ann.post(&format!("{execution}/claim"), &json!({ "permit": started["permit"] })).expect(200);
    service.host.advance_milliseconds(1_800_000);
    let id = &started["execution_id"];
    ann.put(&execution, &json!({ "execution_id": id, "outcome": "running" })).expect(200);
    service.host.advance_milliseconds(3_600_000);
    assert_eq!(service.look().unknown, 2, "this one, and the one that was left before");
    let settled = json!({ "execution_id": id, "outcome": "succeeded", "note": "\u{e9} looked at it" });
    service.person("root", &["admin"]).put(&execution, &settled).expect(200);
}

#[test]
fn another_language_reads_every_digest_chain_and_seal() {
    let service = store();
    let dump = dump(&service);
    let statuses: BTreeSet<_> =
        dump["approvals"].as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert!(statuses.len() >= 7, "{statuses:?}");
    let (is_whole, said) = read(&dump);
    assert!(is_whole, "{said}");
    assert!(said.contains("\"approvals\": "), "{said}");
}

/// What is left of a store whose texts were erased: all digests are still those of the page.
#[test]
fn another_language_reads_what_is_left_after_erasure() {
    let service = store();
    service.host.advance_milliseconds(2 * 24 * 60 * 60 * 1000);
    let report = service.erase(1);
    assert!(report.erased >= 6 && report.failed + report.damaged == 0, "{report:?}");
    assert_eq!(service.erase(1).erased, 0, "once");
    service.seal().unwrap();
    let dump = dump(&service);
    let (is_whole, said) = read(&dump);
    assert!(is_whole, "{said}");
    let items = dump["approvals"].as_array().unwrap();
    let place = items.iter().position(|item| item["listing"].get("erased_at").is_some()).unwrap();
    for (pointer, value) in [
        ("/justification", json!("a word")),
        ("/text_key", json!("00".repeat(16))),
        ("/parameters", json!("{}")),
        ("/listing/requester_groups", json!(["admin"])),
        ("/listing/erased_at", json!("2026-01-01T00:00:00.000Z")),
    ] {
        let mut edited = dump.clone();
        let item = &mut edited["approvals"][place];
        match item.pointer_mut(pointer) {
            Some(member) => *member = value,
            None => item[pointer.trim_start_matches('/')] = value,
        }
        assert!(!read(&edited).0, "{pointer}");
    }
}

/// Who looks at a request is an item beside it, and of no digest.
#[test]
fn another_language_reads_a_claim_and_finds_one_that_is_none() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    service.seal().unwrap();
    service.approver("bob").post(&format!("{path}/claim"), &json!({})).expect(200);
    let dump = dump(&service);
    let (is_whole, said) = read(&dump);
    assert!(is_whole, "{said}");
    let items = dump["approvals"].as_array().unwrap();
    let is_hold = |item: &Value| item["request_id"].as_str().unwrap().starts_with("hold#");
    let place = items.iter().position(is_hold).unwrap();
    for (pointer, value) in [
        ("/format", json!("countersign.hold.v2")),
        ("/status_key", json!("pending")),
        ("/listing", json!({ "by": "bob@example.com" })),
        ("/status_at", json!("2026-01-01T00:15:00.000Z#01930000-0000-7000-8000-0000000000aa")),
    ] {
        let mut edited = dump.clone();
        *edited["approvals"][place].pointer_mut(pointer).unwrap() = value;
        assert!(!read(&edited).0, "{pointer}");
    }
}

/// Where events go, and what goes there.
#[test]
fn another_language_computes_the_seals_of_webhooks_and_of_what_is_sent_to_them() {
    let service = Service::start();
    let root = service.person("root", &["admin"]);
    let settings = json!({
        "url": "https://hooks.example.com/in?a=1&b=%C3%A9",
        "description": "Z\u{fc}rich \u{1f600} \"quoted\"",
        "events": ["APPROVAL_REQUEST_CREATED"],
        "headers": { "X-Gateway": "token" },
    });
    let made = root.post("/v1/webhooks", &settings).expect(201);
    let disable = format!("/v1/webhooks/{}/disable", made["webhook_id"].as_str().unwrap());
    root.post(&disable, &json!({})).expect(200);
    Service::create(&service.requester("ann"), &Service::high());
    assert_eq!(service.deliver(&Taker).routed, 1);
    let dump = dump(&service);
    let (is_whole, said) = read(&dump);
    assert!(is_whole, "{said}");
    let items = dump["deliveries"].as_array().unwrap();
    let webhook = items.iter().position(|item| item["format"] == "countersign.webhook.v1").unwrap();
    let delivery = items.iter().position(|item| item["format"] == "countersign.delivery.v1").unwrap();
    let document = items[webhook]["document"].as_str().unwrap();
    for (place, attribute, value) in [
        (webhook, "document", document.replace("hooks.example.com", "evil.example.com")),
        (webhook, "document", document.replace("\"token\"", "\"other\"")),
        (webhook, "document", document.replace("\"operator\"", "\"no_success\"")),
        (webhook, "seal", "0".repeat(64)),
        (delivery, "message", items[delivery]["message"].as_str().unwrap().replace("db", "dc")),
        (delivery, "seal", "0".repeat(64)),
    ] {
        let mut edited = dump.clone();
        assert_ne!(edited["deliveries"][place][attribute], json!(value), "{attribute}");
        edited["deliveries"][place][attribute] = json!(value);
        assert!(!read(&edited).0, "{attribute}: {value}");
    }
}

/// A whole store is not another deployment's: no chain moves.
#[test]
fn another_language_finds_the_events_of_another_deployment() {
    let mut dump = dump(&store());
    dump["key"] = json!("00".repeat(32));
    let (is_whole, said) = read(&dump);
    assert!(!is_whole && said.contains("event 1: origin"), "{said}");
}

/// The program can say no.
#[test]
fn another_language_finds_what_was_edited() {
    let service = store();
    let dump = dump(&service);
    let another_event = dump["audit"].as_array().unwrap().iter().filter_map(|item| item.get("event")).nth(1);
    let another_event = another_event.unwrap().clone();
    for (table, attribute, value) in [
        ("approvals", "instance_id", json!("other-db")),
        ("approvals", "parameters", json!("{}")),
        ("approvals", "status", json!("approved")),
        ("approvals", "seal", json!("0".repeat(64))),
        (
            "approvals",
            "comments",
            json!([{
                "person": "bob@example.com", "at": "2026-01-01T00:00:00.000Z", "text": "said",
                "text_key": "0".repeat(32), "event_id": "0"
            }]),
        ),
        ("approvals", "format", json!("countersign.request.v2")),
        ("approvals", "text_key", json!("0".repeat(32))),
        ("audit", "format", json!("countersign.audit.v2")),
        ("outbox", "format", json!("countersign.outbox.v2")),
        ("approvals", "audit_head", json!("0".repeat(64))),
        ("audit", "event", another_event),
        ("outbox", "message", json!("{}")),
        ("outbox", "logged", json!(false)),
        ("outbox", "size", json!(1)),
        ("outbox", "batch", json!(["request/x#1"])),
        ("audit", "leaf", json!(3)),
        ("audit", "hash", json!("0".repeat(64))),
    ] {
        let mut edited = dump.clone();
        let items = edited[table].as_array_mut().unwrap();
        let is_absent_of_some = table == "approvals";
        let is_edited =
            |item: &&mut Value| item.get(attribute).map_or(is_absent_of_some, |there| *there != value);
        let item = items.iter_mut().find(is_edited);
        let item = item.unwrap_or_else(|| panic!("{table} has no {attribute} to edit"));
        item[attribute] = value;
        let (is_whole, said) = read(&edited);
        assert!(!is_whole, "{table}.{attribute}: {said}");
    }
}

/// Whether `tests/readers/log.py`, which knows docs/log.md only, finds nothing; and what it prints.
fn read_log(arguments: &[&std::ffi::OsStr]) -> (bool, String) {
    let output = Command::new("python3").arg(root().join("tests/readers/log.py")).args(arguments).output();
    let output = output.expect("these tests need Python 3");
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn another_language_verifies_the_log_and_finds_each_changed_file() {
    let service = store();
    let ann = service.requester("ann");
    for _ in 0..130 {
        let path = Service::create(&ann, &Service::medium());
        ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    }
    service.seal().unwrap();
    let home = tempfile::tempdir().unwrap();
    let (log, jwks) = (service.log_path(), home.path().join("jwks.json"));
    let keys = service.anonymous().get("/.well-known/jwks.json").expect(200).to_string();
    std::fs::write(&jwks, keys).unwrap();
    let ours = verified(&log, &log_keys()).unwrap();
    let (is_whole, said) = read_log(&[log.as_os_str(), jwks.as_os_str()]);
    assert!(is_whole, "{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    let root = ours.checkpoint.root_text();
    assert_eq!(said, json!({ "size": ours.whole.entries, "root": root, "streams": ours.whole.streams }));
    let size = ours.whole.entries.to_string();
    let (is_same, said) = read_log(&[log.as_os_str(), jwks.as_os_str(), size.as_ref(), root.as_ref()]);
    assert!(is_same, "{said}");
    let (is_same, said) = read_log(&[log.as_os_str(), jwks.as_os_str(), "5".as_ref(), root.as_ref()]);
    assert!(!is_same && said.contains("not the one that was seen"), "{said}");
    for name in
        ["checkpoint", "tile/0/000", "tile/0/001.p", "tile/1/000.p", "tile/entries/000", "tile/entries/001.p"]
    {
        let mut path = log.join(name);
        if path.is_dir() {
            path = std::fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .max_by_key(|path| path.metadata().unwrap().len())
                .unwrap();
        }
        let good = std::fs::read(&path).unwrap();
        let mut changed = good.clone();
        changed[good.len() - 20] ^= 2;
        std::fs::write(&path, changed).unwrap();
        let (is_whole, said) = read_log(&[log.as_os_str(), jwks.as_os_str()]);
        assert!(!is_whole, "{name}: {said}");
        std::fs::write(&path, good).unwrap();
    }
}
