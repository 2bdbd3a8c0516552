//! The schemas of the tools are those of the API: `crates/mcp/src/schemas.json` follows from `docs/openapi.json`.

use crate::mcp_client::{INLINE, Place, snapshot};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What clients need not check of an answer: only its shape is given.
const LEFT_OUT: [&str; 14] = [
    "description",
    "example",
    "examples",
    "pattern",
    "maxLength",
    "minLength",
    "format",
    "minimum",
    "maximum",
    "maxItems",
    "minItems",
    "not",
    "writeOnly",
    "default",
];
/// Members that are not for agents: names of callers, which come from the token, and those who wait on AWS.
const NOT_FOR_AGENTS: [&str; 7] =
    ["requested_by", "executed_by", "comment_by", "cancelled_by", "task_token", "callback_id", "resume_on"];

fn schemas(document: &Value) -> &Value {
    &document["components"]["schemas"]
}

/// A schema of an answer, less what is left out.
fn short(node: &Value) -> Value {
    match node {
        Value::Object(object) => {
            let kept = object.iter().filter(|(name, value)| {
                let closes = *name == "additionalProperties" && **value == json!(false);
                !LEFT_OUT.contains(&name.as_str()) && !closes
            });
            let short_of = |(name, value): (&String, &Value)| match (name.as_str(), value) {
                ("properties", Value::Object(members)) => {
                    let members: Map<_, _> =
                        members.iter().map(|(name, value)| (name.clone(), short(value))).collect();
                    (name.clone(), Value::Object(members))
                }
                _ => (name.clone(), short(value)),
            };
            Value::Object(kept.map(short_of).collect())
        }
        Value::Array(values) => values.iter().map(short).collect(),
        Value::String(text) => json!(text.replace("#/components/schemas/", "#/$defs/")),
        other => other.clone(),
    }
}

fn references(node: &Value, found: &mut Vec<String>) {
    match node {
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), value) {
                    ("$ref", Value::String(path)) => found.push(path.rsplit('/').next().unwrap().to_owned()),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// The schema of an answer and all that it names.
fn answer(document: &Value, name: &str) -> Value {
    let mut definitions = BTreeMap::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        let schema = &schemas(document)[&name];
        if definitions.insert(name, short(schema)).is_none() {
            references(schema, &mut open);
        }
    }
    json!(definitions)
}

/// A schema without references: what it names stands in it.
fn resolved(document: &Value, node: &Value) -> Value {
    match node {
        Value::Object(object) => {
            let mut whole = match object.get("$ref").and_then(Value::as_str) {
                Some(path) => resolved(document, &schemas(document)[path.rsplit('/').next().unwrap()]),
                None => json!({}),
            };
            for (name, value) in object.iter().filter(|(name, _)| *name != "$ref") {
                whole[name] = resolved(document, value);
            }
            whole
        }
        Value::Array(values) => values.iter().map(|value| resolved(document, value)).collect(),
        other => other.clone(),
    }
}

/// The same for clients that know one type at a place, and no negation: what is left out, the API checks.
fn portable(node: Value) -> Value {
    match node {
        Value::Object(mut object) => {
            object.remove("not");
            if object.get("items") == Some(&json!({})) {
                object.remove("items");
            }
            if let Some(Value::Array(types)) = object.get("type").cloned() {
                object.remove("type");
                let each: Vec<_> = types.into_iter().map(|one| json!({ "type": one })).collect();
                object.insert("anyOf".to_owned(), json!(each));
            }
            Value::Object(object.into_iter().map(|(name, value)| (name, portable(value))).collect())
        }
        Value::Array(values) => values.into_iter().map(portable).collect(),
        other => other,
    }
}

/// The members of a body.
fn body(document: &Value, name: &str) -> Value {
    let schema = resolved(document, &schemas(document)[name]);
    let mut properties = schema["properties"].as_object().unwrap().clone();
    properties.retain(|name, _| !NOT_FOR_AGENTS.contains(&name.as_str()));
    json!({ "properties": properties, "required": schema["required"] })
}

/// The filters of a list of one's own requests.
fn query(document: &Value) -> Value {
    let parameters = document["paths"]["/v1/approvals"]["get"]["parameters"].as_array().unwrap();
    let described = parameters.iter().filter_map(|parameter| {
        let name = parameter["name"].as_str().unwrap();
        if ["waiting_for", "requested_by"].contains(&name) {
            return None;
        }
        let mut schema = resolved(document, &parameter["schema"]);
        let said = parameter["description"].as_str().unwrap().replace(" May be given once.", "");
        let several = " Several times for any of several; or with commas between them.";
        schema["description"] = json!(said.replace(several, " Any of several."));
        Some((name.to_owned(), schema))
    });
    json!({ "properties": described.collect::<Map<_, _>>(), "required": [] })
}

#[test]
fn schemas_follow_from_the_description_of_the_api() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document: Value =
        serde_json::from_str(&fs::read_to_string(root.join("docs/openapi.json")).unwrap()).unwrap();
    let answers: Map<_, _> = ["Request", "List", "Simulation"]
        .into_iter()
        .map(|name| (name.to_owned(), answer(&document, name)))
        .collect();
    let mut arguments: Map<_, _> = ["Create", "Start", "Finish", "Cancel", "Comment"]
        .into_iter()
        .map(|name| (name.to_owned(), body(&document, name)))
        .collect();
    arguments.insert("List".to_owned(), query(&document));
    let mut expected = portable(json!({ "answers": answers, "arguments": arguments }));
    expected.sort_all_objects();
    let path = root.join("crates/mcp/src/schemas.json");
    let committed: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    if committed != expected {
        let text = format!("{}\n", serde_json::to_string_pretty(&expected).unwrap());
        fs::write(root.join("target/schemas.json"), text).unwrap();
        panic!(
            "crates/mcp/src/schemas.json is out of date: cp target/schemas.json crates/mcp/src/schemas.json"
        );
    }
}

#[test]
fn every_answer_is_as_its_schema_says_and_every_refusal_too() {
    let place = Place::new();
    let mut client = place.start(INLINE, &["--hold-seconds", "1"]);
    let tools = client.request("tools/list", &json!({}))["result"]["tools"].clone();
    let schema_of = |name: &str| {
        let tools = tools.as_array().unwrap();
        let tool = tools.iter().find(|tool| tool["name"] == json!(name)).unwrap();
        jsonschema::validator_for(&tool["outputSchema"]).unwrap()
    };
    let pending = client.call("request_approval", &snapshot());
    let id = pending["structuredContent"]["request_id"].clone();
    let of_id = json!({ "request_id": id });
    let mut results = vec![("request_approval", pending)];
    results.push(("simulate_request", client.call("simulate_request", &snapshot())));
    results.push(("get_request", client.call("get_request", &of_id)));
    results.push(("list_my_requests", client.call("list_my_requests", &json!({}))));
    results.push(("comment", client.call("comment", &json!({ "request_id": id, "text": "x" }))));
    place.approve(id.as_str().unwrap());
    let approved = client.call("wait_for_decision", &of_id);
    let digest = approved["structuredContent"]["content_digest"].clone();
    results.push(("wait_for_decision", approved));
    let started = client.call("start_execution", &json!({ "request_id": id, "content_digest": digest }));
    let execution = started["structuredContent"]["execution_id"].clone();
    results.push(("start_execution", started));
    let report = json!({ "request_id": id, "execution_id": execution, "outcome": "failed", "result": [1] });
    results.push(("finish_execution", client.call("finish_execution", &report)));
    // What has ended is not cancelled: a refusal.
    results.push(("cancel_request", client.call("cancel_request", &of_id)));
    assert_eq!(results.len(), tools.as_array().unwrap().len());
    for (name, result) in results {
        let schema = schema_of(name);
        let errors: Vec<_> =
            schema.iter_errors(&result["structuredContent"]).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?} {result}");
        assert!(!schema.is_valid(&json!({ "request_id": 1 })), "{name} says nothing");
    }
}
