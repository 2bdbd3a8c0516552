//! Every command on an existing request: load, decide, commit, and again if somebody was faster.

use crate::dependencies::Dependencies;
use crate::failure::Failure;
use crate::ports::{CommitChange, CommitError, FindEvent, LoadRequest, Recorded, StoreError};
use crate::retry::Attempts;
use countersign_core::actor::Actor;
use countersign_core::command::Command;
use countersign_core::decide::{self, Outcome};
use countersign_core::event::Event;
use countersign_core::idempotency::Idempotency;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::refusal::Refusal;
use countersign_core::request::Request;
use countersign_core::stamp::Stamp;

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// The request as it is now.
    pub request: Request,
    /// The event that the command yielded; `None` when it was a retry of one that had.
    pub event_id: Option<EventId>,
}

impl Done {
    /// Whether this was a retry of a command that had been done before.
    pub fn is_replay(&self) -> bool {
        self.event_id.is_none()
    }
}

/// Carries out a command.
///
/// # Errors
/// A refusal of the rules, or [`Failure::Unavailable`] when the store fails or others are faster
/// for too long.
pub async fn command<S>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    command: &Command,
    actor: &Actor,
    idempotency: Option<&Idempotency>,
) -> Result<Done, Failure>
where
    S: LoadRequest + CommitChange + FindEvent,
{
    let host = dependencies.host.as_ref();
    // One event id for all attempts: whichever of them commits, it is this event.
    let fresh = host.stamp();
    let mut attempts = Attempts::begin(host);
    let mut attempted_version = None;
    loop {
        let failure = match read(&dependencies.store, id, fresh.event_id, attempted_version).await {
            Ok(Read::OwnEventCommitted(request)) => return Ok(done(request, fresh.event_id)),
            Ok(Read::Current(request)) => {
                let stamp = Stamp { now: host.now(), ..fresh };
                let event = match decide::decide(&request, command, actor, &stamp, idempotency)? {
                    Outcome::Replayed => return Ok(Done { request: *request, event_id: None }),
                    Outcome::Event(event) => event,
                };
                match commit(dependencies, &request, &event).await {
                    Ok(after) => return Ok(done(Box::new(after), event.id)),
                    Err(CommitError::Store(StoreError::Inconsistent(reason))) => {
                        return Err(Failure::Inconsistent(reason));
                    }
                    Err(error @ (CommitError::Conflict | CommitError::Store(_))) => {
                        attempted_version = Some(request.version);
                        error.to_string()
                    }
                }
            }
            Err(Failure::Unavailable(reason)) => reason,
            Err(failure) => return Err(failure),
        };
        if !attempts.again().await {
            // The last attempt may have committed and only its answer was lost.
            return match read(&dependencies.store, id, fresh.event_id, attempted_version).await {
                Ok(Read::OwnEventCommitted(request)) => Ok(done(request, fresh.event_id)),
                Ok(Read::Current(_)) | Err(_) => Err(Failure::Unavailable(failure)),
            };
        }
    }
}

fn done(request: Box<Request>, event_id: EventId) -> Done {
    Done { request: *request, event_id: Some(event_id) }
}

enum Read {
    /// Decide on this.
    Current(Box<Request>),
    /// An earlier attempt had been committed after all; this is the request now.
    OwnEventCommitted(Box<Request>),
}

/// Reads the request, and whether an earlier attempt at `attempted_version` went through although
/// it seemed to fail: a time-out says nothing about the transaction.
async fn read<S: LoadRequest + FindEvent>(
    store: &S,
    id: RequestId,
    own_event: EventId,
    attempted_version: Option<u64>,
) -> Result<Read, Failure> {
    let request = Box::new(store.load(id).await?.ok_or(Refusal::NotVisible)?);
    if let Some(version) = attempted_version
        && request.version > version
        && store.find_event(id, version + 1).await? == Some(own_event)
    {
        return Ok(Read::OwnEventCommitted(request));
    }
    Ok(Read::Current(request))
}

async fn commit<S: CommitChange>(
    dependencies: &Dependencies<S>,
    before: &Request,
    event: &Event,
) -> Result<Request, CommitError> {
    let mut after = before.clone();
    after.apply(event);
    let recorded = Recorded::of(event, after, &dependencies.digest_key);
    dependencies.store.commit(recorded.change_set(Some(before))).await?;
    Ok(recorded.after)
}
