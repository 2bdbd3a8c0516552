//! Results of calls: the answer of the API as a document and as text, or why there is none.

use crate::marking::mark;
use countersign_agents::free_text::NOTE;
use countersign_agents::notice::Notice;
use countersign_core::text::{escaped_line, must_be_escaped};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde_json::Value;

/// What the API answered. Texts of people in it are marked.
pub(crate) fn answered(mut answer: Value) -> CallToolResult {
    let has_texts = mark(&mut answer);
    let mut lines: Vec<_> = summary(&answer).into_iter().collect();
    if has_texts {
        lines.push(NOTE.to_owned());
    }
    lines.push(printable(&answer.to_string()));
    let mut result = CallToolResult::success(vec![ContentBlock::text(lines.join("\n"))]);
    result.structured_content = Some(answer);
    result
}

/// Why there is no answer.
pub(crate) fn refused(notice: &Notice) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(notice.text())]);
    result.structured_content = Some(notice.document());
    result
}

/// A result within another document.
pub(crate) fn document(result: &CallToolResult) -> JsonObject {
    match serde_json::to_value(result) {
        Ok(Value::Object(document)) => document,
        _ => JsonObject::new(),
    }
}

/// Where a request stands, and what comes next.
fn summary(answer: &Value) -> Option<String> {
    let text = |member: &str| answer.get(member).and_then(Value::as_str).map(escaped_line);
    let (id, status) = (text("request_id")?, text("status")?);
    let next = match status.as_str() {
        "pending" => "people have to approve it: call wait_for_decision",
        "approved" => {
            "call start_execution with its content_digest, do exactly what the parameters say, then call finish_execution"
        }
        "executing" => {
            "its approval is spent: only the caller whose start_execution this answers does it, once, and then calls finish_execution"
        }
        _ => "it is closed",
    };
    Some(format!("Request {id} is {status}; {next}."))
}

/// JSON in which every character is seen: the same document, with escapes.
fn printable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if must_be_escaped(c) {
            let mut units = [0; 2];
            text.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_hides_is_escaped_and_reads_back() {
        let hostile = json!({ "a": "x\u{202e}\u{e0041}\u{7f}y" });
        let text = printable(&hostile.to_string());
        assert!(text.chars().all(|c| !must_be_escaped(c)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), hostile);
    }
}
