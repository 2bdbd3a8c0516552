//! Every command on an existing request: load, decide, commit, and again if another command was faster.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::host::Host;
use crate::integrity;
use crate::ports::{
    CommitChange, CommitError, FindEvent, LoadEvents, LoadRequest, RecordEvent, Recorded, StoreError,
};
use crate::retry::Attempts;
use countersign_core::audit::Finding;
use countersign_core::command::Command;
use countersign_core::command_context::CommandContext;
use countersign_core::decide::{self, Outcome};
use countersign_core::event::Event;
use countersign_core::idempotency::Idempotency;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};

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

/// The store's ports that a command on an existing request needs.
pub trait CommandStore: LoadRequest + CommitChange + FindEvent + LoadEvents + RecordEvent {}
impl<S: LoadRequest + CommitChange + FindEvent + LoadEvents + RecordEvent> CommandStore for S {}

/// Carries out a command.
///
/// # Errors
/// A refusal of the rules, or [`AppError::Unavailable`] when the store fails or others are faster
/// for too long. [`Refusal::Integrity`] has been recorded.
pub async fn command<S: CommandStore>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    command: &Command,
    actor: &Principal,
    idempotency: Option<&Idempotency>,
) -> Result<Done, AppError> {
    let result = match attempt(dependencies, id, command, actor, idempotency).await {
        Err(Missed::SoonerDeadline) => {
            // What a caller learns is final, so it is written down first: a policy that sets later
            // deadlines again brings nothing back.
            let expiry = Principal::expiry(actor.channel);
            match attempt(dependencies, id, &Command::Expire, &expiry, None).await {
                Ok(_) | Err(Missed::SoonerDeadline) => Err(Refusal::Expired.into()),
                // Decided or ended by another caller meanwhile: their end is the answer.
                Err(Missed::AppError(AppError::Refused(Refusal::NotDue))) => {
                    attempt(dependencies, id, command, actor, idempotency).await.map_err(AppError::from)
                }
                Err(Missed::AppError(failure)) => Err(failure),
            }
        }
        result => result.map_err(AppError::from),
    };
    if let Err(AppError::Refused(Refusal::Integrity(finding))) = &result {
        integrity::record(dependencies, id, actor, finding).await;
    }
    result
}

/// Why a command came to nothing.
enum Missed {
    /// The request has missed a deadline that is sooner than the one on record.
    SoonerDeadline,
    /// Anything else.
    AppError(AppError),
}

impl From<Missed> for AppError {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::SoonerDeadline => Refusal::Expired.into(),
            Missed::AppError(failure) => failure,
        }
    }
}

impl From<AppError> for Missed {
    fn from(failure: AppError) -> Self {
        Self::AppError(failure)
    }
}

impl From<Refusal> for Missed {
    fn from(refusal: Refusal) -> Self {
        Self::AppError(refusal.into())
    }
}

impl From<StoreError> for Missed {
    fn from(error: StoreError) -> Self {
        Self::AppError(error.into())
    }
}

async fn attempt<S: CommandStore>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    command: &Command,
    actor: &Principal,
    idempotency: Option<&Idempotency>,
) -> Result<Done, Missed> {
    let host = dependencies.host.as_ref();
    let _deciding = host.deciding();
    // One event id for all attempts: whichever of them commits, it is this event.
    let fresh = host.command_context();
    let mut attempts = Attempts::begin(host);
    let mut attempted: Option<Box<Event>> = None;
    let mut disagreed: Option<u64> = None;
    let mut conflicted: Option<u64> = None;
    loop {
        let failure = match read(&dependencies.store, id, attempted.as_deref()).await {
            Ok(Read::OwnEventCommitted(request, event)) => return Ok(done(host, *request, event)),
            Ok(Read::Current(request)) => {
                if let Err(refusal) = integrity::check_seal(&request, &dependencies.deployment_key) {
                    // A caller who may not see a request does not learn that it is damaged either.
                    let policy = &dependencies.policy;
                    let is_visible = decide::is_visible(&request, command, actor, host.now(), policy);
                    return Err(if is_visible { refusal } else { Refusal::NotVisible }.into());
                }
                let context = CommandContext { now: host.now(), ..fresh };
                let decided =
                    decide::decide(&request, command, actor, &context, &dependencies.policy, idempotency);
                let event = match decided {
                    Ok(Outcome::AlreadyApplied) => return Ok(Done { request: *request, event_id: None }),
                    Ok(Outcome::Event(event)) => event,
                    Err(Refusal::Expired) if request.status_at(context.now) != Status::Expired => {
                        return Err(Missed::SoonerDeadline);
                    }
                    Err(refusal) => return Err(refusal.into()),
                };
                match trail_allows(dependencies, &request, command).await {
                    Err(TrailCheck::Disagrees(finding)) => {
                        // The trail was read after the request, and may be ahead of it: what is found
                        // has to be found twice of the same version.
                        if disagreed.replace(request.version) == Some(request.version) {
                            return Err(Refusal::Integrity(finding).into());
                        }
                        finding.to_string()
                    }
                    Err(TrailCheck::Store(StoreError::Unavailable(reason))) => reason,
                    Err(TrailCheck::Store(error)) => return Err(error.into()),
                    Ok(()) => match commit(dependencies, &request, &event, actor).await {
                        Ok(after) => return Ok(done(host, after, &event)),
                        Err(error @ CommitError::Conflict) => {
                            attempted = Some(event);
                            // What another caller changes shows in the version. Conflicts at one version are
                            // those of a request that stands behind its trail: put back, or half restored.
                            let is_repeated = conflicted.replace(request.version) == Some(request.version);
                            if is_repeated
                                && let Err(TrailCheck::Disagrees(finding)) =
                                    check_trail(dependencies, &request).await
                                && disagreed.replace(request.version) == Some(request.version)
                            {
                                return Err(Refusal::Integrity(finding).into());
                            }
                            error.to_string()
                        }
                        Err(CommitError::Store(
                            error @ (StoreError::Corrupt(_) | StoreError::Damaged(_)),
                        )) => return Err(error.into()),
                        Err(error @ CommitError::Store(_)) => {
                            attempted = Some(event);
                            error.to_string()
                        }
                    },
                }
            }
            Err(AppError::Unavailable(reason)) => reason,
            Err(failure) => return Err(failure.into()),
        };
        if !attempts.again().await {
            // The last attempt may have committed and only its answer was lost.
            return match read(&dependencies.store, id, attempted.as_deref()).await {
                Ok(Read::OwnEventCommitted(request, event)) => Ok(done(host, *request, event)),
                Ok(Read::Current(_)) | Err(_) => Err(AppError::Unavailable(failure).into()),
            };
        }
    }
}

/// Why an approval is not spent.
enum TrailCheck {
    /// The request is not what its trail has made it.
    Disagrees(Finding),
    /// The trail cannot be read now.
    Store(StoreError),
}

/// Before an approval or a permit is spent, and before texts are erased, the request is held against its trail.
async fn trail_allows<S: LoadEvents>(
    dependencies: &Dependencies<S>,
    request: &Request,
    command: &Command,
) -> Result<(), TrailCheck> {
    match command {
        Command::Start { .. } | Command::Claim { .. } | Command::Erase { .. } => {
            check_trail(dependencies, request).await
        }
        Command::Approve { .. }
        | Command::Reject { .. }
        | Command::Withdraw { .. }
        | Command::Cancel { .. }
        | Command::Comment { .. }
        | Command::Observe { .. }
        | Command::Renew { .. }
        | Command::Finish { .. }
        | Command::EndLease
        | Command::Expire => Ok(()),
    }
}

async fn check_trail<S: LoadEvents>(
    dependencies: &Dependencies<S>,
    request: &Request,
) -> Result<(), TrailCheck> {
    let trail = dependencies.store.load_events(request.id()).await.map_err(TrailCheck::Store)?;
    let origin = Origin::of(&dependencies.deployment_key);
    integrity::compare(request, &trail, Some(&origin)).map_err(TrailCheck::Disagrees)
}

fn done(host: &dyn Host, request: Request, event: &Event) -> Done {
    host.on_commit(event, &request);
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
) -> Result<Read<'a>, AppError> {
    let request = Box::new(store.load(id).await?.ok_or(Refusal::NotVisible)?);
    let Some(event) = attempted.filter(|event| request.version >= event.sequence) else {
        return Ok(Read::Current(request));
    };
    let committed = match request.version == event.sequence {
        true => Some(request.last_event_id),
        false => store.find_event(id, event.sequence).await?,
    };
    match committed {
        Some(committed) if committed == event.id => Ok(Read::OwnEventCommitted(request, event)),
        Some(_) => Ok(Read::Current(request)),
        // A transaction's items need not become visible together.
        None => Err(AppError::Unavailable(NOT_VISIBLE_YET.to_owned())),
    }
}

/// An event that a request names, and that cannot be read yet.
pub(crate) const NOT_VISIBLE_YET: &str = "an event of the request is not visible yet";

async fn commit<S: CommitChange>(
    dependencies: &Dependencies<S>,
    before: &Request,
    event: &Event,
    actor: &Principal,
) -> Result<Request, CommitError> {
    let mut after = before.clone();
    after.apply(event);
    let recorded = Recorded::of(event, after, &dependencies.deployment_key);
    dependencies.store.commit(recorded.change_set(Some(before), actor)).await?;
    Ok(recorded.after)
}
