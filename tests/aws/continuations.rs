//! Those who wait for a request outside of Countersign are resumed by the event that they wait for: a state machine of an
//! implementation of AWS that is not ours, and callbacks that are sent to a stub.

use crate::binary;
use countersign_app::continuations::{Released, Releasing, Resume, ResumeError};
use countersign_app::ports::{NoSubscribers, Publish, PublishError};
use countersign_app::route::NoRequests;
use countersign_continuations::AwsResumer;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::continuation::{Handle, Outcome};
use countersign_core::digest::Digest;
use countersign_core::ids::RequestId;
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_e2e::deployment::{Deployment, aws, stream_record};
use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::Request;
use countersign_e2e::inspection::{scan, tables};
use countersign_e2e::service::Service;
use countersign_e2e::signature::{ISSUER_JWKS, issuer_token};
use countersign_lambda::metrics::Metrics;
use countersign_lambda::notify::Notify;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOKEN: &str = "AQCEAAAAKgAAAAMAAAAAAAAAAXa-task-token+/==";
const VARIABLES: [(&str, &str); 4] = [
    ("OIDC_ISSUER", "countersign"),
    ("OIDC_AUDIENCE", "countersign"),
    ("JWKS", ISSUER_JWKS),
    ("CONTINUATIONS", "true"),
];

/// Whom it resumes, and what comes of that.
#[derive(Clone)]
struct Resumer {
    resumed: Arc<Mutex<Vec<Released>>>,
    answer: Arc<Mutex<Result<(), ResumeError>>>,
}

impl Resume for Resumer {
    async fn resume(&self, released: &Released) -> Result<(), ResumeError> {
        self.resumed.lock().unwrap().push(released.clone());
        self.answer.lock().unwrap().clone()
    }
}

/// A topic that takes everything.
struct Topic;

impl Publish for Topic {
    async fn publish(&self, _: &CloudEvent) -> Result<(), PublishError> {
        Ok(())
    }
}

struct World {
    functions: Functions,
    notify: Notify<DynamoOutbox, NoSubscribers, Releasing<DynamoOutbox, Topic>, Resumer, NoRequests>,
    resumer: Resumer,
}

impl World {
    fn start() -> Self {
        let functions = Functions::start(&VARIABLES);
        let outbox = DynamoOutbox::new(functions.database.clone(), tables().outbox);
        let resumer = Resumer { resumed: Arc::default(), answer: Arc::new(Mutex::new(Ok(()))) };
        let notify = Notify {
            subscribers: NoSubscribers,
            routes: None,
            outbox: outbox.clone(),
            publisher: Releasing::new(outbox, Topic),
            resumer: resumer.clone(),
            host: Box::new(functions.host.clone()),
            metrics: Metrics::new("test".to_owned(), |_| {}),
            min_age_seconds: 0,
        };
        Self { functions, notify, resumer }
    }

    fn send(&self, who: &str, method: &str, path: &str, key: Option<&str>, body: &Value) -> (u64, Value) {
        let group = if who == "ann" { "developer" } else { "approver" };
        let claims = json!({
            "sub": who, "email": format!("{who}@example.com"), "email_verified": true, "groups": [group],
            "iss": "countersign", "aud": "countersign", "exp": 4_000_000_000_u64,
        });
        let mut headers =
            BTreeMap::from([("authorization".to_owned(), format!("Bearer {}", issuer_token(&claims)))]);
        headers.extend(key.map(|key| ("idempotency-key".to_owned(), key.to_owned())));
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers,
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        };
        let answer = self.functions.send(&request, claims.as_object());
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap(), body)
    }

    /// Makes a request that one approval is enough for, for which somebody waits; gives its path.
    fn create(&self, more: &Value) -> String {
        let (status, created) = self.send("ann", "POST", "/v1/approvals", None, &with(more));
        assert_eq!(status, 201, "{created}");
        format!("/v1/approvals/{}", created["request_id"].as_str().unwrap())
    }

    fn post(&self, who: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(who, "POST", path, None, body);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// One run of the sweep, a second later.
    fn sweep(&self) -> Value {
        self.functions.host.advance_milliseconds(1000);
        let sweep = self.notify.handle(r#"{"sweep":"outbox"}"#, Duration::from_secs(60));
        self.functions.block_on(sweep).unwrap()
    }

    /// What was sent since this was last asked.
    fn resumed(&self) -> Vec<Released> {
        std::mem::take(&mut self.resumer.resumed.lock().unwrap())
    }

    fn answer(&self, answer: Result<(), ResumeError>) {
        *self.resumer.answer.lock().unwrap() = answer;
    }

    /// The partitions of the outbox's items that hold this text, of all items that do.
    fn holding(&self, text: &str) -> Vec<String> {
        let tables = tables();
        let all = [&tables.approvals, &tables.audit, &tables.outbox];
        let items = all.map(|table| self.functions.block_on(scan(&self.functions.database, table)));
        let items = items.into_iter().flatten().filter(|item| format!("{item:?}").contains(text));
        items.map(|item| item["shard"].as_s().unwrap().clone()).collect()
    }
}

fn with(more: &Value) -> Value {
    let mut body = Service::medium();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn the_decision_resumes_who_waits_and_erases_the_token() {
    let world = World::start();
    let path = world.create(&json!({ "task_token": TOKEN }));
    assert_eq!(world.holding(TOKEN), ["waiting"], "it stands nowhere else");
    world.sweep();
    assert!(world.resumed().is_empty(), "its making is no decision");
    let approved = world.post("bob", &format!("{path}/approve"), &json!({}));
    world.sweep();
    let resumed = world.resumed();
    assert_eq!(resumed.len(), 1);
    assert_eq!((&resumed[0].handle, resumed[0].goes_on), (&Handle::task_token(TOKEN).unwrap(), true));
    let expected = json!({
        "request_id": Service::id(&path), "status": "approved", "content_digest": approved["content_digest"],
    });
    assert_eq!(serde_json::from_str::<Value>(&resumed[0].outcome.to_json()).unwrap(), expected);
    assert_eq!(world.holding(TOKEN), [""; 0]);
    world.post("ann", &format!("{path}/cancel"), &json!({}));
    world.sweep();
    assert!(world.resumed().is_empty(), "once");
    for path in [path.clone(), format!("{path}/events"), format!("{path}/explain")] {
        let (_, shown) = world.send("ann", "GET", &path, None, &Value::Null);
        assert!(!shown.to_string().contains(TOKEN), "{shown}");
    }
}

#[test]
fn who_waits_for_the_end_hears_of_no_approval() {
    let world = World::start();
    let path = world.create(&json!({ "callback_id": "aA0+/w==", "resume_on": "end" }));
    world.post("bob", &format!("{path}/approve"), &json!({}));
    world.sweep();
    assert!(world.resumed().is_empty());
    assert_eq!(world.holding("aA0+/w=="), ["waiting"]);
    world.post("ann", &format!("{path}/cancel"), &json!({}));
    world.sweep();
    let resumed = world.resumed();
    assert_eq!(resumed.len(), 1);
    assert_eq!((resumed[0].outcome.status.as_str(), resumed[0].goes_on), ("cancelled", false));
    assert_eq!(world.holding("aA0+/w=="), [""; 0]);
}

#[test]
fn a_request_that_policy_approves_at_once_resumes_at_once() {
    let world = World::start();
    let mut body = Service::low();
    body["task_token"] = json!(TOKEN);
    assert_eq!(world.send("ann", "POST", "/v1/approvals", None, &body).0, 201);
    world.sweep();
    assert_eq!(world.resumed().len(), 1);
}

#[test]
fn the_stream_tells_of_who_is_released() {
    let world = World::start();
    let path = world.create(&json!({ "task_token": TOKEN }));
    world.post("bob", &format!("{path}/reject"), &json!({ "reason": "no" }));
    world.answer(Err(ResumeError::Unreached("not now".to_owned())));
    let report = world.sweep();
    assert_eq!(
        (&report["published"], &report["not_resumed"]),
        (&json!(2), &json!(1)),
        "no event waits for it"
    );
    assert_eq!(world.holding(TOKEN), ["released"]);
    let batch = |id: &str| {
        let event = json!({ "Records": [stream_record(7, "released", id)] }).to_string();
        world.functions.block_on(world.notify.handle(&event, Duration::from_secs(60))).unwrap()
    };
    let again = batch(Service::id(&path));
    assert_eq!(again["batchItemFailures"], json!([{ "itemIdentifier": "7" }]));
    world.answer(Ok(()));
    for _ in 0..2 {
        assert_eq!(batch(Service::id(&path))["batchItemFailures"], json!([]));
    }
    let resumed = world.resumed();
    assert_eq!(resumed.len(), 3, "nobody is looked for who is gone");
    assert!(resumed.iter().all(|released| !released.goes_on));
    assert_eq!(world.holding(TOKEN), [""; 0]);
}

/// It is tried for two weeks; a token that nobody waits with is erased at once.
#[test]
fn who_is_not_reached_is_tried_again_until_they_are_given_up() {
    let world = World::start();
    let path = world.create(&json!({ "task_token": TOKEN }));
    world.post("ann", &format!("{path}/cancel"), &json!({}));
    world.answer(Err(ResumeError::Unreached("AccessDeniedException".to_owned())));
    for _ in 0..20 {
        world.sweep();
    }
    assert_eq!((world.resumed().len(), world.holding(TOKEN)), (20, vec!["released".to_owned()]));
    world.functions.host.advance_milliseconds(14 * 24 * 60 * 60 * 1000);
    world.sweep();
    assert_eq!(world.holding(TOKEN), [""; 0]);

    let path = world.create(&json!({ "task_token": TOKEN }));
    world.post("ann", &format!("{path}/cancel"), &json!({}));
    world.answer(Err(ResumeError::Gone("TaskTimedOut".to_owned())));
    assert_eq!(world.sweep()["resumed"], 1);
    assert_eq!(world.holding(TOKEN), [""; 0]);
}

#[test]
fn a_retry_needs_no_token_and_writes_none() {
    let world = World::start();
    let first = with(&json!({ "task_token": TOKEN }));
    let (status, created) = world.send("ann", "POST", "/v1/approvals", Some("key"), &first);
    assert_eq!(status, 201, "{created}");
    for again in [with(&json!({})), first, with(&json!({ "task_token": "another" }))] {
        let (status, same) = world.send("ann", "POST", "/v1/approvals", Some("key"), &again);
        assert_eq!((status, &same["request_id"]), (200, &created["request_id"]), "{same}");
    }
    assert_eq!((world.holding(TOKEN), world.holding("another")), (vec!["waiting".to_owned()], Vec::new()));
}

#[test]
fn what_is_no_handle_is_refused_and_not_repeated() {
    let world = World::start();
    for (more, pointer) in [
        (json!({ "task_token": "" }), "/task_token"),
        (json!({ "task_token": "x".repeat(2049) }), "/task_token"),
        (json!({ "task_token": 1 }), "/task_token"),
        (json!({ "callback_id": "x".repeat(1025) }), "/callback_id"),
        (json!({ "callback_id": "not-base64-hunter2" }), "/callback_id"),
        (json!({ "task_token": TOKEN, "callback_id": "AAAA" }), "/callback_id"),
        (json!({ "resume_on": "end" }), "/resume_on"),
        (json!({ "task_token": TOKEN, "resume_on": "never" }), "/resume_on"),
    ] {
        for path in ["/v1/approvals", "/v1/approvals/simulate", "/approvals"] {
            let (status, problem) = world.send("ann", "POST", path, None, &with(&more));
            assert_eq!(
                (status, &problem["errors"][0]["pointer"]),
                (422, &json!(pointer)),
                "{path}: {problem}"
            );
            let said = problem.to_string();
            assert!(!said.contains("hunter2") && !said.contains(TOKEN), "{said}");
        }
    }
    let (status, _) =
        world.send("ann", "POST", "/v1/approvals/simulate", None, &with(&json!({ "task_token": TOKEN })));
    assert_eq!((status, world.holding(TOKEN)), (200, Vec::new()));
}

/// Where none is named that may be resumed, whoever waited would wait for ever.
#[test]
fn a_service_that_resumes_none_takes_no_token() {
    let service = Service::start();
    let refused = service.requester("ann").post("/v1/approvals", &with(&json!({ "task_token": TOKEN })));
    let problem = refused.expect_problem(422, "validation_failed");
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("StateMachineArns") && !message.contains(TOKEN), "{problem}");
}

#[test]
fn a_state_machine_goes_on_with_the_approval_and_fails_without() {
    let deployment = Deployment::start(binary);
    let machine = deployment.state_machine();
    let sweep = json!({ "sweep": "outbox" });
    for (name, decision, status) in [("approved", "approve", "SUCCEEDED"), ("rejected", "reject", "FAILED")] {
        let (execution, token) = machine.start(name);
        let body = with(&json!({ "task_token": token }));
        let (code, created) = deployment.send("ann", &["developer"], "POST", "/v1/approvals", &body);
        assert_eq!(code, 201, "{created}");
        let path = format!("/v1/approvals/{}/{decision}", created["request_id"].as_str().unwrap());
        let reason = if decision == "reject" { json!({ "reason": "not now" }) } else { json!({}) };
        assert_eq!(machine.execution(&execution)["status"], "RUNNING");
        assert_eq!(deployment.send("bob", &["approver"], "POST", &path, &reason).0, 200);
        assert_eq!(deployment.invoke("notify", &sweep).unwrap()["resumed"], 1);
        let ended = machine.ended(&execution);
        assert_eq!(ended["status"], status, "{ended}");
        if status == "SUCCEEDED" {
            let output: Value = serde_json::from_str(ended["output"].as_str().unwrap()).unwrap();
            assert_eq!(
                (&output["status"], &output["request_id"]),
                (&json!("approved"), &created["request_id"])
            );
        } else {
            assert_eq!(ended["error"], "Countersign.NotApproved");
        }
        // A second time, as after an answer that was lost.
        let released = released(Handle::task_token(&token).unwrap(), Status::Approved);
        let again =
            deployment.block_on(async { AwsResumer::connect(&deployment.aws()).resume(&released).await });
        assert!(matches!(again, Err(ResumeError::Gone(_))), "{again:?}");
    }
}

fn released(handle: Handle, status: Status) -> Released {
    let id = RequestId::parse("01930000-0000-4000-8000-0000000000aa").unwrap();
    let outcome = Outcome::of(id, status, Digest::of("content"));
    let goes_on = countersign_core::continuation::goes_on(status);
    Released { handle, outcome, goes_on, at: Timestamp::EARLIEST }
}

/// Path and body of each call that a stub has got.
type Calls = Arc<Mutex<Vec<(String, String)>>>;

/// What answers in the place of Lambda; gives the line and the body of each request.
fn stub(status: u16, error: &'static str) -> (String, Calls) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests: Arc<Mutex<Vec<_>>> = Arc::default();
    let seen = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            seen.lock().unwrap().push((first.trim().to_owned(), String::from_utf8(body).unwrap()));
            let head = format!("HTTP/1.1 {status} x\r\nx-amzn-errortype: {error}\r\nconnection: close");
            let answer = format!("{head}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, requests)
}

fn sent(url: &str, released: &Released) -> Result<(), ResumeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { AwsResumer::connect(&aws(url)).resume(released).await })
}

#[test]
fn a_callback_of_a_durable_function_is_sent_as_the_api_has_it() {
    let id = || Handle::callback_id("aA0+/w==").unwrap();
    let (url, requests) = stub(200, "");
    let (approved, failed) = (released(id(), Status::Approved), released(id(), Status::Failed));
    sent(&url, &approved).unwrap();
    sent(&url, &failed).unwrap();
    let requests = requests.lock().unwrap().clone();
    let path = "/2025-12-01/durable-execution-callbacks/aA0%2B%2Fw%3D%3D";
    assert_eq!(requests[0], (format!("POST {path}/succeed HTTP/1.1"), approved.outcome.to_json()));
    assert_eq!(requests[1].0, format!("POST {path}/fail HTTP/1.1"));
    let body: Value = serde_json::from_str(&requests[1].1).unwrap();
    assert_eq!(
        body,
        json!({
            "ErrorType": "Countersign.ExecutionFailed", "ErrorMessage": "the request is failed",
            "ErrorData": failed.outcome.to_json(),
        })
    );
}

#[test]
fn an_answer_says_whether_anybody_waits() {
    let callback = released(Handle::callback_id("aA0+").unwrap(), Status::Approved);
    let task = released(Handle::task_token("hunter2").unwrap(), Status::Rejected);
    for (status, code, of_callback, of_task) in [
        (400, "CallbackTimeoutException", true, false),
        (400, "InvalidParameterValueException", true, false),
        (400, "TaskTimedOut", false, true),
        (400, "TaskDoesNotExist", false, true),
        (400, "InvalidToken", false, true),
        (400, "InvalidOutput", false, false),
        (403, "AccessDeniedException", false, false),
        (429, "TooManyRequestsException", false, false),
        (500, "ServiceException", false, false),
    ] {
        let (url, _) = stub(status, code);
        for (released, is_gone) in [(&callback, of_callback), (&task, of_task)] {
            let error = sent(&url, released).unwrap_err();
            assert_eq!(matches!(error, ResumeError::Gone(_)), is_gone, "{code}: {error:?}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
