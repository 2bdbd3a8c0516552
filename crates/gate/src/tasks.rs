//! Calls that go on by themselves while their agent asks every now and then: the extension `io.modelcontextprotocol/tasks`.
//!
//! The name of a task is that of its request. Where it stands is read from the service, so a task outlives this program: who
//! asks for it after a restart makes it go on.

use crate::answers::{self, Form};
use crate::busy::{Busy, UnderWay};
use crate::call::{Caller, Prepared, is_unchanged, notice_of, prepare};
use crate::exchange::Aside;
use crate::execution::{Execution, Input, Step, blocking};
use crate::gate::Gate;
use crate::message::{Answer, INTERNAL_ERROR, INVALID_PARAMS};
use crate::meta;
use crate::notes::note;
use crate::task_directory::{Place, StoredTask};
use crate::upstream::Upstream;
use crate::waiting::{Gone, Waited, becomes_true, until_decided};
use crate::wanted::{Subject, Wanted, identity};
use countersign_agents::notice::Notice;
use countersign_agents::progress::progress;
use countersign_api::bodies::CancelBody;
use countersign_api::wire::RequestBody;
use countersign_app::host::Clock as _;
use countersign_client::change::Change;
use countersign_core::timestamp::Timestamp;
use countersign_system::system::SystemHost;
use countersign_tool_calls::calls::Begun;
use countersign_tool_calls::{CallError, Standing, ToolCalls, WaitingCall};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;

/// How often an agent asks.
const POLL_MILLISECONDS: u64 = 1_000;
/// How long an answer is kept at least: an agent that polls may be slow.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// How long tasks may take to be put off once this program is to end.
const PUTTING_OFF: Duration = Duration::from_secs(1);
/// How many answers of an agent wait for a task.
const ANSWERS: usize = 4;
/// Why requests are cancelled.
const CANCELLED: &str = "the agent has cancelled the task";
const ASKED: &str = "the agent has to answer what the server asks";

/// Tasks that this program works on.
#[derive(Debug)]
pub struct Tasks {
    working: Mutex<HashMap<String, Working>>,
    /// Those that wait for approvers.
    waiting: Busy,
    /// Becomes true once none is to wait any more here.
    ending: watch::Sender<bool>,
}

/// A task at work.
#[derive(Debug, Clone)]
struct Working {
    /// What its server asks, while it does.
    asked: watch::Receiver<Option<Value>>,
    /// Takes what the agent answers to that.
    answers: Sender<Value>,
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
    answers: Receiver<Value>,
    cancel: watch::Receiver<bool>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { working: Mutex::default(), waiting: Busy::default(), ending: watch::Sender::new(false) }
    }
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
        (waiting, calls): (Box<WaitingCall>, ToolCalls),
    ) -> Answer {
        let request = waiting.request().clone();
        let place = Place {
            service: calls.connection().url().to_owned(),
            caller: calls.caller().person.clone(),
            kept_as: waiting.key(),
        };
        let stored = StoredTask::new(&prepared.call, &request.request_id, now(), place);
        let (directory, writing) = (gate.tasks.clone(), stored.clone());
        let written = blocking(move || directory.write(&writing)).await;
        if !matches!(written, Ok(Ok(()))) {
            note("a task could not be written down, so its call is refused");
            return Answer::error(INTERNAL_ERROR, "the task could not be written down; nothing was run");
        }
        // On the disk it is put off from now on: it is wanted also while no program works on it.
        let (call, id) = (prepared.call.clone(), request.request_id.clone());
        let rejoined = blocking(move || {
            waiting.put_off();
            calls.rejoin(&call, &id)
        });
        // Otherwise it is gone on with once the agent asks for it.
        if let Ok(Ok(Some(Begun::Waiting(waiting)))) = rejoined.await {
            self.work(gate, wanted.clone(), prepared, stored, waiting);
        }
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
        let (sender, answers) = channel(ANSWERS);
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

    /// No task waits here any more: a program that is asked for it later goes on with it.
    pub async fn put_off(&self) {
        self.ending.send_replace(true);
        self.waiting.is_done_within(PUTTING_OFF).await;
    }

    /// Answers `tasks/get`.
    pub async fn get(
        self: &Arc<Self>,
        gate: &Arc<Gate>,
        upstream: &Upstream,
        params: Option<&Value>,
    ) -> Answer {
        let (stored, calls) = match find(gate, params).await {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let request = match request(&calls, &stored.request_id).await {
            Ok(request) => request,
            Err(notice) => return Answer::error(INTERNAL_ERROR, &notice.text()),
        };
        let working = self.working().get(&stored.request_id).cloned();
        if let Some(working) = working {
            let asked = working.asked.borrow().clone();
            return match asked {
                Some(requests) => with(task(&request, "input_required"), "inputRequests", requests),
                None => complete(task(&request, "working")),
            };
        }
        // Read anew: what has worked on it has written its answer down by now.
        let stored = gate.tasks.read(&stored.request_id).unwrap_or(stored);
        if let Some(answer) = stored.answer() {
            deliver(gate, calls, stored, &answer).await;
            return ended(&request, answer);
        }
        self.resume(gate, upstream, (stored, calls), request, meta::of(params)).await
    }

    /// Goes on with a task that this program does not work on yet.
    async fn resume(
        self: &Arc<Self>,
        gate: &Arc<Gate>,
        upstream: &Upstream,
        (stored, calls): (StoredTask, ToolCalls),
        request: RequestBody,
        meta: Option<&Map<String, Value>>,
    ) -> Answer {
        let answer = match rejoin(&calls, &stored).await {
            Ok(Some(Begun::Waiting(waiting))) => match again(gate, upstream, &stored, meta).await {
                Ok((wanted, prepared)) => {
                    let request = waiting.request().clone();
                    self.work(gate, wanted, prepared, stored, waiting);
                    return complete(task(&request, "working"));
                }
                Err(notice) if matches!(notice.code.as_str(), "upstream_unreachable" | "pins_unusable") => {
                    let _ = blocking(move || waiting.put_off()).await;
                    return Answer::error(INTERNAL_ERROR, &notice.text());
                }
                Err(notice) => {
                    let reason = "the gate does not ask for it any more as it was asked for";
                    note_failure(&stored, blocking(move || waiting.cancel(reason)).await);
                    answers::refused(&notice, modern())
                }
            },
            Ok(Some(Begun::Kept(kept))) => Answer::of_value(&kept).unwrap_or_else(|| closed(&request)),
            Ok(Some(Begun::Unknown(notice))) => answers::refused(&notice, modern()),
            // Another gate works on it, or it is over.
            Ok(None) if is_open(&request) => return complete(task(&request, "working")),
            Ok(None) => closed(&request),
            Err(notice) => return Answer::error(INTERNAL_ERROR, &notice.text()),
        };
        let stored = stored.ended(&answer, now());
        write(gate, stored.clone()).await;
        deliver(gate, calls, stored, &answer).await;
        ended(&request, answer)
    }

    /// Answers `tasks/cancel`: what does not run yet is not run.
    pub async fn cancel(self: &Arc<Self>, gate: &Arc<Gate>, params: Option<&Value>) -> Answer {
        let (stored, calls) = match find(gate, params).await {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let done = Answer::Result(json!({ "resultType": "complete" }));
        if stored.answer().is_some() {
            return done;
        }
        let working = self.working().get(&stored.request_id).cloned();
        if let Some(working) = working {
            working.cancel.send_replace(true);
            return done;
        }
        let canceled = match rejoin(&calls, &stored).await {
            Ok(Some(Begun::Waiting(waiting))) => blocking(move || waiting.cancel(CANCELLED)).await,
            // It was run, or nothing is known of it: `tasks/get` says so.
            Ok(Some(Begun::Kept(_) | Begun::Unknown(_))) => return done,
            // Another gate works on it, or it is over.
            Ok(None) => cancel_elsewhere(calls, stored.request_id.clone()).await,
            Err(notice) => Err(notice),
        };
        match canceled {
            Ok(Ok(())) => done,
            Ok(Err(error)) => Answer::error(INTERNAL_ERROR, &notice_of(&error).text()),
            Err(notice) => Answer::error(INTERNAL_ERROR, &notice.text()),
        }
    }

    /// Answers `tasks/update`: what the agent says to a question of the server.
    pub async fn update(&self, gate: &Gate, params: Option<&Value>) -> Answer {
        let (stored, _) = match find(gate, params).await {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let responses =
            params.and_then(|params| params.get("inputResponses")).filter(|responses| responses.is_object());
        let Some(responses) = responses else {
            return Answer::error(INVALID_PARAMS, "inputResponses must be an object");
        };
        if let Some(working) = self.working().get(&stored.request_id)
            && working.asked.borrow().is_some()
        {
            // A task that has ended in the same moment, or is answered already, wants no answer.
            let _ = working.answers.try_send(responses.clone());
        }
        Answer::Result(json!({ "resultType": "complete" }))
    }
}

/// The task that is meant, if it is one of this server, this service and this caller.
async fn find(gate: &Gate, params: Option<&Value>) -> Result<(StoredTask, ToolCalls), Answer> {
    let stored = task_id(params).and_then(|id| gate.tasks.read(id));
    let is_here = |stored: &StoredTask| stored.server() == Some(gate.configuration.server.as_str());
    let stored = stored.filter(is_here).ok_or_else(unknown_task)?;
    let calls = gate.calls().await.map_err(|notice| Answer::error(INTERNAL_ERROR, &notice.text()))?;
    let is_own = stored.service == calls.connection().url() && stored.caller == calls.caller().person;
    if is_own { Ok((stored, calls)) } else { Err(unknown_task()) }
}

/// The call of a task, if no program works on it.
async fn rejoin(calls: &ToolCalls, stored: &StoredTask) -> Result<Option<Begun>, Notice> {
    let (calls, call, id) = (calls.clone(), stored.call(), stored.request_id.clone());
    blocking(move || calls.rejoin(&call, &id)).await?.map_err(|error| notice_of(&error))
}

/// Cancels the request of a task that another program works on, which sees that. One that is over is as it is.
async fn cancel_elsewhere(calls: ToolCalls, id: String) -> Result<Result<(), CallError>, Notice> {
    blocking(move || {
        let now = calls.connection().request(&id)?;
        if !matches!(now.status.as_str(), "pending" | "approved") {
            return Ok(());
        }
        let body = CancelBody { reason: Some(CANCELLED.to_owned()), ..CancelBody::default() };
        calls.connection().change(&id, &Change::Cancel(body), &format!("{id}-task-cancel"))?;
        Ok(())
    })
    .await
}

/// The agent gets the answer of a task: the same call is another one from now on. That it is not known what a call has done is
/// kept all the same, for the time of any other.
async fn deliver(gate: &Gate, calls: ToolCalls, stored: StoredTask, answer: &Answer) {
    let Some(key) = stored.kept_as().filter(|_| answers::code_of(answer).is_none()) else { return };
    let forgotten = blocking(move || calls.forget_result(&key)).await;
    match forgotten {
        Ok(Ok(())) => write(gate, stored.delivered()).await,
        forgotten => note_failure(&stored, forgotten),
    }
}

async fn write(gate: &Gate, stored: StoredTask) {
    let directory = gate.tasks.clone();
    if !matches!(blocking(move || directory.write(&stored)).await, Ok(Ok(()))) {
        note("the answer of a task could not be written down");
    }
}

fn note_failure(stored: &StoredTask, done: Result<Result<(), CallError>, Notice>) {
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => note(&format!("{}: {error}", stored.request_id)),
        Err(notice) => note(&format!("{}: {}", stored.request_id, notice.message)),
    }
}

fn now() -> i64 {
    SystemHost::default().now().as_millisecond()
}

impl Work {
    /// Waits, runs, and writes the answer down.
    async fn run(mut self, waiting: Box<WaitingCall>) {
        let still_waits = self.tasks.waiting.begin();
        let gone = Gone { left: self.cancel.clone(), reply: None };
        let ending = self.tasks.ending.subscribe();
        let answer = match until_decided(waiting, None, &gone, &ending, |_, _| {}).await {
            Waited::Decided(waiting) if waiting.standing() == Standing::Approved => {
                match self.start(waiting, still_waits).await {
                    Some(answer) => answer,
                    None => return,
                }
            }
            Waited::Decided(waiting) | Waited::Held(waiting) => {
                answers::refused(&waiting.notice(), self.form())
            }
            Waited::Gone(waiting) => self.canceled(waiting).await,
            // It stays as it is, for a program that is asked for it later.
            Waited::Stopped(waiting) => {
                let _ = blocking(move || waiting.put_off()).await;
                return;
            }
            Waited::Failed(error) => answers::refused(&notice_of(&error), self.form()),
        };
        write(&self.gate, self.stored.ended(&answer, now())).await;
    }

    fn form(&self) -> Form {
        self.prepared.target.form
    }

    /// The agent does not want it any more, and nothing was run.
    async fn canceled(&self, waiting: Box<WaitingCall>) -> Answer {
        note_failure(&self.stored, blocking(move || waiting.cancel(CANCELLED)).await);
        let message = format!("{CANCELLED}; nothing was run");
        let next_step = "call again only if it is still needed: that makes a new request";
        answers::refused(&Notice::new("cancelled", &message, next_step), self.form())
    }

    /// Runs the call; gives nothing if it is left to another program.
    async fn start(&mut self, waiting: Box<WaitingCall>, still_waits: UnderWay) -> Option<Answer> {
        let form = self.form();
        let unchanged = tokio::select! {
            unchanged = is_unchanged(&self.gate, &self.wanted, &self.prepared) => unchanged,
            () = becomes_true(self.cancel.clone()) => Ok(()),
            () = becomes_true(self.tasks.ending.subscribe()) => Ok(()),
        };
        // Right before the approval is spent: the server may have taken its time.
        if *self.cancel.borrow() {
            return Some(self.canceled(waiting).await);
        }
        if *self.tasks.ending.borrow() {
            let _ = blocking(move || waiting.put_off()).await;
            return None;
        }
        if let Err(notice) = unchanged {
            return Some(answers::refused(&notice, form));
        }
        drop(still_waits);
        let _under_way = self.gate.busy.begin();
        let mut execution = match Execution::begin(waiting, self.prepared.target.clone()).await {
            Ok(execution) => execution,
            Err(notice) => return Some(answers::refused(&notice, form)),
        };
        let mut input = Input::default();
        loop {
            let aside = Aside::deaf();
            // Kept until it is delivered, and should this program end before it has written the answer down.
            match execution.step(self.prepared.meta.clone(), input, &aside, || true).await {
                Step::Ended(answer) => return Some(answer),
                Step::Asks(result, asking) => match self.responses(&result).await {
                    Some(responses) => {
                        let state = result.get("requestState").cloned();
                        input = Input { responses: Some(responses), state };
                        execution = *asking;
                    }
                    None => return Some(asking.lost("the agent did not answer what the server asked").await),
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

/// The call of a stored task as this gate asks for it now, for a program that has not read it.
///
/// # Errors
/// When it would be asked for otherwise, or cannot be: another gate's approval is none for it.
async fn again(
    gate: &Gate,
    upstream: &Upstream,
    stored: &StoredTask,
    meta: Option<&Map<String, Value>>,
) -> Result<(Wanted, Prepared), Notice> {
    let otherwise = || {
        let message = "the gate asks for this call otherwise by now: its tool, or what gate.toml says of it, has changed; nothing was run";
        Notice::new("tool_changed", message, "call again: that makes a new request")
    };
    let tool = stored.parameters.get("tool").and_then(Value::as_str).ok_or_else(otherwise)?;
    let arguments = stored.parameters.get("arguments").cloned().ok_or_else(otherwise)?;
    let own = meta::of_own_request(meta, gate.configuration.allowed());
    let meta = own.as_ref().and_then(Value::as_object).cloned();
    let wanted = Wanted { subject: Subject::Tool(tool.to_owned()), arguments, meta, input: None };
    let prepared = prepare(gate, upstream, &wanted, modern()).await.map_err(|(notice, _)| notice)?;
    if identity(&prepared.call) == identity(&stored.call()) {
        Ok((wanted, prepared))
    } else {
        Err(otherwise())
    }
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

async fn request(calls: &ToolCalls, id: &str) -> Result<RequestBody, Notice> {
    let (calls, id) = (calls.clone(), id.to_owned());
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
        answer if answers::code_of(&answer) == Some("cancelled") => complete(task(request, "cancelled")),
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
