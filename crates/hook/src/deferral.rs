//! Whether a use can be put off in Claude Code. It takes `defer` in `claude -p` alone, and for the only use of a turn;
//! elsewhere it goes on by its own permissions as if there were no hook, which is no refusal. Nothing that a hook is sent says
//! which of the two it is: so a use is put off only where passing `defer` over runs nothing.
//! Source: <https://code.claude.com/docs/en/hooks#defer-a-tool-call-for-later>.

use crate::tool_use::Before;
use serde_json::Value;

/// The mode in which a use that no rule allows is refused, with a person and without: what would happen to it if `defer` were
/// passed over. In `default` a person may allow it, and the approval is then not asked for.
const STRICT_MODE: &str = "dontAsk";

/// Tools of Claude Code's own that never run without a rule or a question. `Bash` is none of them: commands that only read run
/// in every mode. Nor is `WebFetch`, for addresses that it knows.
const ASKING: [&str; 5] = ["Edit", "MultiEdit", "NotebookEdit", "WebSearch", "Write"];

/// Whether a use may be put off. The transcript is what Claude Code has written of the conversation so far, a JSON document in
/// each line: the use has to be in there, and no other beside it.
pub fn is_possible(before: &Before, transcript: Option<&str>) -> bool {
    let is_strict = before.permission_mode.as_deref() == Some(STRICT_MODE);
    let tool = before.tool_use.tool.as_str();
    let asks = before.tool_use.server.is_some() || ASKING.contains(&tool);
    let (Some(id), Some(transcript)) = (before.tool_use.id.as_deref(), transcript) else { return false };
    is_strict && asks && !before.is_subagent && is_alone(transcript, id)
}

/// Whether the message that uses the tool is there, and uses no other one.
fn is_alone(transcript: &str, id: &str) -> bool {
    let lines = transcript.lines().filter(|line| !line.trim().is_empty());
    let read: Result<Vec<Value>, _> = lines.map(serde_json::from_str).collect();
    // What cannot be read may be another use.
    let Ok(lines) = read else { return false };
    let uses: Vec<(&str, &str)> = lines
        .iter()
        .filter_map(|line| {
            let message = line.get("message")?;
            let message_id = message.get("id")?.as_str()?;
            let content = message.get("content")?.as_array()?;
            Some(content.iter().filter_map(move |part| {
                let is_use = part.get("type")? == "tool_use";
                let id = part.get("id")?.as_str()?;
                is_use.then_some((message_id, id))
            }))
        })
        .flatten()
        .collect();
    let Some((message, _)) = uses.iter().find(|(_, used)| *used == id) else { return false };
    uses.iter().all(|(of, used)| of != message || *used == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool_use::{ServerTool, ToolUse};
    use serde_json::json;

    fn before(tool: &str) -> Before {
        Before {
            permission_mode: Some("dontAsk".to_owned()),
            ..Before::of(ToolUse {
                tool: tool.to_owned(),
                server: ServerTool::parse(tool),
                arguments: json!({}),
                directory: None,
                workspace: Vec::new(),
                session: None,
                id: Some("t-1".to_owned()),
            })
        }
    }

    fn line(message: &str, ids: &[&str]) -> String {
        let content: Vec<_> = ids.iter().map(|id| json!({ "type": "tool_use", "id": id })).collect();
        json!({ "type": "assistant", "message": { "id": message, "content": content } }).to_string()
    }

    #[test]
    fn a_use_is_put_off_only_where_passing_it_over_runs_nothing() {
        let alone = line("m-1", &["t-1"]);
        let possible = |before: &Before| is_possible(before, Some(&alone));
        assert!(possible(&before("Write")) && possible(&before("mcp__db__drop")));
        for mode in [None, Some("default"), Some("bypassPermissions"), Some("acceptEdits"), Some("plan")] {
            let before = Before { permission_mode: mode.map(str::to_owned), ..before("Write") };
            assert!(!possible(&before), "{mode:?}");
        }
        for tool in ["Bash", "Read", "Grep", "WebFetch", "Task", "TodoWrite"] {
            assert!(!possible(&before(tool)), "{tool}");
        }
        assert!(!possible(&Before { is_subagent: true, ..before("Write") }));
        let nameless = ToolUse { id: None, ..before("Write").tool_use };
        assert!(!possible(&Before { tool_use: nameless, ..before("Write") }));
    }

    #[test]
    fn one_of_several_uses_is_not_put_off_nor_one_that_is_not_found() {
        let possible = |transcript: &str| is_possible(&before("Write"), Some(transcript));
        assert!(possible(&[line("m-0", &["t-0"]), line("m-1", &["t-1"])].join("\n")));
        assert!(!possible(&line("m-1", &["t-1", "t-2"])));
        assert!(!possible(&[line("m-1", &["t-2"]), line("m-1", &["t-1"])].join("\n")));
        assert!(!possible(&[line("m-1", &["t-1"]), "{".to_owned()].join("\n")), "half of a line");
        assert!(!possible(&line("m-0", &["t-0"])), "it lags behind");
        assert!(!possible("") && !is_possible(&before("Write"), None));
    }
}
