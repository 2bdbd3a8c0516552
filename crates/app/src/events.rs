//! Reading a request's audit trail.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::get::get;
use crate::integrity;
use crate::ports::{LoadEvents, LoadRequest, Trail};
use countersign_core::audit::Finding;
use countersign_core::ids::RequestId;
use countersign_core::policy::access::{AccessDecision, Action};
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;

/// A request's trail, and whether it is the request's.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedTrail {
    /// The events that can be read, oldest first, and what is said of those that cannot.
    pub trail: Trail,
    /// How the trail and the request disagree, if they do.
    pub finding: Option<Finding>,
}

/// The request's events, oldest first, held against the request. An event that cannot be read is left
/// out, so that it hides no other.
///
/// # Errors
/// As for [`get`], and [`Refusal::NotPermitted`] for those who see requests without parameters:
/// digests of short parameters can be guessed.
pub async fn events<S: LoadRequest + LoadEvents>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Principal,
) -> Result<CheckedTrail, AppError> {
    let mut found_before: Option<(u64, Finding)> = None;
    loop {
        let request = get(dependencies, id, actor).await?;
        if let AccessDecision::Denied(reasons) =
            dependencies.policy.may(Action::Audit, actor, &request, dependencies.host.now())
        {
            return Err(Refusal::NotPermitted(reasons).into());
        }
        let trail = dependencies.store.load_events(id).await?;
        // The origin follows from the deployment's key, which a function that only reads does not have.
        let Err(finding) = integrity::compare(&request, &trail, None) else {
            return Ok(CheckedTrail { trail, finding: None });
        };
        // An event may have been written between the two reads: what is found of one version has to be
        // found twice. There are at most some hundred versions of a request.
        let found = Some((request.version, finding));
        if found == found_before {
            dependencies.host.on_damaged_request(id);
            return Ok(CheckedTrail { trail, finding: found.map(|(_, finding)| finding) });
        }
        found_before = found;
        dependencies.host.pause(integrity::SETTLING).await;
    }
}
