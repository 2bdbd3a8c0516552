//! The reply to a call, as a shell sends it.

use countersign_core::digest::Digest;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::request::Status;
use countersign_webhook::webhook::WebhookId;
use std::borrow::Cow;

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body; empty if there is no body.
    pub content_type: &'static str,
    /// Further headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body, a JSON text; empty if there is none.
    pub body: Cow<'static, str>,
    /// What was changed, for the log.
    pub change: Option<ChangeMade>,
}

/// What a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeMade {
    /// A request.
    Request {
        /// The request.
        request_id: RequestId,
        /// The event; `None` for a retry of a command that had been done before.
        event_id: Option<EventId>,
        /// The request's status after it.
        status: Status,
    },
    /// The claim of a request by an approver, and nothing of the request itself.
    Hold(RequestId),
    /// A webhook, or deliveries to it.
    Webhook(WebhookId),
    /// How the caller wants to hear.
    Preferences,
}

/// The header of an answer to a retry: what it shows was done by an earlier call with the same key. A
/// direct invocation has the member `idempotent_replayed` in its place.
pub const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";

/// The header with the entity tag of what is shown (RFC 9110 section 8.8.3).
pub const ETAG: &str = "etag";

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

    /// The answer with an entity tag of its body: SHA-256 of all that this caller is shown now.
    #[must_use]
    pub fn with_entity_tag(self) -> Self {
        let entity_tag = format!("\"{}\"", Digest::of(self.body.as_bytes()));
        self.with_header(ETAG, entity_tag)
    }

    /// In place of the answer, that its caller has it: the same headers, and no body.
    #[must_use]
    pub fn not_modified(self) -> Self {
        Self { status: 304, content_type: "", body: Cow::Borrowed(""), ..self }
    }

    /// The answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}
