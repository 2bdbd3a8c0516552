//! One call of a tool, or one reading of a resource: asked for, waited for, started, forwarded, and reported.
//!
//! INVARIANT: what may have an effect is forwarded by `run_step` alone, of an approval that was spent for it.

use crate::answers::{self, Form};
use crate::approvals::as_gate;
use crate::continuations::Continuation;
use crate::described;
use crate::exchange::Aside;
use crate::execution::{Execution, Input, Step, Target, blocking};
use crate::gate::Gate;
use crate::message::{Answer, INVALID_PARAMS, Message, Notification};
use crate::meta;
use crate::runs::Running;
use crate::upstream::Upstream;
use crate::waiting::{Gone, Waited, until_decided};
use crate::wanted::{Subject, Wanted, identity};
use countersign_agents::notice::Notice;
use countersign_tool_calls::calls::Begun;
use countersign_tool_calls::{CallError, Standing, ToolCall, ToolCalls, WaitingCall};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Who calls, and how.
#[derive(Debug)]
pub struct Caller {
    /// What the server says to it meanwhile.
    pub aside: Aside,
    /// Whether it is still there.
    pub gone: Gone,
    /// How it wants its answers.
    pub form: Form,
    /// Whether it takes a task for an answer.
    pub has_tasks: bool,
}

/// A call that was read and may be asked for.
#[derive(Debug)]
pub struct Prepared {
    /// What is asked for.
    pub call: ToolCall,
    /// Where it goes.
    pub target: Target,
    /// What of `_meta` goes with it.
    pub meta: Option<Value>,
}

/// A call that has been asked for.
#[derive(Debug)]
pub enum Asked {
    /// Its answer.
    Answer(Option<Answer>),
    /// It waits.
    Waiting(Box<WaitingCall>, ToolCalls),
}

/// The notice as an answer to a call.
pub fn refused(wanted: &Wanted, notice: &Notice, form: Form) -> Answer {
    match wanted.subject {
        Subject::Tool(_) => answers::refused(notice, form),
        Subject::Resource => answers::refused_as_error(notice),
    }
}

/// Why a call does not go on, for an agent.
pub fn notice_of(error: &CallError) -> Notice {
    as_gate(error.notice(), error.is_passing())
}

/// Looks at the tool, and puts the call as what is asked for.
///
/// # Errors
/// Why it cannot be.
pub async fn prepare(
    gate: &Gate,
    upstream: &Upstream,
    wanted: &Wanted,
    form: Form,
) -> Result<Prepared, (Notice, Form)> {
    let configuration = &gate.configuration;
    let (tool, method) = match &wanted.subject {
        Subject::Tool(name) => {
            // What cannot be asked for is refused before the server hears of it.
            wanted.call(configuration, None).map_err(|notice| (*notice, form))?;
            let tool = described::tool(gate, upstream, name, wanted.meta.as_ref()).await;
            (Some(tool.map_err(|notice| (notice, form))?), "tools/call")
        }
        Subject::Resource => (None, "resources/read"),
    };
    let has_output_schema = tool.as_ref().is_some_and(crate::definition::Definition::has_output_schema);
    let form = Form { has_output_schema, ..form };
    let call = wanted.call(configuration, tool.as_ref()).map_err(|notice| (*notice, form))?;
    let target = Target {
        upstream: upstream.clone(),
        method,
        header_arguments: tool.map(|tool| tool.header_arguments()).unwrap_or_default(),
        allowed: configuration.allowed(),
        form,
        busy: gate.busy.clone(),
    };
    let meta = meta::of_call(wanted.meta.as_ref(), &configuration.pass_meta, configuration.allowed());
    Ok(Prepared { call, target, meta })
}

/// Why a call cannot be put as what is asked for. One that has begun, and whose server waits for an answer, still has begun.
pub fn unprepared(gate: &Gate, wanted: &Wanted, notice: Notice) -> Notice {
    let name = wanted.input.as_ref().and_then(|input| input.state.as_ref()?.as_str());
    if !name.is_some_and(|name| gate.continuations.has(name)) {
        return notice;
    }
    let message = format!(
        "the tool has begun, and waits for the answer, which was not forwarded: the server does not describe it now as before ({})",
        notice.code
    );
    Notice::new(
        &notice.code,
        &message,
        "answer again soon: what is not answered in time has an unknown outcome",
    )
}

/// Asks for a call, unless it goes on with one that there is.
pub async fn ask(gate: &Arc<Gate>, wanted: &Wanted, prepared: &Prepared, caller: &Caller) -> Asked {
    let form = prepared.target.form;
    let identity = identity(&prepared.call);
    if let Some(input) = &wanted.input {
        return Asked::Answer(go_on(gate, wanted, prepared, caller, input, &identity).await);
    }
    if let Some(run) = gate.runs.join(&identity) {
        return Asked::Answer(run.answer(&caller.gone).await);
    }
    let calls = match gate.calls().await {
        Ok(calls) => calls,
        Err(notice) => return Asked::Answer(Some(refused(wanted, &notice, form))),
    };
    let (asking, call) = (calls.clone(), prepared.call.clone());
    let begun = blocking(move || asking.begin(&call)).await;
    let notice = match begun {
        Ok(Ok(Begun::Waiting(waiting))) => return Asked::Waiting(waiting, calls),
        Ok(Ok(Begun::Kept(kept))) => match Answer::of_value(&kept) {
            Some(answer) => return Asked::Answer(Some(answer)),
            None => Notice::new(
                "internal",
                "what is kept of it cannot be read",
                "the operator has to look into it",
            ),
        },
        Ok(Ok(Begun::Unknown(notice))) => notice,
        Ok(Err(error)) => notice_of(&error),
        Err(notice) => notice,
    };
    Asked::Answer(Some(refused(wanted, &notice, form)))
}

/// Waits while the caller is there, and runs the call once it is approved.
pub async fn hold(
    gate: &Arc<Gate>,
    wanted: &Wanted,
    prepared: Prepared,
    caller: &Caller,
    (waiting, calls): (Box<WaitingCall>, ToolCalls),
) -> Option<Answer> {
    let under_way = gate.busy.begin();
    let was_pending = waiting.standing() == Standing::Pending;
    let token = wanted.meta.as_ref().and_then(|meta| meta.get("progressToken")).cloned();
    let hold = gate.configuration.hold(token.is_some());
    let agent = caller.aside.agent();
    let progress = AtomicU64::new(0);
    let tell = |told: u64, message: &str| {
        progress.store(told, Ordering::Relaxed);
        if let Some(token) = &token {
            let params = json!({ "progressToken": token, "progress": told, "message": message });
            let method = "notifications/progress".to_owned();
            // A caller that is gone is found by what waits.
            let _ = agent.offer(Message::Notification(Notification { method, params: Some(params) }));
        }
    };
    let stop = gate.stop.subscribe();
    let notice = match until_decided(waiting, Some(hold), &caller.gone, &stop, tell).await {
        Waited::Decided(waiting) if waiting.standing() == Standing::Approved => {
            if caller.gone.is_gone() {
                leave(gate, calls, waiting);
                return None;
            }
            drop(under_way);
            let aside = caller.aside.after_progress(progress.load(Ordering::Relaxed));
            let caller = (&aside, &caller.gone);
            return start(gate, wanted, prepared, caller, (waiting, calls), was_pending).await;
        }
        Waited::Decided(waiting) => waiting.notice(),
        Waited::Held(waiting) => {
            let notice = waiting.notice();
            waiting.put_off();
            notice
        }
        Waited::Gone(waiting) => {
            leave(gate, calls, waiting);
            return None;
        }
        Waited::Stopped(waiting) => {
            // The caller hears nothing more of this program.
            let _ = blocking(move || waiting.cancel("the gate that its caller used was ended")).await;
            return None;
        }
        Waited::Failed(error) => notice_of(&error),
    };
    Some(refused(wanted, &notice, prepared.target.form))
}

/// The caller is gone before the call has begun.
fn leave(gate: &Arc<Gate>, calls: ToolCalls, waiting: Box<WaitingCall>) {
    if let Some(left) = waiting.leave() {
        gate.linger(calls, left);
    }
}

/// Spends the approval, and runs the call whether or not its caller stays.
async fn start(
    gate: &Arc<Gate>,
    wanted: &Wanted,
    prepared: Prepared,
    (aside, gone): (&Aside, &Gone),
    (waiting, calls): (Box<WaitingCall>, ToolCalls),
    was_pending: bool,
) -> Option<Answer> {
    let form = prepared.target.form;
    if was_pending {
        let under_way = gate.busy.begin();
        let unchanged = tokio::select! {
            unchanged = is_unchanged(gate, wanted, &prepared) => unchanged,
            () = gone.wait() => Ok(()),
        };
        // Right before the approval is spent: the server may have taken its time.
        if gone.is_gone() {
            leave(gate, calls, waiting);
            return None;
        }
        if let Err(notice) = unchanged {
            let notice = Notice { request_id: Some(waiting.request().request_id.clone()), ..notice };
            leave(gate, calls, waiting);
            return Some(refused(wanted, &notice, form));
        }
        drop(under_way);
    }
    let identity = identity(&prepared.call);
    let (running, run) = gate.runs.begin(&identity);
    let (gate, aside, meta) = (Arc::clone(gate), aside.clone(), prepared.meta.clone());
    let wanted = wanted.clone();
    let under_way = gate.busy.begin();
    tokio::spawn(async move {
        match Execution::begin(waiting, prepared.target).await {
            Ok(execution) => {
                run_step(&gate, execution, meta, Input::default(), &aside, running, identity).await
            }
            Err(notice) => running.end(refused(&wanted, &notice, form)),
        }
        drop(under_way);
    });
    run.answer(gone).await
}

/// Whether a tool is still described as approvers were shown it.
///
/// # Errors
/// When it is not: nothing is run then.
pub async fn is_unchanged(gate: &Gate, wanted: &Wanted, prepared: &Prepared) -> Result<(), Notice> {
    let Subject::Tool(name) = &wanted.subject else { return Ok(()) };
    let tool = described::tool(gate, &prepared.target.upstream, name, wanted.meta.as_ref()).await?;
    if prepared.call.parameters.get("tool_digest") == Some(&json!(tool.digest)) {
        return Ok(());
    }
    let message = format!("{name} is described otherwise than approvers were shown it; nothing was run");
    Err(Notice::new("tool_changed", &message, "call again: that makes a new request"))
}

/// Forwards the call, and keeps it if the server asks something.
async fn run_step(
    gate: &Arc<Gate>,
    execution: Execution,
    meta: Option<Value>,
    input: Input,
    aside: &Aside,
    running: Running,
    identity: String,
) {
    let is_left = running.is_left();
    let answer = match execution.step(meta, input, aside, running.is_left()).await {
        Step::Ended(answer) => answer,
        Step::Asks(_, execution) if is_left() => {
            execution.lost("its caller was gone when the server asked something").await
        }
        Step::Asks(mut result, execution) => {
            let id = execution.request_id().to_owned();
            let state = result.get("requestState").cloned();
            let name = gate.continuations.keep(Continuation { execution: *execution, state, identity });
            expire(gate, name.clone());
            if let Some(members) = result.as_object_mut() {
                members.insert("requestState".to_owned(), json!(name));
            }
            answers::with_request_id(Answer::Result(result), &id)
        }
    };
    running.end(answer);
}

/// A question that is answered too late is not answered.
fn expire(gate: &Arc<Gate>, name: String) {
    let gate = Arc::clone(gate);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(gate.configuration.input_seconds)).await;
        if let Some(late) = gate.continuations.expire(&name) {
            late.execution.lost("the agent did not answer what the server asked").await;
        }
    });
}

/// Goes on with a call whose server has asked something.
async fn go_on(
    gate: &Arc<Gate>,
    wanted: &Wanted,
    prepared: &Prepared,
    caller: &Caller,
    input: &Input,
    identity: &str,
) -> Option<Answer> {
    let name = input.state.as_ref().and_then(Value::as_str);
    let Some(continuation) = name.and_then(|name| gate.continuations.take(name, identity)) else {
        let message = "no call waits for this answer: requestState and arguments must be those of the call that was asked";
        let notice =
            Notice::new("input_state_unknown", message, "call without requestState and inputResponses");
        return Some(refused(wanted, &notice, prepared.target.form));
    };
    let (running, run) = gate.runs.begin(identity);
    let input = Input { responses: input.responses.clone(), state: continuation.state };
    let (gate, aside, meta) = (Arc::clone(gate), caller.aside.clone(), prepared.meta.clone());
    let under_way = gate.busy.begin();
    tokio::spawn(async move {
        run_step(&gate, continuation.execution, meta, input, &aside, running, continuation.identity).await;
        drop(under_way);
    });
    run.answer(&caller.gone).await
}

/// The error of a call that cannot be read.
pub fn unreadable(reason: &str) -> Answer {
    Answer::error(INVALID_PARAMS, reason)
}
