//! The connections of the server: how many there are, how long each may take, and which gives way
//! when there is no more room.
//!
//! A client is a stranger until a token of theirs was accepted on that connection.
//! Strangers can be as many as they like and can send what they like: nothing here trusts them to
//! go on, to read or to end. Knows neither HTTP nor TLS.

use countersign_core::person::PersonId;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use strum::IntoStaticStr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How often a line says how often something was refused.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// Which part of the places is a holder's share, as its denominator.
const SHARES: usize = 4;
/// How often connections are looked at, at least.
const LONGEST_ROUND: Duration = Duration::from_secs(1);
/// The same, at most.
const SHORTEST_ROUND: Duration = Duration::from_millis(50);

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many there are at once.
    pub connections: usize,
    /// How many of them are strangers' from one address; one network of IPv6.
    pub strangers_of_peer: usize,
    /// How long a new connection is not yet one of those: its token may be on the way.
    pub newcomer_time: Duration,
    /// How long the handshake of TLS and the head of the first request may take together.
    pub request_timeout: Duration,
    /// How long a connection may be without a request under way.
    pub idle_timeout: Duration,
    /// How long an answer may wait for its reader.
    pub answer_timeout: Duration,
}

/// Why a connection was not served to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Refused {
    /// It gave way to a newer one.
    NoRoom,
    /// It gave way to a newer one of the same address.
    TooManyOfPeer,
    /// No request came in time.
    NoRequest,
    /// An answer was not taken up in time.
    AnswerNotTaken,
    /// It does not speak TLS as we do.
    Handshake,
    /// It does not speak HTTP, or broke off in the middle.
    Protocol,
    /// The system had no file or no memory for it.
    NotAccepted,
}

/// All of them.
#[derive(Debug)]
pub struct Connections {
    limits: Limits,
    room: Arc<Semaphore>,
    all: Mutex<BTreeMap<u64, Arc<Connection>>>,
    refusals: Mutex<BTreeMap<Refused, Refusals>>,
}

/// How often something was refused since that was last logged, and when that was.
#[derive(Debug, Default)]
struct Refusals {
    count: u64,
    said: Option<Instant>,
}

/// One of them.
#[derive(Debug)]
pub struct Connection {
    peer: IpAddr,
    opened: Instant,
    /// Ends the task that serves it.
    task: OnceLock<AbortHandle>,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    /// The caller whose token was accepted on it last.
    caller: Option<PersonId>,
    is_ending: bool,
    next_call: u64,
    /// Since when the answer of each call under way has been waiting for its reader, if there is one.
    calls: BTreeMap<u64, Option<Instant>>,
    idle_since: Instant,
    /// Since when the peer has taken nothing of what is to be written.
    blocked_since: Option<Instant>,
}

/// The room that a connection takes. It is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    /// The connection.
    pub connection: Arc<Connection>,
    number: u64,
    connections: Arc<Connections>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        held(&self.connections.all).remove(&self.number);
    }
}

/// A call under way; dropped when its answer has been handed over.
#[derive(Debug)]
pub struct CallUnderWay {
    connection: Arc<Connection>,
    number: u64,
}

impl CallUnderWay {
    /// From now on its reader is waited for.
    pub fn answered(&self) {
        held(&self.connection.progress).calls.insert(self.number, Some(Instant::now()));
    }
}

impl Drop for CallUnderWay {
    fn drop(&mut self) {
        let mut progress = held(&self.connection.progress);
        progress.calls.remove(&self.number);
        progress.idle_since = Instant::now();
    }
}

/// Nothing panics while it holds one of these; if something did, what is in it would still be right.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those who share this are taken for one: a client with an address of IPv6 has a network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Connection {
    /// A token of this caller's was accepted on it.
    pub fn identified(&self, caller: &PersonId) {
        let mut progress = held(&self.progress);
        if progress.caller.as_ref() != Some(caller) {
            progress.caller = Some(caller.clone());
        }
    }

    /// Who takes up the place: a caller who is known, or an address.
    fn holder(&self) -> Holder {
        held(&self.progress).caller.clone().map_or(Holder::Address(self.peer), Holder::Caller)
    }

    /// The head of a request has arrived.
    pub fn call(self: &Arc<Self>) -> CallUnderWay {
        let mut progress = held(&self.progress);
        let number = progress.next_call;
        progress.next_call += 1;
        progress.calls.insert(number, None);
        CallUnderWay { connection: Arc::clone(self), number }
    }

    /// Whether the head of a request has arrived on it.
    pub fn has_called(&self) -> bool {
        held(&self.progress).next_call > 0
    }

    /// What ends it. Called once, before anything else can happen to it.
    pub fn runs_in(&self, task: AbortHandle) {
        // INVARIANT: each connection is served by one task. It is set before it is asked whether the
        // connection is to end, and `end` does these in the other order: one of the two sees the other.
        let _ = self.task.set(task);
        if let (true, Some(task)) = (held(&self.progress).is_ending, self.task.get()) {
            task.abort();
        }
    }

    fn end(&self) {
        held(&self.progress).is_ending = true;
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    fn overdue(&self, now: Instant, limits: &Limits) -> Option<Overdue> {
        let progress = held(&self.progress);
        let longer = |since: Instant, limit| now.saturating_duration_since(since) > limit;
        let is_waited_for = |since: &Instant| longer(*since, limits.answer_timeout);
        if progress.is_ending {
            None
        } else if progress.next_call == 0 {
            longer(self.opened, limits.request_timeout).then_some(Overdue::Refused(Refused::NoRequest))
        } else if progress.calls.values().flatten().chain(&progress.blocked_since).any(is_waited_for) {
            Some(Overdue::Refused(Refused::AnswerNotTaken))
        } else if progress.calls.is_empty() && longer(progress.idle_since, limits.idle_timeout) {
            Some(Overdue::Idle)
        } else {
            None
        }
    }
}

/// Who takes up places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Caller(PersonId),
    Address(IpAddr),
}

enum Overdue {
    Refused(Refused),
    /// It had been served, and its time is over.
    Idle,
}

impl Connections {
    /// None yet.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            room: Arc::new(Semaphore::new(limits.connections)),
            all: Mutex::default(),
            refusals: Mutex::default(),
        })
    }

    /// Makes room for a connection. Where there is none, one that is there gives way: a service that
    /// turned new ones away would answer no client as long as strangers hold on to what they have.
    ///
    /// `is_shared` says that many callers come from this address: a proxy, or this machine.
    pub async fn admit(self: &Arc<Self>, number: u64, peer: IpAddr, is_shared: bool) -> Place {
        let peer = network(peer);
        if !is_shared {
            self.make_room_of_peer(peer);
        }
        let room = match Arc::clone(&self.room).try_acquire_owned() {
            Ok(room) => Some(room),
            Err(_) => {
                self.make_room(Refused::NoRoom);
                // INVARIANT: no code closes the semaphore.
                Arc::clone(&self.room).acquire_owned().await.ok()
            }
        };
        let now = Instant::now();
        let connection = Arc::new(Connection {
            peer,
            opened: now,
            task: OnceLock::new(),
            progress: Mutex::new(Progress {
                caller: None,
                is_ending: false,
                next_call: 0,
                calls: BTreeMap::new(),
                idle_since: now,
                blocked_since: None,
            }),
        });
        held(&self.all).insert(number, Arc::clone(&connection));
        Place { connection, number, connections: Arc::clone(self), _room: room }
    }

    /// Ends the connection that is missed least: of an address or a caller with more than a share, if there
    /// is one, so that a newcomer stays; a stranger's before others; of the holder with most of them, the
    /// oldest.
    pub fn make_room(&self, reason: Refused) {
        let given_way = {
            let all = held(&self.all);
            let mut of_holder: BTreeMap<Holder, usize> = BTreeMap::new();
            for connection in all.values() {
                *of_holder.entry(connection.holder()).or_default() += 1;
            }
            let share = (self.limits.connections / SHARES).max(1);
            all.iter()
                .filter_map(|(number, connection)| {
                    let many = of_holder.get(&connection.holder()).copied().unwrap_or_default();
                    let progress = held(&connection.progress);
                    let is_known = progress.caller.is_some();
                    let rank = (many <= share, is_known, std::cmp::Reverse(many), *number);
                    (!progress.is_ending).then(|| (rank, Arc::clone(connection)))
                })
                .min_by_key(|(rank, _)| *rank)
        };
        if let Some((_, connection)) = given_way {
            connection.end();
            self.count(reason);
        }
    }

    fn make_room_of_peer(&self, peer: IpAddr) {
        let strangers: Vec<_> = held(&self.all)
            .values()
            .filter(|connection| connection.peer == peer)
            .filter(|connection| {
                let progress = held(&connection.progress);
                progress.caller.is_none() && !progress.is_ending
            })
            .cloned()
            .collect();
        let surplus = (strangers.len() + 1).saturating_sub(self.limits.strangers_of_peer);
        let is_old = |connection: &&Arc<Connection>| connection.opened.elapsed() >= self.limits.newcomer_time;
        for connection in strangers.iter().filter(is_old).take(surplus) {
            connection.end();
            self.count(Refused::TooManyOfPeer);
        }
    }

    /// Ends those that have not asked for anything yet: nothing of theirs is under way.
    pub fn end_silent(&self) {
        let all: Vec<_> = held(&self.all).values().cloned().collect();
        for connection in all {
            if held(&connection.progress).next_call == 0 {
                connection.end();
            }
        }
    }

    /// Counts what was refused. The first time is logged at once, what follows once a minute: those
    /// who cannot get in must not fill the log either.
    pub fn count(&self, reason: Refused) {
        let mut refusals = held(&self.refusals);
        let refused = refusals.entry(reason).or_default();
        refused.count += 1;
        say(reason, refused);
    }

    /// Ends what is overdue, for as long as it is polled.
    pub async fn watch(&self) {
        let limits = &self.limits;
        let shortest = limits.request_timeout.min(limits.idle_timeout).min(limits.answer_timeout);
        let round = (shortest / 4).clamp(SHORTEST_ROUND, LONGEST_ROUND);
        loop {
            tokio::time::sleep(round).await;
            let now = Instant::now();
            let all: Vec<_> = held(&self.all).values().cloned().collect();
            for connection in all {
                match connection.overdue(now, limits) {
                    None => continue,
                    Some(Overdue::Idle) => {}
                    Some(Overdue::Refused(reason)) => self.count(reason),
                }
                connection.end();
            }
            for (reason, refused) in held(&self.refusals).iter_mut() {
                say(*reason, refused);
            }
        }
    }
}

fn say(reason: Refused, refused: &mut Refusals) {
    let is_due = refused.said.is_none_or(|said| said.elapsed() >= SAID_EVERY);
    if refused.count > 0 && is_due {
        let (reason, count): (&str, _) = (reason.into(), refused.count);
        tracing::warn!(reason, count, "connections refused");
        *refused = Refusals { count: 0, said: Some(Instant::now()) };
    }
}

/// A stream whose connection learns whether its peer takes what is written.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    connection: Arc<Connection>,
}

impl<S> Watched<S> {
    /// The stream of a connection.
    pub fn new(stream: S, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }

    fn written<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let mut progress = held(&self.connection.progress);
        match &poll {
            Poll::Pending => progress.blocked_since = progress.blocked_since.or_else(|| Some(Instant::now())),
            Poll::Ready(_) => progress.blocked_since = None,
        }
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        connections: 4,
        strangers_of_peer: 2,
        newcomer_time: Duration::ZERO,
        request_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        answer_timeout: Duration::from_secs(30),
    };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_ending(place: &Place) -> bool {
        held(&place.connection.progress).is_ending
    }

    /// A place whose connection is dropped when it is ended, as the task of a real one is.
    async fn admitted(connections: &Arc<Connections>, number: u64, peer: &str) -> Arc<Connection> {
        let place = connections.admit(number, address(peer), peer.starts_with("127")).await;
        let connection = Arc::clone(&place.connection);
        let task = tokio::spawn(async move {
            let _place = place;
            std::future::pending::<()>().await;
        });
        connection.runs_in(task.abort_handle());
        connection
    }

    fn ended(connection: &Arc<Connection>) -> bool {
        held(&connection.progress).is_ending
    }

    /// THREATS 67: a stranger's oldest connection gives way, never one with an accepted token.
    #[tokio::test]
    async fn strangers_give_way_before_those_who_are_known() {
        let connections = Connections::new(LIMITS);
        let known = admitted(&connections, 0, "127.0.0.1").await;
        known.identified(&person("ann"));
        let mut strangers = Vec::new();
        for number in 1..=20 {
            strangers.push(admitted(&connections, number, "127.0.0.1").await);
        }
        assert!(!ended(&known));
        let left: Vec<_> = strangers.iter().filter(|stranger| !ended(stranger)).collect();
        assert_eq!(left.len(), LIMITS.connections - 1);
        assert!(strangers.iter().rev().take(3).all(|stranger| !ended(stranger)), "the newest stay");
    }

    fn person(name: &str) -> PersonId {
        PersonId::from_email(&format!("{name}@example.com")).unwrap()
    }

    /// THREATS 67: one token is enough to be known, and not to have every place.
    #[tokio::test]
    async fn threat_67_a_caller_with_more_than_a_share_gives_way_before_a_newcomer() {
        let connections = Connections::new(LIMITS);
        let mut held = Vec::new();
        for number in 0..4 {
            held.push(admitted(&connections, number, "127.0.0.1").await);
        }
        held.iter().for_each(|connection| connection.identified(&person("eve")));
        let newcomer = admitted(&connections, 4, "192.0.2.1").await;
        let other = admitted(&connections, 5, "192.0.2.2").await;
        other.identified(&person("ann"));
        let third = admitted(&connections, 6, "192.0.2.3").await;
        assert!([&newcomer, &other, &third].iter().all(|connection| !ended(connection)));
        assert_eq!(held.iter().filter(|connection| ended(connection)).count(), 3, "her share is left");
        let fourth = admitted(&connections, 7, "192.0.2.4").await;
        assert!(ended(&newcomer) && !ended(&held[3]) && !ended(&other) && !ended(&fourth));
    }

    #[tokio::test]
    async fn one_address_takes_no_more_than_its_share() {
        let connections = Connections::new(LIMITS);
        let other = admitted(&connections, 0, "2001:db8:1::1").await;
        let first = admitted(&connections, 1, "2001:db8::1").await;
        let second = admitted(&connections, 2, "2001:db8::2").await;
        let third = admitted(&connections, 3, "2001:db8::3").await;
        assert!(ended(&first), "one network is one peer");
        assert!([&other, &second, &third].iter().all(|connection| !ended(connection)));
    }

    #[tokio::test]
    async fn newcomers_of_one_address_do_not_give_way_to_each_other() {
        let limits = Limits { connections: 100, newcomer_time: Duration::from_secs(60), ..LIMITS };
        let connections = Connections::new(limits);
        for number in 0..50 {
            let connection = admitted(&connections, number, "192.0.2.1").await;
            assert!(!ended(&connection));
        }
        assert!(held(&connections.all).values().all(|connection| !ended(connection)));
    }

    #[tokio::test]
    async fn each_wait_has_an_end() {
        // Before all that is timed, by less than the second that the cases are apart.
        let began = Instant::now();
        let connections = Connections::new(LIMITS);
        let place = connections.admit(0, address("192.0.2.1"), false).await;
        let connection = &place.connection;
        let reason = |seconds| {
            let now = began + Duration::from_secs(seconds);
            match connection.overdue(now, &LIMITS) {
                None => None,
                Some(Overdue::Idle) => Some("idle"),
                Some(Overdue::Refused(reason)) => Some(reason.into()),
            }
        };
        assert_eq!((reason(10), reason(11)), (None, Some("no_request")));
        let call = connection.call();
        assert_eq!(reason(1000), None, "the service takes its own time");
        call.answered();
        assert_eq!((reason(30), reason(31)), (None, Some("answer_not_taken")));
        drop(call);
        assert_eq!((reason(60), reason(61)), (None, Some("idle")));
        assert!(!is_ending(&place));
    }
}
