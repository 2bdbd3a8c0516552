//! Schemas of arguments and answers: those of the API's own description, less what agents have no use for. A test holds
//! `schemas.json` against `docs/openapi.json`.

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};

/// The schemas by their names.
static SCHEMAS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("schemas.json")).unwrap_or_default());

/// An argument that is no member of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member {
    /// The request.
    RequestId,
    /// What names one call.
    IdempotencyKey,
    /// How long to wait.
    Seconds,
}

/// The longest time that a call may ask to be held, in seconds.
pub(crate) const MAX_SECONDS: u64 = 3600;

impl Member {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RequestId => "request_id",
            Self::IdempotencyKey => "idempotency_key",
            Self::Seconds => "seconds",
        }
    }

    const fn is_required(self) -> bool {
        matches!(self, Self::RequestId)
    }

    fn schema(self) -> Value {
        match self {
            Self::RequestId => json!({
                "type": "string",
                "description": "The request: its `request_id`.",
                "format": "uuid",
                "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            }),
            Self::IdempotencyKey => json!({
                "type": "string",
                "description": "Names this call, so that sending it again has no second effect. Another key makes it another call, \
                    even with the same arguments.",
                "pattern": "^[!-~]([ -~]{0,126}[!-~])?$",
            }),
            Self::Seconds => json!({
                "type": "integer",
                "description": "How long to wait at most, in seconds. The server may wait for a shorter time.",
                "minimum": 0,
                "maximum": MAX_SECONDS,
            }),
        }
    }
}

/// The schema of arguments: members of a body or query, and further ones.
pub(crate) fn argument_schema(members_of: Option<&str>, further: &[Member]) -> Arc<JsonObject> {
    let of_body = members_of.and_then(|name| SCHEMAS.get("arguments")?.get(name));
    let member = |name: &str| of_body.and_then(|body| body.get(name)).cloned();
    let mut properties = match member("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    let mut required = match member("required") {
        Some(Value::Array(required)) => required,
        _ => Vec::new(),
    };
    for member in further {
        properties.insert(member.name().to_owned(), member.schema());
        if member.is_required() {
            required.insert(0, json!(member.name()));
        }
    }
    Arc::new(Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(properties)),
        ("required".to_owned(), Value::Array(required)),
        ("additionalProperties".to_owned(), json!(false)),
    ]))
}

/// The schema of an answer: that of the API, or that of a refusal. Some clients hold a refusal against it as well.
pub(crate) fn answer_schema(name: &str) -> Arc<JsonObject> {
    let definitions = SCHEMAS.get("answers").and_then(|answers| answers.get(name)).cloned();
    let mut definitions = match definitions {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    definitions.insert("Notice".to_owned(), notice_schema());
    let of = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    Arc::new(Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("anyOf".to_owned(), json!([of(name), of("Notice")])),
        ("$defs".to_owned(), Value::Object(definitions)),
    ]))
}

/// Why a call does not go on.
fn notice_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["code", "message", "next_step"],
        "properties": {
            "code": text,
            "message": text,
            "reasons": { "type": "array", "items": text },
            "request_id": text,
            "link": text,
            "deadline": text,
            "next_step": text,
        },
    })
}
