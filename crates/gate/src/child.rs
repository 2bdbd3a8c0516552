//! A server that is a process of this one: a message on each line of its stdin and stdout.
//!
//! Requests get ids and progress tokens of the gate's own, so that those of several agents and of the gate itself are told
//! apart; what comes back has the ones that were sent.

use crate::exchange::{Aside, UpstreamError};
use crate::message::{Answer, MAX_BYTES, Message, Notification, Request};
use crate::meta::SUBSCRIPTION_ID;
use crate::outbox::{Inbox, Outbox, Untaken, outbox};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{self, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// How long a process may take to end by itself once its stdin is closed.
const ENDING: Duration = Duration::from_secs(2);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// A process that serves.
#[derive(Debug)]
pub struct Child {
    shared: Arc<Shared>,
    process: Mutex<process::Child>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    unassociated: Aside,
    ended: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    next: u64,
    under_way: HashMap<u64, UnderWay>,
    input: Option<Outbox>,
}

/// A request that the process has not answered.
#[derive(Debug)]
struct UnderWay {
    id: Value,
    progress_token: Option<Value>,
    answer: oneshot::Sender<Answer>,
    aside: Aside,
}

impl Child {
    /// Starts a command with these variables and no others. Its stderr is this process's.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        command: &[OsString],
        environment: &BTreeMap<OsString, OsString>,
        unassociated: Aside,
    ) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn()?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let (input, messages) = outbox();
        let state = State { next: 1, under_way: HashMap::new(), input: Some(input) };
        let shared =
            Arc::new(Shared { state: Mutex::new(state), unassociated, ended: watch::Sender::new(false) });
        let (writing, reading) = (Arc::clone(&shared), Arc::clone(&shared));
        spawn("gate-server-stdin", move || {
            if let Some(stdin) = stdin {
                write_lines(stdin, messages);
            }
            writing.state().input = None;
        })?;
        spawn("gate-server-stdout", move || {
            if let Some(stdout) = stdout {
                read_lines(stdout, |line| reading.receive(line));
            }
            reading.end();
        })?;
        Ok(Self { shared, process: Mutex::new(process) })
    }

    /// Sends a request and waits for its answer. Dropped before that, the process hears that it is cancelled.
    ///
    /// # Errors
    /// When the process has ended.
    pub async fn request(&self, request: Request, aside: &Aside) -> Result<Answer, UpstreamError> {
        let (sender, answer) = oneshot::channel();
        let _guard = self.send_request(request, sender, aside)?;
        answer.await.map_err(|_| UpstreamError::Lost("the server has ended before it answered".to_owned()))
    }

    fn send_request(
        &self,
        mut request: Request,
        answer: oneshot::Sender<Answer>,
        aside: &Aside,
    ) -> Result<CancelOnDrop, UpstreamError> {
        let ended = || UpstreamError::NotSent("the server has ended".to_owned());
        let mut state = self.shared.state();
        let number = state.next;
        state.next += 1;
        let meta = request.params.as_mut().and_then(|params| params.get_mut("_meta")?.as_object_mut());
        let token = meta
            .and_then(|meta| meta.get_mut("progressToken"))
            .map(|token| std::mem::replace(token, json!(number)));
        let id = std::mem::replace(&mut request.id, json!(number));
        let input = state.input.clone().ok_or_else(ended)?;
        let under_way = UnderWay { id, progress_token: token, answer, aside: aside.clone() };
        state.under_way.insert(number, under_way);
        drop(state);
        if let Err(untaken) = input.offer(Message::Request(request)) {
            self.shared.state().under_way.remove(&number);
            return Err(match untaken {
                Untaken::Full => {
                    UpstreamError::NotSent("the server does not read what it is sent".to_owned())
                }
                Untaken::Closed => ended(),
            });
        }
        Ok(CancelOnDrop { shared: Arc::clone(&self.shared), number })
    }

    /// Sends what wants no answer.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn send(&self, message: &Message) -> Result<(), UpstreamError> {
        let taken = self.shared.send(message.clone());
        taken.map_err(|_| UpstreamError::NotSent("the server has ended, or does not read".to_owned()))
    }

    /// Becomes true once the process writes no more.
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.shared.ended.subscribe()
    }

    /// Closes the stdin of the process, and ends it unless it ends by itself. Blocks.
    pub fn close(&self) {
        self.shared.state().input = None;
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        while began.elapsed() < ENDING {
            if !matches!(process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        // It may end in the same moment.
        let _ = process.kill();
        let _ = process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.shared.state().input = None;
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(process.try_wait(), Ok(None)) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Tells the process that a request is cancelled, if it has not been answered.
struct CancelOnDrop {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let is_under_way = self.shared.state().under_way.remove(&self.number).is_some();
        if is_under_way {
            let params =
                Some(json!({ "requestId": self.number, "reason": "the caller does not want it any more" }));
            let method = "notifications/cancelled".to_owned();
            // A server that does not read hears nothing of it.
            let _ = self.shared.send(Message::Notification(Notification { method, params }));
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, message: Message) -> Result<(), Untaken> {
        let is_answer = matches!(message, Message::Response(_));
        let input = self.state().input.clone().ok_or(Untaken::Closed)?;
        let taken = input.offer(message);
        // A server that asks, and does not read what it is answered, is of no use any more.
        if is_answer && taken == Err(Untaken::Full) {
            self.end();
        }
        taken
    }

    /// What the process has written. What is no message concerns no request.
    fn receive(&self, line: &[u8]) {
        match Message::of_server(line) {
            Ok(Message::Response(response)) => {
                let number = response.id.as_u64();
                let under_way = number.and_then(|number| self.state().under_way.remove(&number));
                if let Some(under_way) = under_way {
                    // Its caller may be gone.
                    let _ = under_way.answer.send(response.answer);
                }
            }
            Ok(Message::Notification(mut notification)) => {
                let aside = self.addressee(&mut notification).unwrap_or_else(|| self.unassociated.clone());
                aside.pass(Message::Notification(notification));
            }
            Ok(request) => self.unassociated.pass(request),
            Err(_) => {}
        }
    }

    /// To whom a notification goes that names a request, with the names that were sent.
    fn addressee(&self, notification: &mut Notification) -> Option<Aside> {
        let params = notification.params.as_mut()?;
        let state = self.state();
        let mut named = |pointer: &str, name: fn(&UnderWay) -> Option<Value>| {
            let place = params.pointer_mut(pointer)?;
            let under_way = state.under_way.get(&place.as_u64()?)?;
            *place = name(under_way)?;
            Some(under_way.aside.clone())
        };
        if notification.method == "notifications/progress" {
            return named("/progressToken", |under_way| under_way.progress_token.clone());
        }
        named(&format!("/_meta/{}", SUBSCRIPTION_ID.replace('/', "~1")), |under_way| {
            Some(under_way.id.clone())
        })
    }

    fn end(&self) {
        let mut state = self.state();
        state.input = None;
        // The callers see that no answer comes.
        state.under_way.clear();
        drop(state);
        self.ended.send_replace(true);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Writes lines until there are no more, or they are not read.
fn write_lines(mut stdin: process::ChildStdin, mut messages: Inbox) {
    while let Some(message) = messages.blocking_next() {
        let mut line = message.to_bytes();
        line.push(b'\n');
        if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

/// Reads lines to the end. One that is longer than any message ends it: what comes after would be read at a wrong place.
pub fn read_lines(input: impl io::Read, mut take: impl FnMut(&[u8])) {
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.last() != Some(&b'\n') && line.len() >= MAX_BYTES => return,
            Ok(_) => {
                if !line.trim_ascii().is_empty() {
                    take(line.trim_ascii());
                }
            }
        }
    }
}

/// The variables of this process that a server gets.
pub fn environment<'a>(
    names: impl Iterator<Item = &'a str>,
    variable: impl Fn(&OsStr) -> Option<OsString>,
) -> BTreeMap<OsString, OsString> {
    names.filter_map(|name| Some((OsString::from(name), variable(OsStr::new(name))?))).collect()
}
