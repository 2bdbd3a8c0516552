//! How each agent writes down its hooks: the events, their limit, their fail-closed switch, and what makes a hook that fails a
//! refusal.

use crate::agent::Agent;
use serde_json::Value;

/// What stands behind the command before a use: a program that is killed or crashes has given no answer, and these agents take
/// exit 2 with a text on stderr for a refusal, while any other failure lets the tool run. Agents may run commands by the user's shell, and
/// fish takes no braces before 4.1.
pub(super) const TAIL: &str =
    " || /bin/sh -c 'echo countersign: the hook has failed, nothing was run >&2; exit 2'";

/// Gemini CLI starts hooks by `bash -c` with the variables of a project's `.env`. Each of these makes bash or the linker of
/// programs run other code, or nothing at all with exit 0 (`SHELLOPTS=noexec`, `LD_DEBUG=help`); an empty text does nothing.
/// `LD_TRACE_LOADED_OBJECTS` is left out: it ends a program whatever its value is, an empty one too.
const EMPTIED: &[&str] =
    &["BASH_ENV", "ENV", "LD_AUDIT", "LD_DEBUG", "LD_LIBRARY_PATH", "LD_PRELOAD", "SHELLOPTS"];

/// The member of an entry that has variables.
pub(super) const ENVIRONMENT: &str = "env";

/// Whether a value of a switch turns it on.
pub(super) type Holds = fn(&Value) -> bool;

/// How an agent writes down its hooks.
pub(super) struct Form {
    /// The event before a use.
    pub(super) before: &'static str,
    /// The events after one.
    pub(super) after: &'static [&'static str],
    /// Whether hooks are in groups that share a matcher.
    pub(super) is_grouped: bool,
    /// The matcher for every tool, where one has to be written.
    pub(super) matcher: Option<&'static str>,
    /// The member that has the limit.
    pub(super) limit: &'static str,
    /// How many of the unit of the limit are a second.
    pub(super) per_second: u64,
    /// The member that has the command.
    pub(super) command: &'static str,
    /// The switch by which the agent refuses if a hook fails, and which values turn it on.
    pub(super) fail_closed: Option<(&'static str, Holds)>,
    /// Whether the [`TAIL`] stands behind the command before a use.
    pub(super) has_tail: bool,
    /// The variables that an entry sets to the empty text.
    pub(super) emptied: &'static [&'static str],
    /// The version that the document names.
    pub(super) is_versioned: bool,
}

/// How this agent does, if it has a file for them.
pub(super) fn form(agent: Agent) -> Option<Form> {
    let claude = Form {
        before: "PreToolUse",
        after: &["PostToolUse", "PostToolUseFailure"],
        is_grouped: true,
        matcher: Some("*"),
        limit: "timeout",
        per_second: 1,
        command: "command",
        fail_closed: Some(("onFailure", |value| value == "block")),
        has_tail: true,
        emptied: &[],
        is_versioned: false,
    };
    Some(match agent {
        Agent::Claude => claude,
        Agent::Codex => Form { after: &["PostToolUse"], matcher: None, fail_closed: None, ..claude },
        Agent::Gemini => Form {
            before: "BeforeTool",
            after: &["AfterTool"],
            matcher: Some(".*"),
            per_second: 1000,
            fail_closed: None,
            emptied: EMPTIED,
            ..claude
        },
        Agent::Cursor => Form {
            before: "preToolUse",
            after: &["postToolUse", "postToolUseFailure"],
            is_grouped: false,
            matcher: None,
            fail_closed: Some(("failClosed", |value| value == true)),
            is_versioned: true,
            ..claude
        },
        Agent::Copilot => Form {
            before: "preToolUse",
            after: &["postToolUse", "postToolUseFailure"],
            is_grouped: false,
            matcher: None,
            limit: "timeoutSec",
            command: "bash",
            fail_closed: None,
            has_tail: false,
            is_versioned: true,
            ..claude
        },
        Agent::Opencode | Agent::Generic => return None,
    })
}
