//! The arguments of a call, taken apart: those that are ours, and those that go to the API as they are. What is in no schema is
//! refused, so that an argument which a model has made up is never passed over.

use crate::schemas::{MAX_SECONDS, Member};
use crate::tool::Tool;
use countersign_agents::notice::Notice;
use countersign_core::ids::RequestId;
use rmcp::model::JsonObject;
use serde_json::Value;

/// The arguments of a call.
#[derive(Debug)]
pub(crate) struct Arguments(JsonObject);

/// A refusal of arguments, as the API refuses a body.
fn invalid(rules: Vec<String>) -> Box<Notice> {
    let notice =
        Notice::new("validation_failed", "the arguments break rules", "mend the arguments and call again");
    Box::new(notice.with_reasons(rules))
}

impl Arguments {
    /// Arguments that the tool has, with none missing. Values are checked where they are used.
    pub(crate) fn of(tool: Tool, arguments: JsonObject) -> Result<Self, Box<Notice>> {
        let schema = tool.description().input_schema;
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_known = |name: &String| properties.is_some_and(|properties| properties.contains_key(name));
        let unknown = arguments.keys().filter(|name| !is_known(name));
        let mut rules: Vec<_> = unknown.map(|name| format!("{name}: there is no such argument")).collect();
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let missing = required.filter_map(Value::as_str).filter(|name| !arguments.contains_key(*name));
        rules.extend(missing.map(|name| format!("{name}: is required")));
        if rules.is_empty() { Ok(Self(arguments)) } else { Err(invalid(rules)) }
    }

    /// The request.
    pub(crate) fn request_id(&mut self) -> Result<String, Box<Notice>> {
        let value = self.0.remove(Member::RequestId.name());
        value
            .as_ref()
            .and_then(Value::as_str)
            .and_then(request_id)
            .ok_or_else(|| invalid(vec!["request_id: must be a UUID in lower case with hyphens".to_owned()]))
    }

    /// What names the call.
    pub(crate) fn idempotency_key(&mut self) -> Result<Option<String>, Box<Notice>> {
        match self.0.remove(Member::IdempotencyKey.name()) {
            None => Ok(None),
            Some(Value::String(key)) if is_key(&key) => Ok(Some(key)),
            Some(_) => {
                Err(invalid(vec!["idempotency_key: must be 1 to 128 printable ASCII characters".to_owned()]))
            }
        }
    }

    /// How long to wait, in seconds.
    pub(crate) fn seconds(&mut self) -> Result<Option<u64>, Box<Notice>> {
        match self.0.remove(Member::Seconds.name()) {
            None => Ok(None),
            Some(value) => match value.as_u64().filter(|seconds| *seconds <= MAX_SECONDS) {
                Some(seconds) => Ok(Some(seconds)),
                None => {
                    Err(invalid(vec![format!("seconds: must be a whole number from 0 to {MAX_SECONDS}")]))
                }
            },
        }
    }

    /// What is left, as a body.
    pub(crate) fn body(self) -> Value {
        Value::Object(self.0)
    }

    /// What is left, as members of a query.
    pub(crate) fn query(self) -> Result<Vec<(String, String)>, Box<Notice>> {
        let mut members = Vec::new();
        let mut rules = Vec::new();
        for (name, value) in self.0 {
            let values = match value {
                Value::Array(values) => values,
                value => vec![value],
            };
            for value in values {
                match value {
                    Value::String(text) => members.push((name.clone(), text)),
                    Value::Number(number) => members.push((name.clone(), number.to_string())),
                    _ => rules.push(format!("{name}: must be text, a number, or a list of them")),
                }
            }
        }
        if rules.is_empty() { Ok(members) } else { Err(invalid(rules)) }
    }
}

/// An id in its one spelling; it becomes a part of a path.
pub(crate) fn request_id(text: &str) -> Option<String> {
    RequestId::parse(text).ok().map(|id| id.to_string()).filter(|id| id == text)
}

/// Whether a text is a key: `^[!-~]([ -~]{0,126}[!-~])?$`.
fn is_key(text: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    bytes.len() <= 128
        && is_edge(bytes.first())
        && is_edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}
