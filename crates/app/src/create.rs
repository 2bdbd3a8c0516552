//! Making a request: ask policy, count what its requester has open, write it down.

use crate::anomalies;
use crate::command::Done;
use crate::command::NOT_VISIBLE_YET;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::host::Host;
use crate::integrity::{self, check_seal};
use crate::planning;
use crate::ports::{
    ChangeSet, CommitChange, CommitError, CountOpen, FindEvent, LastEvent, LoadEvents, LoadRequest,
    RecordEvent, Recorded, StoreError, Trail,
};
use crate::retry::Attempts;
use countersign_core::audit::Finding;
use countersign_core::command::{CommandName, Draft};
use countersign_core::command_context::CommandContext;
use countersign_core::continuation::Continuation;
use countersign_core::creation;
use countersign_core::event::Event;
use countersign_core::idempotency::{self, Idempotency, Seen};
use countersign_core::ids::{EventId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use countersign_core::requirements::Requirements;
use countersign_core::timestamp::Timestamp;

/// Makes a request.
///
/// With an idempotency key the request's id follows from the requester and the key, so a retry
/// meets its own request, even a retry that races with the first, and one of a requester whose address
/// has been joined to another since.
///
/// # Errors
/// A refusal of the rules, [`AppError::CannotBeCarriedOut`], [`AppError::TooManyPending`], [`AppError::TooManyApproved`], or [`AppError::Unavailable`].
pub async fn create<S>(
    dependencies: &Dependencies<S>,
    draft: &Draft,
    actor: &Principal,
    idempotency: Option<&Idempotency>,
) -> Result<Done, AppError>
where
    S: LoadRequest + CommitChange + FindEvent + LoadEvents + CountOpen + RecordEvent,
{
    create_and_resume(dependencies, draft, actor, idempotency, None).await
}

/// The same, and who waits for the request is written down with it. A retry of a creation writes nothing, also none who
/// wait.
///
/// # Errors
/// As for [`create`].
pub async fn create_and_resume<S>(
    dependencies: &Dependencies<S>,
    draft: &Draft,
    actor: &Principal,
    idempotency: Option<&Idempotency>,
    continuation: Option<&Continuation>,
) -> Result<Done, AppError>
where
    S: LoadRequest + CommitChange + FindEvent + LoadEvents + CountOpen + RecordEvent,
{
    let id = match idempotency {
        Some(idempotency) => RequestId::derived(&actor.person, idempotency.key.as_str()),
        None => dependencies.host.request_id(),
    };
    let host = dependencies.host.as_ref();
    let _deciding = host.deciding();
    let fresh = host.command_context();
    let found = Existing { id, own_event: fresh.event_id, actor, idempotency };
    let mut attempts = Attempts::begin(host);
    let mut attempted = None;
    loop {
        let tried = match found.by_another_address(dependencies).await {
            Ok(None) => {
                let draft = (draft, continuation);
                attempt(dependencies, id, draft, actor, fresh, idempotency, &mut attempted).await
            }
            Ok(Some(done)) => return Ok(done),
            Err(AppError::Unavailable(reason)) => Err(Attempt::Again(reason)),
            Err(failure) => return Err(failure),
        };
        let failure = match tried {
            Ok(done) => return Ok(on_commit(host, done, attempted.as_ref())),
            Err(Attempt::Final(failure)) => {
                // A retry is answered like its first, even where a new request would be refused.
                return match (idempotency, found.look(dependencies).await) {
                    (Some(_), Ok(Some(done))) => Ok(on_commit(host, done, attempted.as_ref())),
                    (Some(_), Err(conflict @ AppError::Refused(_))) => Err(conflict),
                    (Some(_) | None, _) => Err(failure),
                };
            }
            Err(Attempt::Again(reason)) => reason,
        };
        match found.look(dependencies).await {
            Ok(Some(done)) => return Ok(on_commit(host, done, attempted.as_ref())),
            Ok(None) | Err(AppError::Unavailable(_)) => {}
            Err(failure) => return Err(failure),
        }
        if !attempts.again().await {
            return Err(found.damage(dependencies).await.unwrap_or(AppError::Unavailable(failure)));
        }
    }
}

/// Lets the host hear of a creation, unless it was a retry of one.
fn on_commit(host: &dyn Host, done: Done, attempted: Option<&Event>) -> Done {
    if let Some(event) = attempted.filter(|_| !done.is_replay()) {
        host.on_commit(event, &done.request);
    }
    done
}

enum Attempt {
    Again(String),
    Final(AppError),
}

impl From<StoreError> for Attempt {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::Again(reason),
            StoreError::Corrupt(_) | StoreError::Damaged(_) | StoreError::MalformedCursor => {
                Self::Final(error.into())
            }
        }
    }
}

async fn attempt<S: CommitChange + CountOpen + LastEvent>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    (draft, continuation): (&Draft, Option<&Continuation>),
    actor: &Principal,
    fresh: CommandContext,
    idempotency: Option<&Idempotency>,
    attempted: &mut Option<Event>,
) -> Result<Done, Attempt> {
    let context = CommandContext { now: dependencies.host.now(), ..fresh };
    let policy = &dependencies.policy;
    let anomaly = anomalies::recent(dependencies, actor, context.now).await?;
    let assessment = creation::assess_after(anomaly.as_ref(), draft, actor, policy);
    let event = creation::create(id, draft.clone(), &assessment, actor, &context, policy, idempotency)
        .map_err(|refusal| Attempt::Final(refusal.into()))?;
    planning::plan(draft, policy).map_err(Attempt::Final)?;
    let requirements = &assessment.requirements;
    if let Some(failure) = one_too_many(dependencies, actor, requirements, event.status, context.now).await? {
        return Err(Attempt::Final(failure));
    }
    let first =
        Request::create(&event).map_err(|error| Attempt::Final(AppError::Corrupt(error.to_string())))?;
    let recorded = Recorded::of(&event, first, &dependencies.deployment_key);
    let event_id = Some(attempted.insert(event).id);
    let change = ChangeSet { continuation, ..recorded.change_set(None, actor) };
    match dependencies.store.commit(change).await {
        Ok(()) => Ok(Done { request: recorded.after, event_id }),
        Err(CommitError::Conflict) => Err(Attempt::Again("conflict".to_owned())),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}

/// The failure of a request that would begin with `status` and be one more than its requester may
/// have, by whichever of their addresses the others were made: one that was linked later is no second
/// limit. What the former holder of an address made is not counted. Counts no further than the limit.
pub(crate) async fn one_too_many<S: CountOpen>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    requirements: &Requirements,
    status: Status,
    now: Timestamp,
) -> Result<Option<AppError>, StoreError> {
    let is_pending = status == Status::Pending;
    let limit =
        usize::from(if is_pending { requirements.pending_limit } else { requirements.approved_limit });
    let mut count = 0;
    let is_theirs = |address: &&PersonId| dependencies.policy.is_maker(actor, address);
    for address in actor.addresses.iter().filter(is_theirs) {
        if count < limit {
            count += dependencies.store.count_open(address, status, now, limit - count).await?;
        }
    }
    Ok((count >= limit).then_some(match is_pending {
        true => AppError::TooManyPending { limit },
        false => AppError::TooManyApproved { limit },
    }))
}

/// What may already stand under the id that a creation wants.
#[derive(Clone, Copy)]
struct Existing<'a> {
    id: RequestId,
    own_event: EventId,
    actor: &'a Principal,
    idempotency: Option<&'a Idempotency>,
}

impl Existing<'_> {
    /// What was made with the same key before the sender's address was joined to others.
    async fn by_another_address<S: LoadRequest + FindEvent + RecordEvent>(
        &self,
        dependencies: &Dependencies<S>,
    ) -> Result<Option<Done>, AppError> {
        let Some(idempotency) = self.idempotency else { return Ok(None) };
        let others = self.actor.addresses.iter().filter(|address| {
            **address != self.actor.person && dependencies.policy.is_maker(self.actor, address)
        });
        for address in others {
            let id = RequestId::derived(address, idempotency.key.as_str());
            if let Some(done) = (Self { id, ..*self }).look(dependencies).await? {
                return Ok(Some(done));
            }
        }
        Ok(None)
    }

    /// `None` if nothing stands there; else what the creation is to answer. Damage is recorded under the
    /// id of what stands there.
    async fn look<S: LoadRequest + FindEvent + RecordEvent>(
        &self,
        dependencies: &Dependencies<S>,
    ) -> Result<Option<Done>, AppError> {
        let seen = self.load(dependencies).await;
        if let Err(AppError::Refused(Refusal::Integrity(finding))) = &seen {
            integrity::record(dependencies, self.id, self.actor, finding).await;
        }
        seen
    }

    /// What keeps a creation from its place for good: a trail without a request, or a request without its
    /// first event. Neither is a matter of time.
    async fn damage<S: LoadRequest + LoadEvents + RecordEvent>(
        &self,
        dependencies: &Dependencies<S>,
    ) -> Option<AppError> {
        let request = dependencies.store.load(self.id).await.ok()?;
        let trail = dependencies.store.load_events(self.id).await.ok()?;
        let finding = match request {
            Some(request) => {
                let origin = Origin::of(&dependencies.deployment_key);
                integrity::compare(&request, &trail, Some(&origin)).err()?
            }
            None if trail == Trail::default() => return None,
            None => Finding::NoRequest,
        };
        integrity::record(dependencies, self.id, self.actor, &finding).await;
        Some(Refusal::Integrity(finding).into())
    }

    async fn load<S: LoadRequest + FindEvent>(
        &self,
        dependencies: &Dependencies<S>,
    ) -> Result<Option<Done>, AppError> {
        let Some(request) = dependencies.store.load(self.id).await? else { return Ok(None) };
        check_seal(&request, &dependencies.deployment_key)?;
        let first_event = match request.version {
            1 => Some(request.last_event_id),
            _ => dependencies.store.find_event(self.id, 1).await?,
        };
        match first_event {
            Some(event_id) if event_id == self.own_event => {
                return Ok(Some(Done { request, event_id: Some(self.own_event) }));
            }
            Some(_) => {}
            None => return Err(AppError::Unavailable(NOT_VISIBLE_YET.to_owned())),
        }
        let records = &request.idempotency;
        let is_sender = |person: &PersonId| dependencies.policy.is_maker(self.actor, person);
        match idempotency::seen(records, is_sender, CommandName::Create, self.idempotency) {
            Seen::Before => Ok(Some(Done { request, event_id: None })),
            Seen::Never | Seen::WithAnotherBody => {
                let status = request.status_at(dependencies.host.now());
                Err(Refusal::IdempotencyConflict(status).into())
            }
        }
    }
}
