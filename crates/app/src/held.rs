//! Claims of requests as they are shown beside them: a hint and no more, so that what cannot be read of them keeps no
//! request from being shown.

use crate::ports::{ListHolds, LoadHold, StoreError};
use countersign_core::hold::Hold;
use countersign_core::ids::RequestId;
use countersign_core::policy::Policy;
use countersign_core::request::Request;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeMap;

/// A request, and the hold of it that is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldRequest {
    /// The request.
    pub request: Request,
    /// The hold that was given last.
    pub hold: Option<Hold>,
}

impl HeldRequest {
    /// The hold, if it is to be shown at `now`.
    pub fn shown(&self, policy: &Policy, now: Timestamp) -> Option<&Hold> {
        shown(self.hold.as_ref(), &self.request, policy, now)
    }
}

/// The hold of a request, if it is to be shown at `now`.
pub(crate) fn shown<'a>(
    hold: Option<&'a Hold>,
    request: &Request,
    policy: &Policy,
    now: Timestamp,
) -> Option<&'a Hold> {
    hold.filter(|hold| hold.is_shown(request, request.status_at(now), policy, now))
}

/// The hold of a request that was given last, if it can be read.
pub(crate) async fn hint<S: LoadHold>(store: &S, id: RequestId) -> Option<Hold> {
    store.load_hold(id).await.unwrap_or_else(|error| not_shown(&error)).map(|stored| stored.hold)
}

/// The same of all requests.
pub(crate) async fn hints<S: ListHolds>(store: &S, now: Timestamp) -> BTreeMap<RequestId, Hold> {
    store.holds(now).await.unwrap_or_else(|error| not_shown(&error))
}

fn not_shown<T: Default>(error: &StoreError) -> T {
    tracing::warn!(%error, "claims of requests are not shown");
    T::default()
}
