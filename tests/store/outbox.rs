//! Dead letters are visible to an operator and can be delivered after all.

use countersign_app::create::create;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{NoWebhookClient, Outbox as _};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::Draft;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::create_missing;
use countersign_e2e::inspection;
use countersign_e2e::manual_host::ManualHost;
use countersign_e2e::program::{Program, run};
use countersign_e2e::signing::{log_key, signing_key};
use countersign_embedded::Embedded;
use countersign_server::data_directory::DataDirectory;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");

/// A data directory with one event that became a dead letter; gives the event's id.
fn with_a_dead_letter(data: &Path) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Before the database: none is made for one that is there.
    let directory = DataDirectory::open(data).unwrap();
    let deployment_key = directory.deployment_key().unwrap();
    let database = directory.database().unwrap();
    runtime.block_on(async {
        let client = countersign_embedded::client(Embedded::open(&database).unwrap());
        create_missing(&client, &inspection::tables()).await.unwrap();
        directory.keep_deployment_key().unwrap();
        let dependencies = Dependencies {
            store: DynamoStore::new(client.clone(), inspection::tables()),
            policy: countersign_policy::load::bundled().unwrap(),
            notifications: None,
            signing_keys: Arc::new(signing_key()),
            audit_keys: Arc::new(log_key()),
            webhook_client: Arc::new(NoWebhookClient),
            deployment_key,
            host: Arc::new(ManualHost::default()),
        };
        let ann = PersonId::from_email("ann@example.com").unwrap();
        let ann = Principal::assumed(ann, PrincipalKind::Human, Channel::Local, ["developer"]);
        let draft = Draft::new("reboot", "production-db-01", &json!({}), "production", "why").unwrap();
        let done = create(&dependencies, &draft, &ann, None).await.unwrap();
        let outbox = DynamoOutbox::new(client, inspection::tables().outbox);
        for shard in outbox.shards() {
            for entry in outbox.undelivered(&shard, Timestamp::LATEST, None).await.unwrap().entries {
                outbox.dead_letter(&entry.key).await.unwrap();
            }
        }
        done.event_id.unwrap().to_string()
    })
}

/// Runs `countersign outbox`; gives exit code, stdout and stderr.
fn outbox(data: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut all = vec!["outbox", "--data-dir", data.to_str().unwrap()];
    all.extend(arguments);
    let output = run(BINARY, &all);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_dead_letter_is_listed_replayed_and_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let event_id = with_a_dead_letter(data);

    let (code, listed, _) = outbox(data, &["list"]);
    assert_eq!(code, Some(0));
    assert!(listed.contains(&event_id) && listed.contains("APPROVAL_REQUEST_CREATED"), "{listed}");
    let (_, lines, _) = outbox(data, &["list", "--json"]);
    let line: Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!(line["event_id"], event_id.as_str());

    let (code, _, message) = outbox(data, &["replay", "01930000-0000-7000-8000-0000000000aa"]);
    assert_eq!(code, Some(4), "{message}");
    assert_eq!(outbox(data, &["replay"]).0, Some(2), "which one has to be said");
    assert_eq!(outbox(data, &["replay", &event_id]).0, Some(0));
    assert_eq!(outbox(data, &["list"]).1, "no dead letters\n");

    let mut program = Program::start(BINARY, data);
    let (code, _, message) = outbox(data, &["list"]);
    assert_eq!(code, Some(1));
    assert!(message.contains("in use"), "{message}");
    program.signal("TERM");
    program.wait();
    assert!(program.log().lines().any(|line| line.contains("\"outbox\"") && line.contains(&event_id)));
}

#[test]
fn all_dead_letters_go_back_at_once() {
    let directory = tempfile::tempdir().unwrap();
    with_a_dead_letter(directory.path());
    let (code, said, _) = outbox(directory.path(), &["replay", "--all"]);
    assert_eq!((code, said.starts_with("1 back")), (Some(0), true), "{said}");
    assert_eq!(outbox(directory.path(), &["list"]).1, "no dead letters\n");
}

#[test]
fn a_directory_without_a_database_is_said_to_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _, message) = outbox(&directory.path().join("nowhere"), &["list"]);
    assert_eq!(code, Some(4));
    assert!(message.contains("holds no countersign database"), "{message}");
    assert!(!directory.path().join("nowhere").exists(), "looking makes nothing");
}
