//! Which operation of policy a tool is: `tools.toml`, the file that comes with the program and one of the operator's own.

use crate::agent::Agent;
use crate::refusal::Refusal;
use crate::tool_use::{ServerTool, ToolUse};
use countersign_core::text::{Identifier, escaped_line};
use serde::Deserialize;
use std::collections::BTreeMap;

const BUNDLED: &str = include_str!("tools.toml");

/// A file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ToolsError(String);

/// A tool's name, and the operation that it is.
type Operations = BTreeMap<String, String>;

/// One file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tools: Operations,
    agents: BTreeMap<String, Operations>,
}

impl File {
    fn parse(text: &str) -> Result<Self, ToolsError> {
        let file: Self = toml::from_str(text).map_err(|error| ToolsError(escaped_line(error.message())))?;
        for name in file.agents.keys() {
            name.parse::<Agent>()
                .map_err(|error| ToolsError(format!("agents.{}: {error}", escaped_line(name))))?;
        }
        for (tool, operation) in file.agents.values().chain([&file.tools]).flatten() {
            // Cursor calls the tools of all servers so.
            if tool.starts_with("MCP:") {
                let tool = escaped_line(tool);
                return Err(ToolsError(format!(
                    "{tool}: the tool of any server can have this name in Cursor"
                )));
            }
            Identifier::parse(operation)
                .map_err(|error| ToolsError(format!("the operation of {}: {error}", escaped_line(tool))))?;
        }
        Ok(file)
    }

    fn of_agent(&self, agent: Agent, tool: &str) -> Option<&String> {
        self.agents.get(agent.name()).and_then(|tools| tools.get(tool)).or_else(|| self.tools.get(tool))
    }
}

/// What is known of tools.
#[derive(Debug, Clone)]
pub struct Tools {
    bundled: File,
    own: File,
}

impl Tools {
    /// What comes with the program, and the text of the operator's file if there is one.
    ///
    /// # Errors
    /// When the file has other keys than it may have, or names no agents and operations.
    pub fn read(own: Option<&str>) -> Result<Self, ToolsError> {
        Ok(Self {
            bundled: File::parse(BUNDLED)?,
            own: own.map(File::parse).transpose()?.unwrap_or_default(),
        })
    }

    /// The operation of a tool.
    ///
    /// # Errors
    /// When it is not mapped, and has a name that no operation can have.
    pub fn operation(&self, agent: Agent, tool_use: &ToolUse) -> Result<String, Refusal> {
        let name = key(tool_use);
        // What can be split in two ways is another server's tool too.
        let is_clear = tool_use.server.as_ref().is_none_or(|of| of.tool.is_some());
        if let Some(operation) = self.own.of_agent(agent, &name).filter(|_| is_clear) {
            return Ok(operation.clone());
        }
        let operation = match &tool_use.server {
            // A server may give its tools the names of built-in ones, which are not meant by the file then.
            Some(of) => match &of.tool {
                Some(tool) if !of.server.contains('/') => format!("mcp:{}/{tool}", of.server),
                _ => format!("tool:{name}"),
            },
            None => match self.bundled.of_agent(agent, &name) {
                Some(operation) => operation.clone(),
                None => format!("tool:{name}"),
            },
        };
        Identifier::parse(&operation).map_err(|_| Refusal::unnameable(&tool_use.tool))?;
        Ok(operation)
    }
}

/// The name that the operator's file has for a tool. That of a server's tool cannot be that of a built-in one.
fn key(tool_use: &ToolUse) -> String {
    let name = &tool_use.tool;
    match &tool_use.server {
        Some(ServerTool { server, tool: Some(tool) }) => format!("mcp__{server}__{tool}"),
        _ => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn used(tool: &str) -> ToolUse {
        ToolUse {
            tool: tool.to_owned(),
            server: ServerTool::parse(tool),
            arguments: json!({}),
            directory: None,
            workspace: Vec::new(),
            session: None,
            id: None,
        }
    }

    fn of(tools: &Tools, agent: Agent, tool: &str) -> Result<String, Refusal> {
        tools.operation(agent, &used(tool))
    }

    #[test]
    fn what_comes_with_the_program_is_as_the_guide_says() {
        let tools = Tools::read(None).unwrap();
        for (agent, tool, operation) in [
            (Agent::Claude, "Bash", "execute_bash"),
            (Agent::Claude, "Edit", "write_file"),
            (Agent::Codex, "apply_patch", "write_file"),
            (Agent::Cursor, "Shell", "execute_bash"),
            (Agent::Gemini, "run_shell_command", "execute_bash"),
            (Agent::Codex, "view_image", "read_file"),
            (Agent::Gemini, "replace", "write_file"),
            (Agent::Gemini, "grep_search", "read_file"),
            (Agent::Gemini, "search_file_content", "read_file"),
            (Agent::Copilot, "create", "write_file"),
            (Agent::Copilot, "view", "read_file"),
            (Agent::Opencode, "bash", "execute_bash"),
            (Agent::Claude, "mcp__github__create_issue", "mcp:github/create_issue"),
            (Agent::Claude, "mcp__a__b__c", "tool:mcp__a__b__c"),
            (Agent::Claude, "WebFetch", "tool:WebFetch"),
            // Another agent's tool of that name may be anything.
            (Agent::Claude, "create", "tool:create"),
        ] {
            assert_eq!(of(&tools, agent, tool).unwrap(), operation, "{agent} {tool}");
        }
        for odd in ["a b", "naïve", &"x".repeat(124), "mcp__gît__x"] {
            assert_eq!(of(&tools, Agent::Claude, odd).unwrap_err().code, "tool_name_unsupported", "{odd}");
        }
    }

    #[test]
    fn a_server_cannot_borrow_the_name_of_a_built_in_tool() {
        let tools = Tools::read(Some("[tools]\nread_file = \"read_file\"\n")).unwrap();
        let server = Some(ServerTool { server: "evil".to_owned(), tool: Some("read_file".to_owned()) });
        let tool_use = ToolUse { server, ..used("read_file") };
        assert_eq!(tools.operation(Agent::Gemini, &tool_use).unwrap(), "mcp:evil/read_file");
        // Nor that of a tool of another server.
        let tools = Tools::read(Some("[tools]\nmcp__good__read = \"read_file\"\n")).unwrap();
        let server = Some(ServerTool { server: "evil".to_owned(), tool: Some("x".to_owned()) });
        let tool_use = ToolUse { server, ..used("mcp__good__read") };
        assert_eq!(tools.operation(Agent::Gemini, &tool_use).unwrap(), "mcp:evil/x");
        let server = Some(ServerTool { server: "https://x.example".to_owned(), tool: None });
        let tool_use = ToolUse { server, ..used("MCP:read_file") };
        assert_eq!(tools.operation(Agent::Cursor, &tool_use).unwrap(), "tool:MCP:read_file");
    }

    #[test]
    fn the_file_of_the_operator_wins() {
        let text = "[tools]\nBash = \"run_command\"\n\"odd tool\" = \"deploy\"\n[agents.codex]\nBash = \"execute_bash\"\n\
                    mcp__github__get_me = \"read_file\"\nmcp__a__b__c = \"read_file\"\n";
        let tools = Tools::read(Some(text)).unwrap();
        assert_eq!(of(&tools, Agent::Claude, "Bash").unwrap(), "run_command");
        assert_eq!(of(&tools, Agent::Codex, "Bash").unwrap(), "execute_bash");
        assert_eq!(of(&tools, Agent::Claude, "odd tool").unwrap(), "deploy");
        assert_eq!(of(&tools, Agent::Codex, "mcp__github__get_me").unwrap(), "read_file");
        assert_eq!(of(&tools, Agent::Claude, "mcp__github__get_me").unwrap(), "mcp:github/get_me");
        assert_eq!(of(&tools, Agent::Codex, "mcp__a__b__c").unwrap(), "tool:mcp__a__b__c");
    }

    #[test]
    fn a_file_that_says_something_else_is_refused() {
        for text in [
            "[tool]\n",
            "[agents.claud]\nBash = \"x\"\n",
            "[tools]\nBash = \"a b\"\n",
            "[tools]\nBash = 1\n",
            "[agents.cursor]\n\"MCP:read\" = \"read_file\"\n",
            "=",
        ] {
            assert!(Tools::read(Some(text)).is_err(), "{text}");
        }
    }
}
