//! Whether a use can be put off in Claude Code. It takes `defer` in `claude -p` alone, and for the only use of a message;
//! elsewhere it goes on by its own permissions as if there were no hook, which is no refusal, or loses all uses but the last.
//! Source: <https://code.claude.com/docs/en/hooks#defer-a-tool-call-for-later>, and what 2.1.295 and 2.1.332 were seen to do.

use crate::tool_use::Before;
use serde_json::Value;

/// The mode in which a use that no rule allows is refused, with a person and without: what would happen to it if `defer` were
/// passed over. In `default` a person may allow it, and the approval is then not asked for.
const STRICT_MODE: &str = "dontAsk";

/// Tools of Claude Code's own that never run without a rule or a question. `Bash` is none of them: commands that only read run
/// in every mode. Nor is `WebFetch`, for addresses that it knows.
const ASKING: [&str; 5] = ["Edit", "MultiEdit", "NotebookEdit", "WebSearch", "Write"];

/// By what `claude -p` is called, in the environment of its hooks and in its transcript.
const PRINTING: &str = "sdk-cli";

/// What the environment of a hook says of the conversation. No document names these variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// `CLAUDE_CODE_ENTRYPOINT`.
    pub entrypoint: Option<String>,
    /// `CLAUDE_CODE_SESSION_ATTENDED`.
    pub attended: Option<String>,
}

impl Conversation {
    /// Whether the variables are those of `claude -p`.
    fn is_printing(&self) -> bool {
        self.entrypoint.as_deref() == Some(PRINTING) && self.attended.as_deref() == Some("0")
    }
}

/// Whether a use may be put off. The transcript is what Claude Code has written of the conversation so far, a JSON document in
/// each line: the use has to be in there, and no other beside it. It may come to be there later: the message is written once the model
/// has ended it.
///
/// In `claude -p` every such use may be. Each of the variables and members that say so can be had otherwise, but not all of them together;
/// where one is missing, only uses may be put off that would not run if `defer` were passed over.
pub fn is_possible(before: &Before, conversation: &Conversation, transcript: Option<&str>) -> bool {
    let (Some(id), Some(transcript)) = (before.tool_use.id.as_deref(), transcript) else { return false };
    if !may_become_possible(before, conversation) {
        return false;
    }
    let Some(line) = alone(transcript, id) else { return false };
    let is_printed = line.get("entrypoint").is_some_and(|entrypoint| entrypoint == PRINTING)
        && line.get("sessionKind").is_none();
    (conversation.is_printing() && is_printed) || would_not_run(before)
}

/// Whether the transcript may come to say that a use may be put off.
pub fn may_become_possible(before: &Before, conversation: &Conversation) -> bool {
    let is_named = before.tool_use.id.is_some() && before.transcript.is_some();
    is_named && !before.is_subagent && (conversation.is_printing() || would_not_run(before))
}

/// Whether a use that no rule allows is not run if `defer` is passed over.
fn would_not_run(before: &Before) -> bool {
    let asks = before.tool_use.server.is_some() || ASKING.contains(&before.tool_use.tool.as_str());
    asks && before.permission_mode.as_deref() == Some(STRICT_MODE)
}

/// The line of the message that uses the tool, if it uses no other one.
fn alone(transcript: &str, id: &str) -> Option<Value> {
    let lines = transcript.lines().filter(|line| !line.trim().is_empty());
    // What cannot be read may be another use.
    let lines: Vec<Value> = lines.map(serde_json::from_str).collect::<Result<_, _>>().ok()?;
    let uses = |line: &Value| -> Vec<String> {
        let content =
            line.get("message").and_then(|message| message.get("content")).and_then(Value::as_array);
        let parts = content
            .into_iter()
            .flatten()
            .filter(|part| part.get("type").is_some_and(|kind| kind == "tool_use"));
        parts.filter_map(|part| Some(part.get("id")?.as_str()?.to_owned())).collect()
    };
    let message = |line: &Value| Some(line.get("message")?.get("id")?.as_str()?.to_owned());
    let line = lines.iter().find(|line| uses(line).iter().any(|used| used == id))?;
    let of_message = message(line)?;
    let same = lines.iter().filter(|line| message(line).as_ref() == Some(&of_message));
    same.flat_map(uses).all(|used| used == id).then(|| line.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool_use::{ServerTool, ToolUse};
    use serde_json::json;

    fn before(tool: &str) -> Before {
        Before {
            permission_mode: Some("dontAsk".to_owned()),
            transcript: Some("/x.jsonl".to_owned()),
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
        let message = json!({ "id": message, "content": content });
        json!({ "type": "assistant", "message": message, "entrypoint": "sdk-cli" }).to_string()
    }

    fn printing() -> Conversation {
        Conversation { entrypoint: Some("sdk-cli".to_owned()), attended: Some("0".to_owned()) }
    }

    #[test]
    fn a_use_is_put_off_only_where_passing_it_over_runs_nothing() {
        let alone = line("m-1", &["t-1"]);
        let possible = |before: &Before| is_possible(before, &Conversation::default(), Some(&alone));
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
    fn without_a_person_every_use_is_put_off_that_is_alone() {
        let alone = line("m-1", &["t-1"]);
        for tool in ["Bash", "Write", "mcp__db__drop", "WebFetch"] {
            for mode in [None, Some("default"), Some("bypassPermissions"), Some("acceptEdits")] {
                let before = Before { permission_mode: mode.map(str::to_owned), ..before(tool) };
                assert!(is_possible(&before, &printing(), Some(&alone)), "{tool} {mode:?}");
                assert!(!is_possible(&Before { is_subagent: true, ..before }, &printing(), Some(&alone)));
            }
        }
        // As an interactive session, one in the background and one of another program are.
        let said = |entrypoint: &str, attended: Option<&str>| Conversation {
            entrypoint: Some(entrypoint.to_owned()),
            attended: attended.map(str::to_owned),
        };
        for conversation in [
            said("cli", Some("1")),
            said("cli", Some("0")),
            said("sdk-cli", Some("1")),
            said("sdk-py", Some("0")),
            said("sdk-cli", None),
        ] {
            assert!(!is_possible(&before("Bash"), &conversation, Some(&alone)), "{conversation:?}");
        }
        for transcript in [
            alone.replace("sdk-cli", "cli"),
            alone.replace(",\"entrypoint\":\"sdk-cli\"", ""),
            alone.replacen('{', "{\"sessionKind\":\"bg\",", 1),
        ] {
            assert_ne!(transcript, alone);
            assert!(!is_possible(&before("Bash"), &printing(), Some(&transcript)), "{transcript}");
        }
    }

    #[test]
    fn one_of_several_uses_is_not_put_off_nor_one_that_is_not_found() {
        let possible = |transcript: &str| is_possible(&before("Write"), &printing(), Some(transcript));
        assert!(possible(&[line("m-0", &["t-0"]), line("m-1", &["t-1"])].join("\n")));
        assert!(!possible(&line("m-1", &["t-1", "t-2"])));
        assert!(!possible(&[line("m-1", &["t-2"]), line("m-1", &["t-1"])].join("\n")));
        assert!(!possible(&[line("m-1", &["t-1"]), "{".to_owned()].join("\n")), "half of a line");
        assert!(!possible(&line("m-0", &["t-0"])), "it lags behind");
        assert!(!possible("") && !is_possible(&before("Write"), &printing(), None));
    }
}
