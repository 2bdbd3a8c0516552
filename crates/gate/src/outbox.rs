//! Messages on their way to an agent or a server, which may read slowly or not at all: so many, and no more.

use crate::message::{Answer, Message, Notification, Request, Response};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

/// The most messages that wait to be read.
const MAX_MESSAGES: usize = 1_024;
/// The most that they have together, in bytes as [`weight`] counts them: some of the longest messages.
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untaken {
    /// Too much waits to be read.
    Full,
    /// Nothing is read any more.
    Closed,
}

/// Where messages go. Copies share everything.
#[derive(Debug, Clone)]
pub struct Outbox {
    messages: mpsc::Sender<Message>,
    load: Arc<Load>,
}

/// Where they come out.
#[derive(Debug)]
pub struct Inbox {
    messages: mpsc::Receiver<Message>,
    load: Arc<Load>,
}

#[derive(Debug)]
struct Load {
    bytes: AtomicUsize,
    has_overflown: watch::Sender<bool>,
}

/// Both ends of a new one.
pub fn outbox() -> (Outbox, Inbox) {
    let (sender, receiver) = mpsc::channel(MAX_MESSAGES);
    let load = Arc::new(Load { bytes: AtomicUsize::new(0), has_overflown: watch::Sender::new(false) });
    (Outbox { messages: sender, load: Arc::clone(&load) }, Inbox { messages: receiver, load })
}

impl Outbox {
    /// One that nothing is read from.
    pub fn closed_one() -> Self {
        outbox().0
    }

    /// Takes a message if there is room. A notification that finds none may be left out.
    ///
    /// # Errors
    /// When it is not taken.
    pub fn offer(&self, message: Message) -> Result<(), Untaken> {
        if *self.load.has_overflown.borrow() {
            return Err(Untaken::Closed);
        }
        let bytes = weight(&message);
        let more = |waiting: usize| waiting.checked_add(bytes).filter(|sum| *sum <= MAX_WAITING_BYTES);
        let fits = self.load.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        fits.map_err(|_| Untaken::Full)?;
        self.messages.try_send(message).map_err(|error| {
            self.load.bytes.fetch_sub(bytes, Ordering::AcqRel);
            match error {
                TrySendError::Full(_) => Untaken::Full,
                TrySendError::Closed(_) => Untaken::Closed,
            }
        })
    }

    /// Takes what must not be missing. If there is no room for it, nothing is taken any more, as if the reader had gone.
    pub fn answer(&self, message: Message) {
        if self.offer(message) == Err(Untaken::Full) {
            self.load.has_overflown.send_replace(true);
        }
    }

    /// Whether nothing is read any more.
    pub fn is_closed(&self) -> bool {
        self.messages.is_closed() || *self.load.has_overflown.borrow()
    }

    /// Waits until nothing is read any more.
    pub async fn closed(&self) {
        tokio::select! { () = self.messages.closed() => {}, () = self.load.overflow() => {} }
    }
}

impl Inbox {
    /// The next message; nothing once there is none any more.
    pub async fn next(&mut self) -> Option<Message> {
        let message = tokio::select! {
            biased;
            () = self.load.overflow() => None,
            message = self.messages.recv() => message,
        };
        self.taken(message)
    }

    /// The same for a thread of its own. Blocks.
    pub fn blocking_next(&mut self) -> Option<Message> {
        let message = self.messages.blocking_recv();
        self.taken(message)
    }

    fn taken(&self, message: Option<Message>) -> Option<Message> {
        message.inspect(|message| {
            self.load.bytes.fetch_sub(weight(message), Ordering::AcqRel);
        })
    }
}

impl Load {
    async fn overflow(&self) {
        let mut has_overflown = self.has_overflown.subscribe();
        // What would say so is here.
        let _ = has_overflown.wait_for(|has_overflown| *has_overflown).await;
    }
}

/// How long a message is, roughly: never more than twice what it has as JSON, so that each finds room where nothing waits.
fn weight(message: &Message) -> usize {
    match message {
        Message::Request(Request { id, method, params }) => {
            size(id) + method.len() + params.as_ref().map_or(0, size)
        }
        Message::Notification(Notification { method, params }) => {
            method.len() + params.as_ref().map_or(0, size)
        }
        Message::Response(Response { id, answer: Answer::Result(value) | Answer::Error(value) }) => {
            size(id) + size(value)
        }
    }
}

fn size(value: &Value) -> usize {
    2 + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.iter().map(|(key, value)| key.len() + size(value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn notification(length: usize) -> Message {
        let params = Some(json!("x".repeat(length)));
        Message::Notification(Notification { method: "m".to_owned(), params })
    }

    fn answer() -> Message {
        Message::Response(Response { id: json!(1), answer: Answer::Result(json!({})) })
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_an_answer_that_does_not_fit_ends_it() {
        let (sender, mut inbox) = outbox();
        for _ in 0..MAX_MESSAGES {
            assert_eq!(sender.offer(notification(1)), Ok(()));
        }
        assert_eq!(sender.offer(notification(1)), Err(Untaken::Full));
        assert!(!sender.is_closed());
        assert!(inbox.blocking_next().is_some());
        sender.answer(answer());
        assert!(!sender.is_closed());
        sender.answer(answer());
        assert!(sender.is_closed());
        assert_eq!(sender.offer(notification(1)), Err(Untaken::Closed));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(inbox.next()), None);
    }

    #[test]
    fn few_long_messages_are_too_much_as_well() {
        let (sender, mut inbox) = outbox();
        let long = MAX_WAITING_BYTES / 2;
        assert_eq!(sender.offer(notification(long)), Ok(()));
        assert_eq!(sender.offer(notification(long)), Err(Untaken::Full));
        assert!(inbox.blocking_next().is_some());
        assert_eq!(sender.offer(notification(long)), Ok(()));
        drop(inbox);
        assert_eq!(sender.offer(notification(1)), Err(Untaken::Closed));
    }
}
