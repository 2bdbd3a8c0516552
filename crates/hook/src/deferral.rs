//! Whether a use can be put off in Claude Code. It takes `defer` in `claude -p` alone, and for the only use of a turn;
//! elsewhere it goes on by its own permissions as if there were no hook, which is no refusal.
//! Source: <https://code.claude.com/docs/en/hooks#defer-a-tool-call-for-later>.

use crate::tool_use::Before;
use serde_json::Value;

/// The modes in which a use that no rule allows is not carried out without a person: what would happen to it if `defer` were
/// passed over.
const STRICT_MODES: [&str; 2] = ["default", "dontAsk"];

/// Whether a use may be put off. The transcript is what Claude Code has written of the conversation so far, a JSON document in
/// each line; it may lag behind, so that a use without another beside it in there is taken for the only one.
pub fn is_possible(before: &Before, transcript: Option<&str>) -> bool {
    let is_strict = before.permission_mode.as_deref().is_some_and(|mode| STRICT_MODES.contains(&mode));
    let Some(id) = before.tool_use.id.as_deref().filter(|_| is_strict) else { return false };
    !has_another(transcript.unwrap_or_default(), id)
}

/// Whether the message that uses the tool uses another one too.
fn has_another(transcript: &str, id: &str) -> bool {
    let lines = transcript.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let uses: Vec<(String, String)> = lines
        .filter_map(|line| {
            let message = line.get("message")?;
            let message_id = message.get("id")?.as_str()?.to_owned();
            let content = message.get("content")?.as_array()?.clone();
            Some(content.into_iter().filter_map(move |part| {
                let is_use = part.get("type")? == "tool_use";
                let id = part.get("id")?.as_str()?.to_owned();
                is_use.then(|| (message_id.clone(), id))
            }))
        })
        .flatten()
        .collect();
    let Some((message, _)) = uses.iter().find(|(_, used)| used == id) else { return false };
    uses.iter().any(|(of, used)| of == message && used != id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool_use::ToolUse;
    use serde_json::json;

    fn before(mode: Option<&str>) -> Before {
        Before {
            tool_use: ToolUse {
                tool: "Bash".to_owned(),
                server: None,
                arguments: json!({}),
                directory: None,
                workspace: Vec::new(),
                session: None,
                id: Some("t-1".to_owned()),
            },
            permission_mode: mode.map(str::to_owned),
            transcript: None,
        }
    }

    fn line(message: &str, ids: &[&str]) -> String {
        let content: Vec<_> = ids.iter().map(|id| json!({ "type": "tool_use", "id": id })).collect();
        json!({ "type": "assistant", "message": { "id": message, "content": content } }).to_string()
    }

    #[test]
    fn a_use_is_put_off_only_where_passing_it_over_runs_nothing() {
        assert!(is_possible(&before(Some("default")), None));
        for mode in [None, Some("bypassPermissions"), Some("acceptEdits"), Some("plan"), Some("auto")] {
            assert!(!is_possible(&before(mode), None), "{mode:?}");
        }
    }

    #[test]
    fn one_of_several_uses_is_not_put_off() {
        let possible = |transcript: &str| is_possible(&before(Some("default")), Some(transcript));
        assert!(possible(&[line("m-0", &["t-0"]), line("m-1", &["t-1"])].join("\n")));
        assert!(!possible(&line("m-1", &["t-1", "t-2"])));
        assert!(!possible(&[line("m-1", &["t-2"]), "{".to_owned(), line("m-1", &["t-1"])].join("\n")));
    }
}
