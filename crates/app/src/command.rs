//! Every command on an existing request: load, decide, commit, and again if somebody was faster.

use crate::dependencies::Dependencies;
use crate::failure::Failure;
use crate::host::Host;
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
    let mut attempted: Option<Box<Event>> = None;
    loop {
        let failure = match read(&dependencies.store, id, attempted.as_deref()).await {
            Ok(Read::OwnEventCommitted(request, event)) => return Ok(done(host, *request, event)),
            Ok(Read::Current(request)) => {
                let stamp = Stamp { now: host.now(), ..fresh };
                let event = match decide::decide(
                    &request,
                    command,
                    actor,
                    &stamp,
                    &dependencies.policy,
                    idempotency,
                )? {
                    Outcome::Replayed => return Ok(Done { request: *request, event_id: None }),
                    Outcome::Event(event) => event,
                };
                match commit(dependencies, &request, &event, actor).await {
                    Ok(after) => return Ok(done(host, after, &event)),
                    Err(CommitError::Store(StoreError::Inconsistent(reason))) => {
                        return Err(Failure::Inconsistent(reason));
                    }
                    Err(error @ (CommitError::Conflict | CommitError::Store(_))) => {
                        attempted = Some(event);
                        error.to_string()
                    }
                }
            }
            Err(Failure::Unavailable(reason)) => reason,
            Err(failure) => return Err(failure),
        };
        if !attempts.again().await {
            // The last attempt may have committed and only its answer was lost.
            return match read(&dependencies.store, id, attempted.as_deref()).await {
                Ok(Read::OwnEventCommitted(request, event)) => Ok(done(host, *request, event)),
                Ok(Read::Current(_)) | Err(_) => Err(Failure::Unavailable(failure)),
            };
        }
    }
}

fn done(host: &dyn Host, request: Request, event: &Event) -> Done {
    host.committed(event, &request);
    Done { request, event_id: Some(event.id) }
}

enum Read<'a> {
    /// Decide on this.
    Current(Box<Request>),
    /// The earlier attempt at this event had been committed after all; this is the request now.
    OwnEventCommitted(Box<Request>, &'a Event),
}

/// Reads the request, and whether an earlier attempt went through although it seemed to fail: a
/// time-out says nothing about the transaction.
async fn read<'a, S: LoadRequest + FindEvent>(
    store: &S,
    id: RequestId,
    attempted: Option<&'a Event>,
) -> Result<Read<'a>, Failure> {
    let request = Box::new(store.load(id).await?.ok_or(Refusal::NotVisible)?);
    if let Some(event) = attempted
        && request.version >= event.sequence
        && store.find_event(id, event.sequence).await? == Some(event.id)
    {
        return Ok(Read::OwnEventCommitted(request, event));
    }
    Ok(Read::Current(request))
}

async fn commit<S: CommitChange>(
    dependencies: &Dependencies<S>,
    before: &Request,
    event: &Event,
    actor: &Actor,
) -> Result<Request, CommitError> {
    let mut after = before.clone();
    after.apply(event);
    let recorded = Recorded::of(event, after, &dependencies.deployment_key);
    dependencies.store.commit(recorded.change_set(Some(before), actor)).await?;
    Ok(recorded.after)
}
