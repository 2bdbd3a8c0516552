//! Reading a request's audit trail.

use crate::dependencies::Dependencies;
use crate::failure::Failure;
use crate::get::get;
use crate::ports::{LoadEvents, LoadRequest};
use countersign_core::access::{Action, Answer};
use countersign_core::actor::Actor;
use countersign_core::audit::AuditEvent;
use countersign_core::ids::RequestId;
use countersign_core::refusal::Refusal;

/// The request's events, oldest first.
///
/// # Errors
/// As for [`get`], and [`Refusal::NotPermitted`] for those who see requests without parameters:
/// digests of short parameters can be guessed.
pub async fn events<S: LoadRequest + LoadEvents>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Actor,
) -> Result<Vec<AuditEvent>, Failure> {
    let request = get(dependencies, id, actor).await?;
    match dependencies.policy.may(Action::Audit, actor, &request, dependencies.host.now()) {
        Answer::Permitted => Ok(dependencies.store.load_events(id).await?),
        Answer::Denied(reasons) => Err(Refusal::NotPermitted(reasons).into()),
    }
}
