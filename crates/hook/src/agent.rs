//! The agents, a closed enum: their names, and how long each lets a hook take unless its settings say otherwise.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// An agent whose hooks are understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Agent {
    /// Claude Code.
    Claude,
    /// Codex, of the company `OpenAI`.
    Codex,
    /// Cursor.
    Cursor,
    /// Gemini CLI.
    Gemini,
    /// The CLI of GitHub Copilot.
    Copilot,
    /// opencode, through the plugin file that `hook install` writes.
    Opencode,
    /// A program of the operator's own: exit 0 is go, exit 2 is a refusal.
    Generic,
}

impl Agent {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Claude, Self::Codex, Self::Cursor, Self::Gemini, Self::Copilot, Self::Opencode, Self::Generic];

    /// The name on the command line, in parameters and in `tools.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Cursor => "cursor",
            Self::Gemini => "gemini",
            Self::Copilot => "copilot",
            Self::Opencode => "opencode",
            Self::Generic => "generic",
        }
    }

    /// After how long the agent ends a hook whose entry names no limit. Claude Code, Codex, Gemini CLI and Copilot document
    /// theirs; Cursor documents none, so the shortest of the usual ones that a person can answer in is assumed; the plugin
    /// of opencode is ours, and a program of the operator's own keeps to what is said here.
    pub fn default_limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Claude | Self::Codex => 600,
            Self::Cursor | Self::Gemini => 60,
            Self::Copilot => 30,
            Self::Opencode | Self::Generic => 310,
        })
    }
}

/// There is no agent of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of claude, codex, cursor, gemini, copilot, opencode, generic")]
pub struct UnknownAgent;

impl FromStr for Agent {
    type Err = UnknownAgent;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|agent| agent.name() == name).ok_or(UnknownAgent)
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for agent in Agent::ALL {
            assert_eq!(agent.name().parse(), Ok(agent));
            assert!(UnknownAgent.to_string().contains(agent.name()));
        }
        assert_eq!("Claude".parse::<Agent>(), Err(UnknownAgent));
    }
}
