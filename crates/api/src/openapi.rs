//! The `OpenAPI` 3.1 description of the API, built from the list of routes, the list of codes, and
//! examples that the code itself has answered.
//!
//! Knows nothing of what a shell adds or keeps away, but that API Gateway answers some calls by
//! itself. `docs/openapi.json` is a copy.

mod examples;
mod parameters;
mod problems;
mod schemas;
mod values;

use crate::call::{IDEMPOTENT_REPLAYED, JSON};
use crate::operations::dispatch;
use crate::problem::PROBLEM_JSON;
use crate::routes::{self, Body, Route};
use examples::{answers, bodies};
use parameters::{header_references, headers, list_parameters, parameters};
use serde_json::{Map, Value, json};
use values::{one_of, reference};

/// What holds for every call.
const ABOUT: &str = "\
Approvals for high-risk operations: who asks, who agrees, what ran, and an audit trail of it.

Who acts comes from the bearer token alone. A field such as `approved_by` is optional and may name \
nobody but the caller.

A body is a JSON object in UTF-8 of at most 256 KiB, with `Content-Type: application/json` or none. `null` is a value, \
not absence: an optional field is left out. Unknown fields are refused, and so are a key given twice, \
nesting deeper than 32, whole numbers beyond ±(2^53 - 1) and query parameters where fields belong into \
the body. Text is counted in characters (code points) and must hold one that can be seen.

A refusal is `application/problem+json` with a stable `code`, and has changed nothing. Where a rule or a \
policy refuses, `reasons` says why.";

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in routes::ALL {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation(route));
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

fn is_public(route: Route) -> bool {
    route == routes::HEALTH || route == routes::OPENAPI
}

/// Whether the route is about one request.
fn is_on_one(route: Route) -> bool {
    route.path.contains("{id}")
}

fn operation_id(route: Route) -> &'static str {
    if route == routes::OPENAPI { "openapi" } else { route.operation }
}

fn operation(route: Route) -> Value {
    let (summary, description) = describe(route);
    let mut parameters = Vec::new();
    if is_on_one(route) {
        parameters.push(json!({ "$ref": "#/components/parameters/id" }));
    }
    if route == routes::LIST {
        parameters.extend(list_parameters());
    }
    if route.changes {
        parameters.push(json!({ "$ref": "#/components/parameters/idempotency_key" }));
    }
    let tag = match route {
        routes::DISPATCH => "original",
        _ if is_public(route) => "service",
        _ => "approvals",
    };
    let mut operation = Map::from_iter([
        ("operationId".to_owned(), json!(operation_id(route))),
        ("summary".to_owned(), json!(summary)),
        ("description".to_owned(), json!(description)),
        ("tags".to_owned(), json!([tag])),
        ("parameters".to_owned(), json!(parameters)),
        ("responses".to_owned(), Value::Object(responses(route))),
    ]);
    if route.body != Body::None {
        let schema = body_schema(route);
        let content = json!({ "schema": reference(schema), "examples": named(bodies(schema)) });
        let body = json!({ "required": route.body == Body::Required, "content": { JSON: content } });
        operation.insert("requestBody".to_owned(), body);
    }
    if is_public(route) {
        operation.insert("security".to_owned(), json!([]));
    }
    Value::Object(operation)
}

/// Summary and description of a route.
fn describe(route: Route) -> (&'static str, &'static str) {
    match route {
        routes::CREATE => (
            "Ask for an operation",
            "The answer shows the effective risk and environment: what is declared raises what policy says, \
             and never lowers it. What needs nobody's approval is approved at once.",
        ),
        routes::SIMULATE => (
            "Try out what would come of asking",
            "Takes the body of a creation and changes nothing. The answer says what policy would demand, and \
             part by part why. What policy would refuse is answered with 200 too, in `refusals`.",
        ),
        routes::LIST => (
            "List requests; pending ones unless filtered",
            "Filters hold together. Without `status`, `requested_by` and `instance_id` the list is of what is \
             pending. A caller who may see only their own requests gets only their own. A page may be short, \
             or empty, and not the last: `next_cursor` says whether it is. A list may lag behind the latest \
             change.",
        ),
        routes::GET => (
            "Read a request",
            "As far as policy lets the caller see it. While it is pending or approved, the stricter holds and \
             is shown: what was demanded when it was made, or what policy demands now. Its deadlines are \
             those on record; `explain` has a sooner one that policy has come to set.",
        ),
        routes::APPROVE => (
            "Agree",
            "Send the `content_digest` of what was shown to the approver: if the stored request has another, \
             the approval is refused. Policy may demand it. An approval that would fill no open slot is not \
             permitted. An approver whose approval counts no more may give it again, also once the request \
             is approved.",
        ),
        routes::REJECT => (
            "Refuse",
            "One rejection ends a request that is pending, or that is approved by approvals of which too few \
             count now.",
        ),
        routes::WITHDRAW => (
            "Take an approval back",
            "For an approver who has approved, while the request is pending or approved. If too few approvals \
             remain, the request is pending again; past `expires_at` it is expired. The approver may approve \
             again.",
        ),
        routes::CANCEL => (
            "Give a request up",
            "For the requester, the owner of the agent or service that asks, and an admin, while the request \
             is pending or approved.",
        ),
        routes::COMMENT => ("Comment", "Also after the end of a request, but not once it has expired."),
        routes::EVENTS => (
            "Read a request's audit trail",
            "Oldest first, for whom policy lets read it. Each event is bound to the one before by its hash. \
             `verified` says whether the trail is whole and has made the request what it is.",
        ),
        routes::EXPLAIN => (
            "Explain where a request stands",
            "For whoever sees the request. What is demanded of it and by which part of the policy, which \
             approvals count, what is missing and who can still give it, what the caller may do and why not \
             the rest, and what happens if nobody does anything.",
        ),
        routes::START => (
            "Spend the approval",
            "For the requester, once, before `execute_by`, if the approvals on record still count under the \
             policy of now. The answer's `execution_id` is needed to finish.",
        ),
        routes::FINISH => (
            "Report what came of the execution",
            "For whoever started it. An admin other than the requester may finish it as failed.",
        ),
        routes::DISPATCH => (
            "Any operation, by its original name",
            "The operation is named by `operation` in the body; without it, it is `create_request`. \
             `mark_executed` starts and finishes in one call: two events.",
        ),
        routes::HEALTH => ("Whether the service is there", "And which one. Asks no database."),
        _ => ("This document", "It describes the API of the service that gives it."),
    }
}

/// The schema of a route's body.
fn body_schema(route: Route) -> &'static str {
    match route {
        routes::CREATE | routes::SIMULATE => "Create",
        routes::APPROVE => "Approve",
        routes::REJECT => "Reject",
        routes::WITHDRAW => "Withdraw",
        routes::CANCEL => "Cancel",
        routes::COMMENT => "Comment",
        routes::START => "Start",
        routes::FINISH => "Finish",
        _ => "Dispatch",
    }
}

/// The schema of a route's answer.
fn answer_schema(route: Route) -> Value {
    match route {
        routes::LIST => reference("List"),
        routes::EVENTS => reference("Events"),
        routes::EXPLAIN => reference("Explanation"),
        routes::SIMULATE => reference("Simulation"),
        routes::DISPATCH => {
            let answers = ["Request", "List", "Events"].map(reference);
            json!({ "anyOf": answers })
        }
        routes::HEALTH => reference("Health"),
        routes::OPENAPI => json!({ "type": "object", "required": ["openapi"] }),
        _ => reference("Request"),
    }
}

fn responses(route: Route) -> Map<String, Value> {
    let mut responses = Map::new();
    let mut answer = |status: &str, description: &str, schema: Value, names: &[&str]| {
        let examples: Map<_, _> = names.iter().map(|name| ((*name).to_owned(), example(name))).collect();
        let mut headers = vec!["x-correlation-id"];
        if status == "201" || route == routes::CREATE {
            headers.push("location");
        }
        if status == "200" && route.changes {
            headers.push(IDEMPOTENT_REPLAYED);
        }
        let mut response = json!({
            "description": description,
            "headers": header_references(&headers),
            "content": { JSON: { "schema": schema, "examples": examples } },
        });
        let links = links(route);
        if let Some(response) = response.as_object_mut()
            && !links.is_empty()
        {
            response.insert("links".to_owned(), Value::Object(links));
        }
        responses.insert(status.to_owned(), response);
    };
    let schema = answer_schema(route);
    match route {
        routes::CREATE => {
            answer("201", "A new request.", schema.clone(), &["pending"]);
            answer("200", "A retry: the request that the first call made.", schema, &["half_approved"]);
        }
        routes::DISPATCH => {
            answer("201", "A new request.", reference("Request"), &["pending"]);
            answer("200", "What the operation answers.", schema, &["approved", "list", "events"]);
        }
        routes::LIST => answer("200", "A page.", schema, &["list"]),
        routes::EVENTS => answer("200", "The trail.", schema, &["events"]),
        routes::EXPLAIN => {
            answer("200", "The explanation.", schema, &["explained", "half_approved_explained"]);
        }
        routes::SIMULATE => {
            let examples = ["simulated", "simulated_refusal"];
            answer("200", "What would come of it, be it a refusal of policy.", schema, &examples);
        }
        routes::APPROVE => answer("200", "The request.", schema, &["half_approved", "approved"]),
        routes::REJECT => answer("200", "The request.", schema, &["rejected"]),
        routes::WITHDRAW => answer("200", "The request.", schema, &["withdrawn"]),
        routes::CANCEL => answer("200", "The request.", schema, &["cancelled"]),
        routes::COMMENT => answer("200", "The request.", schema, &["commented"]),
        routes::START => answer("200", "The request.", schema, &["executing"]),
        routes::FINISH => answer("200", "The request.", schema, &["executed", "failed"]),
        routes::HEALTH => answer("200", "It is.", schema, &["health"]),
        routes::OPENAPI => answer("200", "The document.", schema, &["openapi"]),
        _ => answer("200", "The request.", schema, &["pending", "executed"]),
    }
    responses.extend(problems::responses(route));
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    responses
}

/// Where a request's id leads to.
fn links(route: Route) -> Map<String, Value> {
    let to = |targets: &[Route], id: &str| {
        let link = |target: &Route| {
            let link = json!({ "operationId": operation_id(*target), "parameters": { "id": id } });
            (operation_id(*target).to_owned(), link)
        };
        targets.iter().map(link).collect()
    };
    match route {
        routes::CREATE => {
            let on_one: Vec<_> = routes::ALL.into_iter().filter(|route| is_on_one(*route)).collect();
            to(&on_one, "$response.body#/request_id")
        }
        routes::LIST => to(
            &[routes::GET, routes::APPROVE, routes::REJECT, routes::COMMENT, routes::EVENTS, routes::EXPLAIN],
            "$response.body#/items/0/request_id",
        ),
        routes::APPROVE => to(&[routes::WITHDRAW], "$response.body#/request_id"),
        routes::START => to(&[routes::FINISH], "$response.body#/request_id"),
        _ => Map::new(),
    }
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

/// The names of the original operations, as their schemas have them.
fn original_schema(operation: &str) -> String {
    operation
        .split('_')
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_uppercase(), rest.to_owned()]
        })
        .collect()
}

fn original_schemas() -> Value {
    one_of(dispatch::OPERATIONS.iter().map(|name| reference(&original_schema(name))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_committed_copy_is_what_is_served() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let served = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
        let committed = fs::read_to_string(root.join("docs/openapi.json")).unwrap_or_default();
        if committed != served {
            fs::create_dir_all(root.join("target")).unwrap();
            fs::write(root.join("target/openapi.json"), served).unwrap();
            panic!("docs/openapi.json is out of date: cp target/openapi.json docs/openapi.json");
        }
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
