//! What can be said of an operation without calling anything: whether its parameters can be carried out, and by which
//! calls.

use crate::target::Target;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What stands in a plan for the execution's id, which a request has once it is started.
pub const EXECUTION_ID: &str = "${execution_id}";

/// A rule that a request breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where in the body of a creation (RFC 6901).
    pub pointer: String,
    /// The rule.
    pub message: String,
}

impl Fault {
    /// A fault of a parameter, or of all of them if it has no name.
    pub fn of_parameter(name: &str, message: impl Into<String>) -> Self {
        let pointer = match name {
            "" => "/parameters".to_owned(),
            name => format!("/parameters/{}", name.replace('~', "~0").replace('/', "~1")),
        };
        Self { pointer, message: message.into() }
    }

    /// A fault of the target.
    pub fn of_target(message: impl Into<String>) -> Self {
        Self { pointer: "/instance_id".to_owned(), message: message.into() }
    }
}

/// The calls to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// In this order. While the target is not known there may be alternatives, each with its `when`.
    pub calls: Vec<Call>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The action, such as `rds:ModifyDBInstance`.
    pub action: String,
    /// What it is called with, named as the called system names it. `${execution_id}` stands for the execution's id.
    pub parameters: Map<String, Value>,
    /// Parameters that the executor's configuration adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configured: Vec<String>,
    /// In which state of the target this call is made, if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

impl Call {
    /// A call without parameters so far.
    pub fn new(action: &str) -> Self {
        Self { action: action.to_owned(), parameters: Map::new(), configured: Vec::new(), when: None }
    }

    /// The same with a parameter more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a parameter more, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl Plan {
    /// A plan of one call.
    pub fn of(call: Call) -> Self {
        Self { calls: vec![call] }
    }

    /// The same with the execution's id where it belongs.
    #[must_use]
    pub fn of_execution(&self, execution_id: &str) -> Self {
        let mut plan = self.clone();
        for call in &mut plan.calls {
            for value in call.parameters.values_mut() {
                fill(value, execution_id);
            }
        }
        plan
    }
}

fn fill(value: &mut Value, execution_id: &str) {
    match value {
        Value::String(text) => *text = text.replace(EXECUTION_ID, execution_id),
        Value::Array(elements) => elements.iter_mut().for_each(|element| fill(element, execution_id)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, execution_id)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The pure half of an executor.
pub trait Planner {
    /// Whether it carries out operations of this type at all.
    fn knows(&self, operation_type: &str) -> bool;

    /// All rules that the parameters of an operation break.
    ///
    /// # Errors
    /// When there is such a rule.
    fn validate(&self, operation_type: &str, parameters: &Value) -> Result<(), Vec<Fault>>;

    /// The calls to come, as far as they are known: without a target, there may be alternatives.
    ///
    /// # Errors
    /// As for [`Self::validate`], and when the target is in no state for it.
    fn plan(
        &self,
        operation_type: &str,
        instance_id: &str,
        parameters: &Value,
        target: Option<&Target>,
    ) -> Result<Plan, Vec<Fault>>;
}
