//! Claude Code and Codex: `PreToolUse`, `PostToolUse` and `PostToolUseFailure`, in the same form.
//! Sources: <https://code.claude.com/docs/en/hooks>, <https://developers.openai.com/codex/hooks> and the schema files of Codex.

use super::members::Members;
use crate::refusal::Refusal;
use crate::tool_use::{After, Before, ServerTool, ToolUse};
use serde_json::Value;

fn tool_use(members: &Members) -> Result<ToolUse, Refusal> {
    let tool = members.required_text("tool_name")?;
    Ok(ToolUse {
        server: ServerTool::parse(&tool),
        tool,
        arguments: members.object("tool_input")?,
        directory: Some(members.required_text("cwd")?),
        workspace: Vec::new(),
        session: Some(members.required_text("session_id")?),
        id: members.text("tool_use_id")?,
    })
}

pub(super) fn before(members: &Members) -> Result<Before, Refusal> {
    members.event("hook_event_name", &["PreToolUse"])?;
    Ok(Before {
        tool_use: tool_use(members)?,
        permission_mode: members.text("permission_mode")?,
        transcript: members.text("transcript_path")?,
        is_subagent: members.value("agent_id").is_some_and(|id| !id.is_null()),
    })
}

pub(super) fn after(members: &Members) -> Result<After, Refusal> {
    let event = members.event("hook_event_name", &["PostToolUse", "PostToolUseFailure"])?;
    let is_error = event == "PostToolUseFailure";
    // Copilot, which runs the hooks of a project's settings of Claude Code too, has another name for it.
    let names: &[&str] = if is_error { &["error"] } else { &["tool_response", "tool_result"] };
    let result = names.iter().find_map(|name| members.value(name));
    let mut tool_use = tool_use(members)?;
    without_answers(&mut tool_use);
    Ok(After { tool_use, result: result.cloned().unwrap_or(Value::Null), is_error })
}

/// What a person answers to a question stands in its arguments afterwards, as what they make of a plan does.
fn without_answers(tool_use: &mut ToolUse) {
    let added: &[&str] = match tool_use.tool.as_str() {
        "AskUserQuestion" => &["answers", "annotations"],
        "ExitPlanMode" => &["plan"],
        _ => &[],
    };
    if let Some(arguments) = tool_use.arguments.as_object_mut() {
        arguments.retain(|name, _| !added.contains(&name.as_str()));
    }
}
