//! A call as a shell hands it over.

use crate::problem::Problem;
use countersign_app::waiting::Waiting;
use countersign_core::caller::Caller;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// A call that is routed and whose sender is established; nothing of its body has been looked at.
#[derive(Debug)]
pub struct Call {
    /// Names the call in logs and problems. Made by the shell.
    pub correlation_id: String,
    /// Who calls, or the problem to answer with, because that is not known or no caller may call
    /// this way.
    pub identity: Result<Caller, Problem>,
    /// What they send.
    pub input: Input,
    /// Whether the deployment resumes those who wait for a request outside of it.
    pub resumes: bool,
    /// What lets the call wait, where its operation can.
    pub waiting: Arc<dyn Waiting>,
}

/// What a call carries.
#[derive(Debug)]
pub enum Input {
    /// An HTTP request.
    Http {
        /// The parameters of the path by their names in the route; `id` is that of a request.
        path: BTreeMap<String, String>,
        /// The query string, without `?`.
        query: String,
        /// The `Content-Type` header; several are joined.
        content_type: Option<String>,
        /// The body's bytes. A shell that stopped reading at the limit says so by a body that is
        /// over it.
        body: Vec<u8>,
        /// The `Idempotency-Key` header.
        idempotency_key: Option<String>,
        /// The `If-None-Match` header; several are joined with commas.
        if_none_match: Option<String>,
    },
    /// A payload that names everything itself: `request_id` and `idempotency_key` are members.
    Direct {
        /// The payload's bytes.
        payload: Vec<u8>,
    },
}
