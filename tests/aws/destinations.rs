//! Destinations of `notifications.toml` that are reached through AWS, by the functions `notify` and `deliver`: a topic, an event
//! bus and e-mail, on an implementation of AWS that is not ours.

use crate::binary;
use countersign_e2e::deployment::Deployment;
use countersign_e2e::grants::root;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

const FILE: &str = r#"
[destinations.topic]
kind = "sns"
topic_arn = "arn:aws:sns:eu-central-1:123456789012:team"
[destinations.bus]
kind = "eventbridge"
bus = "operations"
[destinations.nowhere]
kind = "eventbridge"
bus = "missing"
[destinations.mail]
kind = "email"
from = "countersign@example.com"
transport = "ses"
[destinations.unverified]
kind = "email"
from = "countersign@unverified.example"
transport = "ses"
[groups.approver]
members = ["bob@example.com", "ann@example.com"]
[routes.programs]
via = ["topic", "bus", "nowhere"]
[routes.approvals]
to = ["approvers"]
via = ["mail", "unverified"]
[fallback]
to = ["person:head@example.com"]
via = ["mail"]
"#;

/// What changes within ten seconds is one message to a person.
const SETTLED: Duration = Duration::from_secs(11);

/// The policy that comes with the product, and the file.
fn policy() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["operations.toml", "people.toml", "access.cedar"] {
        fs::copy(root().join("policy").join(name), directory.path().join(name)).unwrap();
    }
    fs::write(directory.path().join("notifications.toml"), FILE).unwrap();
    directory
}

fn states(deployment: &Deployment) -> Vec<String> {
    let table = countersign_e2e::inspection::tables().deliveries.unwrap();
    let items = deployment.block_on(countersign_e2e::inspection::scan(&deployment.database, &table));
    let deliveries = items.iter().filter(|item| item.contains_key("message"));
    let text = |value: &aws_sdk_dynamodb::types::AttributeValue| value.as_s().unwrap().clone();
    let mut states: Vec<_> =
        deliveries.map(|item| format!("{} {}", text(&item["destination"]), text(&item["state"]))).collect();
    states.sort();
    states
}

#[test]
fn an_event_reaches_a_topic_a_bus_and_those_who_could_approve() {
    let policy = policy();
    let deployment = Deployment::start(binary).with("POLICY_DIR", policy.path().to_str().unwrap());
    deployment.make_subscribed_topic("team", "of-topic");
    deployment.make_bus(
        "operations",
        "created",
        "of-bus",
        &json!({
            "source": ["countersign"],
            "detail-type": ["countersign.approval.created.v1"],
            "detail": { "data": { "risk_level": ["high"] } },
        }),
    );
    deployment.make_bus(
        "operations",
        "granted",
        "of-others",
        &json!({ "detail-type": ["countersign.approval.granted.v1"] }),
    );
    deployment.verify_sender("countersign@example.com");

    let (status, made) = deployment.send("ann", &["developer"], "POST", "/v1/approvals", &Service::high());
    assert_eq!(status, 201, "{made}");
    let id = made["request_id"].as_str().unwrap();
    let settled = deployment.invoke("notify", &deployment.stream_event()).unwrap();
    assert_eq!(settled, json!({ "batchItemFailures": [] }));
    // Programs hear at once, people once it has settled.
    let report = deployment.invoke("deliver", &json!({})).unwrap();
    assert_eq!((&report["delivered"], &report["failed"]), (&json!(2), &json!(1)), "{report}");
    std::thread::sleep(SETTLED);
    let report = deployment.invoke("deliver", &json!({})).unwrap();
    assert_eq!((&report["delivered"], &report["failed"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(
        states(&deployment),
        [
            "bus delivered",
            "mail#bob@example.com delivered",
            "nowhere waiting",
            "topic delivered",
            "unverified#bob@example.com waiting"
        ]
    );

    let of_topic = deployment.received("of-topic");
    assert_eq!(of_topic.len(), 1);
    assert_eq!(of_topic[0]["Message"]["data"]["request_id"], id);
    assert_eq!(of_topic[0]["MessageAttributes"]["risk_level"]["Value"], "high");
    let of_bus = deployment.taken("of-bus");
    assert_eq!(of_bus.len(), 1, "{of_bus:?}");
    let event = &of_bus[0];
    assert_eq!((&event["source"], &event["detail"]), (&json!("countersign"), &of_topic[0]["Message"]));
    assert_eq!(deployment.taken("of-others"), Vec::<Value>::new());

    let mails = deployment.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = mails[0].to_string();
    for expected in ["bob@example.com", "Auto-Submitted: auto-generated", "Message-ID: <", id] {
        assert!(mail.contains(expected), "{expected}: {mail}");
    }
    for secret in ["db.r6g.xlarge", "ann@example.com>"] {
        assert!(!mails[0]["raw_data"].as_str().unwrap().contains(&format!("To: {secret}")), "{mail}");
    }
    assert!(!mail.contains("db.r6g.xlarge"), "parameters are never told: {mail}");
    let log = deployment.sandbox("deliver").log();
    for refused in ["MessageRejected", "EventBridge answered"] {
        assert!(log.contains(refused), "{refused}: {log}");
    }
    assert!(log.contains("\"DeliveriesWaiting\"") && log.contains("\"Destination\":\"nowhere\""), "{log}");
}
