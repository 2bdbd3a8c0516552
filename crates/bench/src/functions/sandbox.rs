//! A function as a process of its own, on the Lambda Runtime API
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use super::share::Share;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// How long a function may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that is a function.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// What the table calls it.
    pub(super) name: String,
    /// The command that starts it: a path, and arguments.
    pub(super) command: Vec<String>,
}

/// What a function answered, and when.
#[derive(Debug)]
pub(super) struct Answer {
    /// Whether it is an answer and no error of the function.
    pub(super) is_ok: bool,
    pub(super) body: Bytes,
    pub(super) at: Instant,
}

/// A running function. It is stopped when this is dropped.
#[derive(Debug)]
pub(super) struct Sandbox {
    child: Child,
    began: Instant,
    invocations: mpsc::UnboundedSender<Bytes>,
    answers: mpsc::UnboundedReceiver<Answer>,
}

/// What a process has cost so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    /// Of all its threads, those that have ended included.
    pub(super) cpu: Duration,
    /// The most memory that it has held, in bytes (`VmHWM`).
    pub(super) peak_memory: u64,
}

impl Sandbox {
    /// Starts the program, within a share of a processor if there is one.
    pub(super) async fn start(
        program: &Program,
        variables: &[(String, String)],
        share: Option<&Share>,
    ) -> Result<Self, String> {
        let (invocations, to_invoke) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
        let address = listener.local_addr().map_err(text)?;
        tokio::spawn(serve(listener, Arc::new(Mutex::new(to_invoke)), answered));
        let [path, arguments @ ..] = program.command.as_slice() else {
            return Err(format!("{} has no command", program.name));
        };
        let mut command = Command::new(PathBuf::from(path));
        command
            .args(arguments)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &program.name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .envs(variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let began = Instant::now();
        let child = command.spawn().map_err(|error| format!("{path}: {error}"))?;
        // The program has just been loaded, and has run for microseconds.
        if let Some(share) = share {
            share.take_in(child.id())?;
        }
        Ok(Self { child, began, invocations, answers })
    }

    /// Invokes the function, and waits for its answer.
    pub(super) async fn invoke(&mut self, payload: Bytes) -> Result<Answer, String> {
        self.invocations.send(payload).map_err(text)?;
        match tokio::time::timeout(PATIENCE, self.answers.recv()).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("the interface of the runtime has ended".to_owned()),
            Err(_) => Err("the function does not answer".to_owned()),
        }
    }

    /// From the start of the process to this answer.
    pub(super) fn since_start(&self, answer: &Answer) -> Duration {
        answer.at.duration_since(self.began)
    }

    pub(super) fn spent(&self) -> Result<Spent, String> {
        let id = i32::try_from(self.child.id()).map_err(text)?;
        let clock: ClockId = clock_getcpuclockid(Pid::from_raw(id)).map_err(text)?;
        let cpu = Duration::from(clock.now().map_err(text)?);
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).map_err(text)?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = peak.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        let kibibytes = kibibytes.ok_or("the system does not tell the memory of a process")?;
        Ok(Spent { cpu, peak_memory: kibibytes * 1024 })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Invocations = Arc<Mutex<mpsc::UnboundedReceiver<Bytes>>>;

async fn serve(listener: TcpListener, invocations: Invocations, answered: mpsc::UnboundedSender<Answer>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (invocations, answered) = (Arc::clone(&invocations), answered.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let service = service_fn(|request| call(&invocations, &answered, request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// A call of the Runtime API. One invocation is under way at a time, so its id is always the same.
async fn call(
    invocations: &Invocations,
    answered: &mpsc::UnboundedSender<Answer>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let path = request.uri().path().to_owned();
    if path.ends_with("/invocation/next") {
        let payload = invocations.lock().await.recv().await.unwrap_or_default();
        return Ok(Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", "4102444800000")
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-central-1:123456789012:function:bench",
            )
            .header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
            .body(Full::new(payload))?);
    }
    let body = request.into_body().collect().await?.to_bytes();
    let answer = Answer { is_ok: path.ends_with("/response"), body, at: Instant::now() };
    answered.send(answer)?;
    Ok(Response::builder().status(202).body(Full::from(r#"{"status":"OK"}"#))?)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
