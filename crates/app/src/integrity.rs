//! Holding a request against its seal and its trail, and recording that they disagree.

use crate::dependencies::Dependencies;
use crate::ports::{RecordEvent, Sequel, Trail};
use countersign_core::audit::anomaly::Anomaly;
use countersign_core::audit::{self, Finding, replay};
use countersign_core::cloud_event::Message;
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::RequestId;
use countersign_core::notification::{AnomalyNotice, Notice};
use countersign_core::origin::Origin;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::Request;
use std::time::Duration;

/// How long, at most, a reader waits before it reads a request and its trail again that disagree: they are
/// two reads, and the items of a transaction become visible one by one.
pub(crate) const SETTLING: Duration = Duration::from_millis(200);

/// Checks that this deployment has written the request as it stands.
///
/// # Errors
/// [`Refusal::Integrity`].
pub(crate) fn check_seal(request: &Request, key: &DeploymentKey) -> Result<(), Refusal> {
    if audit::seal(request, key) == request.seal { Ok(()) } else { Err(Refusal::Integrity(Finding::Seal)) }
}

/// Checks that a request is what its trail has made it, and that the trail is of `origin`, if that is known.
///
/// # Errors
/// The first thing that does not agree.
pub fn compare(request: &Request, trail: &Trail, origin: Option<&Origin>) -> Result<(), Finding> {
    if let Some(damaged) = trail.damaged.first() {
        return Err(Finding::Unreadable(damaged.clone()));
    }
    replay::check(request, &trail.events, origin)
}

/// Records that a request is damaged, once for each request. A failure to do so is logged: the
/// command that met the damage is refused all the same.
pub(crate) async fn record<S: RecordEvent>(
    dependencies: &Dependencies<S>,
    request_id: RequestId,
    actor: &Principal,
    finding: &Finding,
) {
    let host = dependencies.host.as_ref();
    host.on_damaged_request(request_id);
    let anomaly = Anomaly {
        event_id: host.event_id(),
        request_id,
        at: host.now(),
        actor: actor.clone(),
        finding: finding.clone(),
    };
    let message = Message::of(&Notice::Anomaly(AnomalyNotice::of(&anomaly)), &dependencies.deployment_key);
    let _deciding = host.deciding();
    let event = anomaly.record(&dependencies.deployment_key);
    match dependencies.store.record_event(&event, Sequel::Publish(&message)).await {
        Ok(is_new) => tracing::error!(%request_id, %finding, is_new, "a stored request is damaged"),
        Err(error) => {
            tracing::error!(%request_id, %finding, %error, "a stored request is damaged, and that cannot be recorded");
        }
    }
}
