//! The use of a tool as a call that approvers are asked for.

use crate::agent::Agent;
use crate::refusal::Refusal;
use crate::tool_use::ToolUse;
use crate::tools::Tools;
use countersign_core::canonical::CanonicalJson;
use countersign_core::text::{InstanceId, escaped_line};
use countersign_tool_calls::{Detached, ToolCall};
use serde_json::{Map, Value, json};

/// What the operator says of the calls of a hook.
#[derive(Debug, Clone)]
pub struct Place {
    /// The agent.
    pub agent: Agent,
    /// The instance, in place of the server of a tool or this host.
    pub instance: Option<String>,
    /// The name of this host.
    pub host: String,
    /// The environment.
    pub environment: String,
    /// Why tools are used, in place of the agent's name and the tool's.
    pub justification: Option<String>,
    /// The ticket of it all.
    pub ticket: Option<String>,
    /// How soon answers are needed.
    pub priority: Option<String>,
    /// The session, in place of the agent's.
    pub session: Option<String>,
}

impl Place {
    fn session<'a>(&'a self, tool_use: &'a ToolUse) -> Option<&'a String> {
        self.session.as_ref().or(tool_use.session.as_ref())
    }

    /// What the approval is bound to. The session is part of it: what was approved in one session is not carried out in
    /// another. What names a single use is not, since a repeated use has another.
    fn parameters(&self, tool_use: &ToolUse) -> Value {
        let mut parameters = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                parameters.insert(name.to_owned(), value);
            }
        };
        put("agent", Some(json!(self.agent.name())));
        put("tool", Some(json!(tool_use.tool)));
        put("server", tool_use.server.as_ref().map(|of| json!(of.server)));
        put("arguments", Some(tool_use.arguments.clone()));
        put("cwd", tool_use.directory.as_ref().map(|directory| json!(directory)));
        put("workspace_roots", Some(json!(tool_use.workspace)).filter(|_| !tool_use.workspace.is_empty()));
        put("session", self.session(tool_use).map(|session| json!(session)));
        Value::Object(parameters)
    }

    /// The call.
    ///
    /// # Errors
    /// When the tool has a name that no operation can have.
    pub fn call(&self, tools: &Tools, tool_use: &ToolUse) -> Result<ToolCall, Refusal> {
        let of_server = tool_use.server.as_ref().map(|of| of.server.clone());
        let of_server = of_server.filter(|server| InstanceId::parse(server).is_ok());
        let asked = format!("{} asks to use the tool {}", self.agent, escaped_line(&tool_use.tool));
        Ok(ToolCall {
            operation: tools.operation(self.agent, tool_use)?,
            instance: self.instance.clone().or(of_server).unwrap_or_else(|| self.host.clone()),
            environment: self.environment.clone(),
            parameters: self.parameters(tool_use),
            justification: self.justification.clone().unwrap_or(asked),
            ticket: self.ticket.clone(),
            priority: self.priority.clone(),
        })
    }

    /// By what the event after a use finds the call of the event before it: the tool, the session and the agent's id for the use,
    /// if it has one; and the arguments that were approved. The directory may be another one by then.
    pub fn detached(&self, tool_use: &ToolUse) -> Detached {
        let name = json!({
            "agent": self.agent.name(),
            "tool": tool_use.tool,
            "server": tool_use.server.as_ref().map(|of| &of.server),
            "session": self.session(tool_use),
            "tool_use_id": tool_use.id,
        });
        let digest = |value: &Value| CanonicalJson::of(value).digest().to_string();
        Detached { name: digest(&name), content: digest(&tool_use.arguments) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool_use::ServerTool;

    fn place() -> Place {
        Place {
            agent: Agent::Claude,
            instance: None,
            host: "build-7".to_owned(),
            environment: "production".to_owned(),
            justification: None,
            ticket: None,
            priority: None,
            session: None,
        }
    }

    fn used(tool: &str, id: Option<&str>) -> ToolUse {
        ToolUse {
            tool: tool.to_owned(),
            server: ServerTool::parse(tool),
            arguments: json!({ "command": "ls" }),
            directory: Some("/srv".to_owned()),
            workspace: Vec::new(),
            session: Some("s-1".to_owned()),
            id: id.map(str::to_owned),
        }
    }

    #[test]
    fn approvers_are_shown_all_of_it() {
        let tools = Tools::read(None).unwrap();
        let call = place().call(&tools, &used("mcp__db__drop", Some("t-1"))).unwrap();
        let expected = json!({
            "agent": "claude", "tool": "mcp__db__drop", "server": "db", "arguments": { "command": "ls" },
            "cwd": "/srv", "session": "s-1",
        });
        assert_eq!(call.parameters, expected);
        assert_eq!((call.operation.as_str(), call.instance.as_str()), ("mcp:db/drop", "db"));
        assert_eq!(place().call(&tools, &used("Bash", None)).unwrap().instance, "build-7");
    }

    #[test]
    fn a_repeated_use_is_the_same_call_and_its_end_is_found_by_its_id() {
        let tools = Tools::read(None).unwrap();
        let (first, second) = (used("Bash", Some("t-1")), used("Bash", Some("t-2")));
        assert_eq!(place().call(&tools, &first).unwrap(), place().call(&tools, &second).unwrap());
        assert_ne!(place().detached(&first).name, place().detached(&second).name);
        let elsewhere = ToolUse { directory: Some("/etc".to_owned()), ..first.clone() };
        assert_ne!(place().call(&tools, &first).unwrap(), place().call(&tools, &elsewhere).unwrap());
        assert_eq!(place().detached(&first), place().detached(&elsewhere));
        let nameless = |tool_use: &ToolUse| place().detached(&ToolUse { id: None, ..tool_use.clone() });
        assert_eq!(nameless(&first), nameless(&second));
        let other = ToolUse { arguments: json!({ "command": "rm" }), ..first.clone() };
        assert_eq!(nameless(&first).name, nameless(&other).name);
        assert_ne!(nameless(&first).content, nameless(&other).content);
    }
}
