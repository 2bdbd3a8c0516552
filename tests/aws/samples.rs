//! Every sample in `events/` goes to its function, in the function's own process and runtime loop, with
//! the variables of `events/env.json`.

use crate::binary;
use countersign_e2e::deployment::Deployment;
use countersign_e2e::grants::root;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

/// What stands in the samples for a request that is there, and for its execution.
const REQUEST_ID: &str = "5d3e7c1a-9f42-4b8e-8a31-0c6d2e9b7f10";
const EXECUTION_ID: &str = "0b9f6d24-1c7e-4f53-9a80-3e5d7c2b6a19";
/// What stands there for the permit of an execution.
const PERMIT: &str = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl";

/// Variables that say where something is: here it is elsewhere.
const OF_THE_PLACE: [&str; 7] = [
    "APPROVALS_TABLE",
    "AUDIT_LOG_BUCKET",
    "AUDIT_LOG_TABLE",
    "DELIVERIES_TABLE",
    "OUTBOX_TABLE",
    "SNS_TOPIC_ARN",
    "AWS_ENDPOINT_URL",
];

/// The functions whose samples name no request that has to be there: a requester has so many pending ones.
const ABOUT_NO_REQUEST: [&str; 10] =
    ["audit", "create", "deliver", "expire", "health", "keys", "list", "report", "simulate", "stats"];

/// A request in the state that a sample of this function needs: its id, its execution's, and its permit.
fn prepared(deployment: &Deployment, function: &str) -> (String, String, String) {
    if ABOUT_NO_REQUEST.contains(&function) {
        return (REQUEST_ID.to_owned(), EXECUTION_ID.to_owned(), PERMIT.to_owned());
    }
    let mut body = Service::high();
    body["requested_by"] = json!("ann@example.com");
    let created = deployment.invoke("create", &body).unwrap();
    let id = created["request_id"].as_str().unwrap().to_owned();
    let (mut execution_id, mut permit) = (EXECUTION_ID.to_owned(), PERMIT.to_owned());
    let needs_start = ["claim", "execution", "finish"].contains(&function);
    if needs_start || function == "start" {
        for person in ["dave@example.com", "erin@example.com"] {
            deployment.invoke("approve", &json!({ "request_id": id, "approved_by": person })).unwrap();
        }
    }
    if function == "log" {
        deployment.invoke("seal", &json!({ "sweep": "log" })).unwrap();
    }
    if function == "withdraw" {
        deployment.invoke("approve", &json!({ "request_id": id, "approved_by": "bob@example.com" })).unwrap();
    }
    if needs_start {
        let start = json!({ "request_id": id, "executed_by": "ann@example.com" });
        let started = deployment.invoke("start", &start).unwrap();
        execution_id = started["execution_id"].as_str().unwrap().to_owned();
        permit = started["permit"].as_str().unwrap().to_owned();
    }
    (id, execution_id, permit)
}

#[test]
fn every_sample_does_what_it_says() {
    let environment = std::fs::read_to_string(root().join("events/env.json")).unwrap();
    let environment: Value = serde_json::from_str(&environment).unwrap();
    let mut deployment = Deployment::start(binary);
    for (name, value) in environment["Parameters"].as_object().unwrap() {
        if !OF_THE_PLACE.contains(&name.as_str()) {
            deployment = deployment.with(name, value.as_str().unwrap());
        }
    }
    let (mut api, mut direct) = (0, 0);
    for function in countersign_e2e::grants::functions() {
        for sample in std::fs::read_dir(root().join("events").join(&function)).unwrap() {
            let path = sample.unwrap().path();
            let name = format!("{function}/{}", path.file_name().unwrap().display());
            // They need another policy, or an API for signed calls: see `iam.rs` and `executor.rs`.
            if name.contains("/iam") || function == "rds-executor" {
                continue;
            }
            let (id, execution_id, permit) = prepared(&deployment, &function);
            let payload = std::fs::read_to_string(&path).unwrap();
            let payload = payload.replace(REQUEST_ID, &id).replace(EXECUTION_ID, &execution_id);
            let payload = payload.replace(PERMIT, &permit);
            let answer = deployment.sandbox(&function).invoke(&payload);
            // An invoker acts for people, who carry out nothing that others ask for.
            if name == "observe/direct.json" {
                assert_eq!(answer.unwrap_err().0, "not_permitted");
                continue;
            }
            let answer = answer.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            // A policy directory without `notifications.toml` sends no messages to people.
            if function == "notifications" {
                assert_eq!(answer["statusCode"], 409, "{name}: {answer}");
                assert!(answer.to_string().contains("not_configured"), "{name}: {answer}");
                continue;
            }
            if payload.contains("\"requestContext\"") {
                let status = answer["statusCode"].as_u64().unwrap();
                assert!((200..300).contains(&status), "{name}: {answer}");
                api += 1;
            } else {
                assert!(answer.is_object() && answer["statusCode"].is_null(), "{name}: {answer}");
                direct += 1;
            }
        }
    }
    assert!(api >= 21 && direct >= 17, "{api} through the gateway, {direct} direct");
}
