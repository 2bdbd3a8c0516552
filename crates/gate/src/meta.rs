//! `_meta` and capabilities: what of them a server gets, and what the gate adds to answers.

use serde_json::{Map, Value, json};

/// The extension of long calls.
pub const TASKS: &str = "io.modelcontextprotocol/tasks";
/// What a client can do, with each request.
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The stream that a notification belongs to.
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// The protocol of a request without a session.
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// In answers: the request for approval that a call has made.
pub const REQUEST_ID: &str = "countersign/request_id";
/// In answers: whether calls are held back.
pub const MODE: &str = "countersign/mode";
/// In answers of a gate that only looks on: what would have been demanded.
pub const OBSERVED: &str = "countersign/observed";
/// In answers that are no result of the tool: why.
pub const NOTICE: &str = "countersign/notice";
/// Of a call: why it is made, in the agent's words.
pub const JUSTIFICATION: &str = "countersign/justification";
/// Of a call: the ticket it belongs to.
pub const TICKET: &str = "countersign/ticket";

/// The prefix of the gate's own keys.
const OWN: &str = "countersign/";
/// The prefix of the protocol's own keys.
const PROTOCOL: &str = "io.modelcontextprotocol/";
/// Keys of the protocol, and of W3C Trace Context, that have no prefix.
const PLAIN: [&str; 4] = ["progressToken", "traceparent", "tracestate", "baggage"];

/// What a server may ask of the agent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// To ask its model.
    pub sampling: bool,
    /// To ask the person before it.
    pub elicitation: bool,
}

impl Allowed {
    /// Whether a server may ask this of the agent.
    pub fn has_method(self, method: &str) -> bool {
        match method {
            "ping" | "roots/list" => true,
            "sampling/createMessage" => self.sampling,
            "elicitation/create" => self.elicitation,
            _ => false,
        }
    }

    /// Takes from the capabilities of an agent what a server may not use, and the extension that the gate keeps to itself.
    pub fn restrict(self, capabilities: &mut Value) {
        let Some(members) = capabilities.as_object_mut() else { return };
        members.remove("tasks");
        if !self.sampling {
            members.remove("sampling");
        }
        if !self.elicitation {
            members.remove("elicitation");
        }
        if let Some(extensions) = members.get_mut("extensions").and_then(Value::as_object_mut) {
            extensions.remove(TASKS);
        }
    }
}

/// `_meta` of a message's parameters or of a result.
pub fn of(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value?.get("_meta")?.as_object()
}

/// Restricts the capabilities that are sent along with a request.
pub fn restrict_request(params: Option<&mut Value>, allowed: Allowed) {
    let meta = params.and_then(|params| params.get_mut("_meta"));
    if let Some(capabilities) = meta.and_then(|meta| meta.get_mut(CLIENT_CAPABILITIES)) {
        allowed.restrict(capabilities);
    }
}

/// What of a call's `_meta` goes to the server: what approvers are not shown must not tell a tool what to do.
pub fn of_call(meta: Option<&Map<String, Value>>, pass: &[String], allowed: Allowed) -> Option<Value> {
    let passes =
        |key: &str| key.starts_with(PROTOCOL) || PLAIN.contains(&key) || pass.iter().any(|name| name == key);
    let mut kept: Map<String, Value> = meta?
        .iter()
        .filter(|(key, _)| passes(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(capabilities) = kept.get_mut(CLIENT_CAPABILITIES) {
        allowed.restrict(capabilities);
    }
    (!kept.is_empty()).then_some(Value::Object(kept))
}

/// What of a call's `_meta` goes with a request of the gate's own in the same conversation.
pub fn of_own_request(meta: Option<&Map<String, Value>>, allowed: Allowed) -> Option<Value> {
    let mut own = of_call(meta, &[], allowed)?;
    own.as_object_mut()?.retain(|key, _| key.starts_with(PROTOCOL));
    (own != json!({})).then_some(own)
}

/// Adds to the `_meta` of a result. One that is no object is none.
pub fn add(result: &mut Value, key: &str, value: Value) {
    let Some(members) = result.as_object_mut() else { return };
    insert(members.entry("_meta").or_insert_with(|| json!({})), key, value);
}

/// Adds to the data of an error, which has no `_meta`. What is there and is no object stays as a member of it.
pub fn add_to_error(error: &mut Value, key: &str, value: Value) {
    let Some(members) = error.as_object_mut() else { return };
    let data = members.entry("data").or_insert_with(|| json!({}));
    if !data.is_object() {
        *data = json!({ "data": data.take() });
    }
    insert(data, key, value);
}

fn insert(place: &mut Value, key: &str, value: Value) {
    if !place.is_object() {
        *place = json!({});
    }
    if let Some(members) = place.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

/// Takes out what only the gate says.
pub fn strip(value: Option<&mut Value>) {
    if let Some(members) = value.and_then(Value::as_object_mut) {
        members.retain(|key, _| !key.starts_with(OWN));
    }
}

/// Whether capabilities declare the extension of long calls.
pub fn has_tasks(capabilities: Option<&Value>) -> bool {
    let extensions = capabilities.and_then(|capabilities| capabilities.get("extensions"));
    extensions.and_then(|extensions| extensions.get(TASKS)).is_some_and(Value::is_object)
}

/// Declares the extension of long calls, as the gate's own.
pub fn declare_tasks(result: &mut Value) {
    let Some(capabilities) = result.get_mut("capabilities").and_then(Value::as_object_mut) else { return };
    let extensions = capabilities.entry("extensions").or_insert_with(|| json!({}));
    if let Some(extensions) = extensions.as_object_mut() {
        extensions.insert(TASKS.to_owned(), json!({}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_gets_of_a_call_what_the_protocol_needs() {
        let meta = json!({
            "progressToken": 3, "com.example/force": true, "com.example/shown": 1,
            "countersign/justification": "because",
            CLIENT_CAPABILITIES: { "sampling": {}, "elicitation": {}, "roots": {}, "extensions": { TASKS: {}, "a/b": {} } },
        });
        let kept = of_call(meta.as_object(), &["com.example/shown".to_owned()], Allowed::default()).unwrap();
        let capabilities = json!({ "roots": {}, "extensions": { "a/b": {} } });
        assert_eq!(
            kept,
            json!({ "progressToken": 3, "com.example/shown": 1, CLIENT_CAPABILITIES: capabilities })
        );
        let own = of_own_request(meta.as_object(), Allowed { sampling: true, elicitation: true }).unwrap();
        assert!(own.get("progressToken").is_none() && own[CLIENT_CAPABILITIES].get("sampling").is_some());
        assert_eq!(of_own_request(json!({ "progressToken": 3 }).as_object(), Allowed::default()), None);
    }
}
