//! The form of our own: what the plugin of opencode sends, and programs of the operator's own.

use super::members::Members;
use crate::agent::Agent;
use crate::refusal::Refusal;
use crate::tool_use::{After, Before, ServerTool, ToolUse};
use serde_json::Value;

/// opencode names a server's tool `SERVER_TOOL`, which says nothing: a tool of its own may be called `mcp__x__y`.
fn tool_use(agent: Agent, members: &Members) -> Result<ToolUse, Refusal> {
    let tool = members.required_text("tool")?;
    Ok(ToolUse {
        server: ServerTool::parse(&tool).filter(|_| agent == Agent::Generic),
        tool,
        arguments: members.object("arguments")?,
        directory: Some(members.required_text("cwd")?),
        workspace: Vec::new(),
        session: members.text("session")?,
        id: members.text("tool_use_id")?,
    })
}

pub(super) fn before(agent: Agent, members: &Members) -> Result<Before, Refusal> {
    members.only(&["tool", "arguments", "cwd", "session", "tool_use_id"])?;
    Ok(Before::of(tool_use(agent, members)?))
}

pub(super) fn after(agent: Agent, members: &Members) -> Result<After, Refusal> {
    members.only(&["tool", "arguments", "cwd", "session", "tool_use_id", "result", "is_error"])?;
    let is_error = match members.value("is_error") {
        None => false,
        Some(Value::Bool(is_error)) => *is_error,
        Some(_) => {
            return Err(Refusal::unreadable("`is_error` in the input of the hook is not true or false"));
        }
    };
    let result = members.value("result").cloned().unwrap_or(Value::Null);
    Ok(After { tool_use: tool_use(agent, members)?, result, is_error })
}
