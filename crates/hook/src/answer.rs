//! What each agent takes for an answer: one row of the table in docs/agents-hooks.md each.

use crate::agent::Agent;
use countersign_agents::notice::Notice;
use serde_json::{Value, json};

/// What is decided on the use of a tool.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Its approval is spent: it is carried out now.
    Go,
    /// It is not carried out.
    Refuse(Box<Notice>),
    /// It is not carried out now; the agent ends, and asks again once it is resumed. Claude Code alone knows this.
    Defer(Box<Notice>),
}

/// What the process writes, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What goes to stdout.
    pub stdout: String,
    /// What goes to stderr.
    pub stderr: String,
    /// The exit code.
    pub code: u8,
}

impl Answer {
    fn silent() -> Self {
        Self { stdout: String::new(), stderr: String::new(), code: 0 }
    }

    fn json(document: &Value) -> Self {
        Self { stdout: format!("{document}\n"), ..Self::silent() }
    }

    /// What is left if stdout cannot be written: every agent but Copilot before 1.0 takes it for a refusal.
    pub fn last_resort(notice: &Notice) -> Self {
        Self { stderr: format!("countersign: {}\n", notice.text()), code: 2, ..Self::silent() }
    }
}

/// The answer to an agent that is about to use a tool.
pub fn before(agent: Agent, decision: &Decision) -> Answer {
    let hook_specific = |decision: &str, reason: Option<String>| {
        let mut output = json!({ "hookEventName": "PreToolUse", "permissionDecision": decision });
        if let (Some(reason), Some(output)) = (reason, output.as_object_mut()) {
            output.insert("permissionDecisionReason".to_owned(), Value::String(reason));
        }
        Answer::json(&json!({ "hookSpecificOutput": output }))
    };
    match (agent, decision) {
        (Agent::Claude, Decision::Go) => hook_specific("allow", None),
        (Agent::Claude, Decision::Defer(_)) => hook_specific("defer", None),
        (Agent::Claude | Agent::Codex, Decision::Refuse(notice))
        | (Agent::Codex, Decision::Defer(notice)) => hook_specific("deny", Some(reason(notice))),
        // Codex takes `allow` without a new input for an error, and goes on then too.
        (Agent::Codex | Agent::Generic, Decision::Go) => Answer::silent(),
        (Agent::Cursor, Decision::Go) => Answer::json(&json!({ "permission": "allow" })),
        (Agent::Cursor, Decision::Refuse(notice) | Decision::Defer(notice)) => {
            let reason = reason(notice);
            Answer::json(&json!({ "permission": "deny", "user_message": reason, "agent_message": reason }))
        }
        (Agent::Gemini | Agent::Opencode, Decision::Go) => Answer::json(&json!({ "decision": "allow" })),
        (Agent::Gemini | Agent::Opencode, Decision::Refuse(notice) | Decision::Defer(notice)) => {
            Answer::json(&json!({ "decision": "deny", "reason": reason(notice) }))
        }
        (Agent::Copilot, Decision::Go) => Answer::json(&json!({ "permissionDecision": "allow" })),
        (Agent::Copilot, Decision::Refuse(notice) | Decision::Defer(notice)) => {
            Answer::json(&json!({ "permissionDecision": "deny", "permissionDecisionReason": reason(notice) }))
        }
        (Agent::Generic, Decision::Refuse(notice) | Decision::Defer(notice)) => Answer::last_resort(notice),
    }
}

/// The same where the agent's own rules and questions have a say in what may go on, too. Of agents whose go is no answer to those, it
/// is the same answer.
pub fn under_own_rules(agent: Agent, decision: &Decision) -> Answer {
    match (agent, decision) {
        (Agent::Claude | Agent::Gemini | Agent::Copilot, Decision::Go) => Answer::json(&json!({})),
        (agent, decision) => before(agent, decision),
    }
}

/// The answer to an agent that has used a tool: that there is nothing to say.
pub fn after(agent: Agent) -> Answer {
    match agent {
        Agent::Claude | Agent::Codex | Agent::Copilot | Agent::Generic => Answer::silent(),
        Agent::Cursor | Agent::Gemini | Agent::Opencode => Answer::json(&json!({})),
    }
}

/// The reason as the model reads it; never empty, which Codex and Copilot take for no refusal.
fn reason(notice: &Notice) -> String {
    format!("countersign: {}", notice.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_in_place_of_the_rules_of_an_agent_that_has_its_own() {
        for agent in Agent::ALL {
            let answer = under_own_rules(agent, &Decision::Go);
            let has_no_other = matches!(agent, Agent::Cursor | Agent::Opencode);
            assert_eq!(answer.stdout.contains("allow"), has_no_other, "{agent}: {answer:?}");
            let refusal = Decision::Refuse(Box::new(Notice::new("x", "a", "b")));
            assert_eq!(under_own_rules(agent, &refusal), before(agent, &refusal), "{agent}");
        }
    }

    #[test]
    fn what_is_printed_is_one_line_of_json_whatever_the_reason_holds() {
        let notice = Box::new(Notice::new("x\u{1b}", "a\u{202e}\n\"b", "next"));
        for agent in Agent::ALL {
            for decision in [Decision::Refuse(notice.clone()), Decision::Defer(notice.clone())] {
                let answer = before(agent, &decision);
                let text = format!("{}{}", answer.stdout, answer.stderr);
                assert!(!text.contains(['\u{1b}', '\u{202e}']), "{agent}: {text}");
                assert_eq!(answer.code == 0, agent != Agent::Generic, "{agent}");
                assert_eq!(answer.stdout.lines().count(), usize::from(agent != Agent::Generic), "{agent}");
                assert!(!text.contains("allow"), "{agent}");
            }
        }
    }
}
