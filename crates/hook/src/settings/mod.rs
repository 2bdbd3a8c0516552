//! The settings of agents: what `hook install` writes into them, and `hook check` finds there.

pub mod difference;
mod document;
pub mod entry;
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
