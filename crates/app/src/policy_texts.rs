//! The texts of the policies that have been in force: ports.

use crate::ports::StoreError;
use countersign_audit::evidence::document::PolicyFiles;
use countersign_core::digest::Digest;
use std::future::Future;

/// Where texts of policies are kept.
pub trait PolicyTexts: Send + Sync {
    /// The texts of the policy of this version; `None` if they are not there, or are not those of this version.
    fn texts(&self, version: Digest) -> impl Future<Output = Result<Option<PolicyFiles>, StoreError>> + Send;
}

/// Keeps texts of policies, so that evidence can show them.
pub trait KeepPolicyTexts: Send + Sync {
    /// Keeps the texts of the policy of this version, so that they last when this returns. Those that are there are left as
    /// they are.
    fn keep(
        &self,
        version: Digest,
        files: &PolicyFiles,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
