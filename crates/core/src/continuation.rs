//! Who waits for a request outside of Countersign: what resumes them, when, and with which words.
//!
//! What resumes them is a secret. It is part of no content, no digest and no event, and is written out by nothing here.

use crate::digest::Digest;
use crate::ids::RequestId;
use crate::status::Status;
use serde::Serialize;
use std::fmt;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The longest task token of Step Functions, in characters
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html>).
pub const MAX_TASK_TOKEN: usize = 2048;
/// The longest id of a callback of a durable function, in characters
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html>).
pub const MAX_CALLBACK_ID: usize = 1024;

/// Who waits for a request, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// What resumes them.
    pub handle: Handle,
    /// Until when they wait.
    pub resume_on: ResumeOn,
}

/// What resumes those who wait: used once, by whoever has it.
#[derive(Clone, PartialEq, Eq)]
pub enum Handle {
    /// The token of a task of a state machine.
    TaskToken(String),
    /// The id of a callback of a durable function.
    CallbackId(String),
}

/// A handle breaks a rule; the message does not quote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHandle {
    /// A task token.
    #[error("must be a task token of Step Functions: 1 to {MAX_TASK_TOKEN} visible characters of ASCII")]
    TaskToken,
    /// A callback id.
    #[error(
        "must be the id of a callback of a durable function: 1 to {MAX_CALLBACK_ID} characters of base64"
    )]
    CallbackId,
}

impl Handle {
    /// The token of a task of a state machine.
    ///
    /// # Errors
    /// When it can be none.
    pub fn task_token(text: &str) -> Result<Self, InvalidHandle> {
        let is_token =
            (1..=MAX_TASK_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if is_token { Ok(Self::TaskToken(text.to_owned())) } else { Err(InvalidHandle::TaskToken) }
    }

    /// The id of a callback of a durable function.
    ///
    /// # Errors
    /// When it can be none.
    pub fn callback_id(text: &str) -> Result<Self, InvalidHandle> {
        let digits = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
        let is_base64 = digits.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b));
        let is_id = text.len() <= MAX_CALLBACK_ID && !digits.is_empty() && is_base64;
        if is_id { Ok(Self::CallbackId(text.to_owned())) } else { Err(InvalidHandle::CallbackId) }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TaskToken(_) => "TaskToken",
            Self::CallbackId(_) => "CallbackId",
        })
    }
}

/// Until when they wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum ResumeOn {
    /// Until it may be started, or never will be.
    #[default]
    Decision,
    /// Until nothing can happen to the operation any more.
    End,
}

impl ResumeOn {
    /// Whether a request with this status is what they wait for.
    pub fn is_reached_by(self, status: Status) -> bool {
        match self {
            Self::Decision => status != Status::Pending,
            Self::End => !status.is_open(),
        }
    }
}

/// What those who waited get to know: no parameters, and no words of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The request.
    pub request_id: RequestId,
    /// Its status after the event that they waited for.
    pub status: String,
    /// The digest of its content.
    pub content_digest: Digest,
    /// What became of its execution, if it was started and is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_state: Option<&'static str>,
}

impl Outcome {
    /// That of a request with this status.
    pub fn of(request_id: RequestId, status: Status, content_digest: Digest) -> Self {
        let execution_state = match status {
            Status::Executed => Some("succeeded"),
            Status::Failed => Some("failed"),
            Status::Pending
            | Status::Approved
            | Status::Executing
            | Status::Rejected
            | Status::Expired
            | Status::Cancelled => None,
        };
        Self { request_id, status: status.to_string(), content_digest, execution_state }
    }

    /// As those who waited are sent it: an object of texts.
    pub fn to_json(&self) -> String {
        // INVARIANT: none of its members can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether those who waited go on, or learn that it failed. In doubt it failed: a state machine that catches nothing then
/// stops.
pub fn goes_on(status: Status) -> bool {
    match status {
        Status::Approved | Status::Executing | Status::Executed => true,
        Status::Pending | Status::Rejected | Status::Expired | Status::Cancelled | Status::Failed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn a_handle_is_as_aws_has_it_and_is_not_written_out() {
        for token in ["a", "AQCEAAAAKgAAAAMAAAAAAAAAAX+/==", &"x".repeat(2048)] {
            let handle = Handle::task_token(token).unwrap();
            assert_eq!(format!("{handle:?}"), "TaskToken");
        }
        for token in ["", " ", "a b", "a\n", "ä", &"x".repeat(2049)] {
            let refused = Handle::task_token(token).unwrap_err().to_string();
            assert!(token.len() < 3 || !refused.contains(token), "{refused}");
        }
        for id in ["a", "aA0+/==", "ab=", &"x".repeat(1024)] {
            assert_eq!(format!("{:?}", Handle::callback_id(id).unwrap()), "CallbackId");
        }
        for id in ["", "=", "==", "a=b", "a===", "a-b", "a_b", &"x".repeat(1025)] {
            assert_eq!(Handle::callback_id(id), Err(InvalidHandle::CallbackId), "{id}");
        }
    }

    #[test]
    fn a_decision_is_the_end_of_pending_and_an_end_the_end_of_all() {
        let reached = |resume_on: ResumeOn| -> Vec<_> {
            Status::iter().filter(|status| resume_on.is_reached_by(*status)).map(Status::as_str).collect()
        };
        assert_eq!(reached(ResumeOn::End), ["rejected", "expired", "cancelled", "executed", "failed"]);
        assert_eq!(
            reached(ResumeOn::Decision),
            ["approved", "executing", "rejected", "expired", "cancelled", "executed", "failed"]
        );
        let goes_on: Vec<_> = Status::iter().filter(|status| goes_on(*status)).map(Status::as_str).collect();
        assert_eq!(goes_on, ["approved", "executing", "executed"]);
    }
}
