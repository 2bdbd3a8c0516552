//! Calls of this API by those that are its clients within a shell: pages, and tools of agents. The shell makes the call, in its
//! own process or over HTTPS, and says nothing more of how.

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use std::fmt;
use std::future::Future;

/// A call of our API with the caller's token.
#[derive(Clone, PartialEq)]
pub struct ApiCall {
    /// The method.
    pub method: Method,
    /// The path, and the query if there is one.
    pub path: String,
    /// The caller's bearer token; empty where the shell has one of its own.
    pub token: String,
    /// The `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// The body.
    pub body: Option<Value>,
}

impl fmt::Debug for ApiCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tokens and texts stay out of logs.
        write!(f, "ApiCall({} {})", self.method, self.path.split('?').next().unwrap_or_default())
    }
}

/// What the API answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAnswer {
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl ApiAnswer {
    /// That there was no answer.
    pub const fn none() -> Self {
        Self { status: 0, body: Bytes::new() }
    }
}

/// Our API. In one process with it, or over HTTPS.
pub trait Api: Sync {
    /// Makes a call. What fails on the way is an answer with status 0.
    fn call(&self, call: ApiCall) -> impl Future<Output = ApiAnswer> + Send;
}
