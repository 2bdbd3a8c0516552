//! The built functions in their runtime, on an implementation of AWS that is not ours.

use crate::binary;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::deliver::MAX_ATTEMPTS;
use countersign_app::ports::Outbox as _;
use countersign_core::origin::Origin;
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_e2e::deployment::{Deployment, deployment_key};
use countersign_e2e::inspection;
use countersign_e2e::program::run_with;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const APPROVER: &[&str] = &["approver"];
const DEVELOPER: &[&str] = &["developer"];

/// Makes a request as ann and gives its path.
fn create(deployment: &Deployment) -> String {
    let (status, created) = deployment.send("ann", DEVELOPER, "POST", "/v1/approvals", &Service::high());
    assert_eq!(status, 201, "{created}");
    format!("/v1/approvals/{}", created["request_id"].as_str().unwrap())
}

fn execute(deployment: &Deployment, path: &str) {
    for name in ["bob", "carol"] {
        let (status, body) =
            deployment.send(name, APPROVER, "POST", &format!("{path}/approve"), &Value::Null);
        assert_eq!(status, 200, "{body}");
    }
    let execution = format!("{path}/execution");
    let (status, started) = deployment.send("ann", DEVELOPER, "POST", &execution, &json!({}));
    assert_eq!(status, 200, "{started}");
    let outcome =
        json!({ "execution_id": started["execution_id"], "outcome": "succeeded", "result": { "ok": true } });
    let (status, finished) = deployment.send("ann", DEVELOPER, "PUT", &execution, &outcome);
    assert_eq!((status, finished["status"].as_str()), (200, Some("executed")), "{finished}");
}

/// The event types of some messages, in the order of the trail.
fn event_types(messages: &[Value]) -> Vec<String> {
    let mut events: Vec<_> = messages
        .iter()
        .map(|message| {
            let told = &message["Message"]["data"];
            (told["sequence"].as_u64().unwrap(), told["event_type"].as_str().unwrap().to_owned())
        })
        .collect();
    events.sort();
    events.into_iter().map(|(_, event_type)| event_type).collect()
}

#[test]
fn a_request_is_made_approved_executed_and_published() {
    let deployment = Deployment::start(binary);
    deployment.subscribe("all", &Value::Null);
    deployment
        .subscribe("to-execute", &json!({ "event_type": ["APPROVAL_GRANTED"], "status": ["approved"] }));
    deployment.subscribe("nothing", &json!({ "environment": ["non-production"] }));
    let path = create(&deployment);
    execute(&deployment, &path);
    let id = Service::id(&path);

    let (status, events) = deployment.send("bob", APPROVER, "GET", &format!("{path}/events"), &Value::Null);
    assert_eq!((status, events["items"].as_array().map(Vec::len)), (200, Some(5)), "{events}");
    let settled = deployment.invoke("notify", &deployment.stream_event()).unwrap();
    assert_eq!(settled, json!({ "batchItemFailures": [] }));

    let messages = deployment.received("all");
    assert_eq!(
        event_types(&messages),
        [
            "APPROVAL_REQUEST_CREATED",
            "APPROVAL_GRANTED",
            "APPROVAL_GRANTED",
            "EXECUTION_STARTED",
            "EXECUTION_SUCCEEDED"
        ]
    );
    for message in &messages {
        let (event, attributes) = (&message["Message"], &message["MessageAttributes"]);
        let told = &event["data"];
        assert_eq!((&event["id"], &event["subject"]), (&told["event_id"], &json!(id)));
        assert_eq!(event["source"], Origin::of(&deployment_key()).as_str());
        for name in [
            "event_type",
            "status",
            "risk_level",
            "environment",
            "operation_type",
            "requested_by",
            "event_id",
        ] {
            assert_eq!(attributes[name]["Value"], told[name], "{name}");
        }
        assert_eq!(told["request_id"], id);
        assert_eq!(told["link"], format!("https://countersign.example.com/approvals/{id}"));
        assert!(!message.to_string().contains("db.r6g.xlarge"), "parameters are never told");
    }
    let to_execute = deployment.received("to-execute");
    assert_eq!(to_execute.len(), 1, "{to_execute:?}");
    assert_eq!(
        to_execute[0]["Message"]["data"]["approved_by"],
        json!(["bob@example.com", "carol@example.com"])
    );
    assert_eq!(deployment.received("nothing"), Vec::<Value>::new());

    deployment.block_on(inspection::check_with(&deployment.database, &deployment_key()));
    // What is published and logged is not kept. Timers end by themselves.
    let sealed = deployment.invoke("seal", &json!({})).unwrap();
    assert_eq!((&sealed["refused"], &sealed["unplaced"]), (&json!(0), &json!(0)), "{sealed}");
    let left = deployment.block_on(inspection::scan(&deployment.database, &inspection::tables().outbox));
    assert!(left.iter().all(|item| !item.contains_key("message")), "{left:?}");
    // The same records once more: nothing is published twice.
    let again = json!({ "Records": [countersign_e2e::deployment::stream_record(1, "0", "01930000-0000-7000-8000-000000000000")] });
    assert_eq!(deployment.invoke("notify", &again).unwrap(), json!({ "batchItemFailures": [] }));
    assert_eq!(deployment.received("all"), Vec::<Value>::new());
}

#[test]
fn a_topic_that_fails_loses_nothing() {
    let deployment = Deployment::start(binary);
    deployment.subscribe("all", &Value::Null);
    let path = create(&deployment);
    deployment.delete_topic();
    let failed = deployment.invoke("notify", &deployment.stream_event()).unwrap();
    assert_eq!(failed, json!({ "batchItemFailures": [{ "itemIdentifier": "1" }] }));
    // More often than a refusal of this one message would be suffered.
    for _ in 0..=MAX_ATTEMPTS {
        let swept = deployment.invoke("notify", &json!({ "sweep": "outbox" })).unwrap();
        assert_eq!(
            (&swept["published"], &swept["failed"], &swept["buried"]),
            (&json!(0), &json!(1), &json!(0))
        );
    }
    deployment.make_topic();
    deployment.subscribe("all", &Value::Null);
    let swept = deployment.invoke("notify", &json!({ "sweep": "outbox" })).unwrap();
    assert_eq!((&swept["published"], &swept["failed"], &swept["buried"]), (&json!(1), &json!(0), &json!(0)));
    let messages = deployment.received("all");
    assert_eq!(event_types(&messages), ["APPROVAL_REQUEST_CREATED"]);
    assert_eq!(messages[0]["Message"]["subject"], Service::id(&path));
    let log = deployment.sandbox("notify").log_with("\"OutboxOldestAge\"");
    assert!(log.contains("the topic answered NotFound"), "{log}");
    assert!(log.contains("\"OutboxOldestAge\"") && log.contains("\"OutboxDeadLetters\""), "{log}");
}

#[test]
fn the_dead_letters_of_a_deployed_table_are_listed_and_replayed() {
    let deployment = Deployment::start(binary);
    deployment.subscribe("all", &Value::Null);
    create(&deployment);
    let variables = deployment.variables();
    let outbox = DynamoOutbox::new(deployment.database.clone(), variables["OUTBOX_TABLE"].clone());
    let later = Timestamp::from_millisecond(i64::from(u32::MAX) * 1000);
    deployment.block_on(async {
        for shard in outbox.shards() {
            for entry in outbox.undelivered(&shard, later, None).await.unwrap().entries {
                for _ in 1..MAX_ATTEMPTS {
                    outbox.count_failure(&entry.key).await.unwrap();
                }
                outbox.dead_letter(&entry.key).await.unwrap();
            }
        }
    });
    let outbox = |arguments: &[&str]| {
        let table = variables["OUTBOX_TABLE"].as_str();
        let all = [&["outbox", "--table", table], arguments].concat();
        let output = run_with(env!("CARGO_BIN_EXE_countersign-under-test"), &all, variables);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert!(output.status.success(), "{}", text(output.stderr));
        text(output.stdout)
    };
    let listed = outbox(&["list"]);
    assert!(listed.contains("APPROVAL_REQUEST_CREATED") && listed.contains("after 10 failures"), "{listed}");
    assert_eq!(outbox(&["replay", "--all"]), "1 back for delivery by the deployed sweep\n");
    assert_eq!(outbox(&["list"]), "no dead letters\n");
    deployment.invoke("notify", &json!({ "sweep": "outbox" })).unwrap();
    assert_eq!(deployment.received("all").len(), 1);
}

#[test]
fn without_region_or_credentials_the_operator_learns_what_to_do() {
    let run = |variables: &[(&str, &str)]| {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let arguments = ["outbox", "--table", "approvals-outbox-prod", "list"];
        let output = run_with(env!("CARGO_BIN_EXE_countersign-under-test"), &arguments, &variables);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let nowhere = [("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nonexistent")];
    let (code, message) = run(&nowhere);
    assert_eq!(code, Some(1));
    assert!(message.contains("no AWS region: set AWS_REGION"), "{message}");
    let (code, message) = run(&[nowhere[0], nowhere[1], ("AWS_REGION", "eu-central-1")]);
    assert_eq!(code, Some(1));
    assert!(message.contains("no AWS credentials") && message.contains("AWS_PROFILE"), "{message}");
}

#[test]
fn a_direct_invocation_answers_with_the_body_or_fails_with_the_code() {
    let deployment = Deployment::start(binary);
    let mut body = Service::high();
    body["requested_by"] = json!("ann@example.com");
    body["idempotency_key"] = json!("once");
    let created = deployment.invoke("create", &body).unwrap();
    assert_eq!(created["requested_by"], "ann@example.com");
    let mut again = created.clone();
    again["idempotent_replayed"] = json!(true);
    assert_eq!(deployment.invoke("create", &body).unwrap(), again, "a state machine may try again");
    let id = &created["request_id"];

    let refused = |function: &str, payload: Value| deployment.invoke(function, &payload).unwrap_err();
    for (function, field) in
        [("approve", "approved_by"), ("reject", "rejected_by"), ("withdraw", "withdrawn_by")]
    {
        let (code, message) = refused(function, json!({ "request_id": id, field: "bob@example.com" }));
        assert_eq!(code, "not_permitted", "{message}");
    }
    let (code, message) = refused("start", json!({ "request_id": id, "executed_by": "ann@example.com" }));
    assert_eq!(code, "not_approved");
    assert!(message.contains("the request is pending"), "{message}");
    let (code, message) = refused("cancel", json!({ "request_id": id }));
    assert_eq!(code, "unauthenticated");
    assert!(message.contains("`cancelled_by`"), "{message}");
    let (code, message) = refused("create", json!({ "requested_by": "ann@example.com", "colour": "red" }));
    assert_eq!(code, "validation_failed");
    assert!(
        message.contains("/colour is not a field") && message.contains("/justification is required"),
        "{message}"
    );
    let (code, _) = refused("get", json!({ "request_id": "01930000-0000-4000-8000-0000000000aa" }));
    assert_eq!(code, "not_found");
    let (code, _) = refused("get", json!({ "requestContext": { "elb": {} } }));
    assert_eq!(code, "unsupported_event");

    let got = deployment.invoke("get", &json!({ "request_id": id })).unwrap();
    assert_eq!((&got["request_id"], &got["parameters"]), (id, &Service::high()["parameters"]));
    let listed = deployment.invoke("list", &json!({ "requested_by": "ann@example.com" })).unwrap();
    assert_eq!(listed["items"][0]["request_id"], *id);
    let pending = json!({ "operation": "get_pending_approvals", "user_email": "ann@example.com" });
    assert_eq!(deployment.invoke("dispatch", &pending).unwrap()["items"], json!([]), "not one's own");
    let events = deployment.invoke("events", &json!({ "request_id": id })).unwrap();
    assert_eq!(events["items"][0]["channel"], "direct");
    assert_eq!(deployment.invoke("health", &json!({})).unwrap()["status"], "healthy");
}

#[test]
fn metrics_are_written_once_for_each_event_and_logs_name_no_person() {
    let deployment = Deployment::start(binary);
    let path = create(&deployment);
    execute(&deployment, &path);
    let (status, _) = deployment.send("ann", DEVELOPER, "POST", &format!("{path}/approve"), &Value::Null);
    assert_eq!(status, 403, "a refusal is no fault");
    let mut metrics = Vec::new();
    let last = |function| if function == "approve" { "\"Refusals\"" } else { "\"done\"" };
    for function in ["create", "approve", "start", "finish"] {
        let log = deployment.sandbox(function).log_with(last(function));
        for line in log.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{function}: {line}"));
            if line["_aws"].is_object() {
                assert_eq!(line["Environment"], "test");
                let defined = &line["_aws"]["CloudWatchMetrics"][0];
                let dimensions = match (&line["Created"], &line["Refusals"]) {
                    (Value::Number(_), _) => {
                        let labels = (&line["OperationType"], &line["RiskLevel"]);
                        assert_eq!(labels, (&json!("modify_instance_class"), &json!("high")));
                        json!([["Environment"], ["Environment", "OperationType", "RiskLevel"]])
                    }
                    (_, Value::Number(_)) => {
                        assert_eq!(line["Code"], "self_approval", "{line}");
                        json!([["Environment"], ["Environment", "Code"]])
                    }
                    _ => json!([["Environment"]]),
                };
                assert_eq!(
                    (&defined["Namespace"], &defined["Dimensions"]),
                    (&json!("Countersign"), &dimensions)
                );
                for metric in defined["Metrics"].as_array().unwrap() {
                    let name = metric["Name"].as_str().unwrap();
                    assert!(line[name].is_number(), "{line}");
                    metrics.push(name.to_owned());
                }
            }
        }
        for secret in ["ann@", "bob@", "carol@", "db.r6g.xlarge", "95 %", "Bearer", "eyJ"] {
            assert!(!log.contains(secret), "{function}: {secret}: {log}");
        }
    }
    metrics.sort();
    assert_eq!(
        metrics,
        [
            "Approved",
            "Created",
            "ExecutionStarted",
            "ExecutionSucceeded",
            "ExecutionTime",
            "Granted",
            "Granted",
            "Refusals",
            "TimeToDecision"
        ]
    );
}

#[test]
fn a_damaged_request_is_refused_counted_and_published_once() {
    let deployment = Deployment::start(binary);
    deployment.subscribe("operators", &json!({ "event_type": ["ANOMALY_DETECTED"] }));
    let path = create(&deployment);
    let id = Service::id(&path).to_owned();
    for name in ["bob", "carol"] {
        deployment.send(name, APPROVER, "POST", &format!("{path}/approve"), &Value::Null);
    }
    let changed = deployment
        .database
        .update_item()
        .table_name(&deployment.variables()["APPROVALS_TABLE"])
        .key("request_id", AttributeValue::S(id.clone()))
        .update_expression("SET justification = :other")
        .expression_attribute_values(":other", AttributeValue::S("Nothing to see".to_owned()))
        .send();
    deployment.block_on(changed).unwrap();

    for _ in 0..2 {
        let execution = format!("{path}/execution");
        let (status, problem) = deployment.send("ann", DEVELOPER, "POST", &execution, &json!({}));
        assert_eq!((status, problem["code"].as_str()), (409, Some("integrity")), "{problem}");
    }
    deployment.invoke("notify", &deployment.stream_event()).unwrap();
    let messages = deployment.received("operators");
    assert_eq!(messages.len(), 1, "{messages:?}");
    let (message, attributes) = (&messages[0]["Message"]["data"], &messages[0]["MessageAttributes"]);
    assert_eq!((&message["request_id"], &message["user"]), (&json!(id), &json!("ann@example.com")));
    assert!(message["finding"].as_str().is_some_and(|finding| !finding.is_empty()), "{message}");
    assert_eq!(attributes["event_id"]["Value"], message["event_id"]);
    assert!(!messages[0].to_string().contains("Nothing to see"), "{message}");
    let log = deployment.sandbox("start").log();
    assert_eq!(log.matches("\"IntegrityViolations\":1.0").count(), 2, "{log}");
}

#[test]
fn an_unreachable_store_is_a_fault_and_says_nothing_of_itself() {
    let deployment = Deployment::start(binary)
        .with("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        // Without the store, Secrets Manager is away as well, and the function would not start.
        .with("DEPLOYMENT_KEY", "a key of a deployment that is none, long enough");
    let (status, problem) = deployment.send("ann", DEVELOPER, "POST", "/v1/approvals", &Service::high());
    assert_eq!((status, problem["code"].as_str()), (503, Some("store_unavailable")), "{problem}");
    assert!(!problem.to_string().contains("127.0.0.1"), "{problem}");
    // The line is written after the answer was given.
    let is_counted =
        |log: &str| log.contains("\"Faults\":1.0") && log.contains("[\"Environment\",\"Operation\"]");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_counted(&deployment.sandbox("create").log()) {
        assert!(std::time::Instant::now() < end, "{}", deployment.sandbox("create").log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let refused = deployment.invoke("get", &json!({ "request_id": "01930000-0000-4000-8000-0000000000aa" }));
    assert_eq!(refused.unwrap_err().0, "store_unavailable");
}

/// The key is in no variable of a function. Its variables are shown to every principal who may read its
/// configuration.
#[test]
fn a_function_that_cannot_read_the_deployment_key_does_not_start() {
    let deployment = Deployment::start(binary);
    let created = deployment.invoke("create", &json!({
        "operation_type": "create_snapshot", "instance_id": "db-1", "parameters": {}, "environment": "production",
        "justification": "before the upgrade on Saturday", "requested_by": "ann@example.com",
    }));
    assert!(created.is_ok(), "{created:?}");
    assert!(!deployment.sandbox("create").log().contains("a key of a deployment"));
    // The line of a command names its invocation, as the lines of the Lambda service and of the gateway do.
    let log = deployment.sandbox("create").log_with("\"done\"");
    let done = log.lines().find(|line| line.contains("\"done\"")).unwrap();
    let done: Value = serde_json::from_str(done).unwrap();
    assert!(!done["span"]["requestId"].as_str().unwrap().is_empty(), "{done}");
    assert_eq!(done["spans"], Value::Null);
    for (variable, value, reason) in [
        (
            "DEPLOYMENT_KEY_SECRET",
            "no-such-secret",
            "DEPLOYMENT_KEY_SECRET names a secret that cannot be read: Secrets Manager answered ResourceNotFoundException",
        ),
        ("DEPLOYMENT_KEY", "too short", "DEPLOYMENT_KEY must give a text of at least 32 characters"),
    ] {
        let log = deployment.start_with("create", variable, value);
        assert!(log.contains(reason), "{log}");
        assert!(!log.contains("too short"), "{log}");
    }
}

#[test]
fn a_function_without_its_variables_says_which_and_does_not_start() {
    let deployment = Deployment::start(binary);
    for (function, missing) in [
        ("create", "DEPLOYMENT_KEY_SECRET"),
        ("get", "APPROVALS_TABLE"),
        ("list", "ENVIRONMENT"),
        ("list", "DEPLOYMENT_KEY_SECRET"),
        ("notify", "SNS_TOPIC_ARN"),
        ("expire", "AWS_ACCESS_KEY_ID"),
    ] {
        let log = deployment.start_without(function, missing);
        assert!(log.contains(&format!("{missing} is not set")), "{function}: {log}");
    }
    // A function that neither writes audit events nor gives out cursors is not given the key.
    assert_eq!(
        deployment.with("DEPLOYMENT_KEY_SECRET", "").invoke("health", &json!({})).unwrap()["status"],
        "healthy"
    );
}
