//! What each agent makes of a hook's end, written down once more from its documentation: a parser per row of the table.

use serde_json::Value;
use std::process::Output;

pub(crate) const AGENTS: [&str; 7] =
    ["claude", "codex", "cursor", "gemini", "copilot", "opencode", "generic"];

/// What an agent does.
#[derive(Debug, PartialEq)]
pub(crate) enum Row {
    Go,
    /// It does not use the tool, and its model reads this.
    Refused(String),
    /// It ends, and asks again.
    Deferred,
}

impl Row {
    /// The reason of a refusal.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        match self {
            Self::Refused(reason) => reason,
            other => panic!("{other:?}"),
        }
    }
}

/// Reads the end of a hook. What an agent takes for a failure of the hook is a failure of the test.
#[track_caller]
pub(crate) fn row(agent: &str, output: &Output) -> Row {
    let stdout = std::str::from_utf8(&output.stdout).unwrap();
    let stderr = std::str::from_utf8(&output.stderr).unwrap();
    let code = output.status.code().unwrap_or_else(|| panic!("{output:?}"));
    if agent == "generic" {
        assert_eq!(stdout, "");
        return match code {
            0 => Row::Go,
            2 => Row::Refused(not_empty(stderr)),
            code => panic!("{code}: {stderr}"),
        };
    }
    assert_eq!(code, 0, "{stderr}");
    if agent == "codex" && stdout.is_empty() {
        return Row::Go;
    }
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    let document: Value = serde_json::from_str(stdout).unwrap();
    let mut members: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    match agent {
        "claude" | "codex" => {
            assert_eq!(members, ["hookSpecificOutput"]);
            if agent == "codex" {
                assert!(jsonschema::is_valid(&codex_output(), &document), "{document}");
            }
            let output = document["hookSpecificOutput"].as_object().unwrap();
            assert_eq!(output["hookEventName"], "PreToolUse");
            match output["permissionDecision"].as_str().unwrap() {
                "allow" if agent == "claude" && output.len() == 2 => Row::Go,
                "defer" if agent == "claude" && output.len() == 2 => Row::Deferred,
                "deny" if output.len() == 3 => {
                    Row::Refused(not_empty(text(&output["permissionDecisionReason"])))
                }
                other => panic!("{other}: {document}"),
            }
        }
        "cursor" => match (text(&document["permission"]), members.as_slice()) {
            ("allow", ["permission"]) => Row::Go,
            ("deny", ["agent_message", "permission", "user_message"]) => {
                assert_eq!(document["agent_message"], document["user_message"]);
                Row::Refused(not_empty(text(&document["user_message"])))
            }
            other => panic!("{other:?}"),
        },
        "gemini" | "opencode" => match (text(&document["decision"]), members.as_slice()) {
            ("allow", ["decision"]) => Row::Go,
            ("deny", ["decision", "reason"]) => Row::Refused(not_empty(text(&document["reason"]))),
            other => panic!("{other:?}"),
        },
        "copilot" => match (text(&document["permissionDecision"]), members.as_slice()) {
            ("allow", ["permissionDecision"]) => Row::Go,
            ("deny", ["permissionDecision", "permissionDecisionReason"]) => {
                Row::Refused(not_empty(text(&document["permissionDecisionReason"])))
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other}"),
    }
}

/// The end of a hook after a use: it says nothing.
#[track_caller]
pub(crate) fn is_silent(agent: &str, output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let expected: &[u8] = if ["cursor", "gemini", "opencode"].contains(&agent) { b"{}\n" } else { b"" };
    assert_eq!(output.stdout, expected, "{agent}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}

#[track_caller]
fn not_empty(reason: &str) -> String {
    assert!(reason.starts_with("countersign: ") && reason.trim().len() > 20, "{reason}");
    assert!(reason.chars().all(|c| c == '\n' || !countersign_core::text::must_be_escaped(c)), "{reason:?}");
    reason.to_owned()
}

/// What `pre-tool-use.command.output.schema.json` and the parser of Codex say of an answer that refuses: members by these
/// names alone, and a reason that is not empty.
fn codex_output() -> Value {
    let text = serde_json::json!({ "type": "string" });
    serde_json::json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["hookSpecificOutput"],
        "properties": {
            "continue": { "const": true },
            "systemMessage": text,
            "hookSpecificOutput": {
                "type": "object",
                "additionalProperties": false,
                "required": ["hookEventName", "permissionDecision", "permissionDecisionReason"],
                "properties": {
                    "additionalContext": text,
                    "hookEventName": { "enum": ["PreToolUse"] },
                    "permissionDecision": { "enum": ["deny"] },
                    "permissionDecisionReason": { "type": "string", "pattern": "\\S" },
                },
            },
        },
    })
}
