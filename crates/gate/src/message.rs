//! One message of JSON-RPC 2.0, read so that it can be understood in one way only, and written anew.
//!
//! A message is never passed on as the bytes it came in: what a server reads is what was read here. Of an agent, a key that
//! is given twice and a number that no double holds are refused, since another reader could understand them otherwise.

use countersign_core::canonical;
use countersign_core::text::escaped_line;
use serde_json::{Map, Value, json};

/// The longest message that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// JSON-RPC: what is no JSON.
pub const PARSE_ERROR: i64 = -32_700;
/// JSON-RPC: what is no message.
pub const INVALID_REQUEST: i64 = -32_600;
/// JSON-RPC: no such method.
pub const METHOD_NOT_FOUND: i64 = -32_601;
/// JSON-RPC: parameters that the method does not take.
pub const INVALID_PARAMS: i64 = -32_602;
/// JSON-RPC: it did not come about.
pub const INTERNAL_ERROR: i64 = -32_603;

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// An answer.
    Response(Response),
}

/// A message that wants an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Names it among those of its sender: a text or a whole number.
    pub id: Value,
    /// What is asked for.
    pub method: String,
    /// With what.
    pub params: Option<Value>,
}

/// A message that wants no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// What it is about.
    pub method: String,
    /// With what.
    pub params: Option<Value>,
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The request.
    pub id: Value,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A result.
    Result(Value),
    /// An error, as JSON-RPC has it.
    Error(Value),
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidMessage {
    /// The code of JSON-RPC.
    pub code: i64,
    /// Why, without a word of the message.
    pub reason: String,
    /// The request that is to be answered, if that could be read.
    pub id: Value,
}

impl InvalidMessage {
    fn new(code: i64, reason: &str, id: Value) -> Self {
        Self { code, reason: reason.to_owned(), id }
    }

    /// The answer to it.
    pub fn response(&self) -> Message {
        Message::Response(Response { id: self.id.clone(), answer: Answer::error(self.code, &self.reason) })
    }
}

impl Answer {
    /// An error.
    pub fn error(code: i64, message: &str) -> Self {
        Self::Error(json!({ "code": code, "message": escaped_line(message) }))
    }

    /// As one JSON value: an object with the member `result` or `error`.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Result(result) => json!({ "result": result }),
            Self::Error(error) => json!({ "error": error }),
        }
    }

    /// Reads what [`Self::to_value`] gives.
    pub fn of_value(value: &Value) -> Option<Self> {
        match (value.get("result"), value.get("error")) {
            (Some(result), None) => Some(Self::Result(result.clone())),
            (None, Some(error)) => Some(Self::Error(error.clone())),
            _ => None,
        }
    }

    /// Whether it says that what was asked for did not come about.
    pub fn is_error(&self) -> bool {
        match self {
            Self::Result(result) => result.get("isError") == Some(&Value::Bool(true)),
            Self::Error(_) => true,
        }
    }
}

impl Message {
    /// Reads a message of an agent.
    ///
    /// # Errors
    /// When it is none, or could be read in two ways: docs/agents-gate.md, "What is read".
    pub fn of_agent(bytes: &[u8]) -> Result<Self, InvalidMessage> {
        let value = canonical::read_answer(bytes).map_err(|error| {
            // The id is for the answer alone; of two, none is sure.
            let id =
                serde_json::from_slice::<Value>(bytes).ok().and_then(|value| id_of(&value).ok().flatten());
            let code = if id.is_some() { INVALID_REQUEST } else { PARSE_ERROR };
            InvalidMessage::new(code, &error.to_string(), id.unwrap_or_default())
        })?;
        Self::of_value(value)
    }

    /// Reads a message of a server. It decides nothing here, so it may be anything that is JSON.
    ///
    /// # Errors
    /// When it is no message.
    pub fn of_server(bytes: &[u8]) -> Result<Self, InvalidMessage> {
        let value = serde_json::from_slice(bytes)
            .map_err(|_| InvalidMessage::new(PARSE_ERROR, "it is not valid JSON", Value::Null))?;
        Self::of_value(value)
    }

    fn of_value(value: Value) -> Result<Self, InvalidMessage> {
        let invalid = |reason| InvalidMessage::new(INVALID_REQUEST, reason, Value::Null);
        let id = id_of(&value).map_err(invalid)?;
        let Value::Object(mut members) = value else {
            let is_batch = matches!(value, Value::Array(_));
            return Err(invalid(if is_batch {
                "batches are not taken: send one message at a time"
            } else {
                "it is no object"
            }));
        };
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(InvalidMessage::new(
                INVALID_REQUEST,
                "jsonrpc must be \"2.0\"",
                id.unwrap_or_default(),
            ));
        }
        let (result, error) = (members.remove("result"), members.remove("error"));
        let method = match members.remove("method") {
            Some(Value::String(method)) => Some(method),
            None => None,
            Some(_) => {
                return Err(InvalidMessage::new(
                    INVALID_REQUEST,
                    "method must be a text",
                    id.unwrap_or_default(),
                ));
            }
        };
        let params = members.remove("params");
        match (method, id, result, error) {
            (Some(method), Some(id), None, None) => Ok(Self::Request(Request { id, method, params })),
            (Some(method), None, None, None) => Ok(Self::Notification(Notification { method, params })),
            (None, Some(id), Some(result), None) => {
                Ok(Self::Response(Response { id, answer: Answer::Result(result) }))
            }
            // An error that answers no request in particular has the id null.
            (None, id, None, Some(error)) => {
                Ok(Self::Response(Response { id: id.unwrap_or_default(), answer: Answer::Error(error) }))
            }
            (_, id, ..) => Err(InvalidMessage::new(
                INVALID_REQUEST,
                "it is neither a request nor an answer",
                id.unwrap_or_default(),
            )),
        }
    }

    /// The message as JSON on one line.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut members = Map::new();
        members.insert("jsonrpc".to_owned(), json!("2.0"));
        let mut insert = |key: &str, value: &Value| members.insert(key.to_owned(), value.clone());
        match self {
            Self::Request(Request { id, method, params }) => {
                insert("id", id);
                insert("method", &json!(method));
                params.iter().for_each(|params| drop(insert("params", params)));
            }
            Self::Notification(Notification { method, params }) => {
                insert("method", &json!(method));
                params.iter().for_each(|params| drop(insert("params", params)));
            }
            Self::Response(Response { id, answer }) => {
                insert("id", id);
                match answer {
                    Answer::Result(result) => insert("result", result),
                    Answer::Error(error) => insert("error", error),
                };
            }
        }
        // A value has keys that are texts and numbers that are finite, so it can always be written.
        serde_json::to_vec(&Value::Object(members)).unwrap_or_default()
    }
}

/// The id, if there is one.
fn id_of(value: &Value) -> Result<Option<Value>, &'static str> {
    match value.get("id") {
        None => Ok(None),
        Some(id @ Value::String(_)) => Ok(Some(id.clone())),
        Some(id @ Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(id.clone())),
        // An answer to what could not be read.
        Some(Value::Null) if value.get("error").is_some() => Ok(None),
        Some(_) => Err("id must be a text or a whole number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_can_be_read_in_two_ways_is_none() {
        for (text, code) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#, INVALID_REQUEST),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"x":2}}}"#,
                INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#,
                INVALID_REQUEST,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":9007199254740993}}"#, INVALID_REQUEST),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, INVALID_REQUEST),
            (r#"{"id":1,"method":"ping"}"#, INVALID_REQUEST),
            ("{", PARSE_ERROR),
            ("\u{feff}{}", PARSE_ERROR),
        ] {
            assert_eq!(Message::of_agent(text.as_bytes()).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn a_message_is_written_as_it_was_read() {
        for text in [
            r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"z":1,"a":[0.1,null]}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no"}}"#,
        ] {
            let written = Message::of_agent(text.as_bytes()).unwrap().to_bytes();
            let written: Value = serde_json::from_slice(&written).unwrap();
            assert_eq!(written, serde_json::from_str::<Value>(text).unwrap());
        }
    }
}
