//! Destinations of `notifications.toml` that are reached through AWS, by the functions `notify` and `deliver`: a topic, an event
//! bus and e-mail, on an implementation of AWS that is not ours.

use crate::binary;
use countersign_app::ports::{Deliveries as _, ReadDeliveries as _};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::state::{Delivery, DeliveryState};
use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_e2e::deployment::Deployment;
use countersign_e2e::grants::root;
use countersign_e2e::program::run_with;
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
    assert!(!mail.contains("db.r6g.xlarge"), "parameters are in no message: {mail}");
    let log = deployment.sandbox("deliver").log();
    for refused in ["MessageRejected", "EventBridge answered"] {
        assert!(log.contains(refused), "{refused}: {log}");
    }
    assert!(log.contains("\"DeliveriesWaiting\"") && log.contains("\"Destination\":\"nowhere\""), "{log}");
}

#[test]
fn a_delivery_that_was_given_up_is_listed_and_put_back_by_its_destination() {
    let policy = policy();
    let deployment = Deployment::start(binary).with("POLICY_DIR", policy.path().to_str().unwrap());
    deployment.make_subscribed_topic("team", "of-topic");
    let (status, made) = deployment.send("ann", &["developer"], "POST", "/v1/approvals", &Service::high());
    assert_eq!(status, 201, "{made}");
    deployment.invoke("notify", &deployment.stream_event()).unwrap();
    let variables = deployment.variables();
    let table = variables["DELIVERIES_TABLE"].as_str();
    let deliveries = DynamoDeliveries::new(deployment.database.clone(), table.to_owned());
    deployment.block_on(async {
        for key in deliveries.due(Timestamp::LATEST, 100).await.unwrap() {
            if ["nowhere", "topic"].contains(&key.destination.as_str()) {
                let stored = deliveries.delivery(&key).await.unwrap().unwrap();
                let dead =
                    Delivery { state: DeliveryState::Dead, next_attempt_at: None, ..stored.delivery.clone() };
                assert!(deliveries.replace(&stored, &dead).await.unwrap());
            }
        }
    });
    let outbox = |destination: &str, arguments: &[&str]| {
        let all = [&["outbox", "--table", table, "--destination", destination], arguments].concat();
        let output = run_with(env!("CARGO_BIN_EXE_countersign-under-test"), &all, variables);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout) + &text(output.stderr))
    };
    let (_, listed) = outbox("all", &["list"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("  nowhere  APPROVAL_REQUEST_CREATED  request "), "{listed}");
    let (_, listed) = outbox("nowhere", &["list", "--json"]);
    let line: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&line["destination"], &line["request_id"]), (&json!("nowhere"), &made["request_id"]));
    assert_eq!(outbox("mail", &["list"]).1, "no dead deliveries\n");
    let report = deployment.invoke("deliver", &json!({})).unwrap();
    assert_eq!(report["failed"], 1, "{report}");
    deployment.sandbox("deliver").log_with("\"DeadDeliveries\":2.0");
    // Another destination's are left alone, and an event that has none is said.
    let event_id = line["event_id"].as_str().unwrap();
    let (code, said) = outbox("mail", &["redrive", event_id]);
    assert_eq!(code, Some(4), "{said}");
    assert_eq!(
        outbox("topic", &["redrive", event_id]),
        (Some(0), "1 back for delivery by the deployed function `deliver`\n".to_owned())
    );
    deployment.invoke("deliver", &json!({})).unwrap();
    assert_eq!(deployment.received("of-topic").len(), 1);
    assert_eq!(
        outbox("all", &["redrive", "--all"]).1,
        "1 back for delivery by the deployed function `deliver`\n"
    );
    assert_eq!(outbox("all", &["list"]).1, "no dead deliveries\n");
}
