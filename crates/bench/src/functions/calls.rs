//! What the functions are asked: the samples of `events/`, with the ids of requests that exist.

use bytes::Bytes;
use serde_json::{Value, json};
use std::path::Path;

/// How many requests each requester has made before another begins: fewer than may be open.
const REQUESTS_OF_A_REQUESTER: usize = 10;

/// The operations that are measured warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Create,
    Approve,
    Get,
    List,
}

impl Operation {
    pub(super) const ALL: [Self; 4] = [Self::Create, Self::Approve, Self::Get, Self::List];

    /// The name of its function, and of its folder in `events/`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Approve => "approve",
            Self::Get => "get",
            Self::List => "list",
        }
    }

    /// Its name on the original endpoint.
    fn original(self) -> &'static str {
        match self {
            Self::Create => "create_request",
            Self::Approve => "approve_request",
            Self::Get => "get_request",
            Self::List => "get_pending_approvals",
        }
    }
}

/// How a program is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// One function for all operations, by a member of a direct payload.
    Original,
    /// A function for each operation, by direct payloads.
    Direct,
    /// A function for each operation, by events of the HTTP API with a token.
    Gateway,
}

/// The request that a call is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Subject {
    pub(super) id: String,
}

/// The payload of a call, the how manyth of its operation it is.
pub(super) fn payload(dialect: Dialect, operation: Operation, number: usize, subject: &Subject) -> Bytes {
    let direct = direct(operation, number, subject);
    let payload = match dialect {
        Dialect::Direct => direct,
        Dialect::Original => {
            let mut direct = direct;
            set(&mut direct, "operation", operation.original().into());
            if operation == Operation::List {
                set(&mut direct, "user_email", "bob@example.com".into());
            }
            direct
        }
        Dialect::Gateway => gateway(operation, &direct, subject),
    };
    payload.to_string().into()
}

fn direct(operation: Operation, number: usize, subject: &Subject) -> Value {
    let requester = number / REQUESTS_OF_A_REQUESTER;
    match operation {
        Operation::Create => json!({
            "operation_type": "modify_storage",
            "instance_id": "dev-db-01",
            "parameters": { "allocated_storage": 200, "iops": 3000 },
            "environment": "non-production",
            "justification": "The disk is nearly full, and grows by two per cent a day",
            "requested_by": format!("ann-{requester}@example.com"),
        }),
        Operation::Approve => json!({
            "request_id": subject.id,
            "approved_by": "carol@example.com",
            "comments": "Agreed, the metrics show it",
        }),
        Operation::Get => json!({ "request_id": subject.id }),
        Operation::List => json!({ "limit": 20 }),
    }
}

/// The sample of the operation, with this body and this request.
fn gateway(operation: Operation, direct: &Value, subject: &Subject) -> Value {
    let sample = match operation {
        Operation::Create => include_str!("../../../../events/create/api.json"),
        Operation::Approve => include_str!("../../../../events/approve/api.json"),
        Operation::Get => include_str!("../../../../events/get/api.json"),
        Operation::List => include_str!("../../../../events/list/api.json"),
    };
    let mut event: Value = serde_json::from_str(sample).unwrap_or_default();
    let mut body = direct.clone();
    if let Some(members) = body.as_object_mut() {
        for member in ["request_id", "requested_by", "approved_by"] {
            members.remove(member);
        }
    }
    if let Some(headers) = event.get_mut("headers").and_then(Value::as_object_mut) {
        // Another request each time.
        headers.remove("idempotency-key");
    }
    if matches!(operation, Operation::Create | Operation::Approve) {
        set(&mut event, "body", body.to_string().into());
    }
    if matches!(operation, Operation::Approve | Operation::Get) {
        let text = |place: &str| event.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
        let path = text("/rawPath").replace(&text("/pathParameters/id"), &subject.id);
        for (place, value) in
            [("/requestContext/http/path", &path), ("/rawPath", &path), ("/pathParameters/id", &subject.id)]
        {
            if let Some(member) = event.pointer_mut(place) {
                *member = value.as_str().into();
            }
        }
    }
    event
}

/// Sets a member of an object.
fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// The id of the request that an answer to a creation is about.
pub(super) fn created(dialect: Dialect, answer: &[u8]) -> Option<Subject> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let request: Value = match dialect {
        Dialect::Gateway => serde_json::from_str(answer.get("body")?.as_str()?).ok()?,
        Dialect::Original | Dialect::Direct => answer,
    };
    Some(Subject { id: request.get("request_id")?.as_str()?.to_owned() })
}

/// Whether the function did what it was asked.
pub(super) fn is_success(dialect: Dialect, answer: &[u8]) -> bool {
    match dialect {
        Dialect::Original | Dialect::Direct => true,
        Dialect::Gateway => {
            let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
            answer.get("statusCode").and_then(Value::as_u64).is_some_and(|status| status < 300)
        }
    }
}

/// The sample of a function for its first call, as it is.
pub(super) fn sample(events: &Path, function: &str) -> Result<Bytes, String> {
    let names = ["api.json", "schedule.json", "api-create.json"];
    let paths = names.map(|name| events.join(function).join(name));
    let path = paths.iter().find(|path| path.exists());
    let path = path.ok_or_else(|| format!("{}: no sample of {function}", events.display()))?;
    std::fs::read(path).map(Bytes::from).map_err(|error| format!("{}: {error}", path.display()))
}

/// The variables that samples are run with.
pub(super) fn variables() -> Vec<(String, String)> {
    let file: Value = serde_json::from_str(include_str!("../../../../events/env.json")).unwrap_or_default();
    let parameters = file.get("Parameters").and_then(Value::as_object).into_iter().flatten();
    parameters.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
