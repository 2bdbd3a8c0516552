//! A conversation of one agent with its server: which message is answered here, which passes, and which does neither.

use crate::answers::Form;
use crate::call::{self, Asked, Caller};
use crate::configuration::Mode;
use crate::exchange::Aside;
use crate::gate::Gate;
use crate::listing::{self, Visible};
use crate::message::{
    Answer, INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, Message, Notification, Request, Response,
};
use crate::meta::{self, CLIENT_CAPABILITIES, MODE, PROTOCOL_VERSION};
use crate::notes::note;
use crate::observe;
use crate::outbox::{Inbox, Outbox, outbox};
use crate::source::Source;
use crate::tasks::{self, Tasks};
use crate::upstream::Upstream;
use crate::waiting::Gone;
use crate::wanted::{Wanted, identity};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Requests that pass: what reads, lists, completes and negotiates. What is not known here could have an effect.
const PASSING: [&str; 12] = [
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
];
/// Further ones.
const PASSING_TOO: [&str; 2] = ["logging/setLevel", "subscriptions/listen"];
/// Notifications that pass.
const PASSING_NOTIFICATIONS: [&str; 3] =
    ["notifications/initialized", "notifications/progress", "notifications/roots/list_changed"];

/// What all conversations of a gate have besides the gate itself.
#[derive(Debug, Default)]
pub struct Shared {
    /// Calls that go on by themselves.
    pub tasks: Arc<Tasks>,
    /// Which tools agents may ask for.
    pub visible: Visible,
}

/// A conversation.
#[derive(Debug)]
pub struct Conversation {
    gate: Arc<Gate>,
    shared: Arc<Shared>,
    upstream: Upstream,
    aside: Aside,
    under_way: Mutex<HashMap<String, watch::Sender<bool>>>,
    next: AtomicU64,
    /// Whether several agents share it, none of which has a session: ids are not theirs alone then.
    is_shared: bool,
}

impl Conversation {
    /// Begins a conversation; what the server says about no request goes to `agent`.
    ///
    /// # Errors
    /// When the server cannot be started.
    pub fn open(
        gate: Arc<Gate>,
        shared: Arc<Shared>,
        source: &Source,
        agent: Outbox,
        is_shared: bool,
    ) -> io::Result<Arc<Self>> {
        let (back, refusals) = outbox();
        let aside = Aside::new(agent, back, gate.configuration.allowed());
        let upstream = source.open(aside.clone())?;
        tokio::spawn(send_back(upstream.clone(), refusals));
        Ok(Arc::new(Self {
            gate,
            shared,
            upstream,
            aside,
            under_way: Mutex::default(),
            next: AtomicU64::new(0),
            is_shared,
        }))
    }

    /// The server.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<bool>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything is under way.
    pub fn is_idle(&self) -> bool {
        self.under_way().is_empty()
    }

    /// Takes a message of the agent; its answer, and what comes before, goes to `reply`.
    pub async fn receive(self: &Arc<Self>, message: Message, reply: &Outbox) {
        match message {
            Message::Request(request) => self.begin(request, reply.clone()),
            Message::Notification(notification) => self.notified(notification).await,
            // What no server has asked, or what is answered already, concerns none.
            Message::Response(response) => {
                if self.aside.questions().close(&response.id) {
                    self.send(Message::Response(response)).await;
                }
            }
        }
    }

    /// The agent is gone: no answer is wanted any more.
    pub fn leave(&self) {
        for (_, left) in self.under_way().iter() {
            left.send_replace(true);
        }
    }

    async fn send(&self, message: Message) {
        if let Err(error) = self.upstream.send(message).await {
            note(&format!("a message did not reach the server: {error}"));
        }
    }

    async fn notified(&self, notification: Notification) {
        let Notification { method, params } = &notification;
        if method == "notifications/cancelled" {
            let id = params.as_ref().and_then(|params| params.get("requestId")).filter(|_| !self.is_shared);
            if let Some(left) = id.and_then(|id| self.under_way().get(&id.to_string()).cloned()) {
                left.send_replace(true);
            }
        } else if PASSING_NOTIFICATIONS.contains(&method.as_str()) || self.passes(method) {
            self.send(Message::Notification(notification)).await;
        }
    }

    fn passes(&self, method: &str) -> bool {
        self.gate.configuration.pass_methods.iter().any(|name| name == method)
    }

    /// Answers a request in a task of its own: one that waits holds up no other.
    fn begin(self: &Arc<Self>, request: Request, reply: Outbox) {
        let (left, gone) = watch::channel(false);
        let key = match self.is_shared {
            // The closed connection says that the agent is gone.
            true => format!("#{}", self.next.fetch_add(1, Ordering::Relaxed)),
            false => request.id.to_string(),
        };
        let mut under_way = self.under_way();
        if !self.is_shared && under_way.contains_key(&key) {
            drop(under_way);
            let answer = Answer::error(INVALID_REQUEST, "a request with this id is under way");
            reply.answer(Message::Response(Response { id: request.id, answer }));
            return;
        }
        under_way.insert(key.clone(), left);
        drop(under_way);
        let conversation = Arc::clone(self);
        tokio::spawn(async move {
            let id = request.id.clone();
            let gone = Gone { left: gone, reply: Some(reply.clone()) };
            let answer = conversation.answer(request, &reply, gone).await;
            if let Some(answer) = answer {
                // An agent that is gone hears nothing.
                reply.answer(Message::Response(Response { id, answer }));
            }
            conversation.under_way().remove(&key);
        });
    }

    /// The answer; nothing if the agent is gone first.
    async fn answer(self: &Arc<Self>, mut request: Request, reply: &Outbox, gone: Gone) -> Option<Answer> {
        let aside = self.aside.to(reply.clone());
        let params = request.params.as_ref();
        let is_gated_read = request.method == "resources/read" && self.gate.configuration.gate_resources;
        match request.method.as_str() {
            "tools/call" => return self.call(request, aside, gone).await,
            "resources/read" if is_gated_read => return self.call(request, aside, gone).await,
            "tasks/get" => return Some(self.shared.tasks.get(&self.gate, &self.upstream, params).await),
            "tasks/cancel" => return Some(self.shared.tasks.cancel(&self.gate, params).await),
            "tasks/update" => return Some(self.shared.tasks.update(&self.gate, params).await),
            method if PASSING.contains(&method) || PASSING_TOO.contains(&method) || self.passes(method) => {}
            _ => return Some(Answer::error(METHOD_NOT_FOUND, "this method does not pass the gate")),
        }
        let is_initialize = request.method == "initialize";
        let allowed = self.gate.configuration.allowed();
        if is_initialize
            && let Some(capabilities) =
                request.params.as_mut().and_then(|params| params.get_mut("capabilities"))
        {
            allowed.restrict(capabilities);
        }
        meta::restrict_request(request.params.as_mut(), allowed);
        let method = request.method.clone();
        let answer = tokio::select! {
            answer = self.upstream.request(request, &[], &aside) => answer,
            () = gone.wait() => return None,
        };
        let mut answer = answer.unwrap_or_else(|error| Answer::error(INTERNAL_ERROR, &error.to_string()));
        if let Answer::Result(result) = &mut answer {
            match method.as_str() {
                "initialize" | "server/discover" => self.introduce(result, !is_initialize),
                "tools/list" => listing::reduce(&self.gate, &self.shared.visible, result).await,
                _ => {}
            }
        }
        Some(answer)
    }

    /// What an agent hears of the server: without what the gate does not pass, and with what it does itself.
    fn introduce(&self, result: &mut Value, has_extensions: bool) {
        if let Some(capabilities) = result.get_mut("capabilities").and_then(Value::as_object_mut) {
            capabilities.remove("tasks");
            if let Some(extensions) = capabilities.get_mut("extensions").and_then(Value::as_object_mut) {
                extensions.remove(meta::TASKS);
            }
        }
        let mode = self.gate.configuration.mode;
        if mode == Mode::Enforce && has_extensions {
            meta::declare_tasks(result);
        }
        meta::add(result, MODE, json!(mode.as_str()));
    }

    async fn call(self: &Arc<Self>, request: Request, aside: Aside, gone: Gone) -> Option<Answer> {
        let wanted = match Wanted::read(&request.method, request.params) {
            Ok(wanted) => wanted,
            Err(reason) => return Some(call::unreadable(&reason)),
        };
        let said = |key: &str| wanted.meta.as_ref().and_then(|meta| meta.get(key));
        let form = Form { has_result_type: said(PROTOCOL_VERSION).is_some(), has_output_schema: false };
        // With each request: what a client of 2025 declares at first, it may not take for an answer to a call.
        let has_tasks = meta::has_tasks(said(CLIENT_CAPABILITIES));
        let caller = Caller { aside, gone, form, has_tasks };
        if self.gate.configuration.mode == Mode::Observe {
            return observe::call(&self.gate, &self.upstream, &wanted, &caller).await;
        }
        let prepared = tokio::select! {
            prepared = call::prepare(&self.gate, &self.upstream, &wanted, form) => prepared,
            () = caller.gone.wait() => return None,
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err((notice, form)) => {
                let notice = call::unprepared(&self.gate, &wanted, notice);
                return Some(call::refused(&wanted, &notice, form));
            }
        };
        let _held = self.gate.holding.hold(&identity(&prepared.call), &caller.gone).await;
        match call::ask(&self.gate, &wanted, &prepared, &caller).await {
            Asked::Answer(answer) => answer,
            Asked::Waiting(waiting, calls) if tasks::is_wanted(&caller, &wanted, &waiting) => {
                Some(self.shared.tasks.create(&self.gate, &wanted, prepared, (waiting, calls)).await)
            }
            Asked::Waiting(waiting, calls) => {
                call::hold(&self.gate, &wanted, prepared, &caller, (waiting, calls)).await
            }
        }
    }
}

/// Sends a server the refusals of what it has asked.
async fn send_back(upstream: Upstream, mut refusals: Inbox) {
    while let Some(refusal) = refusals.next().await {
        // A server that is gone asks no more.
        let _ = upstream.send(refusal).await;
    }
}
