//! `gate.toml`: what the operator says of the server behind the gate. Every key is in docs/agents-gate.md.

use crate::meta::Allowed;
use countersign_core::text::{Identifier, InstanceId};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The longest name of a server, in bytes: it begins the name of an operation, which has 128.
const MAX_SERVER: usize = 48;
/// The longest time that can be configured, in seconds: a week.
const MAX_SECONDS: u64 = 7 * 24 * 60 * 60;

/// Whether calls are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A call goes on once it is approved.
    #[default]
    Enforce,
    /// Every call goes on, and it is recorded what would have been demanded.
    Observe,
}

impl Mode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

/// What is asked for when a tool is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolSettings {
    /// The operation of policy.
    pub operation: Option<String>,
    /// Where the instance is among the arguments: a JSON pointer (RFC 6901).
    pub instance: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// Why it is asked for, unless the agent says so.
    pub justification: Option<String>,
    /// The ticket, unless the agent names one.
    pub ticket: Option<String>,
    /// How soon it needs an answer: `P1` to `P4`.
    pub priority: Option<String>,
}

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Configuration {
    /// What the server is called, whatever it says of itself.
    pub server: String,
    /// Whether calls are held back.
    pub mode: Mode,
    /// Where operations happen, unless a tool has another environment.
    pub environment: String,
    /// How long a call is held whose client is shown progress.
    pub hold_seconds: u64,
    /// How long any other call is held.
    pub hold_silent_seconds: u64,
    /// How long the request of a call is kept whose caller is gone.
    pub linger_seconds: u64,
    /// How long the result of a call is kept whose caller was gone.
    pub replay_seconds: u64,
    /// How long the answer to a question of a running tool is waited for.
    pub input_seconds: u64,
    /// Variables that the server gets besides [`ALWAYS_PASSED`].
    pub pass_env: Vec<String>,
    /// Keys of `_meta` that the server gets of a call besides those of the protocol.
    pub pass_meta: Vec<String>,
    /// Methods that pass besides those of the protocol.
    pub pass_methods: Vec<String>,
    /// Whether reading a resource is asked for like calling a tool.
    pub gate_resources: bool,
    /// Whether the server may ask the model of the agent.
    pub allow_sampling: bool,
    /// Whether the server may ask the person before the agent.
    pub allow_elicitation: bool,
    /// Where people look at requests; the URL of the service unless it is said.
    pub dashboard_url: Option<String>,
    /// A file with the bearer token that a server at a URL wants.
    pub upstream_token_file: Option<PathBuf>,
    /// Where tools are pinned; `gate.lock` beside this file unless it is said.
    pub lock_file: Option<PathBuf>,
    /// What is asked for when a tool is called.
    pub tools: BTreeMap<String, ToolSettings>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            server: String::new(),
            mode: Mode::default(),
            environment: "production".to_owned(),
            hold_seconds: 280,
            hold_silent_seconds: 50,
            linger_seconds: 120,
            replay_seconds: 300,
            input_seconds: 600,
            pass_env: Vec::new(),
            pass_meta: Vec::new(),
            pass_methods: Vec::new(),
            gate_resources: false,
            allow_sampling: false,
            allow_elicitation: false,
            dashboard_url: None,
            upstream_token_file: None,
            lock_file: None,
            tools: BTreeMap::new(),
        }
    }
}

/// Variables that every server gets: what programs need to be found, and to write texts and times.
pub const ALWAYS_PASSED: [&str; 5] = ["PATH", "HOME", "USER", "LANG", "TZ"];

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// It is not TOML, or has what it must not have.
    #[error("{0}")]
    Toml(String),
    /// A value is none that the key takes.
    #[error("{key}: {rule}")]
    Value {
        /// The key.
        key: String,
        /// The rule that is broken.
        rule: String,
    },
}

impl Configuration {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// With everything that is not understood: the gate does not start then.
    pub fn parse(text: &str) -> Result<Self, ConfigurationError> {
        toml::from_str(text).map_err(|error| ConfigurationError::Toml(error.to_string()))
    }

    /// The same, once the command line has been heard as well.
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub fn checked(self) -> Result<Self, ConfigurationError> {
        let fail = |key: &str, rule: &str| {
            Err(ConfigurationError::Value { key: key.to_owned(), rule: rule.to_owned() })
        };
        if self.server.is_empty() {
            return fail("server", "the server needs a name: `server = \"…\"` or --server");
        }
        if self.server.len() > MAX_SERVER
            || Identifier::parse(&self.server).is_err()
            || self.server.contains('/')
        {
            return fail(
                "server",
                "must be 1 to 48 of the letters, digits and - _ . : @, starting with a letter or digit",
            );
        }
        for (key, seconds) in [
            ("hold_seconds", self.hold_seconds),
            ("hold_silent_seconds", self.hold_silent_seconds),
            ("linger_seconds", self.linger_seconds),
            ("replay_seconds", self.replay_seconds),
            ("input_seconds", self.input_seconds),
        ] {
            if seconds > MAX_SECONDS {
                return fail(key, "must be at most 604800, a week");
            }
        }
        for name in &self.pass_env {
            if name.starts_with("COUNTERSIGN_") {
                return fail("pass_env", "a server must not get what this program proves itself with");
            }
            if name.is_empty() || name.contains('=') {
                return fail("pass_env", "must be names of variables");
            }
        }
        if let Some(method) = self.pass_methods.iter().find(|method| is_own(method)) {
            return fail("pass_methods", &format!("{method} does not pass: the gate answers it"));
        }
        for (name, tool) in &self.tools {
            let key = |member: &str| format!("tools.{name}.{member}");
            if tool.operation.as_ref().is_some_and(|operation| Identifier::parse(operation).is_err()) {
                return fail(&key("operation"), "must be an identifier: docs/limits.md");
            }
            if tool.instance.as_ref().is_some_and(|pointer| !is_pointer(pointer)) {
                return fail(
                    &key("instance"),
                    "must be a JSON pointer (RFC 6901) into the arguments, such as \"/id\"",
                );
            }
        }
        Ok(self)
    }

    /// What a server may ask of the agent.
    pub fn allowed(&self) -> Allowed {
        Allowed { sampling: self.allow_sampling, elicitation: self.allow_elicitation }
    }

    /// How long a call is held.
    pub fn hold(&self, has_progress: bool) -> Duration {
        Duration::from_secs(if has_progress { self.hold_seconds } else { self.hold_silent_seconds })
    }

    /// How long the request of a call is kept whose caller is gone.
    pub fn linger(&self) -> Duration {
        Duration::from_secs(self.linger_seconds)
    }

    /// The operation of a tool; none if its name cannot be that of one.
    pub fn operation(&self, tool: &str) -> Option<String> {
        let configured = self.tools.get(tool).and_then(|tool| tool.operation.clone());
        let operation = configured.unwrap_or_else(|| format!("mcp:{}/{tool}", self.server));
        Identifier::parse(&operation).is_ok().then_some(operation)
    }

    /// The instance that a call is for; none if the arguments do not have it.
    pub fn instance(&self, tool: &str, arguments: &serde_json::Value) -> Option<String> {
        let Some(pointer) = self.tools.get(tool).and_then(|tool| tool.instance.as_ref()) else {
            return Some(self.server.clone());
        };
        let instance = match arguments.pointer(pointer)? {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            _ => return None,
        };
        InstanceId::parse(&instance).is_ok().then_some(instance)
    }

    /// Whether the instance of a tool is known before it is called.
    pub fn has_fixed_instance(&self, tool: &str) -> bool {
        self.tools.get(tool).is_none_or(|tool| tool.instance.is_none())
    }

    /// The environment of a tool.
    pub fn environment(&self, tool: &str) -> String {
        let configured = self.tools.get(tool).and_then(|tool| tool.environment.clone());
        configured.unwrap_or_else(|| self.environment.clone())
    }
}

/// Whether the gate answers a method itself.
fn is_own(method: &str) -> bool {
    method.starts_with("tools/")
        || method.starts_with("tasks/")
        || method == "resources/read"
        || method == "initialize"
}

fn is_pointer(text: &str) -> bool {
    let is_escaped = |part: &str| part.starts_with('0') || part.starts_with('1');
    text.starts_with('/') && text.split('~').skip(1).all(is_escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_known_is_refused() {
        for (text, said) in [
            ("server = \"a\"\nmodes = \"observe\"", "modes"),
            ("server = \"a\"\n[tools.x]\nrisk = \"low\"", "risk"),
            ("server = \"a\"\nmode = \"off\"", "off"),
            ("", "needs a name"),
            ("server = \"a/b\"", "48"),
            ("server = \"a\"\npass_env = [\"COUNTERSIGN_TOKEN\"]", "must not get"),
            ("server = \"a\"\npass_methods = [\"tools/call\"]", "does not pass"),
            ("server = \"a\"\nhold_seconds = 604801", "a week"),
            ("server = \"a\"\n[tools.x]\ninstance = \"id\"", "JSON pointer"),
            ("server = \"a\"\n[tools.x]\noperation = \"a b\"", "identifier"),
        ] {
            let error = Configuration::parse(text).and_then(Configuration::checked).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_call_becomes_an_operation_on_an_instance() {
        let text = "server = \"files\"\n[tools.write]\noperation = \"write_file\"\ninstance = \"/to/path\"\n\
            environment = \"non-production\"";
        let configuration = Configuration::parse(text).and_then(Configuration::checked).unwrap();
        assert_eq!(configuration.operation("write").as_deref(), Some("write_file"));
        assert_eq!(configuration.operation("read").as_deref(), Some("mcp:files/read"));
        assert_eq!(configuration.operation("read it"), None);
        assert_eq!(configuration.operation(&"x".repeat(128)), None);
        let instance = |arguments| configuration.instance("write", &arguments);
        assert_eq!(instance(json!({ "to": { "path": "/a" } })).as_deref(), Some("/a"));
        assert_eq!(instance(json!({ "to": { "path": 7 } })).as_deref(), Some("7"));
        for odd in [json!({}), json!({ "to": { "path": ["/a"] } }), json!({ "to": { "path": "a b" } })] {
            assert_eq!(instance(odd), None);
        }
        assert_eq!(configuration.instance("read", &json!({})).as_deref(), Some("files"));
        assert_eq!(configuration.environment("write"), "non-production");
        assert_eq!(configuration.environment("read"), "production");
    }
}
