//! The calls of the inbox, away from the screen: one thread asks for the list, another for requests
//! and decisions, so that a slow list delays no decision. Knows no state and no keys.

use super::event::Event;
use super::open::{Decision, Verb};
use crate::client::command::Session;
use crate::exit::Exit;
use countersign_api::wire::{RequestBody, SummaryBody};
use countersign_core::ids::RequestId;
use countersign_core::text::escaped_line;
use serde_json::json;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// A call that is to be made.
#[derive(Debug)]
enum Call {
    List,
    Load(String),
    Decide(Decision),
}

/// The threads that make the calls.
#[derive(Debug)]
pub struct Workers {
    lists: Sender<Call>,
    others: Sender<Call>,
    threads: [JoinHandle<()>; 2],
}

impl Workers {
    /// Starts them; answers come as events.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(session: &Arc<Session>, events: &Sender<Event>) -> Result<Self, Exit> {
        let (lists, first) = start(session, events)?;
        let (others, second) = start(session, events)?;
        Ok(Self { lists, others, threads: [first, second] })
    }

    /// Asks for all that is pending.
    pub fn list(&self) {
        // A thread that has ended is noticed by `is_broken`.
        let _ = self.lists.send(Call::List);
    }

    /// Asks for a request.
    pub fn load(&self, id: String) {
        let _ = self.others.send(Call::Load(id));
    }

    /// Sends a decision.
    pub fn decide(&self, decision: Decision) {
        let _ = self.others.send(Call::Decide(decision));
    }

    /// Whether one of them has ended, which only a bug can do.
    pub fn is_broken(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }
}

fn start(session: &Arc<Session>, events: &Sender<Event>) -> Result<(Sender<Call>, JoinHandle<()>), Exit> {
    let (calls, receiver) = channel();
    let (session, events) = (Arc::clone(session), events.clone());
    let thread = std::thread::Builder::new()
        .name("inbox-calls".to_owned())
        .spawn(move || make(&session, &receiver, &events))
        .map_err(|error| Exit::from(format!("thread: {error}")))?;
    Ok((calls, thread))
}

/// Makes calls until nobody wants any.
fn make(session: &Session, calls: &Receiver<Call>, events: &Sender<Event>) {
    for call in calls {
        let event = match call {
            Call::List => Event::Listed(pending(session)),
            Call::Load(id) => {
                let request = load(session, &id);
                Event::Loaded(id, request)
            }
            Call::Decide(decision) => {
                let after = decide(session, &decision);
                Event::Decided(decision, after)
            }
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// All that is pending, the most urgent deadline first.
///
/// # Errors
/// When the service does not say.
pub fn pending(session: &Session) -> Result<Vec<SummaryBody>, Exit> {
    let list = session.connection.list(&[("status", "pending"), ("limit", "100")], true)?;
    Ok(list.items)
}

fn path(id: &str) -> Result<String, Exit> {
    let id = RequestId::parse(id)
        .map_err(|_| Exit::not_found(format!("`{}` is no request's id", escaped_line(id))))?;
    Ok(format!("/v1/approvals/{id}"))
}

fn load(session: &Session, id: &str) -> Result<Box<RequestBody>, Exit> {
    session.connection.get(&path(id)?, &[]).map(Box::new)
}

fn decide(session: &Session, decision: &Decision) -> Result<Box<RequestBody>, Exit> {
    let body = match decision.verb {
        Verb::Approve if decision.text.is_empty() => json!({ "content_digest": decision.digest }),
        Verb::Approve => json!({ "content_digest": decision.digest, "comments": decision.text }),
        Verb::Reject => json!({ "content_digest": decision.digest, "reason": decision.text }),
    };
    let path = format!("{}/{}", path(&decision.id)?, decision.verb.as_str());
    session.connection.change("POST", &path, &body, &decision.key).map(Box::new)
}
