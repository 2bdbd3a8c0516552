//! The CLI of GitHub Copilot: `preToolUse`, `postToolUse` and `postToolUseFailure`.
//! Source: <https://docs.github.com/en/copilot/reference/hooks-configuration>. The document does not name its event.

use super::members::Members;
use crate::refusal::Refusal;
use crate::tool_use::{After, Before, ToolUse};
use serde_json::{Value, json};

fn tool_use(members: &Members) -> Result<ToolUse, Refusal> {
    let tool = members.required_text("toolName")?;
    Ok(ToolUse {
        // Copilot names a server's tool `SERVER-TOOL`, which can be split in more ways than one.
        server: None,
        tool,
        arguments: arguments(members)?,
        directory: Some(members.required_text("cwd")?),
        workspace: Vec::new(),
        // Older versions send none.
        session: members.text("sessionId")?,
        id: None,
    })
}

/// The arguments: an object, or the text of one. A tool that takes a text, as `apply_patch` does, is sent that text alone.
fn arguments(members: &Members) -> Result<Value, Refusal> {
    match members.value("toolArgs") {
        Some(Value::String(text)) if !text.trim_start().starts_with('{') => Ok(json!({ "input": text })),
        _ => members.object_or_text("toolArgs"),
    }
}

pub(super) fn before(members: &Members) -> Result<Before, Refusal> {
    if members.value("toolResult").is_some() || members.value("error").is_some() {
        return Err(Refusal::unreadable(
            "the input of the hook has a result: the hook is installed for another event",
        ));
    }
    Ok(Before::of(tool_use(members)?))
}

pub(super) fn after(members: &Members) -> Result<After, Refusal> {
    let result = json!(members.value("toolResult").or(members.value("error")));
    let is_success = result.get("resultType").is_some_and(|kind| kind == "success");
    Ok(After { tool_use: tool_use(members)?, result: Value::clone(&result), is_error: !is_success })
}
