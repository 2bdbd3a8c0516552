//! The reply to a call, as a shell sends it.

use countersign_core::ids::{EventId, RequestId};
use countersign_core::request::Status;
use std::borrow::Cow;

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// Further headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body, a JSON text.
    pub body: Cow<'static, str>,
    /// What was changed, for the log.
    pub change: Option<ChangeMade>,
}

/// What a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeMade {
    /// The request.
    pub request_id: RequestId,
    /// The event; `None` for a retry of a command that had been done before.
    pub event_id: Option<EventId>,
    /// The request's status after it.
    pub status: Status,
}

/// The header of an answer to a retry: what it shows was done by an earlier call with the same key. A
/// direct invocation has the member `idempotent_replayed` in its place.
pub const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";

/// The media type of every answer that is not a problem.
pub const JSON: &str = "application/json";

impl Reply {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        // INVARIANT: wire types serialise to JSON; a body that did not would be `null`, never half
        // an answer.
        let body = serde_json::to_string(body).unwrap_or_else(|_| "null".to_owned());
        Self { status, content_type: JSON, headers: Vec::new(), body: body.into(), change: None }
    }

    /// The answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}
