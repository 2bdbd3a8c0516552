//! The audit log on AWS: sealed by a function into a bucket, signed by KMS, read over the API and from the bucket.

use crate::binary;
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use countersign_app::log::{CHECKPOINT, LogStorage as _, LogStorageError};
use countersign_app::policy_texts::{KeepPolicyTexts as _, PolicyTexts as _};
use countersign_app::seal::{SealReport, Sealer};
use countersign_audit::evidence::document::PolicyFiles;
use countersign_audit::evidence::verification::{Demands, verify};
use countersign_audit::key::{KeyStatus, PublicKey, Purpose};
use countersign_audit::key_set::KeySet;
use countersign_core::digest::Digest;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_e2e::audit_log::{VerifiedLog, verified_files};
use countersign_e2e::deployment::{Deployment, LOG_BUCKET, deployment_key};
use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::Request;
use countersign_e2e::grants::granted;
use countersign_e2e::inspection::{scan, tables};
use countersign_e2e::manual_host::ManualHost;
use countersign_e2e::service::Service;
use countersign_e2e::signature::{ISSUER_JWKS, issuer_token};
use countersign_kms::audit_keys::KmsAuditKeys;
use countersign_s3::log_bucket::LogBucket;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// A request of medium risk that is approved.
fn approved(deployment: &Deployment) -> String {
    let created = deployment.send("ann", &["developer"], "POST", "/v1/approvals", &Service::medium());
    assert_eq!(created.0, 201, "{}", created.1);
    let id = created.1["request_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/approvals/{id}/approve");
    let digest = json!({ "parameters_digest": created.1["parameters_digest"] });
    let done = deployment.send("bob", &["approver"], "POST", &path, &digest);
    assert_eq!(done.0, 200, "{}", done.1);
    id
}

fn seal(deployment: &Deployment) -> Value {
    deployment.invoke("seal", &json!({ "sweep": "log" })).unwrap()
}

fn published(deployment: &Deployment) -> KeySet {
    // It keeps what it has read for five minutes.
    deployment.restart("keys");
    let keys = deployment.invoke("keys", &json!({})).unwrap();
    KeySet::parse(&keys.to_string()).unwrap()
}

/// A file of the log, as an auditor gets it of the API.
fn file(deployment: &Deployment, path: &str) -> Result<Option<Vec<u8>>, String> {
    match deployment.download("aud", &["auditor"], &format!("/v1/log/{path}")) {
        (200, bytes) => Ok(Some(bytes)),
        (404, _) => Ok(None),
        (status, bytes) => Err(format!("{status}: {}", String::from_utf8_lossy(&bytes))),
    }
}

/// The whole log, read over the API and verified by what is published.
fn verified(deployment: &Deployment) -> VerifiedLog {
    let note = String::from_utf8(file(deployment, CHECKPOINT).unwrap().unwrap()).unwrap();
    verified_files(&note, |path| file(deployment, path), &published(deployment)).unwrap()
}

/// How many events the store has.
fn stored(deployment: &Deployment) -> usize {
    let items = deployment.block_on(scan(&deployment.database, &tables().audit));
    items.iter().filter(|item| !item["stream"].as_s().unwrap().starts_with("leaf/")).count()
}

/// How many entries of the outbox wait for the topic, or for the log.
fn waiting(deployment: &Deployment) -> usize {
    let items = deployment.block_on(scan(&deployment.database, &tables().outbox));
    items.iter().filter(|item| item.contains_key("message")).count()
}

fn s3(deployment: &Deployment) -> S3 {
    let aws = deployment.aws();
    S3::from_conf(aws_sdk_s3::config::Builder::from(&aws).force_path_style(true).build())
}

#[test]
fn events_are_logged_and_an_auditor_verifies_them_over_the_api() {
    let deployment = Deployment::start(binary);
    assert_eq!(file(&deployment, CHECKPOINT), Ok(None), "no log yet");
    for _ in 0..3 {
        approved(&deployment);
    }
    let report = seal(&deployment);
    assert_eq!((&report["refused"], &report["unplaced"]), (&json!(0), &json!(0)), "{report}");
    let log = verified(&deployment);
    assert_eq!(report["logged"], log.whole.entries, "{report}");
    // What was read since is not in it yet.
    assert!(log.events.len() >= 7 && log.events.len() <= stored(&deployment), "{}", log.events.len());
    seal(&deployment);
    assert_eq!(verified(&deployment).events.len(), stored(&deployment));
    assert_eq!(seal(&deployment)["logged"], 0);
    // They were counted as they were logged.
    let (status, figures) = deployment.send("aud", &["auditor"], "GET", "/v1/audit-logs/stats", &Value::Null);
    assert_eq!(status, 200, "{figures}");
    let totals = &figures["totals"];
    assert_eq!((&totals["total"], &totals["approved"]), (&json!(3), &json!(3)), "{figures}");

    // It holds the events of all callers.
    for (name, groups, status) in
        [("ann", "developer", 403), ("bob", "approver", 403), ("aud", "auditor", 200)]
    {
        assert_eq!(deployment.download(name, &[groups], "/v1/log/checkpoint").0, status, "{name}");
    }
    for path in ["tile/9/000", "tile/entries/001", "policies/x.json", "../checkpoint", "checkpoint/"] {
        assert_eq!(file(&deployment, path), Ok(None), "{path}");
    }
    // Files are asked for over HTTP alone.
    for function in ["log", "evidence"] {
        let refused = deployment.invoke(function, &json!({ "path": "checkpoint", "request_id": "x" }));
        assert_eq!(refused.unwrap_err().0, "unsupported_event", "{function}");
    }
}

#[test]
fn an_entry_of_the_outbox_waits_for_the_topic_and_for_the_log() {
    for log_first in [true, false] {
        let deployment = Deployment::start(binary);
        approved(&deployment);
        assert_eq!(waiting(&deployment), 2);
        let functions = if log_first { ["seal", "notify"] } else { ["notify", "seal"] };
        deployment.invoke(functions[0], &json!({})).unwrap();
        assert_eq!(waiting(&deployment), 2, "{functions:?}");
        deployment.invoke(functions[1], &json!({})).unwrap();
        assert_eq!(waiting(&deployment), 0, "{functions:?}");
    }
}

#[test]
fn evidence_verifies_by_what_the_service_publishes() {
    let deployment = Deployment::start(binary);
    let id = approved(&deployment);
    let start =
        deployment.send("ann", &["developer"], "POST", &format!("/v1/approvals/{id}/execution"), &json!({}));
    assert!(start.0 < 300, "{}", start.1);
    seal(&deployment);
    let keys = published(&deployment);
    let path = format!("/v1/approvals/{id}/evidence");
    let (status, evidence) = deployment.download("aud", &["auditor"], &path);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&evidence));
    let demands = Demands { require_inclusion: true };
    verify(&evidence, &keys, demands).unwrap();
    let document: Value = serde_json::from_slice(&evidence).unwrap();
    // The permit that was given out, and the policy that it was decided under.
    assert!(document["permit"].is_object(), "{document}");
    assert!(document["policies"].as_array().is_some_and(|policies| !policies.is_empty()), "{document}");
    for at in (0..evidence.len()).step_by(97) {
        let mut changed = evidence.clone();
        changed[at] ^= 1;
        assert!(verify(&changed, &keys, Demands { require_inclusion: false }).is_err(), "byte {at}");
    }
    assert_eq!(deployment.download("ann", &["developer"], &path).0, 403);
    assert_eq!(deployment.download("aud", &["auditor"], "/v1/approvals/x/evidence").0, 400);
}

#[test]
fn object_lock_keeps_what_is_written() {
    let deployment = Deployment::start(binary);
    approved(&deployment);
    seal(&deployment);
    let s3 = s3(&deployment);
    deployment.block_on(async {
        let listed = s3.list_object_versions().bucket(LOG_BUCKET).send().await.unwrap();
        let versions = listed.versions();
        assert!(versions.len() >= 4, "checkpoint, tile, entries, policy: {versions:?}");
        for version in versions {
            let (key, id) = (version.key().unwrap(), version.version_id().unwrap());
            let deletion = s3.delete_object().bucket(LOG_BUCKET).key(key).version_id(id);
            let refused = deletion.bypass_governance_retention(true).send().await.unwrap_err();
            assert_eq!(refused.code(), Some("AccessDenied"), "{key}");
            let head = s3.head_object().bucket(LOG_BUCKET).key(key).version_id(id).send().await.unwrap();
            assert_eq!(head.object_lock_mode().map(|mode| mode.as_str()), Some("COMPLIANCE"), "{key}");
        }
    });
}

#[test]
fn a_bucket_takes_each_file_once_and_a_checkpoint_after_the_one_that_is_known() {
    let deployment = Deployment::start(binary);
    let aws = deployment.aws();
    let bucket = LogBucket::connect(&aws, LOG_BUCKET.to_owned());
    deployment.block_on(async {
        let tile = "tile/0/000.p/1";
        assert_eq!(bucket.get(tile).await, Ok(None));
        bucket.put_new(tile, b"a").await.unwrap();
        bucket.put_new(tile, b"a").await.unwrap();
        assert_eq!(bucket.put_new(tile, b"b").await, Err(LogStorageError::Diverged(tile.to_owned())));
        assert_eq!(bucket.get(tile).await, Ok(Some(b"a".to_vec())));

        assert_eq!(bucket.checkpoint().await, Ok(None));
        assert_eq!(bucket.replace_checkpoint(Some("\"x\""), "0").await, Ok(false), "none is there");
        assert_eq!(bucket.replace_checkpoint(None, "1").await, Ok(true));
        assert_eq!(bucket.replace_checkpoint(None, "2").await, Ok(false));
        let first = bucket.checkpoint().await.unwrap().unwrap();
        assert_eq!(first.note, "1");
        assert_eq!(bucket.replace_checkpoint(Some(&first.tag), "2").await, Ok(true));
        assert_eq!(bucket.replace_checkpoint(Some(&first.tag), "3").await, Ok(false));
        assert_eq!(bucket.checkpoint().await.unwrap().unwrap().note, "2");

        let (access, operations, people) = ("a\"\n".to_owned(), "b".to_owned(), "c".to_owned());
        let files = PolicyFiles { access, operations, people };
        let text = countersign_core::policy::PolicyText { operations: "b", people: "c", access: "a\"\n" };
        assert_eq!(bucket.texts(text.version()).await, Ok(None));
        bucket.keep(text.version(), &files).await.unwrap();
        bucket.keep(text.version(), &files).await.unwrap();
        assert_eq!(bucket.texts(text.version()).await, Ok(Some(files.clone())));
        // Texts of another version under this name are not believed.
        bucket.keep(Digest::ZERO, &files).await.unwrap();
        assert_eq!(bucket.texts(Digest::ZERO).await, Ok(None));

        let nowhere = LogBucket::connect(&aws, "nowhere".to_owned());
        let unavailable = LogStorageError::Unavailable("S3 answered NoSuchBucket".to_owned());
        assert_eq!(nowhere.get(tile).await, Err(unavailable.clone()));
        assert_eq!(nowhere.put_new(tile, b"a").await, Err(unavailable));
    });
}

/// Sealers on clients of their own, at the same time and in every order that there comes to be.
#[test]
fn sealers_that_race_make_one_tree() {
    let deployment = Deployment::start(binary);
    let aws = deployment.aws();
    let host: Arc<ManualHost> = Arc::default();
    let key = deployment_key();
    let sealer = async || {
        let (store, outbox) =
            (DynamoStore::connect(&aws, tables()), DynamoOutbox::connect(&aws, tables().outbox));
        let bucket = LogBucket::connect(&aws, LOG_BUCKET.to_owned());
        let clock: Arc<dyn countersign_app::host::Clock> = Arc::<ManualHost>::clone(&host);
        let keys = KmsAuditKeys::connect(&aws, "alias/countersign-test", &clock);
        let sealer = Sealer {
            store: &store,
            outbox: &outbox,
            storage: &bucket,
            keys: &keys,
            key: &key,
            host: host.as_ref(),
        };
        sealer.seal(Duration::from_secs(60)).await
    };
    let mut raced = 0;
    for _ in 0..6 {
        approved(&deployment);
        approved(&deployment);
        let reports = deployment.block_on(async { tokio::join!(sealer(), sealer(), sealer()) });
        for report in [reports.0, reports.1, reports.2] {
            let SealReport { refused, cut_short, .. } = report.unwrap();
            assert!(refused.is_empty(), "{refused:?}");
            raced += usize::from(cut_short);
        }
    }
    assert!(raced > 0, "no two were at work at once");
    deployment.block_on(sealer()).unwrap();
    let log = verified(&deployment);
    let mut events = log.events.clone();
    events.sort();
    events.dedup();
    assert_eq!(events.len(), log.events.len(), "an event is there twice");
    // The function also looks for anomalies, which are events for the next run.
    while seal(&deployment)["anomalies"] != 0 {}
    seal(&deployment);
    assert_eq!(verified(&deployment).events.len(), stored(&deployment));
}

/// `countersign key`, as an operator calls it with credentials of the account.
fn key_command(deployment: &Deployment, arguments: &[&str]) -> Value {
    let home = tempfile::tempdir().unwrap();
    let variables = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"];
    let output = Command::new(binary("countersign"))
        .args(["key", "--environment", "test"])
        .args(arguments)
        .arg("--json")
        .env_clear()
        .env("HOME", home.path())
        .envs(variables.map(|name| (name, deployment.variables()[name].as_str())))
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_rotation_of_keys_interrupts_neither_the_log_nor_its_readers() {
    let deployment = Deployment::start(binary);
    let by_status = |keys: &KeySet, purpose| {
        let mut keys: Vec<_> =
            keys.of_purpose(purpose).map(|key| (key.status.to_string(), key.key_id().to_owned())).collect();
        keys.sort();
        keys
    };
    approved(&deployment);
    seal(&deployment);
    let pinned = published(&deployment);
    assert_eq!(by_status(&pinned, Purpose::Log).len(), 2);
    let listed = key_command(&deployment, &["list"]);
    assert_eq!(listed["keys"].as_array().unwrap().len(), 6, "of all three purposes: {listed}");
    let rotated = key_command(&deployment, &["rotate", "--purpose", "log"]);
    let after = KeySet::parse(&rotated.to_string()).unwrap();
    assert_eq!(by_status(&after, Purpose::Log).len(), 3, "{rotated}");
    assert_eq!(
        after.current(Purpose::Log).map(|key| key.key_id()),
        pinned.of_purpose(Purpose::Log).find(|key| key.status == KeyStatus::Next).map(|key| key.key_id()),
    );
    assert_eq!(by_status(&published(&deployment), Purpose::Evidence), by_status(&pinned, Purpose::Evidence));
    // A sealer that has kept the keys, and one that has not.
    for restarted in [false, true] {
        if restarted {
            deployment.restart("seal");
        }
        approved(&deployment);
        assert_ne!(seal(&deployment)["logged"], 0);
        // By what an auditor has kept from before: the key that signs now was announced.
        let note = String::from_utf8(file(&deployment, CHECKPOINT).unwrap().unwrap()).unwrap();
        verified_files(&note, |path| file(&deployment, path), &pinned).unwrap();
    }
}

/// By the key that signs evidence, of a copy of the log.
#[test]
fn a_population_is_signed_by_the_deployment() {
    let deployment = Deployment::start(binary);
    approved(&deployment);
    seal(&deployment);
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let size = verified(&deployment).whole.entries;
    for name in [CHECKPOINT, &format!("tile/entries/000.p/{size}"), &format!("tile/0/000.p/{size}")] {
        let copy = home.path().join("log").join(name);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::write(copy, file(&deployment, name).unwrap().unwrap()).unwrap();
    }
    let keys: Vec<_> = published(&deployment).iter().map(PublicKey::to_json).collect();
    std::fs::write(path("jwks.json"), json!({ "keys": keys }).to_string()).unwrap();
    let run = |more: &[&str]| {
        let output = Command::new(binary("countersign"))
            .args(["audit", "population", "--log", &path("log"), "--key", &path("jwks.json")])
            .args(more)
            .env_clear()
            .envs(deployment.variables())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert!(output.status.success(), "{}", text(output.stderr));
        text(output.stdout) + &text(output.stderr)
    };
    let span = ["--from", "2000-01-01", "--to", "2100-01-01"];
    let made = run(&[&span[..], &["--file", &path("all.csv"), "--environment", "test"]].concat());
    assert!(made.contains("1 requests created") && !made.contains("not signed"), "{made}");
    let recounted = run(&["--check", &path("all.csv")]);
    assert!(recounted.contains("; signed by key "), "{recounted}");
}

#[test]
fn a_run_that_adds_nothing_has_failed_and_says_why() {
    let deployment = Deployment::start(binary);
    approved(&deployment);
    let log = deployment.start_with("seal", "AUDIT_LOG_BUCKET", "nowhere");
    assert!(log.contains("does not start") && log.contains("NoSuchBucket"), "{log}");
    let unsigned = deployment.with("AUDIT_KEY_ALIAS", "alias/nowhere");
    let failed = unsigned.invoke("seal", &json!({})).unwrap_err();
    assert!(failed.1.contains("there is no key behind alias/nowhere-log-current"), "{failed:?}");
    // Nothing is lost: the next run has it.
    let mended = unsigned.with("AUDIT_KEY_ALIAS", "alias/countersign-test").again();
    seal(&mended);
    assert_eq!((verified(&mended).events.len(), waiting(&mended)), (2, 2));
}

/// On the tables; what a bucket and keys permit, moto does not ask.
#[test]
fn functions_of_the_log_do_with_what_they_are_granted_and_use_all_of_it() {
    let variables = [
        ("ENVIRONMENT", "test"),
        ("OIDC_ISSUER", "https://issuer.example"),
        ("OIDC_AUDIENCE", "countersign"),
        ("JWKS", ISSUER_JWKS),
    ];
    let functions = Functions::start(&variables);
    let send = |name: &str, groups: &[&str], method: &str, path: &str, body: &Value| {
        let claims = json!({
            "iss": "https://issuer.example", "aud": "countersign", "sub": name, "exp": 4_102_444_800_u64,
            "email": format!("{name}@example.com"), "email_verified": true, "cognito:groups": groups,
        });
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: BTreeMap::from([(
                "authorization".to_owned(),
                format!("Bearer {}", issuer_token(&claims)),
            )]),
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        };
        let answer = functions.send(&request, claims.as_object());
        (answer["statusCode"].as_u64().unwrap(), answer)
    };
    let (status, created) = send("ann", &["developer"], "POST", "/v1/approvals", &Service::medium());
    assert_eq!(status, 201, "{created}");
    let created: Value = serde_json::from_str(created["body"].as_str().unwrap()).unwrap();
    let evidence = format!("/v1/approvals/{}/evidence", created["request_id"].as_str().unwrap());
    assert_ne!(functions.seal()["logged"], 0);
    for path in ["/v1/log/checkpoint", "/v1/log/tile/0/000.p/1", &evidence] {
        let (status, answer) = send("aud", &["auditor"], "GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {answer}");
        // Refused, and counted.
        assert_eq!(send("ann", &["developer"], "GET", path, &Value::Null).0, 403, "{path}");
    }
    // What was recorded of calls is logged as well, and its hints go.
    assert_ne!(functions.seal()["logged"], 0);
    assert_eq!(functions.seal()["logged"], 0);
    for name in ["evidence", "log", "seal"] {
        let grants = &functions.grants[name];
        assert_eq!(grants.denied(), Vec::<String>::new(), "{name}");
        let mut granted = granted(name);
        granted.retain(|resource, _| ["approvals", "audit", "outbox"].contains(&resource.as_str()));
        assert_eq!(grants.used(), granted, "{name}");
    }
}
