//! What is asked for, and what names it.

use countersign_api::bodies::CreateBody;
use countersign_api::wire::RequestBody;
use countersign_core::canonical::CanonicalJson;
use countersign_core::risk::Environment;
use serde_json::{Value, json};
use std::fmt;

/// A call of a tool, as approvers are shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The operation of policy.
    pub operation: String,
    /// The target of the operation.
    pub instance: String,
    /// The environment as declared; policy may find that it is production.
    pub environment: String,
    /// Everything that the approval is bound to, an object.
    pub parameters: Value,
    /// Why it is asked for.
    pub justification: String,
    /// The ticket it belongs to.
    pub ticket: Option<String>,
    /// How soon it needs an answer: `P1` to `P4`.
    pub priority: Option<String>,
}

impl ToolCall {
    /// The body of the request.
    pub fn body(&self) -> CreateBody {
        CreateBody {
            operation_type: self.operation.clone(),
            instance_id: self.instance.clone(),
            parameters: self.parameters.clone(),
            environment: self.environment.clone(),
            justification: self.justification.clone(),
            ticket: self.ticket.clone(),
            priority: self.priority.clone(),
            ..CreateBody::default()
        }
    }

    /// Names every call of a caller that asks for the same: SHA-256 of canonical JSON, in hex. Why it is asked for is no part
    /// of it.
    pub(crate) fn digest(&self, service: &str, caller: &str) -> String {
        let named = json!({
            "format": "countersign.tool-call.v1",
            "service": service,
            "caller": caller,
            "operation": self.operation,
            "instance": self.instance,
            "environment": self.environment,
            "parameters": self.parameters,
        });
        CanonicalJson::of(&named).digest().to_string()
    }
}

/// What a request shows of the call that it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    operation: String,
    instance: String,
    environment: String,
    /// SHA-256 of the canonical JSON of the parameters, in hex.
    parameters_digest: String,
}

impl Expected {
    /// What the request of a call shows.
    pub(crate) fn of(call: &ToolCall) -> Self {
        Self {
            operation: call.operation.clone(),
            instance: call.instance.clone(),
            environment: call.environment.clone(),
            parameters_digest: digest_of(&call.parameters),
        }
    }

    /// Whether a request is of this call. Its parameters may have been erased, where that is so of what is over.
    pub(crate) fn is_shown_by(&self, request: &RequestBody, is_over: bool) -> bool {
        let has_environment = request.environment == self.environment
            || request.environment == Environment::Production.as_str();
        let has_parameters = match &request.parameters {
            Some(parameters) => digest_of(parameters) == self.parameters_digest,
            None => is_over,
        };
        request.operation_type == self.operation
            && request.instance_id == self.instance
            && has_environment
            && has_parameters
    }
}

fn digest_of(parameters: &Value) -> String {
    CanonicalJson::of(parameters).digest().to_string()
}

/// Names one call among those that ask for the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey {
    /// What it has in common with the others.
    pub(crate) digest: String,
    /// Higher than that of every earlier one on this machine.
    pub(crate) counter: u64,
}

/// A call that its caller has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftCall {
    /// Names it.
    pub(crate) key: CallKey,
    /// When its caller left, in milliseconds since the Unix epoch: a caller who leaves it later than that has joined it.
    pub(crate) left_at: i64,
}

impl CallKey {
    /// Reads what displaying it gives: the name of its file.
    pub fn parse(text: &str) -> Option<Self> {
        let (digest, counter) = text.split_once('.')?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self { digest: digest.to_owned(), counter: counter.parse().ok().filter(|_| is_digest)? })
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.digest, self.counter)
    }
}
