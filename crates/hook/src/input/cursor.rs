//! Cursor: `preToolUse`, `beforeShellExecution` and `beforeMCPExecution`, and what comes after each.
//! Source: <https://cursor.com/docs/hooks>.

use super::members::Members;
use crate::refusal::Refusal;
use crate::tool_use::{After, Before, ServerTool, ToolUse};
use serde_json::{Map, Value, json};

/// Arguments that are members of the document itself.
fn gathered(members: &Members, names: &[&str]) -> Value {
    let present = names.iter().filter_map(|name| Some(((*name).to_owned(), members.value(name)?.clone())));
    Value::Object(present.collect::<Map<_, _>>())
}

fn tool_use(members: &Members, event: &str) -> Result<ToolUse, Refusal> {
    let (tool, server, arguments) = match event {
        "beforeShellExecution" | "afterShellExecution" => {
            members.required_text("command")?;
            ("Shell".to_owned(), None, gathered(members, &["command", "sandbox"]))
        }
        "beforeMCPExecution" | "afterMCPExecution" => {
            let tool = format!("MCP:{}", members.required_text("tool_name")?);
            // Cursor names the address or the command of the server, not the name that its settings give it.
            let server = members.text("url")?.or(members.text("command")?);
            let server = server.map(|server| ServerTool { server, tool: None });
            (tool, server, members.object_or_text("tool_input")?)
        }
        _ => {
            let tool = members.required_text("tool_name")?;
            // Nothing here says which server the tool `MCP:NAME` is of.
            (tool, None, members.object_or_text("tool_input")?)
        }
    };
    Ok(ToolUse {
        tool,
        server,
        arguments,
        directory: members.text("cwd")?,
        workspace: members.texts("workspace_roots")?,
        session: Some(members.required_text("conversation_id")?),
        id: members.text("tool_use_id")?,
    })
}

pub(super) fn before(members: &Members) -> Result<Before, Refusal> {
    let events = ["preToolUse", "beforeShellExecution", "beforeMCPExecution"];
    let event = members.event("hook_event_name", &events)?;
    members.text("transcript_path")?;
    Ok(Before::of(tool_use(members, &event)?))
}

pub(super) fn after(members: &Members) -> Result<After, Refusal> {
    let events = ["postToolUse", "postToolUseFailure", "afterShellExecution", "afterMCPExecution"];
    let event = members.event("hook_event_name", &events)?;
    let result = match event.as_str() {
        "afterShellExecution" => "output",
        "afterMCPExecution" => "result_json",
        "postToolUseFailure" => "error_message",
        _ => "tool_output",
    };
    Ok(After {
        tool_use: tool_use(members, &event)?,
        result: json!(members.value(result)),
        is_error: event == "postToolUseFailure",
    })
}
