//! What an installed hook would do: nothing is asked for, the answer is a refusal, and it is read back by `hook check`.

use crate::agent::Agent;
use countersign_agents::notice::Notice;
use countersign_api::wire::SimulateBody;
use countersign_core::text::escaped_line;
use serde_json::Value;

/// The variable that makes a hook a check, whatever its value is: it can only make it stricter.
pub const CHECK_VARIABLE: &str = "COUNTERSIGN_HOOK_CHECK";

/// The code of an answer that is a check: it never lets a tool run.
pub const CHECKED: &str = "hook_checked";

/// What would come of a use, as the refusal that the hook answers instead.
pub fn notice(simulation: &SimulateBody) -> Box<Notice> {
    let what = format!(
        "{} on {} in {} would be {}",
        escaped_line(&simulation.operation_type),
        escaped_line(&simulation.instance_id),
        escaped_line(&simulation.environment),
        escaped_line(&simulation.risk_level),
    );
    let message = match (simulation.permitted, simulation.approvals_required) {
        (false, _) => format!("{what}, and be refused"),
        (true, 0) => format!("{what}, and go on at once"),
        (true, 1) => format!("{what}, and wait for one approval"),
        (true, approvals) => format!("{what}, and wait for {approvals} approvals"),
    };
    let mut reasons: Vec<_> =
        simulation.refusals.iter().map(|refusal| format!("{}: {}", refusal.code, refusal.detail)).collect();
    if simulation.permitted && !simulation.satisfiable {
        reasons.push("no people are known who could approve it".to_owned());
    }
    let next_step = "nothing: this was a check, nothing was asked for, and nothing runs";
    Box::new(Notice::new(CHECKED, &message, next_step).with_reasons(reasons))
}

/// What an agent makes of the end of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Understood {
    /// It goes on.
    Go,
    /// It does not, for this reason.
    Refused(String),
    /// It ends, and asks again once it is resumed.
    Deferred,
    /// It takes it for a failure of the hook.
    Failed,
}

/// Reads an answer as the agent does.
pub fn understood(agent: Agent, code: Option<i32>, stdout: &str, stderr: &str) -> Understood {
    if code == Some(2) && !stderr.trim().is_empty() {
        return Understood::Refused(stderr.trim().to_owned());
    }
    let output = stdout.trim();
    match (agent, code, output) {
        (Agent::Codex | Agent::Generic, Some(0), "") => return Understood::Go,
        (Agent::Generic, _, _) => return Understood::Failed,
        (_, Some(0), _) => {}
        _ => return Understood::Failed,
    }
    let Ok(document) = serde_json::from_str::<Value>(output) else { return Understood::Failed };
    let (decision, reason) = match agent {
        Agent::Claude | Agent::Codex => {
            let output = document.get("hookSpecificOutput");
            let member = |name| output.and_then(|output| output.get(name)).and_then(Value::as_str);
            (member("permissionDecision"), member("permissionDecisionReason"))
        }
        _ => {
            let member = |name| document.get(name).and_then(Value::as_str);
            let reason = ["permissionDecisionReason", "reason", "user_message"].into_iter().find_map(member);
            (["permissionDecision", "decision", "permission"].into_iter().find_map(member), reason)
        }
    };
    match (decision, reason) {
        (Some("allow"), _) if agent != Agent::Codex => Understood::Go,
        (Some("deny"), Some(reason)) if !reason.trim().is_empty() => Understood::Refused(reason.to_owned()),
        (Some("defer"), _) if agent == Agent::Claude => Understood::Deferred,
        _ => Understood::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{self, Decision};

    #[test]
    fn what_is_answered_is_understood() {
        let refusal = Box::new(Notice::new("x", "no", "stop"));
        for agent in Agent::ALL {
            let of = |decision: &Decision| {
                let answer = answer::before(agent, decision);
                understood(agent, Some(i32::from(answer.code)), &answer.stdout, &answer.stderr)
            };
            assert_eq!(of(&Decision::Go), Understood::Go, "{agent}");
            assert!(matches!(of(&Decision::Refuse(refusal.clone())), Understood::Refused(_)), "{agent}");
            let deferred = of(&Decision::Defer(refusal.clone()));
            assert_eq!(deferred == Understood::Deferred, agent == Agent::Claude, "{agent}");
            assert_ne!(deferred, Understood::Go, "{agent}");
            let last = answer::Answer::last_resort(&refusal);
            assert!(matches!(understood(agent, Some(2), &last.stdout, &last.stderr), Understood::Refused(_)));
            for (code, stdout) in [(None, ""), (Some(1), ""), (Some(0), "allow"), (Some(0), "{}")] {
                assert_ne!(understood(agent, code, stdout, ""), Understood::Go, "{agent} {code:?} {stdout}");
            }
        }
    }
}
