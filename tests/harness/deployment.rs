//! A whole deployment on this machine: tables, topic and queues in moto, and the built functions,
//! each in a process of its own.

use crate::gateway::{self, Request};
use crate::inspection::{scan, tables};
use crate::moto::{Moto, REGION};
use crate::notification_schema;
use crate::runtime_api::{Outcome, Sandbox};
use crate::signature;
use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_dynamodb::table::create_missing;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The text that the deployment's key is made of.
const DEPLOYMENT_SECRET: &str = "a key of a deployment that is none, long enough";

/// The key that functions make of it.
pub fn deployment_key() -> DeploymentKey {
    DeploymentKey::new(*Digest::of(DEPLOYMENT_SECRET).as_bytes())
}

/// The account of everything in moto.
const ACCOUNT: &str = "123456789012";
/// What the aliases of the keys that sign permits begin with.
const PERMIT_KEY_ALIAS: &str = "alias/countersign-test-permit";
/// What the aliases of the keys of the audit log and of evidence begin with.
const AUDIT_KEY_ALIAS: &str = "alias/countersign-test";
/// The bucket of the audit log.
pub const LOG_BUCKET: &str = "countersign-test-log";
/// The name of the topic.
const TOPIC: &str = "countersign-test-events";

/// A deployment.
#[derive(Debug)]
pub struct Deployment {
    /// The database, past all functions.
    pub database: Client,
    moto: Moto,
    binary: fn(&str) -> PathBuf,
    variables: BTreeMap<String, String>,
    sandboxes: RefCell<BTreeMap<String, Rc<Sandbox>>>,
    runtime: Runtime,
}

impl Deployment {
    /// Makes tables and topic; functions start when they are first invoked. `binary` gives the path
    /// of each.
    pub fn start(binary: fn(&str) -> PathBuf) -> Self {
        let moto = Moto::start();
        let database = Client::new(&aws(&moto.url()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(create_missing(&database, &tables())).unwrap();
        let names = tables();
        let secret = json!({ "Name": "countersign", "SecretString": DEPLOYMENT_SECRET });
        let secret = moto.json("secretsmanager", "secretsmanager.CreateSecret", &secret);
        let secret_arn = secret["ARN"].as_str().unwrap().to_owned();
        let secret = |name: &str| {
            let text = "a key of a dashboard that is none, long enough";
            let secret = json!({ "Name": name, "SecretString": text });
            let secret = moto.json("secretsmanager", "secretsmanager.CreateSecret", &secret);
            secret["ARN"].as_str().unwrap().to_owned()
        };
        let (cookie_key, visitor_key) = (secret("cookie-key"), secret("visitor-key"));
        moto.make_permit_keys(PERMIT_KEY_ALIAS);
        moto.make_audit_keys(AUDIT_KEY_ALIAS);
        moto.make_log_bucket(LOG_BUCKET);
        let topic_arn = format!("arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}");
        let variables = [
            ("APPROVALS_TABLE", names.approvals.as_str()),
            ("AUDIT_LOG_TABLE", &names.audit),
            ("OUTBOX_TABLE", &names.outbox),
            ("DELIVERIES_TABLE", names.deliveries.as_deref().unwrap()),
            ("SNS_TOPIC_ARN", &topic_arn),
            ("ENVIRONMENT", "test"),
            ("DEPLOYMENT_KEY_SECRET", &secret_arn),
            ("COOKIE_KEY_SECRET", &cookie_key),
            ("VISITOR_KEY_SECRET", &visitor_key),
            ("PERMIT_KEY_ALIAS", PERMIT_KEY_ALIAS),
            ("AUDIT_KEY_ALIAS", AUDIT_KEY_ALIAS),
            ("AUDIT_LOG_BUCKET", LOG_BUCKET),
            ("DEPLOYMENT_KEY", ""),
            ("OIDC_ISSUER", "https://issuer.example"),
            ("OIDC_AUDIENCE", "countersign"),
            ("DASHBOARD_URL", "https://countersign.example.com/"),
            ("OUTBOX_MIN_AGE_SECONDS", "0"),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &moto.url()),
            ("JWKS", signature::ISSUER_JWKS),
            ("DIRECT_INVOCATION", "true"),
            ("DIRECT_DECISIONS", "false"),
            ("CONTINUATIONS", "true"),
        ];
        let variables =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let deployment = Self { database, moto, binary, variables, sandboxes: RefCell::default(), runtime };
        deployment.make_topic();
        deployment
    }

    /// The same, with one variable changed for all functions that have not started yet.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same, with functions that have not started yet.
    #[must_use]
    pub fn again(mut self) -> Self {
        self.sandboxes = RefCell::default();
        self
    }

    /// What its functions are started with.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Starts a function without some of its variables, and gives the log of its end.
    pub fn start_without(&self, function: &str, missing: &str) -> String {
        let variables: Vec<_> =
            self.variables.clone().into_iter().filter(|(name, _)| name != missing).collect();
        Sandbox::start(&(self.binary)(function), &variables).ended()
    }

    /// Starts a function with one other variable, and gives the log of its end.
    pub fn start_with(&self, function: &str, name: &str, value: &str) -> String {
        let mut variables = self.variables.clone();
        variables.insert(name.to_owned(), value.to_owned());
        Sandbox::start(&(self.binary)(function), &variables.into_iter().collect::<Vec<_>>()).ended()
    }

    /// The sandbox of a function.
    pub fn sandbox(&self, function: &str) -> Rc<Sandbox> {
        let mut sandboxes = self.sandboxes.borrow_mut();
        let sandbox = sandboxes.entry(function.to_owned()).or_insert_with(|| {
            let variables: Vec<_> = self.variables.clone().into_iter().collect();
            Rc::new(Sandbox::start(&(self.binary)(function), &variables))
        });
        Rc::clone(sandbox)
    }

    /// Invokes a function directly.
    ///
    /// # Errors
    /// What the function reports as an error.
    pub fn invoke(&self, function: &str, payload: &Value) -> Outcome {
        self.sandbox(function).invoke(&payload.to_string())
    }

    /// Sends a request through the gateway, as `name@example.com` in some groups; gives status and
    /// body.
    pub fn send(&self, name: &str, groups: &[&str], method: &str, path: &str, body: &Value) -> (u64, Value) {
        self.send_event(&event_of(name, groups, method, path, body))
    }

    /// Gets a file through the gateway, as `name@example.com` in some groups; gives status and bytes.
    pub fn download(&self, name: &str, groups: &[&str], path: &str) -> (u64, Vec<u8>) {
        let answer = self.answered(&event_of(name, groups, "GET", path, &Value::Null));
        let body = answer["body"].as_str().unwrap();
        let bytes = match answer["isBase64Encoded"].as_bool().unwrap() {
            true => STANDARD.decode(body).unwrap(),
            false => body.as_bytes().to_vec(),
        };
        (answer["statusCode"].as_u64().unwrap(), bytes)
    }

    /// Lets the next invocation of a function start it.
    pub fn restart(&self, function: &str) {
        self.sandboxes.borrow_mut().remove(function);
    }

    /// Hands an event to the function of its route.
    pub fn send_event(&self, event: &Value) -> (u64, Value) {
        let answer = self.answered(event);
        let body = answer["body"].as_str().unwrap();
        (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(body).unwrap())
    }

    fn answered(&self, event: &Value) -> Value {
        let http = &event["requestContext"]["http"];
        let matched = gateway::matched(http["method"].as_str().unwrap(), http["path"].as_str().unwrap());
        self.invoke(matched.function, event).expect("the gateway is always answered")
    }

    /// Gives a secret another value, by the variable that names it.
    pub fn replace_secret(&self, variable: &str, text: &str) {
        let value = json!({ "SecretId": self.variables[variable], "SecretString": text });
        self.moto.json("secretsmanager", "secretsmanager.PutSecretValue", &value);
    }

    /// Makes a secret, and gives its ARN.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn make_secret(&self, name: &str, text: &str) -> String {
        let secret = json!({ "Name": name, "SecretString": text });
        let secret = self.moto.json("secretsmanager", "secretsmanager.CreateSecret", &secret);
        secret["ARN"].as_str().unwrap().to_owned()
    }

    /// Makes the topic.
    pub fn make_topic(&self) {
        self.moto.query("sns", "CreateTopic", &[("Name", TOPIC)]);
    }

    /// Takes the topic away: publishing fails.
    pub fn delete_topic(&self) {
        let topic_arn = &self.variables["SNS_TOPIC_ARN"];
        self.moto.query("sns", "DeleteTopic", &[("TopicArn", topic_arn)]);
    }

    /// Makes another topic, and a queue that gets all of it.
    pub fn make_subscribed_topic(&self, topic: &str, queue: &str) {
        self.moto.query("sns", "CreateTopic", &[("Name", topic)]);
        self.moto.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": queue }));
        let topic_arn = format!("arn:aws:sns:{REGION}:{ACCOUNT}:{topic}");
        let endpoint = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}");
        let parameters = [("TopicArn", topic_arn.as_str()), ("Protocol", "sqs"), ("Endpoint", &endpoint)];
        self.moto.query("sns", "Subscribe", &parameters);
    }

    /// Makes an event bus, if it is not there, and a queue that gets what a pattern lets through.
    pub fn make_bus(&self, bus: &str, rule: &str, queue: &str, pattern: &Value) {
        let call =
            |action: &str, body: &Value| self.moto.json("events", &format!("AWSEvents.{action}"), body);
        let buses = call("ListEventBuses", &json!({ "NamePrefix": bus }));
        if buses["EventBuses"].as_array().is_none_or(Vec::is_empty) {
            call("CreateEventBus", &json!({ "Name": bus }));
        }
        self.moto.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": queue }));
        let pattern = pattern.to_string();
        call("PutRule", &json!({ "Name": rule, "EventBusName": bus, "EventPattern": pattern }));
        let target = json!({ "Id": "queue", "Arn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}") });
        call("PutTargets", &json!({ "Rule": rule, "EventBusName": bus, "Targets": [target] }));
    }

    /// Lets an address be the sender of e-mail.
    pub fn verify_sender(&self, address: &str) {
        self.moto.query("ses", "VerifyEmailIdentity", &[("EmailAddress", address)]);
    }

    /// The mails that were sent as they are.
    pub fn mails(&self) -> Vec<Value> {
        self.moto.models()["ses"]["RawMessage"].as_array().cloned().unwrap_or_default()
    }

    /// A queue that gets what its filter policy lets through.
    pub fn subscribe(&self, queue: &str, filter: &Value) {
        self.moto.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": queue }));
        let endpoint = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}");
        let filter = filter.to_string();
        let mut parameters = vec![
            ("TopicArn", self.variables["SNS_TOPIC_ARN"].as_str()),
            ("Protocol", "sqs"),
            ("Endpoint", &endpoint),
        ];
        if filter != "null" {
            parameters.extend([
                ("Attributes.entry.1.key", "FilterPolicy"),
                ("Attributes.entry.1.value", filter.as_str()),
            ]);
        }
        self.moto.query("sns", "Subscribe", &parameters);
    }

    /// A state machine that sends its task token to a queue, and waits.
    pub fn state_machine(&self) -> StateMachine<'_> {
        self.moto.configure(&json!({ "stepfunctions": { "execute_state_machine": true } }));
        self.moto.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": "tasks" }));
        let queue_url = format!("{}/{ACCOUNT}/tasks", self.moto.url());
        let parameters = json!({ "QueueUrl": queue_url, "MessageBody": { "token.$": "$$.Task.Token" } });
        let wait = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";
        let ask = json!({ "Type": "Task", "Resource": wait, "Parameters": parameters, "End": true });
        let definition = json!({ "StartAt": "Ask", "States": { "Ask": ask } }).to_string();
        let role = format!("arn:aws:iam::{ACCOUNT}:role/machine");
        let machine = json!({ "name": "machine", "definition": definition, "roleArn": role });
        let made = self.moto.json("states", "AWSStepFunctions.CreateStateMachine", &machine);
        StateMachine { moto: &self.moto, arn: made["stateMachineArn"].clone(), queue_url }
    }

    /// How its functions reach AWS.
    pub fn aws(&self) -> SdkConfig {
        aws(&self.moto.url())
    }

    /// Takes everything out of a queue: what SNS has wrapped around each message, with the message
    /// itself read as JSON under `Message`.
    pub fn received(&self, queue: &str) -> Vec<Value> {
        let mut messages = self.taken(queue);
        for body in &mut messages {
            body["Message"] = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
            notification_schema::check(&body["Message"]);
        }
        messages
    }

    /// Takes everything out of a queue.
    pub fn taken(&self, queue: &str) -> Vec<Value> {
        let url = format!("{}/{ACCOUNT}/{queue}", self.moto.url());
        let mut messages = Vec::new();
        loop {
            let batch = self.moto.json(
                "sqs",
                "AmazonSQS.ReceiveMessage",
                &json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 }),
            );
            let Some(batch) = batch["Messages"].as_array().filter(|batch| !batch.is_empty()) else {
                return messages;
            };
            for message in batch {
                messages.push(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap());
                let receipt = &message["ReceiptHandle"];
                self.moto.json(
                    "sqs",
                    "AmazonSQS.DeleteMessage",
                    &json!({ "QueueUrl": url, "ReceiptHandle": receipt }),
                );
            }
        }
    }

    /// The event of the outbox's stream that tells of everything which is in it now.
    pub fn stream_event(&self) -> Value {
        let items = self.block_on(scan(&self.database, &tables().outbox));
        stream_event(items.iter().map(|item| {
            let text = |name: &str| item[name].as_s().unwrap().clone();
            (text("shard"), text("event_id"))
        }))
    }

    /// Runs something on the deployment's runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// The event of a call by `name@example.com` in some groups.
fn event_of(name: &str, groups: &[&str], method: &str, path: &str, body: &Value) -> Value {
    let claims = json!({
        "iss": "https://issuer.example", "aud": "countersign", "sub": name, "exp": 4_102_444_800_u64,
        "email": format!("{name}@example.com"), "email_verified": true, "cognito:groups": groups,
    });
    let token = signature::issuer_token(&claims);
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: BTreeMap::from([("authorization".to_owned(), format!("Bearer {token}"))]),
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
    };
    gateway::event(&request, claims.as_object())
}

/// How clients reach an implementation of AWS.
pub fn aws(url: &str) -> SdkConfig {
    let access = countersign_aws::Access {
        region: REGION.to_owned(),
        credentials: countersign_aws::credentials("test".to_owned(), "test".to_owned(), None),
        endpoint_url: Some(url.to_owned()),
    };
    countersign_aws::configuration(access, countersign_aws::transport(None).unwrap())
}

/// A state machine whose task waits for a token to come back.
#[derive(Debug)]
pub struct StateMachine<'a> {
    moto: &'a Moto,
    arn: Value,
    queue_url: String,
}

impl StateMachine<'_> {
    /// Starts an execution of this name; gives its ARN and the token that its task waits for.
    ///
    /// # Panics
    /// When its task does not begin.
    pub fn start(&self, name: &str) -> (String, String) {
        let execution = json!({ "stateMachineArn": self.arn, "name": name, "input": "{}" });
        let execution = self.moto.json("states", "AWSStepFunctions.StartExecution", &execution);
        let receive = json!({ "QueueUrl": self.queue_url });
        let message = self.until(
            || self.moto.json("sqs", "AmazonSQS.ReceiveMessage", &receive),
            |answer| answer["Messages"][0].is_object(),
        );
        let message = &message["Messages"][0];
        let receipt = json!({ "QueueUrl": self.queue_url, "ReceiptHandle": message["ReceiptHandle"] });
        self.moto.json("sqs", "AmazonSQS.DeleteMessage", &receipt);
        let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        (execution["executionArn"].as_str().unwrap().to_owned(), body["token"].as_str().unwrap().to_owned())
    }

    /// An execution, as it is.
    pub fn execution(&self, arn: &str) -> Value {
        self.moto.json("states", "AWSStepFunctions.DescribeExecution", &json!({ "executionArn": arn }))
    }

    /// An execution, once it has ended.
    pub fn ended(&self, arn: &str) -> Value {
        self.until(|| self.execution(arn), |execution| execution["status"] != "RUNNING")
    }

    fn until(&self, ask: impl Fn() -> Value, is_there: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let answer = ask();
            if is_there(&answer) {
                return answer;
            }
            // It runs its executions on threads of its own.
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the state machine does not go on: {:?}", self.arn)
    }
}

/// An event of a stream with a record for each of these keys; the sequence numbers are 1, 2, 3 …
pub fn stream_event(keys: impl IntoIterator<Item = (String, String)>) -> Value {
    let records = keys
        .into_iter()
        .enumerate()
        .map(|(index, (shard, event_id))| stream_record(index + 1, &shard, &event_id));
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// One record of a stream with the view type `KEYS_ONLY`.
pub fn stream_record(sequence_number: usize, shard: &str, event_id: &str) -> Value {
    json!({
        "eventID": format!("{sequence_number:032x}"),
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "ApproximateCreationDateTime": 1_767_225_600,
            "Keys": { "shard": { "S": shard }, "event_id": { "S": event_id } },
            "SequenceNumber": sequence_number.to_string(),
            "SizeBytes": 50,
            "StreamViewType": "KEYS_ONLY",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/outbox/stream/2026-01-01T00:00:00.000",
    })
}
