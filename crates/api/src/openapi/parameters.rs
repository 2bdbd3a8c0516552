//! What travels beside the bodies: path and query parameters, and headers both ways.

use super::examples;
use super::values::{self, reference};
use crate::fields::MAX_VALUES;
use crate::operations::audit;
use crate::operations::get::MAX_WAIT_SECONDS;
use crate::operations::webhooks;
use crate::reply::{ETAG, IDEMPOTENT_REPLAYED};
use countersign_core::event::EventType;
use countersign_core::period::Period;
use countersign_core::request::Status;
use countersign_figures::report::GroupBy;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

/// An entity tag, for the example.
const ENTITY_TAG: &str = "\"fc0f49756c8d0713044880120346613115e92dfd438276863748556d6c68ac7e\"";

const KEY: &str = "\
Names the call, so that sending it again has no second effect and answers with the request as it is now. \
1 to 128 printable ASCII characters, one header. A key belongs to the caller: one creation per person and \
key, one command per person, command, request and key. With another body it is `idempotency_conflict`. A \
refused call is not remembered.";

pub(super) fn parameters() -> Value {
    json!({
        "id": {
            "name": "id",
            "in": "path",
            "required": true,
            "description": "The request. One spelling only: a UUID in lower-case hyphenated form.",
            "schema": values::uuid(),
            "example": examples::REQUEST_ID,
        },
        "webhook_id": {
            "name": "webhook_id",
            "in": "path",
            "required": true,
            "description": "The webhook. One spelling only: `wh_` and a UUID in lower-case hyphenated form.",
            "schema": values::webhook_id(),
            "example": examples::WEBHOOK_ID,
        },
        "delivery_id": {
            "name": "delivery_id",
            "in": "path",
            "required": true,
            "description": "The delivery: the id of its event.",
            "schema": values::uuid(),
            "example": examples::DELIVERY_ID,
        },
        "idempotency_key": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": KEY,
            // White space around a header's value is no part of it (RFC 9110 section 5.5).
            "schema": { "type": "string", "pattern": "^[!-~]([ -~]{0,126}[!-~])?$" },
            "example": "deploy-4711/resize",
        },
    })
}

const WAIT: &str = "\
How many seconds to wait for a change: for a version above `since_version`, or for a request that is shown in another \
way than at the time of asking. Without one, the request is answered as it is then. A service may wait less, or not at \
all.";

pub(super) fn get_parameters() -> Vec<Value> {
    vec![
        json!({
            "name": "wait",
            "in": "query",
            "description": WAIT,
            "schema": { "type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS },
            "example": 20,
        }),
        json!({
            "name": "since_version",
            "in": "query",
            "description": "With `wait`: the version that the caller knows. The one at the time of asking, if left out.",
            "schema": { "type": "integer", "minimum": 0 },
            "example": 1,
        }),
        json!({
            "name": "If-None-Match",
            "in": "header",
            "description": "Entity tags of what the caller has. With `wait`, the answer comes at once where there is \
                            something else.",
            "schema": { "type": "string" },
            "example": ENTITY_TAG,
        }),
    ]
}

/// A query parameter.
fn parameter(name: &str, description: &str, schema: Value, example: impl Into<Value>) -> Value {
    let example: Value = example.into();
    json!({
        "name": name,
        "in": "query",
        "description": format!("{description} May be given once."),
        "schema": schema,
        "example": example,
    })
}

/// A query parameter of several values.
fn several(name: &str, description: &str, value: Value, example: &str) -> Value {
    let schema = json!({ "type": "array", "items": value, "minItems": 1, "maxItems": MAX_VALUES });
    json!({
        "name": name,
        "in": "query",
        "description": format!("{description} Several times for any of several; or with commas between them."),
        "style": "form",
        "explode": true,
        "schema": schema,
        "example": [example],
    })
}

/// A time, or a day.
fn time() -> Value {
    json!({ "anyOf": [values::time(), { "type": "string", "format": "date" }] })
}

/// The parameters of a query of events.
pub(super) fn audit_parameters() -> Vec<Value> {
    let one_of = |names: &[&str]| json!({ "type": "string", "enum": names });
    vec![
        parameter(
            "user",
            "Who acted: a person's e-mail, or the id of an agent or service. All addresses of the person count.",
            values::person(),
            examples::REQUESTER,
        ),
        several(
            "event_type",
            "What happened.",
            values::names(EventType::iter()),
            EventType::ApprovalGranted.as_str(),
        ),
        parameter(
            "request_id",
            "Events of this request.",
            values::uuid(),
            "01930000-0000-7000-8000-00000000beef",
        ),
        parameter(
            "instance_id",
            "Events of all requests for this instance.",
            values::instance_id(),
            "production-db-01",
        ),
        parameter(
            "stream",
            "Events of this stream, such as `request/` and the id of a request; not together with `request_id`.",
            json!({ "type": "string", "minLength": 3, "maxLength": 521 }),
            "request/01930000-0000-7000-8000-00000000beef",
        ),
        parameter("from", "The first time; a day begins at midnight UTC.", time(), "2026-01-01"),
        parameter("to", "The last time, or the last day, all of it.", time(), "2026-01-31"),
        parameter(
            "order",
            "Whether the oldest or the newest comes first; `asc` if left out.",
            one_of(&["asc", "desc"]),
            "desc",
        ),
        parameter(
            "limit",
            "The size of a page.",
            json!({ "type": "integer", "minimum": 1, "maximum": audit::MAX_LIMIT, "default": audit::DEFAULT_LIMIT }),
            100,
        ),
        parameter(
            "cursor",
            "The `next_cursor` of the page before, with the same filters.",
            json!({ "type": "string" }),
            examples::CURSOR,
        ),
    ]
}

/// The parameters of figures.
pub(super) fn stats_parameters() -> Vec<Value> {
    let day = || json!({ "type": "string", "format": "date" });
    vec![
        parameter("from", "The first day in UTC; 29 days before the last if left out.", day(), "2026-01-01"),
        parameter(
            "to",
            "The last day in UTC, all of it; today if left out. At most 366 days are answered.",
            day(),
            "2026-01-31",
        ),
        parameter(
            "group_by",
            "What groups are told apart by; `day` if left out.",
            values::names(GroupBy::iter()),
            "operation",
        ),
    ]
}

/// The parameters of reports.
pub(super) fn report_parameters() -> Vec<Value> {
    let day = json!({ "type": "string", "format": "date" });
    vec![
        json!({
            "name": "period",
            "in": "path",
            "required": true,
            "description": "How long the period is.",
            "schema": values::names(Period::iter()),
            "example": Period::Weekly.as_str(),
        }),
        parameter(
            "date",
            "A day in UTC of the period; if left out, the last period that is over.",
            day,
            "2026-01-31",
        ),
    ]
}

/// The parameters of the log of deliveries to a webhook.
pub(super) fn deliveries_parameters() -> Vec<Value> {
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": webhooks::MAX_LIMIT, "default": webhooks::DEFAULT_LIMIT });
    vec![
        parameter("from", "The first time of events.", values::time(), "2026-01-31T00:00:00Z"),
        parameter("to", "The last time of events.", values::time(), "2026-01-31T23:59:59Z"),
        several("status", "Where a delivery is in its life.", values::names(webhooks::states()), "dead"),
        parameter("limit", "The size of a page.", limit, 50),
        parameter("after", "The `next` of the page before.", values::uuid(), examples::DELIVERY_ID),
    ]
}

/// The parameters of a list.
pub(super) fn list_parameters() -> Vec<Value> {
    let limit = parameter("limit", "The size of a page.", values::limit(), 50);
    vec![
        several("status", "A status.", reference("Status"), Status::Pending.as_str()),
        parameter(
            "waiting_for",
            "`me`: what the caller can decide; it is pending, and `may` and `missing` say more.",
            json!({ "type": "string", "enum": ["me"] }),
            "me",
        ),
        parameter("requested_by", "A person's e-mail.", values::person(), examples::REQUESTER),
        parameter("instance_id", "A target.", values::instance_id(), "production-db-01"),
        several("operation_type", "What is to be done.", values::identifier(), "modify_instance_class"),
        several("risk_level", "The risk that it was made under.", reference("RiskLevel"), "high"),
        several(
            "environment",
            "The environment that it was made under.",
            reference("Environment"),
            "production",
        ),
        parameter(
            "from",
            "The first time; a day begins at midnight UTC. About when a request was made, or, where `status` \
             is a closed one, when it closed: of these 90 days are listed by default.",
            time(),
            "2026-01-01",
        ),
        parameter(
            "to",
            "The last time, or the last day, all of it; at most 366 days after `from`.",
            time(),
            "2026-01-31",
        ),
        limit,
        parameter(
            "cursor",
            "The `next_cursor` of the page before, with the same filters.",
            json!({ "type": "string" }),
            examples::CURSOR,
        ),
    ]
}

pub(super) fn headers() -> Value {
    json!({
        "x-correlation-id": {
            "description": "Names the call in the log.",
            "required": true,
            "schema": values::uuid(),
        },
        (ETAG): {
            "description": "SHA-256 of what this caller is shown. It changes with the request, with its deadlines \
                            and with the policy.",
            "required": true,
            "schema": { "type": "string", "pattern": "^\"[0-9a-f]{64}\"$" },
        },
        "location": {
            "description": "The path of what was made.",
            "required": true,
            "schema": { "type": "string", "format": "uri-reference" },
        },
        (IDEMPOTENT_REPLAYED): {
            "description": "There for a retry: an earlier call with the same Idempotency-Key did what this \
                            one asks. The answer shows the request as it is now.",
            "schema": { "type": "string", "const": "true" },
        },
        "retry-after": {
            "description": "How many seconds to wait before asking again.",
            "required": true,
            "schema": { "type": "integer", "minimum": 1 },
        },
        "www-authenticate": {
            "description": "How to say who calls.",
            "required": true,
            "schema": { "type": "string", "const": "Bearer" },
        },
    })
}

pub(super) fn header_references(names: &[&str]) -> Value {
    let reference =
        |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    Value::Object(names.iter().map(reference).collect())
}
