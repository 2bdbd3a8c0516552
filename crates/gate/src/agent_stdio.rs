//! An agent that has started this program: a message on each line of stdin and stdout.

use crate::child::read_lines;
use crate::conversation::{Conversation, Shared};
use crate::gate::Gate;
use crate::message::Message;
use crate::outbox::{Inbox, outbox};
use crate::source::Source;
use crate::waiting::becomes_true;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::watch;

/// How many lines are read ahead.
const READ_AHEAD: usize = 64;

/// How a conversation has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The agent has closed stdin, or does not read stdout (any more).
    Closed,
    /// The server has ended.
    UpstreamEnded,
    /// This program is to end.
    Stopped,
}

/// Writes to the agent what it is sent, until it is closed.
#[derive(Debug)]
pub struct Writer {
    closing: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Writes what has been sent by now, and nothing more. Blocks.
    pub fn close(self) {
        self.closing.send_replace(true);
        // A panic has ended it.
        let _ = self.thread.join();
    }
}

/// Converses until one side ends. The conversation is given back, for what is still under way in it.
///
/// # Errors
/// When the server cannot be started, or there can be no thread.
pub async fn run(
    gate: &Arc<Gate>,
    shared: Arc<Shared>,
    source: &Source,
) -> io::Result<(End, Arc<Conversation>, Writer)> {
    let (agent, messages) = outbox();
    let conversation = Conversation::open(Arc::clone(gate), shared, source, agent.clone(), false)?;
    let writer = write_in_background(messages)?;
    let mut lines = read_in_background()?;
    let upstream_ended = conversation.upstream().ended();
    let end = loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => match Message::of_agent(&line) {
                    Ok(message) => conversation.receive(message, &agent).await,
                    Err(error) => agent.answer(error.response()),
                },
                None => break End::Closed,
            },
            () = has_ended(upstream_ended.clone()) => break End::UpstreamEnded,
            () = agent.closed() => break End::Closed,
            () = becomes_true(gate.stop.subscribe()) => break End::Stopped,
        }
    };
    Ok((end, conversation, writer))
}

/// Waits until a server has ended of which that is known.
async fn has_ended(ended: Option<watch::Receiver<bool>>) {
    match ended {
        Some(ended) => becomes_true(ended).await,
        None => std::future::pending().await,
    }
}

fn read_in_background() -> io::Result<Receiver<Vec<u8>>> {
    let (sender, lines) = channel(READ_AHEAD);
    let read = move || read_lines(io::stdin(), |line| drop(sender.blocking_send(line.to_vec())));
    std::thread::Builder::new().name("gate-stdin".to_owned()).spawn(read)?;
    Ok(lines)
}

fn write_in_background(mut messages: Inbox) -> io::Result<Writer> {
    let (closing, closed) = watch::channel(false);
    let runtime = Handle::current();
    let write = move || {
        loop {
            let next = runtime.block_on(async {
                tokio::select! {
                    biased;
                    message = messages.next() => message,
                    () = becomes_true(closed.clone()) => None,
                }
            });
            let Some(message) = next else { return };
            let mut line = message.to_bytes();
            line.push(b'\n');
            let mut stdout = io::stdout().lock();
            if stdout.write_all(&line).and_then(|()| stdout.flush()).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("gate-stdout".to_owned()).spawn(write)?;
    Ok(Writer { closing, thread })
}
