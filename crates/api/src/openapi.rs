//! The `OpenAPI` 3.1 description of the API, built from the table of operations, the table of codes, and
//! examples that the code itself has answered. Only tests build it: what is served is
//! `docs/openapi.json`, and a test compares the two.
//!
//! Knows nothing of what a shell adds or keeps away, but that API Gateway answers some calls by
//! itself.

mod examples;
mod parameters;
mod problems;
mod schemas;
mod values;

use crate::operation::{
    Answer, Body, DirectCaller, NOTIFICATIONS_FUNCTION, Operation, OriginalOperation, WEBHOOKS_FUNCTION,
};
use crate::problem::PROBLEM_JSON;
use crate::reply::{ETAG, IDEMPOTENT_REPLAYED, JSON};
use examples::{answers, bodies};
use parameters::{
    audit_parameters, deliveries_parameters, get_parameters, header_references, headers, list_parameters,
    parameters, report_parameters, stats_parameters,
};
use serde_json::{Map, Value, json};
use strum::IntoEnumIterator;
use values::{one_of, reference};

/// What holds for every call.
const ABOUT: &str = "\
Approvals for high-risk operations: who asks, who agrees, what ran, and an audit trail of it.

Who acts comes from the bearer token alone. A field such as `approved_by` is optional and may name only the caller.

A body is a JSON object in UTF-8 of at most 256 KiB, with `Content-Type: application/json` or none. `null` is a value, \
not absence: an optional field is left out. Unknown fields are refused, and so are a key given twice, \
nesting deeper than 32, whole numbers beyond ±(2^53 - 1) and query parameters where fields belong into \
the body. Text is counted in characters (code points) and must hold one that can be seen.

A refusal is `application/problem+json` with a stable `code`, and has changed nothing. Where a rule or a \
policy refuses, `reasons` says why.";

/// The document.
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for operation in Operation::iter() {
        let path = paths.entry(operation.path_template()).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method().to_string().to_lowercase(), operation_object(operation));
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Approvals for high-risk operations.",
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        // Wherever the document was found.
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "approvals", "description": "Requests and what is done to them." },
            { "name": "webhooks", "description": "Webhooks, for those whom policy lets manage them." },
            { "name": "notifications", "description": "Messages to people, by `notifications.toml`." },
            { "name": "original", "description": "The original single endpoint." },
            { "name": "service", "description": "The service itself; no token needed." },
        ],
        "paths": paths,
        "security": [{ "bearer": [] }],
        "components": {
            "securitySchemes": { "bearer": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "`countersign token`, or a token of the OpenID Connect issuer.",
            } },
            "schemas": schemas::all(),
            "parameters": parameters(),
            "headers": headers(),
            "examples": components_examples(),
            "responses": { "Problem": default_response() },
        },
    });
    // Whether a map keeps the order in which it was filled depends on what else is linked: the document
    // is the same in every binary.
    document.sort_all_objects();
    document
}

fn operation_object(operation: Operation) -> Value {
    let definition = operation.definition();
    let mut parameters = Vec::new();
    if operation.is_on_one() {
        parameters.push(json!({ "$ref": "#/components/parameters/id" }));
    }
    if operation == Operation::List {
        parameters.extend(list_parameters());
    }
    if operation == Operation::Get {
        parameters.extend(get_parameters());
    }
    if operation == Operation::Audit {
        parameters.extend(audit_parameters());
    }
    if operation == Operation::Stats {
        parameters.extend(stats_parameters());
    }
    if operation == Operation::Report {
        parameters.extend(report_parameters());
    }
    for name in ["webhook_id", "delivery_id"] {
        if operation.path_template().contains(&format!("{{{name}}}")) {
            parameters.push(json!({ "$ref": format!("#/components/parameters/{name}") }));
        }
    }
    if operation == Operation::WebhookDeliveries {
        parameters.extend(deliveries_parameters());
    }
    if operation.takes_idempotency_key() {
        parameters.push(json!({ "$ref": "#/components/parameters/idempotency_key" }));
    }
    let tag = match definition.direct {
        DirectCaller::Original => "original",
        DirectCaller::Public => "service",
        DirectCaller::Never if operation.function() == WEBHOOKS_FUNCTION => "webhooks",
        DirectCaller::Never if operation.function() == NOTIFICATIONS_FUNCTION => "notifications",
        DirectCaller::Never => "approvals",
        DirectCaller::Reader | DirectCaller::Person { .. } => "approvals",
    };
    let mut described = Map::from_iter([
        ("operationId".to_owned(), json!(operation.slug())),
        ("summary".to_owned(), json!(definition.summary)),
        ("description".to_owned(), json!(definition.description)),
        ("tags".to_owned(), json!([tag])),
        ("parameters".to_owned(), json!(parameters)),
        ("responses".to_owned(), Value::Object(responses(operation))),
    ]);
    let body = match definition.body {
        Body::None => None,
        Body::Optional(body) => Some((body, false)),
        Body::Required(body) => Some((body, true)),
    };
    if let Some((body, is_required)) = body {
        let content = json!({ "schema": reference(body.into()), "examples": named(bodies(body)) });
        let body = json!({ "required": is_required, "content": { JSON: content } });
        described.insert("requestBody".to_owned(), body);
    }
    if operation.is_public() {
        described.insert("security".to_owned(), json!([]));
    }
    Value::Object(described)
}

/// The schema of an answer.
fn answer_schema(answer: Answer) -> Value {
    match answer {
        Answer::Request => reference("Request"),
        Answer::List => reference("List"),
        Answer::Events => reference("Events"),
        Answer::Audit => reference("AuditPage"),
        Answer::Stats => reference("Stats"),
        Answer::Report => reference("Report"),
        Answer::Me => reference("Me"),
        Answer::Execution => reference("Execution"),
        Answer::Explanation => reference("Explanation"),
        Answer::Simulation => reference("Simulation"),
        Answer::Original => {
            let answers = ["Request", "List", "Events"].map(reference);
            json!({ "anyOf": answers })
        }
        Answer::Health => reference("Health"),
        Answer::Keys => reference("Keys"),
        Answer::Document => json!({ "type": "object", "required": ["openapi"] }),
        Answer::Webhook => reference("Webhook"),
        Answer::Webhooks => reference("Webhooks"),
        Answer::WebhookTrial => reference("WebhookTrial"),
        Answer::Redelivered => reference("Redelivered"),
        Answer::Delivery => reference("Delivery"),
        Answer::Deliveries => reference("Deliveries"),
        Answer::WebhookEvents => reference("WebhookEvents"),
        Answer::Notifications => reference("Notifications"),
        Answer::Preview => reference("NotifyPreview"),
    }
}

/// Where an answer has the id of a request.
fn request_id(answer: Answer) -> &'static str {
    match answer {
        Answer::List => "$response.body#/items/0/request_id",
        Answer::Request
        | Answer::Events
        | Answer::Audit
        | Answer::Stats
        | Answer::Report
        | Answer::Me
        | Answer::Execution
        | Answer::Explanation
        | Answer::Simulation
        | Answer::Original
        | Answer::Health
        | Answer::Keys
        | Answer::Document
        | Answer::Webhook
        | Answer::Webhooks
        | Answer::WebhookTrial
        | Answer::Redelivered
        | Answer::Delivery
        | Answer::Deliveries
        | Answer::WebhookEvents
        | Answer::Notifications
        | Answer::Preview => "$response.body#/request_id",
    }
}

fn responses(operation: Operation) -> Map<String, Value> {
    let definition = operation.definition();
    let mut responses = Map::new();
    for success in definition.answers {
        let examples: Map<_, _> =
            success.examples.iter().map(|name| ((*name).to_owned(), example(name))).collect();
        let mut headers = vec!["x-correlation-id"];
        if success.status == 201 || operation == Operation::Create {
            headers.push("location");
        }
        if success.status == 200 && operation.takes_idempotency_key() {
            headers.push(IDEMPOTENT_REPLAYED);
        }
        if operation == Operation::Get {
            headers.push(ETAG);
        }
        let content = json!({ "schema": answer_schema(success.answer), "examples": examples });
        let mut response = Map::from_iter([
            ("description".to_owned(), json!(success.description)),
            ("headers".to_owned(), header_references(&headers)),
            ("content".to_owned(), json!({ JSON: content })),
        ]);
        let link = |target: &Operation| {
            let parameters = json!({ "id": request_id(success.answer) });
            let link = json!({ "operationId": target.slug(), "parameters": parameters });
            (target.slug().to_owned(), link)
        };
        if !definition.links.is_empty() {
            response.insert("links".to_owned(), Value::Object(definition.links.iter().map(link).collect()));
        }
        responses.insert(success.status.to_string(), Value::Object(response));
    }
    if operation == Operation::Get {
        let not_modified = json!({
            "description": "The caller has what `If-None-Match` names, and is shown the same now.",
            "headers": header_references(&["x-correlation-id", ETAG]),
        });
        responses.insert("304".to_owned(), not_modified);
    }
    responses.extend(problems::responses(operation));
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    responses
}

/// What no operation answers: the router, and on AWS the gateway.
fn default_response() -> Value {
    json!({
        "description": "What did not reach the operation. No such path or method: a problem. Behind API \
                        Gateway, the gateway's own answer: `{\"message\": …}`, without `code` and \
                        `x-correlation-id`.",
        "content": {
            PROBLEM_JSON: {
                "schema": reference("Problem"),
                "examples": {
                    "route_not_found": example("route_not_found"),
                    "method_not_allowed": example("method_not_allowed"),
                },
            },
            JSON: {
                "schema": reference("GatewayMessage"),
                "examples": { "gateway": { "value": { "message": "Not Found" } } },
            },
        },
    })
}

fn example(name: &str) -> Value {
    json!({ "$ref": format!("#/components/examples/{name}") })
}

/// Examples by name, as `OpenAPI` has them.
fn named(values: Vec<(&'static str, Value)>) -> Map<String, Value> {
    values.into_iter().map(|(name, value)| (name.to_owned(), json!({ "value": value }))).collect()
}

fn components_examples() -> Map<String, Value> {
    let mut all = named(answers());
    all.extend(named(problems::examples()));
    all
}

/// The name of an original operation, as its schema has it.
fn original_schema(original: OriginalOperation) -> String {
    original
        .as_str()
        .split('_')
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_uppercase(), rest.to_owned()]
        })
        .collect()
}

fn original_schemas() -> Value {
    one_of(OriginalOperation::iter().map(|original| reference(&original_schema(original))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn what_is_served_is_what_the_code_describes() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let described = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
        let committed = fs::read_to_string(root.join("docs/openapi.json")).unwrap_or_default();
        if committed != described {
            fs::create_dir_all(root.join("target")).unwrap();
            fs::write(root.join("target/openapi.json"), described).unwrap();
            panic!("docs/openapi.json is out of date: cp target/openapi.json docs/openapi.json");
        }
    }

    #[test]
    fn no_two_examples_have_the_same_name() {
        assert_eq!(components_examples().len(), answers().len() + problems::examples().len());
    }

    #[test]
    fn every_reference_leads_somewhere_and_everything_is_referred_to() {
        let document = document();
        let text = document.to_string();
        let parts = text.split("\"$ref\":\"#").skip(1).map(|part| part.split('"').next().unwrap());
        let references: std::collections::BTreeSet<_> = parts.collect();
        for reference in &references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
        for kind in ["schemas", "parameters", "headers", "examples", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                assert!(references.contains(format!("/components/{kind}/{name}").as_str()), "{kind}/{name}");
            }
        }
    }
}
