//! The texts of the policies that have been in force: a port.

use crate::ports::StoreError;
use countersign_audit::evidence::document::PolicyFiles;
use countersign_core::digest::Digest;
use std::future::Future;

/// Where texts of policies are kept.
pub trait PolicyTexts: Send + Sync {
    /// The texts of the policy of this version; `None` if they are not there, or are not those of this version.
    fn texts(&self, version: Digest) -> impl Future<Output = Result<Option<PolicyFiles>, StoreError>> + Send;
}
