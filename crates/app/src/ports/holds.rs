//! Claims of requests by approvers who look at them: holds. Each is an item of its own beside its request.

use super::StoreError;
use countersign_core::hold::Hold;
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::future::Future;

/// A hold as it is stored. One that has ended stays until the next one of its request replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHold {
    /// The hold.
    pub hold: Hold,
    /// Counts the holds of the request: one is written only as the successor of the one that was read.
    pub revision: u64,
}

/// Reads the hold of one request, strongly consistent.
pub trait LoadHold: Send + Sync {
    /// The hold that was given last.
    fn load_hold(&self, id: RequestId)
    -> impl Future<Output = Result<Option<StoredHold>, StoreError>> + Send;
}

/// Reads all holds that last.
pub trait ListHolds: Send + Sync {
    /// Those that have not ended at `now`, by their requests. May lag behind.
    fn holds(
        &self,
        now: Timestamp,
    ) -> impl Future<Output = Result<BTreeMap<RequestId, Hold>, StoreError>> + Send;
}

/// Writes holds.
pub trait PutHold: LoadHold {
    /// Writes a hold as the successor of the one with this revision; 0 is none. `false` if another was faster.
    fn put_hold(&self, hold: &Hold, before: u64) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
