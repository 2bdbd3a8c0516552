//! What an agent is answered in place of a result of the tool.

use crate::message::Answer;
use crate::meta::{self, NOTICE, REQUEST_ID};
use countersign_agents::notice::Notice;
use serde_json::{Value, json};

/// How an agent wants its answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Form {
    /// Whether results say of what type they are: from protocol 2026-07-28 on.
    pub has_result_type: bool,
    /// Whether the tool has a schema for its results, which a client holds every structured result against.
    pub has_output_schema: bool,
}

/// A notice as the result of a call: an error that the model reads.
pub fn refused(notice: &Notice, form: Form) -> Answer {
    let mut result = json!({ "content": [{ "type": "text", "text": notice.text() }], "isError": true });
    if let Some(members) = result.as_object_mut() {
        if !form.has_output_schema {
            members.insert("structuredContent".to_owned(), notice.document());
        }
        if form.has_result_type {
            members.insert("resultType".to_owned(), json!("complete"));
        }
    }
    meta::add(&mut result, NOTICE, notice.document());
    if let Some(id) = &notice.request_id {
        meta::add(&mut result, REQUEST_ID, json!(id));
    }
    Answer::Result(result)
}

/// The same for what has no results that are errors, such as the reading of a resource.
pub fn refused_as_error(notice: &Notice) -> Answer {
    Answer::Error(json!({ "code": REFUSED, "message": notice.text(), "data": notice.document() }))
}

/// The code of JSON-RPC of a request that is not carried out; of those that servers choose.
const REFUSED: i64 = -32_050;

/// Names the request for approval in an answer of the server.
pub fn with_request_id(mut answer: Answer, request_id: &str) -> Answer {
    match &mut answer {
        Answer::Result(result) => meta::add(result, REQUEST_ID, json!(request_id)),
        // Errors have no `_meta`: what a server says in `data` stays, if it says anything.
        Answer::Error(error) => {
            if let Some(members) = error.as_object_mut() {
                let data = members.entry("data").or_insert_with(|| json!({}));
                if let Value::Object(data) = data {
                    data.insert(REQUEST_ID.to_owned(), json!(request_id));
                }
            }
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_by_models_and_programs() {
        let notice = Notice::new("tool_changed", "it is described otherwise", "ask the operator");
        let Answer::Result(result) = refused(&notice, Form::default()) else { panic!() };
        assert_eq!(result["isError"], json!(true));
        assert_eq!(result["structuredContent"]["code"], json!("tool_changed"));
        assert!(result["content"][0]["text"].as_str().unwrap().contains("tool_changed"));
        assert!(result.get("resultType").is_none());
        let form = Form { has_result_type: true, has_output_schema: true };
        let Answer::Result(result) = refused(&notice, form) else { panic!() };
        assert!(result.get("structuredContent").is_none());
        assert_eq!(result["resultType"], json!("complete"));
        assert_eq!(result["_meta"][NOTICE]["code"], json!("tool_changed"));
    }
}
