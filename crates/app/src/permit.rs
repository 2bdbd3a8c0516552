//! Permits: what the start of an execution gives out, and what a claim spends.
//!
//! A permit says offline what was approved. It follows from the request and its trail, so it is signed when it is asked
//! for and kept nowhere: the start is written down first, and whoever may claim gets the permit again until it is
//! claimed, expired or over.

use crate::command::{self, CommandStore, Done};
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::get;
use crate::integrity;
use crate::ports::{LoadEvents, LoadRequest};
use crate::signing::SigningError;
use countersign_core::audit::{AuditEvent, Finding};
use countersign_core::command::{Command, Shown};
use countersign_core::decide;
use countersign_core::digest::Digest;
use countersign_core::event::EventType;
use countersign_core::execution::Execution;
use countersign_core::idempotency::Idempotency;
use countersign_core::ids::{ExecutionId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::Request;
use countersign_core::timestamp::Timestamp;
use countersign_permit::{Claims, Expected, PermitError, SigningInput};

/// The permit of an execution that was just started, or whose start was asked for again; `None` for a caller who
/// may not claim it.
///
/// # Errors
/// [`AppError::SigningUnavailable`] when the key does not sign: the execution is started nevertheless. As for reads,
/// if the trail has to be read for it.
pub async fn of_start<S: LoadEvents>(
    dependencies: &Dependencies<S>,
    done: &Done,
    actor: &Principal,
) -> Result<Option<String>, AppError> {
    let Some(execution) = claimable(dependencies, &done.request, actor) else { return Ok(None) };
    // The head of the trail is the start itself, unless more has happened since.
    let head = if done.event_id == Some(done.request.last_event_id) {
        done.request.audit_head
    } else {
        start_of(dependencies, &done.request).await?
    };
    issue(dependencies, &done.request, execution, head).await
}

/// A request that was started, with the permit if the actor may claim it.
///
/// # Errors
/// As for [`get::get`] and [`of_start`]; [`Refusal::NotApproved`] if it was not started.
pub async fn execution<S: LoadRequest + LoadEvents>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Principal,
) -> Result<(Request, Option<String>), AppError> {
    let request = get::get(dependencies, id, actor).await?;
    if request.execution.is_none() {
        return Err(Refusal::NotApproved(request.status_at(dependencies.host.now())).into());
    }
    let Some(execution) = claimable(dependencies, &request, actor) else { return Ok((request, None)) };
    integrity::check_seal(&request, &dependencies.deployment_key)?;
    let head = start_of(dependencies, &request).await?;
    let permit = issue(dependencies, &request, execution, head).await?;
    Ok((request, permit))
}

/// Spends a permit.
///
/// # Errors
/// [`Refusal::PermitInvalid`] for what is no permit of this request's execution, whatever else it may be, and as for
/// [`command::command`].
pub async fn claim<S: CommandStore>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    permit: &str,
    shown: Shown,
    actor: &Principal,
    idempotency: Option<&Idempotency>,
) -> Result<Done, AppError> {
    let request = get::get(dependencies, id, actor).await?;
    let invalid = |error: PermitError| Refusal::PermitInvalid(error.to_string());
    let keys = dependencies.signing_keys.published().await?;
    // The time is for the decision, which knows when the permit was given out.
    let now = request.execution.as_ref().map_or(0, |execution| seconds(execution.started_at));
    let issuer = Origin::of(&dependencies.deployment_key);
    let audience = request.content.audience();
    let expected = Expected { issuer: issuer.as_str(), audience, now, parameters_digest: None };
    let claims = match countersign_permit::verify(permit, &keys, &expected) {
        // Signed by a key that has come since the keys were read.
        Err(PermitError::UnknownKey) => {
            let keys = dependencies.signing_keys.published_again().await?;
            countersign_permit::verify(permit, &keys, &expected)
        }
        verified => verified,
    };
    let claims = claims.map_err(invalid)?;
    let execution_id = ExecutionId::parse(&claims.jti)
        .ok()
        .filter(|_| claims.sub == id.to_string())
        .ok_or_else(|| Refusal::PermitInvalid("it is of another request".to_owned()))?;
    if claims.content_digest != request.content.digest().to_string() {
        return Err(Refusal::PermitInvalid("it was given out for other content".to_owned()).into());
    }
    let claim = Command::Claim { execution_id, shown };
    command::command(dependencies, id, &claim, actor, idempotency).await
}

/// The execution of a request, if this actor may claim it now: the rules decide, and nothing is written.
fn claimable<'a, S>(
    dependencies: &Dependencies<S>,
    request: &'a Request,
    actor: &Principal,
) -> Option<&'a Execution> {
    let execution = request.execution.as_ref()?;
    let claim = Command::Claim { execution_id: execution.id, shown: Shown::default() };
    let context = dependencies.host.command_context();
    decide::decide(request, &claim, actor, &context, &dependencies.policy, None).ok()?;
    Some(execution)
}

/// The hash of the event that started the execution, of a trail that has made the request what it is.
async fn start_of<S: LoadEvents>(
    dependencies: &Dependencies<S>,
    request: &Request,
) -> Result<Digest, AppError> {
    let trail = dependencies.store.load_events(request.id()).await?;
    let origin = Origin::of(&dependencies.deployment_key);
    integrity::compare(request, &trail, Some(&origin)).map_err(Refusal::Integrity)?;
    // INVARIANT: the trail has been replayed, and it has started the execution.
    Ok(start_among(&trail.events).ok_or(Refusal::Integrity(Finding::State("execution")))?.hash)
}

fn start_among(events: &[AuditEvent]) -> Option<&AuditEvent> {
    events.iter().find(|event| event.event_type.known() == Some(EventType::ExecutionStarted))
}

/// The permit; none from a shell that gives out none.
async fn issue<S>(
    dependencies: &Dependencies<S>,
    request: &Request,
    execution: &Execution,
    audit_head: Digest,
) -> Result<Option<String>, AppError> {
    let keys = &dependencies.signing_keys;
    let key = match keys.current().await {
        Err(SigningError::NoKeys) => return Ok(None),
        key => key?,
    };
    let origin = Origin::of(&dependencies.deployment_key);
    let input = SigningInput::new(key.key_id(), claims(&origin, request, execution, audit_head));
    let signature = keys.sign(key.key_id(), input.as_bytes()).await?;
    Ok(Some(input.with_signature(&signature)))
}

/// The claims of the permit that a start has given out; none if nothing was started, or from a shell that gives out none.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known whether this shell gives out permits.
pub(crate) async fn claims_given_out<S>(
    dependencies: &Dependencies<S>,
    request: &Request,
    events: &[AuditEvent],
) -> Result<Option<Claims>, AppError> {
    let (Some(execution), Some(start)) = (&request.execution, start_among(events)) else { return Ok(None) };
    let key = match dependencies.signing_keys.current().await {
        Err(SigningError::NoKeys) => return Ok(None),
        key => key.map_err(|error| AppError::Unavailable(error.to_string()))?,
    };
    let origin = Origin::of(&dependencies.deployment_key);
    // What would be too long to sign has been left out.
    let input = SigningInput::new(key.key_id(), claims(&origin, request, execution, start.hash));
    Ok(Some(input.claims().clone()))
}

/// What a permit says: nothing that does not follow from the request and its trail.
fn claims(origin: &Origin, request: &Request, execution: &Execution, audit_head: Digest) -> Claims {
    let content = &request.content;
    Claims {
        iss: origin.as_str().to_owned(),
        aud: content.audience().to_owned(),
        sub: request.id().to_string(),
        jti: execution.id.to_string(),
        iat: seconds(execution.started_at),
        exp: seconds(execution.permit_expires_at),
        operation_type: content.operation_type.to_string(),
        instance_id: content.instance_id.to_string(),
        environment: content.environment.as_str().to_owned(),
        risk_level: content.risk_level.as_str().to_owned(),
        content_digest: content.digest().to_string(),
        parameters_digest: content.parameters_digest().to_string(),
        target_digest: request.target.as_ref().map(|target| target.digest().to_string()),
        policy_version: execution.policy_version.to_string(),
        requested_by: content.requested_by.to_string(),
        started_by: execution.started_by.to_string(),
        audit_head: audit_head.to_string(),
        approved_by: Some(request.approved_by().map(PersonId::to_string).collect()),
    }
}

/// Whole seconds since the epoch; none before it.
fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond() / 1000).unwrap_or_default()
}
