//! The settings of agents: what `hook install` writes into them, and `hook check` finds there.

pub mod codex;
pub mod difference;
mod document;
pub mod entry;
pub mod faults;
mod form;
pub mod gemini;
pub mod plugin;

use crate::agent::Agent;
use std::path::{Path, PathBuf};

/// Whose settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The user's, for all that they work on.
    User,
    /// Those of the directory that the agent works in.
    Project,
}

/// The variable that names the user's directory of an agent in place of the one in the home.
pub fn variable(agent: Agent) -> Option<&'static str> {
    match agent {
        Agent::Claude => Some("CLAUDE_CONFIG_DIR"),
        Agent::Codex => Some("CODEX_HOME"),
        Agent::Gemini => Some("GEMINI_CLI_HOME"),
        Agent::Copilot => Some("COPILOT_HOME"),
        Agent::Opencode => Some("XDG_CONFIG_HOME"),
        Agent::Cursor | Agent::Generic => None,
    }
}

/// Where an agent has the user's hooks, under the directory that its [`variable`] names.
pub fn named_file(agent: Agent, directory: &Path) -> Option<PathBuf> {
    let relative = match agent {
        Agent::Claude => "settings.json",
        Agent::Codex => "hooks.json",
        // The directory stands in place of the home.
        Agent::Gemini => ".gemini/settings.json",
        Agent::Copilot => "hooks/countersign.json",
        Agent::Opencode => "opencode/plugins/countersign.js",
        Agent::Cursor | Agent::Generic => return None,
    };
    Some(directory.join(relative))
}

/// Where an agent has its hooks: under the home of the user, or under the directory of the project. Nowhere for a program of
/// the operator's own.
pub fn file(agent: Agent, scope: Scope, base: &Path) -> Option<PathBuf> {
    let relative = match (agent, scope) {
        (Agent::Claude, _) => ".claude/settings.json",
        (Agent::Codex, _) => ".codex/hooks.json",
        (Agent::Cursor, _) => ".cursor/hooks.json",
        (Agent::Gemini, _) => ".gemini/settings.json",
        (Agent::Copilot, Scope::User) => ".copilot/hooks/countersign.json",
        (Agent::Copilot, Scope::Project) => ".github/hooks/countersign.json",
        (Agent::Opencode, Scope::User) => ".config/opencode/plugins/countersign.js",
        (Agent::Opencode, Scope::Project) => ".opencode/plugins/countersign.js",
        (Agent::Generic, _) => return None,
    };
    Some(base.join(relative))
}
