//! What each agent sends before it runs a command, for `hook check`: as its documentation shows it.

use crate::agent::Agent;
use serde_json::{Value, json};

/// A session that is none.
const SESSION: &str = "countersign-hook-check";

/// The document of an agent that is about to run `true` in this directory.
pub fn command(agent: Agent, directory: &str) -> Value {
    let arguments = json!({ "command": "true", "description": "A check of the hook" });
    match agent {
        Agent::Claude => json!({
            "session_id": SESSION, "transcript_path": "/dev/null", "cwd": directory, "permission_mode": "default",
            "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": arguments, "tool_use_id": "toolu_check",
        }),
        Agent::Codex => json!({
            "session_id": SESSION, "turn_id": "turn-check", "transcript_path": null, "cwd": directory,
            "hook_event_name": "PreToolUse", "model": "check", "permission_mode": "default", "tool_name": "Bash",
            "tool_input": { "command": "true" }, "tool_use_id": "call-check",
        }),
        Agent::Cursor => json!({
            "conversation_id": SESSION, "generation_id": "check", "model": "default", "hook_event_name": "preToolUse",
            "cursor_version": "3.24.0", "workspace_roots": [directory], "user_email": null, "transcript_path": null,
            "tool_name": "Shell", "tool_input": { "command": "true" }, "tool_use_id": "check", "cwd": directory,
        }),
        Agent::Gemini => json!({
            "session_id": SESSION, "transcript_path": "/dev/null", "cwd": directory, "hook_event_name": "BeforeTool",
            "timestamp": "2026-01-31T09:00:00Z", "tool_name": "run_shell_command", "tool_input": arguments,
        }),
        Agent::Copilot => json!({
            "sessionId": SESSION, "timestamp": 1_769_850_000_000_u64, "cwd": directory, "toolName": "bash",
            "toolArgs": arguments,
        }),
        Agent::Opencode => json!({
            "tool": "bash", "arguments": arguments, "cwd": directory, "session": SESSION, "tool_use_id": "check",
        }),
        Agent::Generic => {
            json!({ "tool": "Bash", "arguments": arguments, "cwd": directory, "session": SESSION })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input;

    #[test]
    fn each_is_read_as_what_it_is() {
        for agent in Agent::ALL {
            let before = input::before(agent, command(agent, "/srv").to_string().as_bytes()).unwrap();
            assert_eq!(before.tool_use.arguments["command"], "true", "{agent}");
            assert_eq!(before.tool_use.session.as_deref(), Some(SESSION), "{agent}");
            assert_eq!(before.tool_use.directory.as_deref(), Some("/srv"), "{agent}");
        }
    }
}
