//! A program that carries operations out: each of the five functions is one run of it, with one JSON document on its
//! stdin and one on its stdout. The messages are in docs/executors.md.

use countersign_core::canonical;
use countersign_core::timestamp::Timestamp;
use countersign_executor::planner::{Fault, Plan, Planner};
use countersign_executor::port::{Applied, Execution, Executor, Failure, ObserveError, Settled, Task};
use countersign_executor::target::Target;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// The format of every message to the program.
pub const FORMAT: &str = "countersign.executor.v1";

/// The most that a program may answer.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// A program, and how long one run of it may take.
#[derive(Debug, Clone)]
pub struct ProgramExecutor {
    /// Its path, or its name in `PATH`, and its arguments.
    pub command: Vec<OsString>,
    /// The time limit.
    pub time_limit: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Validated {
    faults: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    plan: Option<Plan>,
    #[serde(default)]
    faults: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Observed {
    Target(Value),
    Missing(String),
    Refused(String),
    Unavailable(String),
}

#[derive(Deserialize)]
#[serde(tag = "applied", rename_all = "snake_case", deny_unknown_fields)]
enum AppliedAnswer {
    Accepted,
    Refused { code: String, detail: String },
    Unknown,
}

#[derive(Deserialize)]
#[serde(tag = "settled", rename_all = "snake_case", deny_unknown_fields)]
enum SettledAnswer {
    Running,
    Succeeded { result: Value },
    Failed { code: String, detail: String },
    Unknown,
}

impl ProgramExecutor {
    /// One run. Its environment is this program's, without what the service is called with.
    fn run<T: for<'a> Deserialize<'a>>(
        &self,
        function: &str,
        members: Map<String, Value>,
    ) -> Result<T, String> {
        let mut message = members;
        message.insert("format".to_owned(), json!(FORMAT));
        message.insert("function".to_owned(), json!(function));
        let bytes = self.output(Value::Object(message).to_string())?;
        let answer = canonical::read(&bytes).map_err(|error| format!("the program's answer: {error}"))?;
        T::deserialize(&answer).map_err(|_| format!("the program's answer is none to `{function}`"))
    }

    fn output(&self, message: String) -> Result<Vec<u8>, String> {
        let [program, arguments @ ..] = self.command.as_slice() else {
            return Err("no program is named".to_owned());
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("COUNTERSIGN_TOKEN")
            .env_remove("COUNTERSIGN_TOKEN_FILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C ends the loop after this run, and does not break the run off.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("the program does not start: {error}"))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the program has no stdin or stdout".to_owned());
        };
        std::thread::spawn(move || stdin.write_all(message.as_bytes()));
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(MAX_ANSWER_BYTES + 1).read_to_end(&mut bytes);
            sender.send(read.map(|_| bytes))
        });
        let read = receiver.recv_timeout(self.time_limit);
        if read.is_err() {
            // Nothing is left to do if it has ended meanwhile.
            let _ = child.kill();
        }
        let bytes = match read {
            Ok(Ok(bytes)) if bytes.len() as u64 > MAX_ANSWER_BYTES => {
                let _ = child.kill();
                Err(format!("the program's answer has more than {MAX_ANSWER_BYTES} bytes"))
            }
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(format!("the program's answer cannot be read: {error}")),
            Err(_) => Err("the program takes too long".to_owned()),
        };
        let status = child.wait().map_err(|error| format!("the program: {error}"))?;
        let bytes = bytes?;
        if status.success() { Ok(bytes) } else { Err(format!("the program ended with {status}")) }
    }
}

fn about(operation_type: &str, instance_id: Option<&str>, parameters: &Value) -> Map<String, Value> {
    let members = [
        ("operation_type", Some(json!(operation_type))),
        ("instance_id", instance_id.map(|id| json!(id))),
        ("parameters", Some(parameters.clone())),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn of_task(task: &Task) -> Map<String, Value> {
    let mut members = about(&task.operation_type, Some(&task.instance_id), &task.parameters);
    members.insert("request_id".to_owned(), json!(task.request_id));
    members
}

fn of_execution(execution: &Execution) -> Map<String, Value> {
    let mut members = of_task(&execution.task);
    members.insert("execution_id".to_owned(), json!(execution.execution_id));
    members.insert("target".to_owned(), execution.target.to_value());
    members.insert("claimed_at".to_owned(), json!(execution.claimed_at.to_string()));
    members
}

impl Planner for ProgramExecutor {
    fn knows(&self, _: &str) -> bool {
        true
    }

    fn validate(&self, operation_type: &str, parameters: &Value) -> Result<(), Vec<Fault>> {
        match self.run("validate", about(operation_type, None, parameters)) {
            Ok(Validated { faults }) if faults.is_empty() => Ok(()),
            Ok(Validated { faults }) => Err(faults),
            Err(why) => Err(vec![Fault::of_parameter("", why)]),
        }
    }

    fn plan(
        &self,
        operation_type: &str,
        instance_id: &str,
        parameters: &Value,
        target: Option<&Target>,
    ) -> Result<Plan, Vec<Fault>> {
        let mut members = about(operation_type, Some(instance_id), parameters);
        members.extend(target.map(|target| ("target".to_owned(), target.to_value())));
        match self.run("plan", members) {
            Ok(Planned { plan: Some(plan), faults }) if faults.is_empty() => Ok(plan),
            Ok(Planned { faults, .. }) if !faults.is_empty() => Err(faults),
            Ok(_) => Err(vec![Fault::of_target("has neither a plan nor faults, says the program")]),
            Err(why) => Err(vec![Fault::of_target(why)]),
        }
    }
}

impl Executor for ProgramExecutor {
    async fn observe(&self, task: &Task) -> Result<Target, ObserveError> {
        match self.run("observe", of_task(task)).map_err(ObserveError::Unavailable)? {
            Observed::Target(target) => {
                Target::new(target).map_err(|error| ObserveError::Refused(error.to_string()))
            }
            Observed::Missing(why) => Err(ObserveError::Missing(why)),
            Observed::Refused(why) => Err(ObserveError::Refused(why)),
            Observed::Unavailable(why) => Err(ObserveError::Unavailable(why)),
        }
    }

    async fn apply(&self, execution: &Execution, plan: &Plan) -> Applied {
        let mut members = of_execution(execution);
        members.insert("plan".to_owned(), json!(plan.of_execution(&execution.execution_id)));
        match self.run("apply", members) {
            Ok(AppliedAnswer::Accepted) => Applied::Accepted,
            Ok(AppliedAnswer::Refused { code, detail }) => Applied::Refused(Failure { code, detail }),
            // It was started, and may have done it before it failed.
            Ok(AppliedAnswer::Unknown) | Err(_) => Applied::Unknown,
        }
    }

    async fn settle(&self, execution: &Execution, now: Timestamp) -> Settled {
        let mut members = of_execution(execution);
        members.insert("accepted".to_owned(), json!(execution.is_accepted));
        members.insert("now".to_owned(), json!(now.to_string()));
        match self.run("settle", members) {
            Ok(SettledAnswer::Running) => Settled::Running,
            Ok(SettledAnswer::Succeeded { result }) => Settled::Succeeded(result),
            Ok(SettledAnswer::Failed { code, detail }) => Settled::Failed(Failure { code, detail }),
            // It is asked again.
            Ok(SettledAnswer::Unknown) | Err(_) => Settled::Unknown,
        }
    }
}
