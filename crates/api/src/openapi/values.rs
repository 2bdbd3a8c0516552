//! The schemas of single values: identifiers, texts, amounts, times, and what refers to a schema.

use crate::fields::MAX_VALUES;
use crate::operations::list::{DEFAULT_LIMIT, MAX_LIMIT};
use serde_json::{Value, json};

pub(super) fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

pub(super) fn one_of(schemas: impl Iterator<Item = Value>) -> Value {
    json!({ "oneOf": schemas.collect::<Vec<_>>() })
}

pub(super) fn names<T: Into<&'static str>>(values: impl IntoIterator<Item = T>) -> Value {
    let names: Vec<&str> = values.into_iter().map(Into::into).collect();
    json!({ "type": "string", "enum": names })
}

pub(super) fn described(mut schema: Value, description: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(description));
    }
    schema
}

pub(super) fn string() -> Value {
    json!({ "type": "string" })
}

/// Free text. `\S` is as much of "can be seen" as a pattern can say.
pub(super) fn text(max: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": r"\S" })
}

pub(super) fn identifier() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,127}$" })
}

pub(super) fn instance_id() -> Value {
    json!({ "type": "string", "pattern": "^[!-),.-;A-_a-~][!-)+-;=@-_a-~]{0,511}$" })
}

pub(super) fn ticket() -> Value {
    json!({ "type": "string", "pattern": "^[!-~]+( [!-~]+)*$", "maxLength": 256 })
}

pub(super) fn cost() -> Value {
    json!({
        "type": "number",
        "description": "An amount in the organisation's currency: 0, or 0.000001 to 10^15.",
        "minimum": 0,
        "maximum": 1e15,
        "not": { "exclusiveMinimum": 0, "exclusiveMaximum": 1e-6 },
    })
}

/// One id has one text, so `format` is not enough: it allows capitals.
pub(super) fn uuid() -> Value {
    json!({
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    })
}

/// The id of a webhook.
pub(super) fn webhook_id() -> Value {
    json!({
        "type": "string",
        "pattern": "^wh_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    })
}

pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

pub(super) fn digest() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
}

pub(super) fn person() -> Value {
    described(string(), "An e-mail address in ASCII; case and white space around it do not matter.")
}

pub(super) fn caller() -> Value {
    described(string(), "Leave it out, or name the caller: who acts comes from the token.")
}

pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// A whole number from 1.
pub(super) fn positive() -> Value {
    json!({ "type": "integer", "minimum": 1 })
}

pub(super) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

pub(super) fn limit() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT })
}

pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// One value, or an array of them.
pub(super) fn one_or_several(value: Value) -> Value {
    let several = json!({ "type": "array", "items": value, "minItems": 1, "maxItems": MAX_VALUES });
    json!({ "anyOf": [value, several] })
}

pub(super) fn environment() -> Value {
    reference("Environment")
}

pub(super) fn risk_level() -> Value {
    reference("RiskLevel")
}

pub(super) fn parameters() -> Value {
    described(
        json!({ "type": "object" }),
        "The parameters of the operation. At most 64 KiB as canonical JSON (RFC 8785).",
    )
}

/// What an executor has found of a target.
pub(super) fn target() -> Value {
    described(
        json!({ "type": "object" }),
        "What the executor has found of the target. At most 6 KiB as canonical JSON (RFC 8785).",
    )
}

/// Any JSON but `null`.
pub(super) fn result() -> Value {
    json!({
        "type": ["object", "array", "string", "number", "boolean"],
        "description": "The result of the execution: any JSON but null, at most 16 KiB as canonical JSON (RFC 8785).",
        "items": {},
    })
}

pub(super) fn shown_content() -> Value {
    described(
        digest(),
        "The `content_digest` of what was shown: all that the request was made with. Another one is \
         `digest_mismatch`.",
    )
}

pub(super) fn expected_version() -> Value {
    described(
        json!({ "type": "integer", "minimum": 1 }),
        "The `version` of what was shown; another one is `version_mismatch`: something has happened since.",
    )
}

pub(super) fn shown_parameters() -> Value {
    described(digest(), "The `parameters_digest` of what was shown; another one is `digest_mismatch`.")
}
