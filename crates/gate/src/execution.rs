//! A call whose approval is spent: what is stored of it is forwarded once, and what came of it is reported.
//!
//! INVARIANT: what is forwarded is what the service has answered, and the service's answer was held against the digest that
//! was approved. Once it may have reached the server, it is never forwarded again.

use crate::answers::{self, Form};
use crate::approvals::as_gate;
use crate::busy::Busy;
use crate::exchange::{Aside, UpstreamError};
use crate::message::{Answer, Request};
use crate::meta::Allowed;
use crate::notes::note;
use crate::upstream::Upstream;
use countersign_agents::notice::Notice;
use countersign_core::canonical::CanonicalJson;
use countersign_tool_calls::{CallError, Outcome, RunningCall, WaitingCall};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, spawn_blocking};

/// How often a lease is renewed before it ends.
const RENEWALS: u32 = 3;
/// The longest result that is kept for a retry, in bytes as canonical JSON.
const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// Where a call goes.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server.
    pub upstream: Upstream,
    /// The method.
    pub method: &'static str,
    /// What the server wants as headers too: paths below the arguments.
    pub header_arguments: Vec<(Vec<String>, String)>,
    /// What the server may ask of the agent.
    pub allowed: Allowed,
    /// How the agent wants its answers.
    pub form: Form,
    /// What is under way.
    pub busy: Busy,
}

/// What an agent has answered to a question of a running tool.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The answers.
    pub responses: Option<Value>,
    /// What the server wants to have back.
    pub state: Option<Value>,
}

/// How far a call is after what was forwarded.
#[derive(Debug)]
pub enum Step {
    /// It has ended.
    Ended(Answer),
    /// The server asks something; the result that says what, and the call that goes on with the answer.
    Asks(Value, Box<Execution>),
}

/// A call that runs. Dropped before its end, it counts as lost.
#[derive(Debug)]
pub struct Execution {
    running: RunningCall,
    target: Target,
    /// Whether the server has had a part of it: nothing says then that nothing was run.
    was_forwarded: bool,
    _heartbeat: Heartbeat,
}

/// Runs what blocks. A panic in it is an error of the program.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Notice> {
    spawn_blocking(work).await.map_err(|_| {
        Notice::new(
            "internal",
            "this program has an error",
            "the operator has to look into it; what was done is not known",
        )
    })
}

impl Execution {
    /// Spends the approval.
    ///
    /// # Errors
    /// Why nothing is run.
    pub async fn begin(waiting: Box<WaitingCall>, target: Target) -> Result<Self, Notice> {
        let running = blocking(move || waiting.start()).await?;
        let running = running.map_err(|error| as_gate(error.notice(), error.is_passing()))?;
        let heartbeat = Heartbeat::start(&running);
        Ok(Self { running, target, was_forwarded: false, _heartbeat: heartbeat })
    }

    /// The request for approval.
    pub fn request_id(&self) -> &str {
        &self.running.request().request_id
    }

    /// What was approved.
    pub fn parameters(&self) -> &Value {
        self.running.parameters()
    }

    /// Forwards what is stored. `keeps` says at the end whether the result is kept for a retry.
    pub async fn step(
        self,
        meta: Option<Value>,
        input: Input,
        aside: &Aside,
        keeps: impl Fn() -> bool + Send + 'static,
    ) -> Step {
        let arguments = self.parameters().get("arguments").cloned().unwrap_or_else(|| json!({}));
        let headers = headers(&self.target.header_arguments, &arguments);
        let mut params = match self.target.method {
            "tools/call" => json!({ "name": self.parameters().get("tool"), "arguments": arguments }),
            _ => arguments,
        };
        if let Some(members) = params.as_object_mut() {
            let added = [("_meta", meta), ("inputResponses", input.responses), ("requestState", input.state)];
            members.extend(added.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        let request =
            Request { id: json!("call"), method: self.target.method.to_owned(), params: Some(params) };
        let upstream = self.target.upstream.clone();
        match upstream.request(request, &headers, aside).await {
            Ok(answer) => self.answered(answer, keeps).await,
            Err(UpstreamError::NotSent(reason)) if self.was_forwarded => {
                let detail =
                    format!("it has begun, and the agent's answer did not reach the server: {reason}");
                Step::Ended(self.lost(&detail).await)
            }
            Err(UpstreamError::NotSent(reason)) => {
                let notice = Notice::new(
                    "upstream_unreachable",
                    &format!("{reason}; nothing was run, and the approval is spent"),
                    "call again: that makes a new request",
                );
                self.refused(notice, false).await
            }
            Err(UpstreamError::Lost(reason)) => Step::Ended(self.lost(&reason).await),
        }
    }

    async fn answered(self, answer: Answer, keeps: impl Fn() -> bool + Send + 'static) -> Step {
        let kind = match &answer {
            Answer::Result(result) => {
                result.get("resultType").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            Answer::Error(_) => String::new(),
        };
        match (kind.as_str(), answer) {
            ("input_required", Answer::Result(result)) => match unwanted(&result, self.target.allowed) {
                None => Step::Asks(result, Box::new(Self { was_forwarded: true, ..self })),
                Some(method) => {
                    let message = format!("the tool asks for {method}, which the gate does not allow it");
                    let notice = Notice::new(
                        "input_not_allowed",
                        &message,
                        "do without this tool, or ask the operator",
                    );
                    self.refused(notice, true).await
                }
            },
            ("task", _) => Step::Ended(
                self.lost("the server went on with it by itself, which it was not asked to").await,
            ),
            (_, answer) => Step::Ended(self.finished(answer, keeps).await),
        }
    }

    /// Writes the end down. A caller who is there is answered then; the service hears of it in the background. A result that is
    /// kept is reported first, so that a retry finds it and no call that still is in other hands.
    async fn finished(self, answer: Answer, keeps: impl Fn() -> bool + Send + 'static) -> Answer {
        let id = self.request_id().to_owned();
        let Self { running, target, _heartbeat: heartbeat, .. } = self;
        drop(heartbeat);
        let named = answers::with_request_id(answer.clone(), &id);
        let kept = named.to_value();
        let written = spawn_blocking(move || {
            let result = match &answer {
                Answer::Result(result) => CanonicalJson::of(result),
                Answer::Error(error) => CanonicalJson::of(error),
            };
            let bytes = result.as_str().as_bytes();
            let outcome = Outcome::of(bytes, answer.is_error());
            let kept = Some(kept).filter(|_| bytes.len() <= MAX_KEPT_BYTES && keeps());
            let is_kept = kept.is_some();
            let ended = running.finish_here(&outcome, kept)?;
            if is_kept {
                return ended.report().map(|()| None);
            }
            Ok(Some(ended))
        });
        match written.await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(ended))) => {
                let under_way = target.busy.begin();
                tokio::spawn(async move {
                    note_failure(&id, spawn_blocking(move || ended.report()).await);
                    drop(under_way);
                });
            }
            Ok(Err(error)) => note_failure(&id, Ok(Err(error))),
            Err(error) => note_failure(&id, Err(error)),
        }
        named
    }

    /// Reports that the call came to nothing; the server has heard of it, or has not.
    async fn refused(self, notice: Notice, was_forwarded: bool) -> Step {
        let id = self.request_id().to_owned();
        let notice = Notice { request_id: Some(id.clone()), ..notice };
        let form = self.target.form;
        let is_tool = self.target.method == "tools/call";
        let Self { running, _heartbeat: heartbeat, .. } = self;
        drop(heartbeat);
        let answer =
            if is_tool { answers::refused(&notice, form) } else { answers::refused_as_error(&notice) };
        let document = CanonicalJson::of(&notice.document());
        let reported = spawn_blocking(move || match was_forwarded {
            true => running.finish(&Outcome::of(document.as_str().as_bytes(), true), None),
            false => running.not_run("the server could not be reached"),
        });
        note_failure(&id, reported.await);
        Step::Ended(answer)
    }

    /// Reports that it is not known what was done.
    pub async fn lost(self, detail: &str) -> Answer {
        let id = self.request_id().to_owned();
        let (form, is_tool) = (self.target.form, self.target.method == "tools/call");
        let Self { running, _heartbeat: heartbeat, .. } = self;
        drop(heartbeat);
        let (reason, unknown) = (detail.to_owned(), Notice::outcome_unknown(&id, None, detail));
        let reported = spawn_blocking(move || running.lost(&reason));
        let notice = match reported.await {
            Ok(Ok(notice)) => notice,
            Ok(Err(error)) => {
                note_failure(&id, Ok(Err(error)));
                unknown
            }
            Err(_) => unknown,
        };
        note(&format!("{id}: {}", notice.message));
        if is_tool { answers::refused(&notice, form) } else { answers::refused_as_error(&notice) }
    }
}

fn note_failure(id: &str, reported: Result<Result<(), CallError>, tokio::task::JoinError>) {
    match reported {
        Ok(Ok(())) => {}
        Ok(Err(error)) => note(&format!("{id}: its end was not reported: {error}")),
        Err(_) => note(&format!("{id}: its end was not reported")),
    }
}

/// What a server asks that it may not ask.
fn unwanted(result: &Value, allowed: Allowed) -> Option<String> {
    let requests = result.get("inputRequests").and_then(Value::as_object);
    let methods =
        requests.into_iter().flatten().map(|(_, request)| request.get("method").and_then(Value::as_str));
    methods.map(Option::unwrap_or_default).find(|method| !allowed.has_method(method)).map(str::to_owned)
}

/// The arguments that a server wants as headers too.
fn headers(header_arguments: &[(Vec<String>, String)], arguments: &Value) -> Vec<(String, String)> {
    let value = |path: &[String]| path.iter().try_fold(arguments, |value, key| value.get(key));
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    header_arguments.iter().filter_map(|(path, name)| Some((name.clone(), text(value(path)?)?))).collect()
}

/// Renews the lease of an execution until it is dropped.
#[derive(Debug)]
struct Heartbeat(AbortHandle);

impl Heartbeat {
    fn start(running: &RunningCall) -> Self {
        let interval = (running.lease() / RENEWALS).max(Duration::from_secs(1));
        let renew = Arc::new(running.renewal());
        let beating = tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                let renew = Arc::clone(&renew);
                // One that fails is tried again in time; without any, the service says that nothing is known of it.
                let _ = spawn_blocking(move || renew()).await;
            }
        });
        Self(beating.abort_handle())
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_asks_only_what_it_may() {
        let result = json!({ "inputRequests": { "a": { "method": "roots/list" }, "b": { "method": "elicitation/create" } } });
        assert_eq!(unwanted(&result, Allowed::default()).as_deref(), Some("elicitation/create"));
        assert_eq!(unwanted(&result, Allowed { elicitation: true, sampling: false }), None);
        assert_eq!(unwanted(&json!({ "requestState": "x" }), Allowed::default()), None);
        assert!(unwanted(&json!({ "inputRequests": { "a": {} } }), Allowed::default()).is_some());
    }

    #[test]
    fn arguments_that_are_headers_are_read_from_what_is_forwarded() {
        let wanted = [
            (vec!["at".to_owned(), "zone".to_owned()], "Zone".to_owned()),
            (vec!["no".to_owned()], "No".to_owned()),
        ];
        let arguments = json!({ "at": { "zone": 7 }, "zone": "x" });
        assert_eq!(headers(&wanted, &arguments), [("Zone".to_owned(), "7".to_owned())]);
    }
}
