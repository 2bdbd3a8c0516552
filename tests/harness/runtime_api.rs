//! The Lambda Runtime API
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>), and a built function that
//! runs against it in a process of its own.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

/// How long a function may take to answer here: far longer than it may on AWS.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a function answers: a value, or an error's type and message.
pub type Outcome = Result<Value, (String, String)>;

struct Invocation {
    payload: String,
    deadline_milliseconds: u128,
    answer: oneshot::Sender<Outcome>,
}

#[derive(Clone)]
struct Service {
    invocations: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>>,
    waiting: Arc<Mutex<BTreeMap<String, oneshot::Sender<Outcome>>>>,
    count: Arc<Mutex<u64>>,
}

/// A function in its sandbox.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    invocations: mpsc::UnboundedSender<Invocation>,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    runtime: tokio::runtime::Runtime,
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invocation").finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts a function with these variables and no others.
    pub fn start(binary: &std::path::Path, variables: &[(String, String)]) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let service = Service {
            invocations: Arc::new(tokio::sync::Mutex::new(receiver)),
            waiting: Arc::default(),
            count: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(service);
        runtime.spawn(async move {
            let server = axum_server::from_tcp(listener).unwrap();
            server.serve(router.into_make_service()).await.unwrap();
        });
        let mut child = Command::new(binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "test")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "test")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "test")
            .envs(variables.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the function starts");
        let log = Arc::new(Mutex::new(String::new()));
        let stdout: Box<dyn Read + Send> = Box::new(child.stdout.take().unwrap());
        let stderr: Box<dyn Read + Send> = Box::new(child.stderr.take().unwrap());
        let readers = vec![keep(stdout, &log), keep(stderr, &log)];
        Self { child, invocations: sender, log, readers, runtime }
    }

    /// Invokes the function, which has 30 s, as behind the gateway.
    ///
    /// # Errors
    /// What the function reports as an error.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn invoke(&self, payload: &str) -> Outcome {
        self.invoke_within(payload, Duration::from_secs(30))
    }

    /// The same, with another deadline.
    ///
    /// # Errors
    /// What the function reports as an error.
    pub fn invoke_within(&self, payload: &str, time: Duration) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let deadline = now() + time;
        let invocation =
            Invocation { payload: payload.to_owned(), deadline_milliseconds: deadline.as_millis(), answer };
        self.invocations.send(invocation).unwrap();
        let outcome = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, answered).await });
        match outcome {
            Ok(Ok(outcome)) => outcome,
            _ => panic!("the function does not answer: {}", self.log()),
        }
    }

    /// What it has written to stdout and stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// What it has written once this is in it: a line may arrive after the answer of its call.
    ///
    /// # Panics
    /// When it is not within 20 seconds.
    pub fn log_with(&self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "no `{text}` in {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.log()
    }

    /// Waits until the function ends by itself, as one that cannot start does, and gives its log.
    ///
    /// # Panics
    /// When it does not.
    pub fn ended(mut self) -> String {
        let status = self.child.wait().unwrap();
        assert!(!status.success());
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        self.log()
    }
}

#[expect(clippy::disallowed_methods, reason = "a function compares its deadline with the machine's clock")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

fn keep(from: Box<dyn Read + Send>, log: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = String::new();
        while from.read_line(&mut line).is_ok_and(|length| length > 0) {
            log.lock().unwrap().push_str(&line);
            line.clear();
        }
    })
}

async fn next(State(service): State<Service>) -> Response<Body> {
    let Some(invocation) = service.invocations.lock().await.recv().await else {
        return status(StatusCode::GONE);
    };
    let id = {
        let mut count = service.count.lock().unwrap();
        *count += 1;
        format!("00000000-0000-4000-8000-{count:012}")
    };
    service.waiting.lock().unwrap().insert(id.clone(), invocation.answer);
    Response::builder()
        .header("lambda-runtime-aws-request-id", id)
        .header("lambda-runtime-deadline-ms", invocation.deadline_milliseconds.to_string())
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:123456789012:function:test",
        )
        .header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
        .body(Body::from(invocation.payload))
        .unwrap()
}

async fn response(State(service): State<Service>, Path(id): Path<String>, body: Bytes) -> Response<Body> {
    let answer = service.waiting.lock().unwrap().remove(&id).expect("it was invoked");
    let _ = answer.send(Ok(serde_json::from_slice(&body).unwrap()));
    status(StatusCode::ACCEPTED)
}

async fn error(State(service): State<Service>, Path(id): Path<String>, body: Bytes) -> Response<Body> {
    let answer = service.waiting.lock().unwrap().remove(&id).expect("it was invoked");
    let error: Value = serde_json::from_slice(&body).unwrap();
    let text = |name: &str| error[name].as_str().unwrap().to_owned();
    let _ = answer.send(Err((text("errorType"), text("errorMessage"))));
    status(StatusCode::ACCEPTED)
}

fn status(status: StatusCode) -> Response<Body> {
    Response::builder().status(status).body(Body::from(r#"{"status":"OK"}"#)).unwrap()
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
