//! The `OpenAPI` 3.1 description of the API, built from the list of routes and the list of codes.

use crate::call::JSON;
use crate::operations::dispatch;
use crate::problem::{Code, PROBLEM_JSON};
use crate::routes::{self, Body, Method, Route};
use countersign_core::command::ExecutionOutcome;
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use serde_json::{Map, Value, json};

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in routes::ALL {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Approvals for high-risk operations.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "security": [{ "bearer": [] }],
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "schemas": schemas(),
            "responses": {
                "Problem": {
                    "description": "A refusal or failure (RFC 9457); `code` is stable.",
                    "content": { PROBLEM_JSON: { "schema": reference("Problem") } },
                },
            },
        },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn operation(route: Route) -> Value {
    let (summary, body, answer) = describe(route);
    let mut parameters = Vec::new();
    if route.path.contains("{id}") {
        let schema = json!({ "type": "string", "format": "uuid" });
        parameters.push(json!({ "name": "id", "in": "path", "required": true, "schema": schema }));
    }
    if route == routes::LIST {
        parameters.extend(list_parameters());
    }
    if route.method != Method::Get {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 128 });
        parameters.push(json!({ "name": "Idempotency-Key", "in": "header", "schema": schema }));
    }
    let content = json!({ JSON: { "schema": answer } });
    let mut responses = Map::new();
    let mut answers = |status: &str, description: &str| {
        responses.insert(status.to_owned(), json!({ "description": description, "content": content }));
    };
    if route == routes::DISPATCH {
        answers("201", "A new request.");
    }
    if route == routes::CREATE {
        answers("201", "A new request.");
        answers("200", "A retry: the request that the first one made.");
    } else {
        answers("200", summary);
    }
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    let name = if route == routes::OPENAPI { "openapi" } else { route.operation };
    let mut operation = Map::from_iter([
        ("operationId".to_owned(), json!(name)),
        ("summary".to_owned(), json!(summary)),
        ("parameters".to_owned(), json!(parameters)),
        ("responses".to_owned(), json!(responses)),
    ]);
    if let Some(schema) = body {
        let required = route.body == Body::Required;
        let content = json!({ JSON: { "schema": schema } });
        operation.insert("requestBody".to_owned(), json!({ "required": required, "content": content }));
    }
    if route == routes::HEALTH || route == routes::OPENAPI {
        operation.insert("security".to_owned(), json!([]));
    }
    Value::Object(operation)
}

/// Summary, body and answer of a route.
fn describe(route: Route) -> (&'static str, Option<Value>, Value) {
    let request = reference("Request");
    match route {
        routes::CREATE => ("Ask for an operation.", Some(reference("Create")), request),
        routes::LIST => ("List requests; pending ones unless filtered.", None, reference("List")),
        routes::GET => ("Read a request.", None, request),
        routes::APPROVE => ("Agree.", Some(reference("Approve")), request),
        routes::REJECT => ("Refuse.", Some(reference("Reject")), request),
        routes::CANCEL => ("Withdraw.", Some(reference("Cancel")), request),
        routes::COMMENT => ("Comment.", Some(reference("Comment")), request),
        routes::EVENTS => ("Read a request's audit trail.", None, reference("Events")),
        routes::START => ("Spend the approval.", Some(reference("Start")), request),
        routes::FINISH => ("Report what came of the execution.", Some(reference("Finish")), request),
        routes::DISPATCH => (
            "The original single endpoint: the operation is named in the body.",
            Some(reference("Dispatch")),
            json!({ "anyOf": [request, reference("List"), reference("Events")] }),
        ),
        routes::HEALTH => ("Whether the service is there.", None, reference("Health")),
        _ => ("This document.", None, json!({ "type": "object" })),
    }
}

fn list_parameters() -> Vec<Value> {
    let parameter = |name: &str, schema: Value| json!({ "name": name, "in": "query", "schema": schema });
    vec![
        parameter("status", reference("Status")),
        parameter("requested_by", json!({ "type": "string" })),
        parameter("instance_id", json!({ "type": "string", "minLength": 1, "maxLength": 128 })),
        parameter("from", json!({ "type": "string", "format": "date-time" })),
        parameter("to", json!({ "type": "string", "format": "date-time" })),
        parameter("limit", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 })),
        parameter("cursor", json!({ "type": "string" })),
    ]
}

/// An object of which the fields marked `*` are required, and nothing else is allowed.
fn object(fields: &[(&str, Value)]) -> Value {
    let required: Vec<_> = fields.iter().filter_map(|(name, _)| name.strip_suffix('*')).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| (name.trim_end_matches('*').to_owned(), schema.clone())).collect();
    // An empty `required` says the same as none (JSON Schema 2020-12 section 6.5.3).
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn names<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Value {
    let names: Vec<_> = all.iter().map(|candidate| name(*candidate)).collect();
    json!({ "type": "string", "enum": names })
}

fn schemas() -> Value {
    let string = || json!({ "type": "string" });
    let text = |max: usize| json!({ "type": "string", "minLength": 1, "maxLength": max });
    let identifier = || json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,127}$" });
    let cost = || json!({ "type": "number", "minimum": 0, "maximum": 1e15 });
    let uuid = || json!({ "type": "string", "format": "uuid" });
    let time = || json!({ "type": "string", "format": "date-time" });
    let digest = || json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let list = |items: Value| json!({ "type": "array", "items": items });
    let environment = || names(&Environment::ALL, Environment::as_str);
    let risk_level = || names(&RiskLevel::ALL, RiskLevel::as_str);
    let summary = [
        ("request_id*", uuid()),
        ("status*", reference("Status")),
        ("operation_type*", identifier()),
        ("instance_id*", identifier()),
        ("environment*", environment()),
        ("risk_level*", risk_level()),
        ("requested_by*", string()),
        ("requested_at*", time()),
        ("estimated_cost", cost()),
        ("approvals_required*", count()),
        ("approvals_received*", count()),
        ("approved_by*", list(string())),
        ("expires_at*", time()),
        ("execute_by", time()),
        ("execution_started_at", time()),
        ("executed_at", time()),
    ];
    let whole = [
        ("parameters", json!({ "type": "object" })),
        ("parameters_digest", digest()),
        ("filed_by", string()),
        ("justification*", text(4000)),
        ("estimated_duration", text(200)),
        ("approved_at", time()),
        ("rejected_by", string()),
        ("rejected_at", time()),
        ("rejection_reason", text(2000)),
        ("cancelled_at", time()),
        ("cancellation_reason", text(2000)),
        ("execution_id", uuid()),
        ("execution_started_by", string()),
        ("execution_result", json!({})),
        ("actual_cost", cost()),
        ("comments*", list(reference("CommentOf"))),
        ("decisions*", list(reference("Decision"))),
        ("version*", count()),
        ("policy_version*", digest()),
        ("audit_head*", digest()),
    ];
    let request: Vec<_> = summary.iter().chain(&whole).cloned().collect();
    json!({
        "Status": names(&Status::ALL, Status::as_str),
        "Create": object(&[
            ("operation_type*", identifier()),
            ("instance_id*", identifier()),
            ("parameters*", json!({ "type": "object" })),
            ("environment*", environment()),
            ("justification*", text(4000)),
            ("risk_level", risk_level()),
            ("estimated_cost", cost()),
            ("estimated_duration", text(200)),
            ("requested_by", string()),
        ]),
        "Approve": object(&[
            ("comments", text(2000)),
            ("parameters_digest", string()),
            ("approved_by", string()),
        ]),
        "Reject": object(&[("reason*", text(2000)), ("rejected_by", string())]),
        "Cancel": object(&[("reason", text(2000)), ("cancelled_by", string())]),
        "Comment": object(&[("text*", text(2000)), ("comment_by", string())]),
        "Start": object(&[("parameters_digest", string()), ("executed_by", string())]),
        "Finish": object(&[
            ("execution_id*", uuid()),
            ("outcome*", names(&ExecutionOutcome::ALL, ExecutionOutcome::as_str)),
            ("result", json!({ "not": { "type": "null" } })),
            ("actual_cost", cost()),
            ("executed_by", string()),
        ]),
        "Dispatch": {
            "type": "object",
            "properties": {
                "operation": {
                    "type": "string",
                    "enum": dispatch::OPERATIONS,
                    "default": "create_request",
                },
            },
        },
        "Request": object(&request),
        "Summary": object(&summary),
        "List": object(&[
            ("items*", list(reference("Summary"))),
            ("next_cursor*", json!({ "type": ["string", "null"] })),
        ]),
        "CommentOf": object(&[
            ("user*", string()),
            ("timestamp*", time()),
            ("action*", json!({ "type": "string", "enum": ["commented", "approved", "rejected"] })),
            ("comment*", text(2000)),
        ]),
        "Decision": object(&[
            ("person*", string()),
            ("decision*", json!({ "type": "string", "enum": ["approved", "rejected"] })),
            ("at*", time()),
            ("comment", text(2000)),
            ("event_id*", uuid()),
        ]),
        "Events": object(&[("items*", list(reference("Event")))]),
        "Event": object(&[
            ("format*", string()),
            ("event_id*", uuid()),
            ("request_id*", uuid()),
            ("sequence*", count()),
            ("timestamp*", time()),
            ("event_type*", string()),
            ("user*", string()),
            ("kind*", string()),
            ("channel*", string()),
            ("instance_id*", identifier()),
            ("operation_type*", identifier()),
            ("environment*", environment()),
            ("risk_level*", risk_level()),
            ("requested_by*", string()),
            ("status*", reference("Status")),
            ("details*", json!({ "type": "object" })),
            ("prev_hash*", digest()),
            ("hash*", digest()),
        ]),
        "Health": object(&[
            ("status*", json!({ "type": "string", "const": "healthy" })),
            ("version*", string()),
            ("policy_version*", digest()),
        ]),
        "Problem": object(&[
            ("type*", json!({ "type": "string", "format": "uri" })),
            ("title*", string()),
            ("status*", json!({ "type": "integer", "minimum": 400, "maximum": 599 })),
            ("detail*", string()),
            ("instance*", string()),
            ("code*", names(&Code::ALL, Code::as_str)),
            ("current_status", reference("Status")),
            ("errors", list(object(&[("pointer*", string()), ("message*", string())]))),
        ]),
    })
}
