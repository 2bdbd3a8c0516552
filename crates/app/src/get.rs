//! Reading one request.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::ports::{LoadRequest, StoreError};
use countersign_core::ids::RequestId;
use countersign_core::policy::access::Action;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::Request;

/// The request, if the actor may know of it.
///
/// # Errors
/// [`Refusal::NotVisible`] for what does not exist and what the actor may not see alike.
pub async fn get<S: LoadRequest>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Principal,
) -> Result<Request, AppError> {
    let loaded = dependencies.store.load(id).await;
    if let Err(StoreError::Damaged(_)) = &loaded {
        dependencies.host.on_damaged_request(id);
    }
    let request = loaded?.ok_or(Refusal::NotVisible)?;
    let answer = dependencies.policy.may(Action::View, actor, &request, dependencies.host.now());
    if answer.is_permitted() { Ok(request) } else { Err(Refusal::NotVisible.into()) }
}
