//! Reading one request.

use crate::dependencies::Dependencies;
use crate::failure::Failure;
use crate::ports::LoadRequest;
use countersign_core::access;
use countersign_core::actor::Actor;
use countersign_core::ids::RequestId;
use countersign_core::refusal::Refusal;
use countersign_core::request::Request;

/// The request, if the actor may know of it.
///
/// # Errors
/// [`Refusal::NotVisible`] for what does not exist and what the actor may not see alike.
pub async fn get<S: LoadRequest>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Actor,
) -> Result<Request, Failure> {
    let request = dependencies.store.load(id).await?;
    Ok(request.filter(|request| access::may_view(actor, request)).ok_or(Refusal::NotVisible)?)
}
