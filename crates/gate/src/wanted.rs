//! What a call asks for, read from its parameters: which tool, with which arguments, and nothing that approvers would not see.

use crate::configuration::Configuration;
use crate::definition::Definition;
use crate::execution::Input;
use crate::meta::{self, JUSTIFICATION, TICKET};
use countersign_agents::notice::Notice;
use countersign_core::canonical::CanonicalJson;
use countersign_core::command::MAX_PARAMETERS_BYTES;
use countersign_tool_calls::ToolCall;
use serde_json::{Map, Value, json};

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A tool.
    Tool(String),
    /// The reading of a resource.
    Resource,
}

/// A call.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What is called.
    pub subject: Subject,
    /// With what: an object.
    pub arguments: Value,
    /// What comes with it.
    pub meta: Option<Map<String, Value>>,
    /// What the agent has answered to a question of the server, if it goes on with a call.
    pub input: Option<Input>,
}

impl Wanted {
    /// Reads the parameters of `tools/call` or `resources/read`.
    ///
    /// # Errors
    /// Why they are none, for an error of JSON-RPC.
    pub fn read(method: &str, params: Option<Value>) -> Result<Self, String> {
        let Some(Value::Object(mut params)) = params else {
            return Err("params must be an object".to_owned());
        };
        let meta = match params.remove("_meta") {
            None => None,
            Some(Value::Object(meta)) => Some(meta),
            Some(_) => return Err("_meta must be an object".to_owned()),
        };
        let input =
            Input { responses: params.remove("inputResponses"), state: params.remove("requestState") };
        let input = Some(input).filter(|input| input.responses.is_some() || input.state.is_some());
        let (subject, arguments) = if method == "tools/call" {
            let Some(Value::String(name)) = params.remove("name") else {
                return Err("name must be a text".to_owned());
            };
            let arguments = match params.remove("arguments") {
                None => json!({}),
                Some(arguments @ Value::Object(_)) => arguments,
                Some(_) => return Err("arguments must be an object".to_owned()),
            };
            (Subject::Tool(name), arguments)
        } else {
            let Some(uri @ Value::String(_)) = params.remove("uri") else {
                return Err("uri must be a text".to_owned());
            };
            (Subject::Resource, json!({ "uri": uri }))
        };
        // What is not known here could change what is done, and approvers would not see it.
        if let Some(name) = params.keys().next() {
            return Err(format!("{method} does not take {name}"));
        }
        Ok(Self { subject, arguments, meta, input })
    }

    /// What is called, in a word.
    pub fn name(&self) -> &str {
        match &self.subject {
            Subject::Tool(name) => name,
            Subject::Resource => "resources/read",
        }
    }

    /// The operation; none if a tool is called as no operation can be.
    pub fn operation(&self, configuration: &Configuration) -> Option<String> {
        configuration.operation(self.name())
    }

    /// What is asked for.
    ///
    /// # Errors
    /// When it cannot be put as an operation on an instance.
    pub fn call(
        &self,
        configuration: &Configuration,
        tool: Option<&Definition>,
    ) -> Result<ToolCall, Box<Notice>> {
        let name = self.name();
        let operation = self.operation(configuration).ok_or_else(|| unsupported_name(name))?;
        let instance = configuration.instance(name, &self.arguments).ok_or_else(|| {
            let message =
                "the arguments do not say which instance the call is for, or not in a form that can be shown";
            Box::new(Notice::new(
                "instance_missing",
                message,
                "call with the argument that names the instance",
            ))
        })?;
        let server = &configuration.server;
        let parameters = match (&self.subject, tool) {
            (Subject::Tool(name), Some(tool)) => {
                json!({ "server": server, "tool": name, "tool_digest": tool.digest, "arguments": self.arguments })
            }
            _ => json!({ "server": server, "method": name, "arguments": self.arguments }),
        };
        let bytes = CanonicalJson::of(&parameters).as_str().len();
        if bytes > MAX_PARAMETERS_BYTES {
            let message = format!(
                "server, tool and arguments have {bytes} bytes as canonical JSON, {MAX_PARAMETERS_BYTES} are the most that approvers are shown"
            );
            let next_step = "call with less; nothing is cut for you";
            return Err(Box::new(Notice::new("arguments_too_large", &message, next_step)));
        }
        let settings = configuration.tools.get(name);
        let said = |key: &str| Some(self.meta.as_ref()?.get(key)?.as_str()?.to_owned());
        let configured = |value: fn(&crate::configuration::ToolSettings) -> &Option<String>| {
            settings.and_then(|settings| value(settings).clone())
        };
        let justification = said(JUSTIFICATION).or_else(|| configured(|settings| &settings.justification));
        Ok(ToolCall {
            operation,
            instance,
            environment: configuration.environment(name),
            parameters,
            justification: justification.unwrap_or_else(|| match &self.subject {
                Subject::Tool(name) => format!("An agent calls the tool {name} of the MCP server {server}."),
                Subject::Resource => format!("An agent reads a resource of the MCP server {server}."),
            }),
            ticket: said(TICKET).or_else(|| configured(|settings| &settings.ticket)),
            priority: configured(|settings| &settings.priority),
        })
    }

    /// The parameters for a server that gets the call as it came.
    pub fn forwarded(&self, configuration: &Configuration) -> Value {
        let mut params = match &self.subject {
            Subject::Tool(name) => json!({ "name": name, "arguments": self.arguments }),
            Subject::Resource => self.arguments.clone(),
        };
        let input = self.input.clone().unwrap_or_default();
        let meta = meta::of_call(self.meta.as_ref(), &configuration.pass_meta, configuration.allowed());
        let added = [("_meta", meta), ("inputResponses", input.responses), ("requestState", input.state)];
        if let Some(members) = params.as_object_mut() {
            members.extend(added.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        params
    }
}

/// A tool whose name is none of an operation.
fn unsupported_name(name: &str) -> Box<Notice> {
    let message = format!("the tool {name} has a name that cannot be that of an operation");
    let next_step = "the operator has to map it: [tools.NAME] operation in gate.toml";
    Box::new(Notice::new("tool_name_unsupported", &message, next_step))
}

/// Names all calls that ask for the same.
pub fn identity(call: &ToolCall) -> String {
    let ToolCall { operation, instance, environment, parameters, .. } = call;
    CanonicalJson::of(&json!([operation, instance, environment, parameters])).digest().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration() -> Configuration {
        Configuration { server: "files".to_owned(), ..Configuration::default() }
    }

    fn tool() -> Definition {
        Definition::of(&json!({ "name": "write", "inputSchema": {} })).unwrap()
    }

    #[test]
    fn a_call_has_no_member_that_is_not_known() {
        let read = |params| Wanted::read("tools/call", Some(params));
        for (params, said) in [
            (json!({ "name": "a", "task": { "ttl": 1 } }), "task"),
            (json!({ "name": "a", "arguments": [] }), "arguments"),
            (json!({ "name": 1 }), "name"),
            (json!({ "name": "a", "_meta": [] }), "_meta"),
            (json!([]), "params"),
        ] {
            let error = read(params.clone()).unwrap_err();
            assert!(error.contains(said), "{params}: {error}");
        }
        let wanted = read(json!({ "name": "a", "requestState": "x" })).unwrap();
        assert_eq!(wanted.arguments, json!({}));
        assert_eq!(wanted.input.unwrap().state, Some(json!("x")));
        assert!(Wanted::read("resources/read", Some(json!({ "uri": "a:b", "as": "root" }))).is_err());
    }

    #[test]
    fn the_limit_is_of_all_that_approvers_are_shown() {
        let call = |length: usize| {
            let params = json!({ "name": "write", "arguments": { "text": "x".repeat(length) } });
            Wanted::read("tools/call", Some(params)).unwrap().call(&configuration(), Some(&tool()))
        };
        let without = CanonicalJson::of(&call(0).unwrap().parameters).as_str().len();
        assert!(call(MAX_PARAMETERS_BYTES - without).is_ok());
        assert_eq!(call(MAX_PARAMETERS_BYTES - without + 1).unwrap_err().code, "arguments_too_large");
    }

    #[test]
    fn the_order_of_arguments_is_no_difference_and_a_byte_is_one() {
        let call = |text: &str| {
            let wanted = Wanted::read("tools/call", serde_json::from_str(text).unwrap()).unwrap();
            identity(&wanted.call(&configuration(), Some(&tool())).unwrap())
        };
        let one = call(r#"{"name":"write","arguments":{"a":1,"b":"x"}}"#);
        assert_eq!(one, call(r#"{"name":"write","arguments":{"b":"x","a":1.0}}"#));
        assert_ne!(one, call(r#"{"name":"write","arguments":{"b":"x ","a":1}}"#));
        assert_ne!(one, call(r#"{"name":"write","arguments":{"b":"x","a":"1"}}"#));
    }
}
