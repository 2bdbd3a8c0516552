//! Operations that a runbook of AWS Systems Manager carries out, one pinned version of a runbook each. What a runbook
//! does to its target, it alone knows: the parameters of a request are its parameters.

use crate::planner::{Call, EXECUTION_ID, Fault, Plan, Planner};
use crate::target::Target;
use countersign_core::runbook::Runbook;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The most values of a parameter, and the most characters of a value.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html>
const MAX_VALUES: usize = 200;
const MAX_VALUE: usize = 512;

/// The planner of runbooks: which one carries out which operation.
#[derive(Debug, Clone, Default)]
pub struct SsmAutomation {
    /// By operation.
    pub runbooks: BTreeMap<String, Runbook>,
}

impl SsmAutomation {
    fn read(
        &self,
        operation_type: &str,
        parameters: &Value,
    ) -> Result<(&Runbook, Map<String, Value>), Vec<Fault>> {
        let Some(runbook) = self.runbooks.get(operation_type) else {
            let message = "has no runbook".to_owned();
            return Err(vec![Fault { pointer: "/operation_type".to_owned(), message }]);
        };
        let values = values(parameters, Some(&runbook.instance_parameter))?;
        Ok((runbook, values))
    }
}

/// Whether some runbook could have these parameters: all that can be said where the runbook is not known.
///
/// # Errors
/// With all rules that they break.
pub fn check(parameters: &Value) -> Result<(), Vec<Fault>> {
    values(parameters, None).map(|_| ())
}

/// Parameters as a runbook takes them. One of its parameters is the request's target.
fn values(parameters: &Value, instance_parameter: Option<&String>) -> Result<Map<String, Value>, Vec<Fault>> {
    let Some(members) = parameters.as_object() else {
        return Err(vec![Fault::of_parameter("", "must be an object")]);
    };
    let mut faults = Vec::new();
    let mut values = Map::new();
    for (name, value) in members {
        let is_name = (1..=50).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_name {
            faults.push(Fault::of_parameter(name, "is no name of a runbook's parameter"));
        } else if Some(name) == instance_parameter {
            faults.push(Fault::of_parameter(name, "is the request's `instance_id`"));
        } else if let Some(texts) = texts(value) {
            values.insert(name.clone(), json!(texts));
        } else {
            let rule = "must be a text of at most 512 characters, a number, true, false, or a list of them";
            faults.push(Fault::of_parameter(name, rule));
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

/// A runbook's parameters are lists of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        (text.chars().count() <= MAX_VALUE).then_some(text)
    };
    match value {
        Value::Array(values) if values.len() <= MAX_VALUES => values.iter().map(text).collect(),
        single => Some(vec![text(single)?]),
    }
}

impl Planner for SsmAutomation {
    fn knows(&self, operation_type: &str) -> bool {
        self.runbooks.contains_key(operation_type)
    }

    fn validate(&self, operation_type: &str, parameters: &Value) -> Result<(), Vec<Fault>> {
        self.read(operation_type, parameters).map(|_| ())
    }

    fn plan(
        &self,
        operation_type: &str,
        instance_id: &str,
        parameters: &Value,
        _: Option<&Target>,
    ) -> Result<Plan, Vec<Fault>> {
        let (runbook, mut values) = self.read(operation_type, parameters)?;
        values.insert(runbook.instance_parameter.clone(), json!([instance_id]));
        let call = Call::new("ssm:StartAutomationExecution")
            .with("DocumentName", runbook.document.as_str())
            .with("DocumentVersion", runbook.version.as_str())
            .with("Parameters", values)
            .with("ClientToken", EXECUTION_ID);
        Ok(Plan::of(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planner() -> SsmAutomation {
        let runbook = Runbook::parse("AWS-ResizeInstance:3:InstanceId").unwrap();
        SsmAutomation { runbooks: [("resize".to_owned(), runbook)].into() }
    }

    #[test]
    fn a_plan_is_of_the_pinned_version_with_the_execution_as_token() {
        let plan =
            planner().plan("resize", "i-1", &json!({ "InstanceType": "m5.large", "N": 2 }), None).unwrap();
        let call = &plan.of_execution("0193").calls[0];
        assert_eq!(call.action, "ssm:StartAutomationExecution");
        assert_eq!(
            Value::Object(call.parameters.clone()),
            json!({
                "DocumentName": "AWS-ResizeInstance",
                "DocumentVersion": "3",
                "ClientToken": "0193",
                "Parameters": { "InstanceId": ["i-1"], "InstanceType": ["m5.large"], "N": ["2"] },
            })
        );
    }

    #[test]
    fn parameters_that_a_runbook_could_not_have_are_refused_together() {
        let long = "x".repeat(513);
        let parameters = json!({ "InstanceId": "i-2", "a b": "x", "Deep": { "a": 1 }, "Long": long });
        let faults = planner().validate("resize", &parameters).unwrap_err();
        let mut pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(
            pointers,
            ["/parameters/Deep", "/parameters/InstanceId", "/parameters/Long", "/parameters/a b"]
        );
        assert!(planner().validate("reboot", &json!({})).is_err());
    }
}
