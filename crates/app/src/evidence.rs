//! Evidence of one request, for an auditor to take away and to verify without the service.

use crate::attempts;
use crate::audit::permit_all;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::get::{self, get};
use crate::inclusion;
use crate::integrity;
use crate::log::{LogIndex, LogStorage};
use crate::permit;
use crate::policy_texts::PolicyTexts;
use crate::ports::{LoadEvents, LoadRequest, RecordEvent};
use crate::signing::SigningError;
use countersign_audit::evidence::assembly::{Draft, Sources, Unmade, policy_versions};
use countersign_audit::evidence::document::PolicyFiles;
use countersign_audit::key::Purpose;
use countersign_core::audit::call_record::Reading;
use countersign_core::audit::{self, AuditEvent, Finding, Stream};
use countersign_core::digest::Digest;
use countersign_core::ids::RequestId;
use countersign_core::origin::Origin;
use countersign_core::policy::PolicyText;
use countersign_core::policy::access::{AccessDecision, Action};
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use std::collections::BTreeMap;

/// What its reading is called in events.
pub const OPERATION: &str = "evidence";

/// Evidence of a request as it stands, signed. Without the documents of the operation if that is asked for, or if the actor
/// may not see them.
///
/// That the actor has read it is recorded first, once an hour for the same request.
///
/// # Errors
/// As for [`get()`]. [`Refusal::NotPermitted`] for those who may not query all events, or not audit this request.
/// [`Refusal::Integrity`] for a request that its trail has not made what it is. [`AppError::Unavailable`] without the key, the
/// log or the store; [`AppError::Corrupt`] when the log is damaged, or the evidence would not be believed.
pub async fn evidence<S: LoadRequest + LoadEvents + RecordEvent + LogIndex>(
    dependencies: &Dependencies<S>,
    log: &impl LogStorage,
    policies: &impl PolicyTexts,
    id: RequestId,
    is_redacted: bool,
    actor: &Principal,
) -> Result<String, AppError> {
    let request = get(dependencies, id, actor).await?;
    let (policy, now) = (&dependencies.policy, dependencies.host.now());
    // Policies name everybody: their texts are not for those who may audit no more than requests of their own.
    permit_all(dependencies, actor)?;
    if let AccessDecision::Denied(reasons) = policy.may(Action::Audit, actor, &request, now) {
        return Err(Refusal::NotPermitted(reasons).into());
    }
    let redacted = is_redacted || !policy.may(Action::ViewParameters, actor, &request, now).is_permitted();
    let filters = BTreeMap::from([("redacted", redacted.to_string()), ("request_id", id.to_string())]);
    attempts::reading(dependencies, actor, &Reading { operation: OPERATION, filters }).await?;
    // An event may be written between the reads of request and trail: what is found of one version has to be found twice.
    let mut found_before = None;
    loop {
        match assembled(dependencies, log, policies, id, redacted).await? {
            Ok(draft) => return signed(dependencies, draft).await,
            Err(found) if found_before.as_ref() == Some(&found) => {
                dependencies.host.on_damaged_request(id);
                return Err(Refusal::Integrity(found.1).into());
            }
            Err(found) => found_before = Some(found),
        }
        dependencies.host.pause(integrity::SETTLING).await;
    }
}

/// The evidence before it is signed; or the version of the request with what does not agree.
async fn assembled<S: LoadRequest + LoadEvents + LogIndex>(
    dependencies: &Dependencies<S>,
    log: &impl LogStorage,
    policies: &impl PolicyTexts,
    id: RequestId,
    redacted: bool,
) -> Result<Result<Draft, (u64, Finding)>, AppError> {
    let key = &dependencies.deployment_key;
    let request = get::load(dependencies, id).await?;
    let trail = dependencies.store.load_events(id).await?;
    let compared = if audit::seal(&request, key) == request.seal {
        integrity::compare(&request, &trail, Some(&Origin::of(key)))
    } else {
        Err(Finding::Seal)
    };
    if let Err(finding) = compared {
        return Ok(Err((request.version, finding)));
    }
    let permit = permit::claims_given_out(dependencies, &request, &trail.events).await?;
    let files = files_of(policies, &trail.events).await?;
    let events = inclusion::with_proofs(dependencies, log, &Stream::request(id), trail.events).await?;
    let text = |files| {
        let PolicyFiles { access, operations, people }: &PolicyFiles = files;
        PolicyText { operations, people, access }
    };
    let sources = Sources {
        request: &request,
        events: &events,
        policies: &files.iter().map(text).collect::<Vec<_>>(),
        permit: permit.map(|claims| claims.members()),
        made_at: dependencies.host.now(),
        redacted,
    };
    match Draft::assemble(sources) {
        Ok(draft) => Ok(Ok(draft)),
        Err(Unmade::TooLong) => Err(AppError::Corrupt(Unmade::TooLong.to_string())),
        Err(mismatched) => Ok(Err((request.version, Finding::Unreadable(mismatched.to_string())))),
    }
}

/// The texts of the policies that events name, of each that is kept.
async fn files_of(policies: &impl PolicyTexts, events: &[AuditEvent]) -> Result<Vec<PolicyFiles>, AppError> {
    let mut files = Vec::new();
    for version in policy_versions(events).iter().filter_map(|version| Digest::parse(version).ok()) {
        files.extend(policies.texts(version).await?);
    }
    Ok(files)
}

async fn signed<S>(dependencies: &Dependencies<S>, draft: Draft) -> Result<String, AppError> {
    let unavailable = |error: SigningError| AppError::Unavailable(error.to_string());
    let keys = &dependencies.audit_keys;
    let key = keys.current(Purpose::Evidence).await.map_err(unavailable)?;
    let signature = keys.sign(&key, &draft.signed_bytes()).await.map_err(unavailable)?;
    draft.with_signature(&key, &signature).map_err(|error| AppError::Corrupt(error.to_string()))
}
