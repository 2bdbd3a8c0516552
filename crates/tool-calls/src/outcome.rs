//! What is reported of the result of a call: that it was this one, and never what is in it.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The result of a call, by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// SHA-256 of the bytes of the result, in hex.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Whether the tool says that it failed.
    pub is_error: bool,
    /// Why it is no result of what was approved.
    error: Option<&'static str>,
}

impl Outcome {
    /// The outcome of a result with these bytes.
    pub fn of(bytes: &[u8], is_error: bool) -> Self {
        let sha256 = hex::encode(Sha256::digest(bytes));
        Self { sha256, bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX), is_error, error: None }
    }

    /// The same of a call that was run with other arguments than were approved.
    pub(crate) fn of_other_arguments(self) -> Self {
        Self { is_error: true, error: Some("other_arguments"), ..self }
    }

    /// What is reported.
    pub(crate) fn document(&self) -> Value {
        let mut document = json!({ "sha256": self.sha256, "bytes": self.bytes, "is_error": self.is_error });
        if let (Some(error), Some(members)) = (self.error, document.as_object_mut()) {
            members.insert("error".to_owned(), json!(error));
        }
        document
    }
}
