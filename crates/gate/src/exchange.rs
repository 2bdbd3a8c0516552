//! What is said of a request that a server gets: where what belongs to it goes, and how it fails.

use crate::message::{Answer, METHOD_NOT_FOUND, Message, Notification, Request, Response};
use crate::meta::Allowed;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Takes what a server says to the agent while a request is under way, or about none. What a server asks without leave is
/// refused in the agent's place.
#[derive(Debug, Clone)]
pub struct Aside {
    /// To the agent.
    agent: UnboundedSender<Message>,
    /// Back to the server.
    server: UnboundedSender<Message>,
    allowed: Allowed,
    /// How far progress has been said to be already.
    progress: u64,
}

impl Aside {
    /// One for an agent and a server.
    pub fn new(agent: UnboundedSender<Message>, server: UnboundedSender<Message>, allowed: Allowed) -> Self {
        Self { agent, server, allowed, progress: 0 }
    }

    /// One that hears nothing.
    pub fn deaf() -> Self {
        Self::new(unbounded_channel().0, unbounded_channel().0, Allowed::default())
    }

    /// The same server, and another way to the agent.
    #[must_use]
    pub fn to(&self, agent: UnboundedSender<Message>) -> Self {
        Self { agent, ..self.clone() }
    }

    /// The same, where so much progress was told before: what the server says of it goes on from there, since it must rise.
    #[must_use]
    pub fn after_progress(&self, progress: u64) -> Self {
        Self { progress, ..self.clone() }
    }

    /// Where messages to the agent go.
    pub fn agent(&self) -> &UnboundedSender<Message> {
        &self.agent
    }

    /// Passes a message on. An agent or a server that is gone hears nothing.
    pub fn pass(&self, message: Message) {
        let _ = match message {
            Message::Request(Request { id, method, .. }) if !self.allowed.has_method(&method) => {
                let answer = Answer::error(
                    METHOD_NOT_FOUND,
                    "the gate before this server does not allow this request",
                );
                self.server.send(Message::Response(Response { id, answer }))
            }
            Message::Notification(notification) => {
                self.agent.send(Message::Notification(self.raised(notification)))
            }
            message => self.agent.send(message),
        };
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
                // Exact: it is told every ten seconds.
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
