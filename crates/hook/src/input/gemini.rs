//! Gemini CLI: `BeforeTool` and `AfterTool`. Source: <https://geminicli.com/docs/hooks/reference>.

use super::members::Members;
use crate::refusal::Refusal;
use crate::tool_use::{After, Before, ServerTool, ToolUse};
use serde_json::Value;

fn tool_use(members: &Members) -> Result<ToolUse, Refusal> {
    let tool = members.required_text("tool_name")?;
    // A tool of a server may have the name of a built-in one: where it is from counts before how it is called.
    let server = match members.value("mcp_context") {
        None | Some(Value::Null) => None,
        Some(context) => {
            let context = Members::of(context.clone())?;
            let of = (context.required_text("server_name")?, context.required_text("tool_name")?);
            Some(ServerTool::of(of.0, of.1).ok_or_else(|| Refusal::unnameable(&tool))?)
        }
    };
    Ok(ToolUse {
        tool,
        server,
        arguments: members.object("tool_input")?,
        directory: Some(members.required_text("cwd")?),
        workspace: Vec::new(),
        session: Some(members.required_text("session_id")?),
        id: None,
    })
}

pub(super) fn before(members: &Members) -> Result<Before, Refusal> {
    members.event("hook_event_name", &["BeforeTool"])?;
    members.text("transcript_path")?;
    Ok(Before::of(tool_use(members)?))
}

pub(super) fn after(members: &Members) -> Result<After, Refusal> {
    members.event("hook_event_name", &["AfterTool"])?;
    let result = members.value("tool_response").cloned().unwrap_or(Value::Null);
    let is_error = result.get("error").is_some_and(|error| !error.is_null());
    Ok(After { tool_use: tool_use(members)?, result, is_error })
}
