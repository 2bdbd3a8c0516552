//! Waiting until a request is decided: what happens meanwhile is printed on stderr, lost connections are
//! made again, and Ctrl-C ends the waiting and nothing else.

use crate::error::{CommandError, Kind};
use crate::exit;
use crate::patience::Patience;
use crate::session::{Session, Standing};
use crate::view::document;
use crate::view::page::View;
use crate::view::times::RelativeTime;
use crate::view::width::{WIDTH, columns, wrapped};
use crate::view::words::approvals;
use countersign_api::wire::RequestBody;
use countersign_app::host::Clock as _;
use countersign_client::error::Error;
use countersign_client::long_poll::LongPoll;
use countersign_core::text::escaped_line;
use rustix::termios::tcgetwinsize;
use serde_json::json;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the line is drawn again: the time that is left goes by.
const REDRAW: Duration = Duration::from_secs(1);

/// What happens while a person waits.
enum Event {
    /// The service was asked.
    Asked(Result<Box<RequestBody>, Error>),
    /// Ctrl-C.
    Interrupted,
}

/// Waits for a decision.
///
/// # Errors
/// When the person has enough (130), or the service refuses to say.
pub fn decided(
    session: &Arc<Session>,
    request: RequestBody,
    patience: Patience,
) -> Result<Standing, CommandError> {
    let mut request = request;
    if !is_pending(&request) {
        return Ok(ended(request));
    }
    let end = patience.timeout.map(|timeout| session.host.elapsed() + timeout);
    let (sender, events) = channel();
    let _listening = Listening::start(sender.clone())?;
    ask(session, request.clone(), patience.interval, sender)?;
    let mut line = Line::new(session);
    let mut lost = None;
    while is_pending(&request) {
        let left = end.map(|end| end.saturating_sub(session.host.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            line.end();
            let timed_out = format!("{} is still pending; {}", request.request_id, how_to_go_on(&request));
            return Ok(Standing { request, end: Err(CommandError::TimedOut(timed_out)) });
        }
        line.tell(&request, lost.as_ref(), left);
        match events.recv_timeout(left.map_or(REDRAW, |left| left.min(REDRAW))) {
            Ok(Event::Asked(Ok(answer))) => (request, lost) = (*answer, None),
            Ok(Event::Asked(Err(error))) if error.is_passing() => lost = Some(error),
            Ok(Event::Asked(Err(error))) => {
                line.end();
                let message = format!("{error}\n  {}", how_to_go_on(&request));
                return Err(CommandError::from(error).explained(message));
            }
            Ok(Event::Interrupted) => {
                line.end();
                let id = &request.request_id;
                let message =
                    format!("{id} is still pending, and nobody waits any more; {}", how_to_go_on(&request));
                return Err(CommandError::Interrupted(message));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(CommandError::Failed(
                    "a thread of the waiting has ended; this is a bug".to_owned(),
                ));
            }
        }
    }
    line.end();
    Ok(ended(request))
}

fn is_pending(request: &RequestBody) -> bool {
    request.status == "pending"
}

/// What has become of a request; what did not become approved is a refusal.
fn ended(request: RequestBody) -> Standing {
    let id = &request.request_id;
    let end = match request.status.as_str() {
        "approved" | "executing" | "executed" | "failed" => Ok(()),
        "rejected" | "expired" | "cancelled" => {
            Err(CommandError::Refused(format!("{id} is {}", request.status)))
        }
        other => Err(CommandError::Failed(format!("{id} is {}, which is no status", escaped_line(other)))),
    };
    Standing { request, end }
}

fn how_to_go_on(request: &RequestBody) -> String {
    let id = &request.request_id;
    format!("`countersign wait {id}` waits on, `countersign cancel {id}` gives it up")
}

/// Asks what has become of a request, until an answer ends the waiting or the receiver is gone.
fn ask(
    session: &Arc<Session>,
    request: RequestBody,
    interval: Duration,
    events: Sender<Event>,
) -> Result<(), CommandError> {
    let session = Arc::clone(session);
    let ask = move || {
        let (mut poll, mut seen) = (LongPoll::every(interval), request);
        loop {
            let answer = poll.next(&session.connection, &seen);
            let is_last = match &answer {
                Ok(answer) => !is_pending(answer),
                Err(error) => !error.is_passing(),
            };
            if let Ok(answer) = &answer {
                seen.clone_from(answer);
            }
            if events.send(Event::Asked(answer.map(Box::new))).is_err() || is_last {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("wait-calls".to_owned()).spawn(ask);
    thread.map(drop).map_err(|error| CommandError::Failed(format!("thread: {error}")))
}

/// The waiting that Ctrl-C ends, if there is one.
static LISTENER: Mutex<Option<Sender<Event>>> = Mutex::new(None);
/// Whether the thread that receives Ctrl-C has been started.
static IS_LISTENING: AtomicBool = AtomicBool::new(false);

/// As long as it is there, Ctrl-C ends the waiting; afterwards it does what it did before.
struct Listening {
    before: Option<Sender<Event>>,
}

impl Listening {
    fn start(events: Sender<Event>) -> Result<Self, CommandError> {
        let before = LISTENER.lock().unwrap_or_else(PoisonError::into_inner).replace(events);
        let listening = Self { before };
        if !IS_LISTENING.swap(true, Ordering::SeqCst) {
            listen_for_interrupts()?;
        }
        Ok(listening)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        *LISTENER.lock().unwrap_or_else(PoisonError::into_inner) = self.before.take();
    }
}

/// As long as it is there, Ctrl-C ends a waiting and nothing else: what the program does besides is not to be cut off.
pub(crate) struct Held {
    _listening: Listening,
    _events: Receiver<Event>,
}

impl Held {
    /// Begins to hold interrupts.
    ///
    /// # Errors
    /// When the system does not tell of signals.
    pub(crate) fn start() -> Result<Self, CommandError> {
        let (sender, events) = channel();
        Ok(Self { _listening: Listening::start(sender)?, _events: events })
    }
}

/// Ends a waiting, as Ctrl-C does.
pub(crate) fn interrupt() {
    let listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    // Without a waiting there is nothing to end.
    let _ = listener.as_ref().map(|events| events.send(Event::Interrupted));
}

fn listen_for_interrupts() -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(format!("signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut interrupts = {
        let _guard = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).map_err(failed)?
    };
    let listen = move || {
        while runtime.block_on(interrupts.recv()).is_some() {
            let listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
            let ends_waiting =
                listener.as_ref().is_some_and(|events| events.send(Event::Interrupted).is_ok());
            if !ends_waiting {
                std::process::exit(i32::from(exit::code(Kind::Interrupted)));
            }
        }
    };
    let thread = std::thread::Builder::new().name("wait-signals".to_owned()).spawn(listen);
    thread.map(drop).map_err(failed)
}

/// The line on stderr that says where the request stands: drawn again in its place on a terminal, printed
/// when something has changed elsewhere, and JSON when the answer is.
struct Line<'a> {
    session: &'a Session,
    told: Option<String>,
}

impl<'a> Line<'a> {
    fn new(session: &'a Session) -> Self {
        Self { session, told: None }
    }

    fn tell(&mut self, request: &RequestBody, lost: Option<&Error>, left: Option<Duration>) {
        let is_first = self.told.is_none();
        let view = self.session.view();
        let what = news(request, lost);
        let mut stderr = std::io::stderr().lock();
        // Nothing is lost if it cannot be written.
        let _ = if self.session.output.is_document() {
            if self.told.as_ref() == Some(&what) {
                return;
            }
            let line = document::json_line(&json!({ "waiting": {
                "request_id": request.request_id, "status": request.status,
                "approvals_received": request.approvals_received,
                "approvals_required": request.approvals_required,
                "approved_by": request.approved_by, "lost": lost.map(ToString::to_string),
            } }));
            writeln!(stderr, "{}", line.unwrap_or_default())
        } else if self.session.terminal.is_live() {
            if is_first {
                // The id stays where it can be copied, whatever comes after it.
                let _ = writeln!(stderr, "{}", request.request_id);
            }
            let line = in_a_row(&what, &news_in_short(request, lost), &deadline(&view, request), left);
            write!(stderr, "\r\u{1b}[K{line}").and_then(|()| stderr.flush())
        } else if self.told.as_ref() != Some(&what) {
            let times = format!("{}; {}", deadline(&view, request), waiting(left));
            writeln!(stderr, "{}: {what}; {times}", request.request_id)
        } else {
            Ok(())
        };
        self.told = Some(what);
    }

    /// Leaves the line empty for what comes next.
    fn end(&self) {
        if self.told.is_some() && self.session.terminal.is_live() && !self.session.output.is_document() {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}

/// `pending, 1 of 2 approvals (bob@example.com)`.
fn news(request: &RequestBody, lost: Option<&Error>) -> String {
    let who = match request.approved_by.as_slice() {
        [] => String::new(),
        who => format!(" ({})", who.join(", ")),
    };
    let news = escaped_line(&format!("{}, {}{who}", request.status, approvals(request)));
    match lost {
        Some(error) => {
            let why = escaped_line(error.to_string().lines().next().unwrap_or_default());
            format!("{news}; asking again: {why}")
        }
        None => news,
    }
}

/// The same without names.
fn news_in_short(request: &RequestBody, lost: Option<&Error>) -> String {
    let news = escaped_line(&format!("{}, {}", request.status, approvals(request)));
    if lost.is_some() { format!("{news}; asking again") } else { news }
}

/// As much as fits into a row of the terminal; how long is left goes last.
fn in_a_row(news: &str, in_short: &str, deadline: &str, left: Option<Duration>) -> String {
    let (width, waiting) = (width(), waiting(left));
    let lines = [
        format!("{news}; {deadline}; {waiting}"),
        format!("{news}; {waiting}"),
        format!("{in_short}; {deadline}; {waiting}"),
        format!("{in_short}; {waiting}"),
    ];
    let fitting = lines.into_iter().find(|line| columns(line) <= width);
    fitting.unwrap_or_else(|| wrapped(&waiting, width).into_iter().next().unwrap_or_default())
}

fn deadline(view: &View, request: &RequestBody) -> String {
    format!("{} to decide", view.moment.deadline(&request.expires_at))
}

/// For how long; that is not said where it is until the decision.
fn waiting(left: Option<Duration>) -> String {
    let lasting = |left: Duration| RelativeTime::lasting(u32::try_from(left.as_secs()).unwrap_or(u32::MAX));
    left.map_or_else(|| "waiting".to_owned(), |left| format!("waiting {} more", lasting(left)))
}

/// How wide a line may be that is drawn again in its place: the last column is left empty.
fn width() -> usize {
    let columns = tcgetwinsize(std::io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    let columns = if columns == 0 { WIDTH } else { columns };
    columns.saturating_sub(1)
}
