//! Answers of the API, as its documentation has them.

use countersign_core::canonical::CanonicalJson;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(crate) const ID: &str = "019c1339-a5c0-7000-8000-000000000001";

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap());

/// An example of the API's document.
pub(crate) fn example(name: &str) -> Value {
    DOCUMENT["components"]["examples"][name]["value"].clone()
}

/// A request whose digests are those of what it holds.
pub(crate) fn request(parameters: &Value) -> Value {
    let mut request = example("half_approved");
    request["parameters"] = parameters.clone();
    sealed(request)
}

/// The request with digests of what it holds now.
pub(crate) fn sealed(mut request: Value) -> Value {
    let digest = |value: &Value| json!(CanonicalJson::of(value).digest().to_string());
    let parameters = digest(&request["parameters"]);
    request["content"]["parameters_digest"] = parameters.clone();
    for name in ["operation_type", "instance_id", "justification", "rollback_plan", "ticket", "requested_by"]
    {
        request["content"][name] = request[name].clone();
    }
    request["content_digest"] = digest(&request["content"]);
    request["parameters_digest"] = parameters;
    request
}

/// An explanation that permits these actions.
pub(crate) fn explanation(permitted: &[&str]) -> Value {
    let mut explanation = example("explained");
    for action in explanation["actions"].as_array_mut().unwrap() {
        let is_permitted = permitted.contains(&action["action"].as_str().unwrap());
        action["permitted"] = json!(is_permitted);
        action["reasons"] = if is_permitted { json!([]) } else { json!(["the policy says no"]) };
    }
    explanation
}

/// A problem.
pub(crate) fn problem(status: u16, code: &str) -> Value {
    json!({
        "type": format!("urn:countersign:problem:{code}"), "title": "A problem", "status": status,
        "detail": "what happened", "instance": "i", "code": code, "reasons": ["a reason of the API"],
    })
}
