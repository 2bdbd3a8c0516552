//! Messages as they come, before the protocol's library reads them: JSON that has one reading. The library takes the last of two
//! members with one name, and a reader between the client and here may take the first: an agent's log or guard would show other
//! arguments than those that are asked for.

use countersign_core::canonical;
use rmcp::model::{ErrorCode, ErrorData, RequestId};
use rmcp::service::{RoleServer, TxJsonRpcMessage};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The part of a message that says which request it is.
#[derive(Deserialize)]
struct Named {
    id: Option<RequestId>,
}

/// An answer to a message.
pub(crate) type Answer = TxJsonRpcMessage<RoleServer>;

/// The answer to a message that is not to be read on, if that is so.
pub(crate) fn refusal(message: &[u8]) -> Option<Answer> {
    // A document of the API may be so deep that it has room in the message with what is around it.
    let unreadable = canonical::read_answer(message).err()?;
    let is_json = serde_json::from_slice::<IgnoredAny>(message).is_ok();
    let code = if is_json { ErrorCode::INVALID_REQUEST } else { ErrorCode::PARSE_ERROR };
    Some(error(code, unreadable.to_string(), message))
}

/// An error about a message, with its id where it can be read.
pub(crate) fn error(code: ErrorCode, words: String, message: &[u8]) -> Answer {
    let id = serde_json::from_slice::<Named>(message).ok().and_then(|named| named.id);
    Answer::error(ErrorData::new(code, words, None), id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_has_two_readings_is_refused() {
        let nested = |depth: usize| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"arguments":{{"parameters":{}{}}}}}}}"#,
                "[".repeat(depth),
                "]".repeat(depth)
            )
        };
        for good in [r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(), nested(31)] {
            assert!(refusal(good.as_bytes()).is_none(), "{good}");
        }
        for (bad, code, id) in [
            (r#"{"id":7,"method":"a","params":{"x":1,"x":2}}"#.to_owned(), -32600, json!(7)),
            (r#"{"id":"a","method":"a","method":"b"}"#.to_owned(), -32600, json!("a")),
            (r#"{"id":7,"id":8,"method":"a"}"#.to_owned(), -32600, Value::Null),
            (r#"{"id":7,"params":{"x":9007199254740993}}"#.to_owned(), -32600, json!(7)),
            (nested(40), -32600, json!(1)),
            (r#"{"id":7,"#.to_owned(), -32700, Value::Null),
            ("no".to_owned(), -32700, Value::Null),
            (String::new(), -32700, Value::Null),
        ] {
            let answer = json!(refusal(bad.as_bytes()).unwrap());
            assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{bad}: {answer}");
        }
        assert!(refusal(b"{\"id\":7,\"x\":\"\xff\"}").is_some());
    }
}
