//! The policies that have been in force, beside the log: an object for each, named by its version.

use crate::log_bucket::LogBucket;
use countersign_app::log::{LogStorage as _, LogStorageError};
use countersign_app::policy_texts::{KeepPolicyTexts, PolicyTexts};
use countersign_app::ports::StoreError;
use countersign_audit::evidence::document::PolicyFiles;
use countersign_core::digest::Digest;
use countersign_core::policy::PolicyText;

/// The most bytes of such an object: three files of a policy, escaped.
const MAX_BYTES: usize = 8 * 1024 * 1024;

fn key(version: Digest) -> String {
    format!("policies/{version}.json")
}

fn failed(error: &LogStorageError) -> StoreError {
    StoreError::Unavailable(format!("policies: {error}"))
}

impl PolicyTexts for LogBucket {
    async fn texts(&self, version: Digest) -> Result<Option<PolicyFiles>, StoreError> {
        let read = self.read(&key(version), MAX_BYTES).await.map_err(|error| failed(&error))?;
        let files = read.and_then(|(bytes, _)| serde_json::from_slice::<PolicyFiles>(&bytes).ok());
        Ok(files.filter(|files| {
            let PolicyFiles { access, operations, people } = files;
            PolicyText { operations, people, access }.version() == version
        }))
    }
}

impl KeepPolicyTexts for LogBucket {
    async fn keep(&self, version: Digest, files: &PolicyFiles) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(files).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        match self.put_new(&key(version), &bytes).await {
            // Written by another release, in another form: a version has one set of texts.
            Ok(()) | Err(LogStorageError::Diverged(_)) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}
