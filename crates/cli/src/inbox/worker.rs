//! The calls of the inbox, away from the screen: one thread asks for the list, another for requests
//! and decisions, so that a slow list delays no decision. Knows no state and no keys.

use super::event::{Event, Pending};
use super::open::Decision;
use super::settings::Settings;
use crate::error::CommandError;
use crate::session::Session;
use countersign_api::wire::{ExplainBody, RequestBody, SummaryBody};
use countersign_app::host::Clock as _;
use countersign_client::connection::LIST_TIMEOUT;
use countersign_client::list_query::{ListQuery, MAX_LIMIT};
use countersign_core::ids::RequestId;
use countersign_core::request::Status;
use countersign_core::text::escaped_line;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long an answer holds to whether the caller may decide a request that has not changed: hours and
/// groups may end meanwhile.
const KNOWN_FOR: Duration = Duration::from_secs(60);
/// How many requests are asked about at the same time.
const AT_ONCE: usize = 8;

/// A call that is to be made.
#[derive(Debug)]
enum Call {
    List,
    Load(String),
    Explain(String),
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
    pub fn start(
        session: &Arc<Session>,
        settings: &Settings,
        events: &Sender<Event>,
    ) -> Result<Self, CommandError> {
        let (lists, first) = start(session, settings, events)?;
        let (others, second) = start(session, settings, events)?;
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

    /// Asks why a request stands where it stands.
    pub fn explain(&self, id: String) {
        let _ = self.others.send(Call::Explain(id));
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

fn start(
    session: &Arc<Session>,
    settings: &Settings,
    events: &Sender<Event>,
) -> Result<(Sender<Call>, JoinHandle<()>), CommandError> {
    let (calls, receiver) = channel();
    let (session, settings, events) = (Arc::clone(session), settings.clone(), events.clone());
    let thread = std::thread::Builder::new()
        .name("inbox-calls".to_owned())
        .spawn(move || make(&session, &settings, &receiver, &events))
        .map_err(|error| CommandError::Failed(format!("thread: {error}")))?;
    Ok((calls, thread))
}

/// Makes calls until the inbox wants no more.
fn make(session: &Session, settings: &Settings, calls: &Receiver<Call>, events: &Sender<Event>) {
    let mut known = Known::default();
    for call in calls {
        let event = match call {
            Call::List => Event::Listed(known.pending(session, settings)),
            Call::Load(id) => {
                let request = load(session, &id);
                Event::Loaded(id, request)
            }
            Call::Explain(id) => {
                let explained = load(session, &id).and_then(|request| {
                    explanation(session, &id).map(|explained| Box::new((*request, explained)))
                });
                Event::Explained(id, explained)
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

/// What the service has said of requests that wait: whether the caller may decide them.
#[derive(Debug, Default)]
pub struct Known {
    answers: BTreeMap<String, Answer>,
}

#[derive(Debug)]
struct Answer {
    item: SummaryBody,
    at: Duration,
    may_decide: bool,
}

impl Known {
    /// All that is pending, the most urgent deadline first, and what of it the caller may not decide now.
    /// A list tells neither groups nor hours nor networks: each request that is new is asked about.
    ///
    /// # Errors
    /// When the service does not say.
    pub fn pending(&mut self, session: &Session, settings: &Settings) -> Result<Pending, CommandError> {
        let pending =
            ListQuery { status: vec![Status::Pending], limit: Some(MAX_LIMIT), ..ListQuery::default() };
        let items = session.connection.list(&pending, true)?.items;
        let now = session.host.elapsed();
        let is_pending = |id: &String| items.iter().any(|item| item.request_id == *id);
        self.answers.retain(|id, answer| answer.at + KNOWN_FOR > now && is_pending(id));
        let is_known = |item: &SummaryBody| {
            self.answers.get(&item.request_id).is_some_and(|answer| answer.item == *item)
        };
        let candidates = items.iter().filter(|item| settings.is_decidable(item) && settings.is_wanted(item));
        let unknown: Vec<_> = candidates.filter(|item| !is_known(item)).collect();
        for (item, may_decide) in may_decide(session, &unknown)? {
            self.answers.insert(item.request_id.clone(), Answer { item: item.clone(), at: now, may_decide });
        }
        let refused = self.answers.iter().filter(|(_, answer)| !answer.may_decide);
        let refused: BTreeSet<_> = refused.map(|(id, _)| id.clone()).collect();
        Ok(Pending { items, refused })
    }
}

/// Whether the caller may decide each of these, by the word of the service.
fn may_decide<'a>(
    session: &Session,
    items: &[&'a SummaryBody],
) -> Result<Vec<(&'a SummaryBody, bool)>, CommandError> {
    let end = session.host.elapsed() + LIST_TIMEOUT;
    let ask = |item: &SummaryBody| match explanation(session, &item.request_id) {
        _ if session.host.elapsed() > end => Err(CommandError::TimedOut(format!(
            "what can be decided is not known within {} s; narrow it with --filter",
            LIST_TIMEOUT.as_secs()
        ))),
        Ok(explained) => Ok(explained.actions.iter().any(|may| may.action == "approve" && may.permitted)),
        Err(error) if error.problem().is_some_and(|code| matches!(code.status(), 403 | 404 | 409)) => {
            Ok(false)
        }
        // No answer is no refusal: the list is asked for again.
        Err(error) => Err(error),
    };
    let chunks = items.chunks(items.len().div_ceil(AT_ONCE).max(1));
    std::thread::scope(|scope| {
        let threads: Vec<_> = chunks
            .map(|chunk| scope.spawn(move || chunk.iter().map(|item| Ok((*item, ask(item)?))).collect()))
            .collect();
        let mut answers = Vec::new();
        for thread in threads {
            let some: Result<Vec<_>, CommandError> = thread.join().map_err(|_| {
                CommandError::Failed("a thread of the inbox has ended; this is a bug".to_owned())
            })?;
            answers.extend(some?);
        }
        Ok(answers)
    })
}

fn explanation(session: &Session, id: &str) -> Result<ExplainBody, CommandError> {
    Ok(session.connection.explanation(checked(id)?)?)
}

/// An id that a list has named, if it is one.
fn checked(id: &str) -> Result<&str, CommandError> {
    match RequestId::parse(id) {
        Ok(_) => Ok(id),
        Err(_) => Err(CommandError::NotFound(format!("`{}` is no request's id", escaped_line(id)))),
    }
}

fn load(session: &Session, id: &str) -> Result<Box<RequestBody>, CommandError> {
    Ok(Box::new(session.connection.request(checked(id)?)?))
}

fn decide(session: &Session, decision: &Decision) -> Result<Box<RequestBody>, CommandError> {
    let change = decision.change();
    let after = session.connection.change(checked(&decision.id)?, &change, &decision.key)?;
    // Another try finds what the first one did: what it was before is not known.
    change.check(None, &after)?;
    Ok(Box::new(after))
}
