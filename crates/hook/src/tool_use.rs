//! The use of a tool as an agent tells of it, whatever its form was.

use serde_json::Value;

/// What an agent is about to do, or has done.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUse {
    /// The tool, by the name that the agent gives it.
    pub tool: String,
    /// The MCP server of the tool, and the tool's name there.
    pub server: Option<ServerTool>,
    /// All arguments, an object.
    pub arguments: Value,
    /// The directory that the agent works in.
    pub directory: Option<String>,
    /// The roots of the workspace, if the agent names them in place of a directory.
    pub workspace: Vec<String>,
    /// The session of the agent.
    pub session: Option<String>,
    /// By what the agent names this use among those of its session.
    pub id: Option<String>,
}

/// A tool of an MCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTool {
    /// The server, as the agent's settings name it.
    pub server: String,
    /// The tool, by its own name. None if the agent's name for it can be read in two ways.
    pub tool: Option<String>,
}

impl ServerTool {
    /// A tool whose server the agent names apart. None if the two could not be told apart in `mcp__SERVER__TOOL`, the name
    /// that an operator has for it.
    pub fn of(server: String, tool: String) -> Option<Self> {
        let is_clear = |part: &str| {
            !part.is_empty() && !part.contains("__") && !part.starts_with('_') && !part.ends_with('_')
        };
        (is_clear(&server) && is_clear(&tool)).then_some(Self { server, tool: Some(tool) })
    }

    /// Reads `mcp__SERVER__TOOL`.
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("mcp__")?;
        let (server, tool) = rest.split_once("__")?;
        // `mcp__a__b__c` is the tool `c` of `a__b` as well as `b__c` of `a`.
        let is_clear = !tool.is_empty()
            && !server.is_empty()
            && !tool.contains("__")
            && !tool.starts_with('_')
            && !server.starts_with('_');
        Some(Self { server: server.to_owned(), tool: is_clear.then(|| tool.to_owned()) })
    }
}

/// A use that is about to happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    /// The use.
    pub tool_use: ToolUse,
    /// How the agent decides on what no hook decides, in its own words.
    pub permission_mode: Option<String>,
    /// Where the agent writes its conversation.
    pub transcript: Option<String>,
    /// Whether an agent that the agent has started uses the tool.
    pub is_subagent: bool,
}

impl Before {
    /// A use of which the agent tells nothing else.
    pub(crate) fn of(tool_use: ToolUse) -> Self {
        Self { tool_use, permission_mode: None, transcript: None, is_subagent: false }
    }
}

/// A use that has happened.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    /// The use.
    pub tool_use: ToolUse,
    /// What the tool has answered; `null` if the agent does not say.
    pub result: Value,
    /// Whether the tool, or the agent, says that it failed.
    pub is_error: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_named_apart_is_taken_only_if_the_name_of_both_can_be_split() {
        let of = |server: &str, tool: &str| ServerTool::of(server.to_owned(), tool.to_owned());
        assert_eq!(of("files", "read_file"), ServerTool::parse("mcp__files__read_file"));
        for (server, tool) in [
            ("a__b", "c"),
            ("a", "b__c"),
            ("a_", "b"),
            ("_a", "b"),
            ("a", "_b"),
            ("a", "b_"),
            ("", "b"),
            ("a", ""),
        ] {
            assert_eq!(of(server, tool), None, "{server} {tool}");
        }
    }

    #[test]
    fn the_name_of_a_tool_of_a_server_is_split_only_if_that_is_clear() {
        let of = |name: &str| ServerTool::parse(name).map(|tool| (tool.server, tool.tool));
        let some = |server: &str, tool: Option<&str>| Some((server.to_owned(), tool.map(str::to_owned)));
        assert_eq!(of("mcp__github__create_issue"), some("github", Some("create_issue")));
        assert_eq!(of("mcp__plugin_a_b__x"), some("plugin_a_b", Some("x")));
        for unclear in ["mcp__a__b__c", "mcp__a___b", "mcp__a__", "mcp____b", "mcp___a__b"] {
            assert_eq!(of(unclear).unwrap().1, None, "{unclear}");
        }
        for other in ["Bash", "mcp_github_x", "mcp__github"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
