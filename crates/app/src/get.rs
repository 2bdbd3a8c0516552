//! Reading one request.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::held::{self, HeldRequest};
use crate::ports::{LoadHold, LoadRequest, StoreError};
use countersign_core::ids::RequestId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::Action;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::Request;
use countersign_core::timestamp::Timestamp;
use futures_util::future::join;

/// The request, if the actor may know of it.
///
/// # Errors
/// [`Refusal::NotVisible`] for what does not exist and what the actor may not see alike.
pub async fn get<S: LoadRequest>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Principal,
) -> Result<Request, AppError> {
    let request = load(dependencies, id).await?;
    check_visible(&dependencies.policy, actor, &request, dependencies.host.now())?;
    Ok(request)
}

/// The same, with its hold, which is read at the same time.
///
/// # Errors
/// As for [`get`].
pub async fn get_held<S: LoadRequest + LoadHold>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Principal,
) -> Result<HeldRequest, AppError> {
    let held = load_held(dependencies, id).await?;
    check_visible(&dependencies.policy, actor, &held.request, dependencies.host.now())?;
    Ok(held)
}

/// The same, for any actor.
pub(crate) async fn load_held<S: LoadRequest + LoadHold>(
    dependencies: &Dependencies<S>,
    id: RequestId,
) -> Result<HeldRequest, AppError> {
    let (request, hold) = join(load(dependencies, id), held::hint(&dependencies.store, id)).await;
    Ok(HeldRequest { request: request?, hold })
}

/// The request, for any actor.
pub(crate) async fn load<S: LoadRequest>(
    dependencies: &Dependencies<S>,
    id: RequestId,
) -> Result<Request, AppError> {
    let loaded = dependencies.store.load(id).await;
    if let Err(StoreError::Damaged(_)) = &loaded {
        dependencies.host.on_damaged_request(id);
    }
    Ok(loaded?.ok_or(Refusal::NotVisible)?)
}

/// Refuses an actor who may not know of the request.
pub(crate) fn check_visible(
    policy: &Policy,
    actor: &Principal,
    request: &Request,
    now: Timestamp,
) -> Result<(), Refusal> {
    let answer = policy.may(Action::View, actor, request, now);
    if answer.is_permitted() { Ok(()) } else { Err(Refusal::NotVisible) }
}
