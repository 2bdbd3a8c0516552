//! Calls that go on by themselves while their agent asks every now and then: the extension `io.modelcontextprotocol/tasks`.
//!
//! The name of a task is that of its request. Where it stands is read from the service, so a task outlives this program: who
//! asks for it after a restart makes it go on.

use crate::answers::{self, Form};
use crate::call::{Caller, Prepared, is_unchanged, notice_of};
use crate::exchange::Aside;
use crate::execution::{Execution, Input, Step, Target, blocking};
use crate::gate::Gate;
use crate::message::{Answer, INTERNAL_ERROR, INVALID_PARAMS};
use crate::meta;
use crate::notes::note;
use crate::task_directory::StoredTask;
use crate::upstream::Upstream;
use crate::waiting::{Gone, Waited, becomes_true, until_decided};
use crate::wanted::{Subject, Wanted};
use countersign_agents::notice::Notice;
use countersign_agents::progress::progress;
use countersign_api::wire::RequestBody;
use countersign_app::host::Clock as _;
use countersign_core::timestamp::Timestamp;
use countersign_system::system::SystemHost;
use countersign_tool_calls::calls::Begun;
use countersign_tool_calls::{CallError, Standing, ToolCalls, WaitingCall};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// How often an agent asks.
const POLL_MILLISECONDS: u64 = 1_000;
/// How long an answer is kept at least: an agent that polls may be slow.
const KEPT: Duration = Duration::from_secs(60 * 60);
const ASKED: &str = "the agent has to answer what the server asks";

/// Tasks that this program works on.
#[derive(Debug, Default)]
pub struct Tasks {
    working: Mutex<HashMap<String, Working>>,
}

/// A task at work.
#[derive(Debug, Clone)]
struct Working {
    /// What its server asks, while it does.
    asked: watch::Receiver<Option<Value>>,
    /// Takes what the agent answers to that.
    answers: UnboundedSender<Value>,
    cancel: Arc<watch::Sender<bool>>,
}

/// What a task needs to go on.
struct Work {
    gate: Arc<Gate>,
    tasks: Arc<Tasks>,
    wanted: Wanted,
    prepared: Prepared,
    stored: StoredTask,
    asked: watch::Sender<Option<Value>>,
    answers: UnboundedReceiver<Value>,
    cancel: watch::Receiver<bool>,
}

impl Tasks {
    fn working(&self) -> MutexGuard<'_, HashMap<String, Working>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call that waits a task, and answers with that.
    pub async fn create(
        self: &Arc<Self>,
        gate: &Arc<Gate>,
        wanted: &Wanted,
        prepared: Prepared,
        waiting: Box<WaitingCall>,
    ) -> Answer {
        let request = waiting.request().clone();
        let stored = StoredTask::new(&prepared.call, &request.request_id, &request.requested_at);
        let (directory, writing) = (gate.tasks.clone(), stored.clone());
        let written = blocking(move || directory.write(&writing)).await;
        if !matches!(written, Ok(Ok(()))) {
            note("a task could not be written down, so its call is refused");
            return Answer::error(INTERNAL_ERROR, "the task could not be written down; nothing was run");
        }
        self.work(gate, wanted.clone(), prepared, stored, waiting);
        let mut result = task(&request, "working");
        if let Some(members) = result.as_object_mut() {
            members.insert("resultType".to_owned(), json!("task"));
        }
        answers::with_request_id(Answer::Result(result), &request.request_id)
    }

    /// Works on a task in the background.
    fn work(
        self: &Arc<Self>,
        gate: &Arc<Gate>,
        wanted: Wanted,
        prepared: Prepared,
        stored: StoredTask,
        waiting: Box<WaitingCall>,
    ) {
        let (asked, receiver) = watch::channel(None);
        let (sender, answers) = unbounded_channel();
        let cancel = Arc::new(watch::Sender::new(false));
        let canceled = cancel.subscribe();
        let working = Working { asked: receiver, answers: sender, cancel };
        let id = stored.request_id.clone();
        self.working().insert(id.clone(), working);
        let (gate, tasks) = (Arc::clone(gate), Arc::clone(self));
        let work = Work {
            gate,
            tasks: Arc::clone(&tasks),
            wanted,
            prepared,
            stored,
            asked,
            answers,
            cancel: canceled,
        };
        tokio::spawn(async move {
            work.run(waiting).await;
            tasks.working().remove(&id);
        });
    }

    /// Answers `tasks/get`.
    pub async fn get(
        self: &Arc<Self>,
        gate: &Arc<Gate>,
        upstream: &Upstream,
        params: Option<&Value>,
    ) -> Answer {
        let Some(id) = task_id(params) else { return unknown_task() };
        let stored = gate.tasks.read(id);
        let Some(stored) = stored else { return unknown_task() };
        let request = match request(gate, id).await {
            Ok(request) => request,
            Err(notice) => return Answer::error(INTERNAL_ERROR, &notice.text()),
        };
        if let Some(answer) = stored.answer() {
            return ended(&request, answer);
        }
        let working = self.working().get(id).cloned();
        if let Some(working) = working {
            let asked = working.asked.borrow().clone();
            return match asked {
                Some(requests) => with(task(&request, "input_required"), "inputRequests", requests),
                None => complete(task(&request, "working")),
            };
        }
        self.resume(gate, upstream, stored, request, meta::of(params)).await
    }

    /// Goes on with a task that this program does not work on yet.
    async fn resume(
        self: &Arc<Self>,
        gate: &Arc<Gate>,
        upstream: &Upstream,
        stored: StoredTask,
        request: RequestBody,
        meta: Option<&Map<String, Value>>,
    ) -> Answer {
        let calls = match gate.calls().await {
            Ok(calls) => calls,
            Err(notice) => return Answer::error(INTERNAL_ERROR, &notice.text()),
        };
        let (call, id) = (stored.call(), stored.request_id.clone());
        let rejoined = blocking(move || calls.rejoin(&call, &id)).await;
        match rejoined {
            Ok(Ok(Some(Begun::Waiting(waiting)))) => {
                let request = waiting.request().clone();
                let (wanted, prepared) = again(gate, upstream, &stored, meta);
                self.work(gate, wanted, prepared, stored, waiting);
                complete(task(&request, "working"))
            }
            Ok(Ok(Some(Begun::Kept(kept)))) => match Answer::of_value(&kept) {
                Some(answer) => ended(&request, answer),
                None => ended(&request, closed(&request)),
            },
            Ok(Ok(Some(Begun::Unknown(notice)))) => ended(&request, answers::refused(&notice, modern())),
            // Another gate works on it, or it is over.
            Ok(Ok(None)) if is_open(&request) => complete(task(&request, "working")),
            Ok(Ok(None)) => ended(&request, closed(&request)),
            Ok(Err(error)) => Answer::error(INTERNAL_ERROR, &notice_of(&error).text()),
            Err(notice) => Answer::error(INTERNAL_ERROR, &notice.text()),
        }
    }

    /// Answers `tasks/cancel`: what does not run yet is not run.
    pub async fn cancel(
        self: &Arc<Self>,
        gate: &Arc<Gate>,
        upstream: &Upstream,
        params: Option<&Value>,
    ) -> Answer {
        let Some(id) = task_id(params) else { return unknown_task() };
        if gate.tasks.read(id).is_none() {
            return unknown_task();
        }
        // One that no program works on is taken up, so that it can be cancelled.
        let got = self.get(gate, upstream, params).await;
        if let Some(working) = self.working().get(id) {
            working.cancel.send_replace(true);
        }
        match got {
            Answer::Result(_) => Answer::Result(json!({ "resultType": "complete" })),
            error => error,
        }
    }

    /// Answers `tasks/update`: what the agent says to a question of the server.
    pub fn update(&self, gate: &Gate, params: Option<&Value>) -> Answer {
        let Some(id) = task_id(params) else { return unknown_task() };
        if gate.tasks.read(id).is_none() {
            return unknown_task();
        }
        let responses =
            params.and_then(|params| params.get("inputResponses")).filter(|responses| responses.is_object());
        let Some(responses) = responses else {
            return Answer::error(INVALID_PARAMS, "inputResponses must be an object");
        };
        if let Some(working) = self.working().get(id)
            && working.asked.borrow().is_some()
        {
            // A task that has ended in the same moment wants no answer.
            let _ = working.answers.send(responses.clone());
        }
        Answer::Result(json!({ "resultType": "complete" }))
    }
}

impl Work {
    /// Waits, runs, and writes the answer down.
    async fn run(mut self, waiting: Box<WaitingCall>) {
        let gone = Gone { left: self.cancel.clone(), reply: None };
        let stop = self.gate.stop.subscribe();
        let answer = match until_decided(waiting, None, &gone, &stop, |_, _| {}).await {
            Waited::Decided(waiting) if waiting.standing() == Standing::Approved => self.start(waiting).await,
            Waited::Decided(waiting) | Waited::Held(waiting) => {
                answers::refused(&waiting.notice(), self.form())
            }
            Waited::Gone(waiting) => {
                let canceled = blocking(move || waiting.cancel("the agent has cancelled the task")).await;
                if let Ok(Err(error)) = canceled {
                    note(&format!("{}: it was not cancelled: {error}", self.stored.request_id));
                }
                return;
            }
            // It stays as it is, for a program that is asked for it later.
            Waited::Stopped(_) => return,
            Waited::Failed(error) if error.is_passing() => return,
            Waited::Failed(error) => answers::refused(&notice_of(&error), self.form()),
        };
        let now = SystemHost::default().now().as_millisecond();
        let (directory, stored) = (self.gate.tasks.clone(), self.stored.ended(&answer, now));
        if !matches!(blocking(move || directory.write(&stored)).await, Ok(Ok(()))) {
            note("the answer of a task could not be written down");
        }
        drop(self.tasks);
    }

    fn form(&self) -> Form {
        self.prepared.target.form
    }

    async fn start(&mut self, waiting: Box<WaitingCall>) -> Answer {
        let form = self.form();
        if let Err(notice) = is_unchanged(&self.gate, &self.wanted, &self.prepared).await {
            return answers::refused(&notice, form);
        }
        let _under_way = self.gate.busy.begin();
        let mut execution = match Execution::begin(waiting, self.prepared.target.clone()).await {
            Ok(execution) => execution,
            Err(notice) => return answers::refused(&notice, form),
        };
        let mut input = Input::default();
        loop {
            let aside = Aside::deaf();
            match execution.step(self.prepared.meta.clone(), input, &aside, || true).await {
                Step::Ended(answer) => return answer,
                Step::Asks(result, asking) => match self.responses(&result).await {
                    Some(responses) => {
                        let state = result.get("requestState").cloned();
                        input = Input { responses: Some(responses), state };
                        execution = *asking;
                    }
                    None => return asking.lost("the agent did not answer what the server asked").await,
                },
            }
        }
    }

    /// What the agent answers; nothing if it does not.
    async fn responses(&mut self, result: &Value) -> Option<Value> {
        let requests = result.get("inputRequests").cloned().unwrap_or_else(|| json!({}));
        self.asked.send_replace(Some(requests));
        let limit = Duration::from_secs(self.gate.configuration.input_seconds);
        let canceled = becomes_true(self.cancel.clone());
        let responses = tokio::select! {
            responses = tokio::time::timeout(limit, self.answers.recv()) => responses.ok().flatten(),
            () = canceled => None,
        };
        self.asked.send_replace(None);
        responses
    }
}

/// What a stored task was, for a program that has not read its call.
fn again(
    gate: &Gate,
    upstream: &Upstream,
    stored: &StoredTask,
    meta: Option<&Map<String, Value>>,
) -> (Wanted, Prepared) {
    let configuration = &gate.configuration;
    let tool = stored.parameters.get("tool").and_then(Value::as_str);
    let subject = tool.map_or(Subject::Resource, |tool| Subject::Tool(tool.to_owned()));
    let arguments = stored.parameters.get("arguments").cloned().unwrap_or_else(|| json!({}));
    let own = meta::of_own_request(meta, configuration.allowed());
    let wanted = Wanted { subject, arguments, meta: meta.cloned(), input: None };
    let target = Target {
        upstream: upstream.clone(),
        method: if tool.is_some() { "tools/call" } else { "resources/read" },
        header_arguments: Vec::new(),
        allowed: configuration.allowed(),
        form: modern(),
        busy: gate.busy.clone(),
    };
    (wanted, Prepared { call: stored.call(), target, meta: own })
}

fn modern() -> Form {
    Form { has_result_type: true, has_output_schema: false }
}

fn task_id(params: Option<&Value>) -> Option<&str> {
    params?.get("taskId")?.as_str()
}

fn unknown_task() -> Answer {
    Answer::error(INVALID_PARAMS, "there is no such task")
}

async fn request(gate: &Gate, id: &str) -> Result<RequestBody, Notice> {
    let calls: ToolCalls = gate.calls().await?;
    let id = id.to_owned();
    let request = blocking(move || calls.connection().request(&id)).await?;
    request.map_err(|error| notice_of(&CallError::Service(error)))
}

fn is_open(request: &RequestBody) -> bool {
    matches!(request.status.as_str(), "pending" | "approved" | "executing")
}

/// The answer of a task whose request is over without a result.
fn closed(request: &RequestBody) -> Answer {
    answers::refused(&Notice::closed(request, None), modern())
}

/// A task as it stands.
fn task(request: &RequestBody, status: &str) -> Value {
    let time = |text: &str| Timestamp::parse(text).ok().map(Timestamp::as_millisecond);
    let begin_and_end = time(&request.requested_at).zip(time(&request.expires_at));
    let ttl = begin_and_end.and_then(|(begin, end)| u64::try_from(end - begin).ok());
    let message = match status {
        "input_required" => ASKED.to_owned(),
        _ if request.status == "pending" => progress(request, SystemHost::default().now()),
        _ => format!("the request is {}", request.status),
    };
    json!({
        "taskId": request.request_id,
        "status": status,
        "statusMessage": message,
        "createdAt": request.requested_at,
        "lastUpdatedAt": changed_at(request),
        "ttlMs": ttl,
        "pollIntervalMs": POLL_MILLISECONDS,
    })
}

/// When a request has last come to another status.
fn changed_at(request: &RequestBody) -> &str {
    let times = [&request.closed_at, &request.execution_started_at, &request.approved_at];
    times.into_iter().find_map(|time| time.as_deref()).unwrap_or(&request.requested_at)
}

/// A task with its answer.
fn ended(request: &RequestBody, answer: Answer) -> Answer {
    match answer {
        _ if request.status == "cancelled" => complete(task(request, "cancelled")),
        Answer::Result(result) => with(task(request, "completed"), "result", result),
        Answer::Error(error) => with(task(request, "failed"), "error", error),
    }
}

fn with(mut task: Value, key: &str, value: Value) -> Answer {
    if let Some(members) = task.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
    complete(task)
}

/// The result of `tasks/get`.
fn complete(mut task: Value) -> Answer {
    if let Some(members) = task.as_object_mut() {
        members.insert("resultType".to_owned(), json!("complete"));
    }
    Answer::Result(task)
}

/// How long answers of tasks are kept, in milliseconds.
pub fn kept_milliseconds(gate: &Gate) -> i64 {
    let kept = KEPT.max(Duration::from_secs(gate.configuration.replay_seconds));
    i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)
}

/// Whether a caller is answered with a task rather than held.
pub fn is_wanted(caller: &Caller, wanted: &Wanted, waiting: &WaitingCall) -> bool {
    caller.has_tasks && matches!(wanted.subject, Subject::Tool(_)) && waiting.standing() == Standing::Pending
}
