//! What is said of a request that a server gets: where what belongs to it goes, and how it fails.

use crate::message::{
    Answer, INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, Message, Notification, Request, Response,
};
use crate::meta::Allowed;
use crate::outbox::Outbox;
use crate::questions::Questions;
use serde_json::json;

/// Takes what a server says to the agent while a request is under way, or about none. What a server asks without leave is
/// refused in the agent's place.
#[derive(Debug, Clone)]
pub struct Aside {
    /// To the agent.
    agent: Outbox,
    /// Back to the server.
    server: Outbox,
    allowed: Allowed,
    questions: Questions,
    /// How far progress has been said to be already.
    progress: u64,
}

impl Aside {
    /// One for an agent and a server.
    pub fn new(agent: Outbox, server: Outbox, allowed: Allowed) -> Self {
        Self { agent, server, allowed, questions: Questions::default(), progress: 0 }
    }

    /// One that hears nothing.
    pub fn deaf() -> Self {
        Self::new(Outbox::closed_one(), Outbox::closed_one(), Allowed::default())
    }

    /// The same server, and another way to the agent.
    #[must_use]
    pub fn to(&self, agent: Outbox) -> Self {
        Self { agent, ..self.clone() }
    }

    /// The same, where so much progress was reported before: what the server says of it goes on from there, since it must rise.
    #[must_use]
    pub fn after_progress(&self, progress: u64) -> Self {
        Self { progress, ..self.clone() }
    }

    /// Where messages to the agent go.
    pub fn agent(&self) -> &Outbox {
        &self.agent
    }

    /// What the server has asked of the agent.
    pub fn questions(&self) -> &Questions {
        &self.questions
    }

    /// Passes a message on. An agent or a server that is gone hears nothing; an agent that does not read misses notifications.
    pub fn pass(&self, message: Message) {
        match message {
            Message::Request(request) => self.ask(request),
            Message::Notification(notification) => {
                let _ = self.agent.offer(Message::Notification(self.raised(notification)));
            }
            // What the agent has asked is answered by the gate, to which the server answers.
            Message::Response(_) => {}
        }
    }

    fn ask(&self, request: Request) {
        let id = request.id.clone();
        let refuse = |code, reason| {
            let answer = Answer::error(code, reason);
            // A server that asks and does not read gets no refusals.
            let _ = self.server.offer(Message::Response(Response { id: id.clone(), answer }));
        };
        if !self.allowed.has_method(&request.method) {
            refuse(METHOD_NOT_FOUND, "the gate before this server does not allow this request");
        } else if !self.questions.ask(&id) {
            refuse(INVALID_REQUEST, "a request with this id is under way, or too many are");
        } else if self.agent.offer(Message::Request(request)).is_err() {
            self.questions.close(&id);
            refuse(INTERNAL_ERROR, "no agent takes this request now");
        }
    }
}

impl Aside {
    fn raised(&self, mut notification: Notification) -> Notification {
        if self.progress == 0 || notification.method != "notifications/progress" {
            return notification;
        }
        for key in ["progress", "total"] {
            let Some(place) = notification.params.as_mut().and_then(|params| params.get_mut(key)) else {
                continue;
            };
            if let Some(whole) = place.as_u64() {
                *place = json!(whole.saturating_add(self.progress));
            } else if let Some(part) = place.as_f64() {
                // Exact: progress is reported every ten seconds.
                *place = json!(part + self.progress as f64);
            }
        }
        notification
    }
}

/// A server has not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It has not got the request.
    #[error("{0}")]
    NotSent(String),
    /// It may have acted on it.
    #[error("{0}")]
    Lost(String),
}
