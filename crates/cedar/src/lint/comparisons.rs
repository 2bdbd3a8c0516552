//! Comparisons with what there cannot be, and with names in capitals, each by itself: the policy around it
//! may hold all the same.

use crate::context::EntityTypes;
use countersign_core::policy::finding::Name;
use countersign_core::text::{Identifier, InstanceId};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What is odd in the conditions of a policy, as Cedar's JSON has them.
pub(super) fn odd(policy: &Value, is_permit: bool, entity_types: &EntityTypes) -> BTreeSet<(Name, String)> {
    let mut reader = Reader { entity_types, names: BTreeSet::new(), found: BTreeSet::new() };
    reader.read_operations(policy);
    reader.read(policy.get("conditions").unwrap_or(&Value::Null));
    reader.told(is_permit)
}

/// Stands for the wildcard of a pattern among its letters, of which `*` is one.
const WILDCARD: char = '\0';

struct Reader<'a> {
    entity_types: &'a EntityTypes,
    /// What operations and instances are compared with: what it is a name of, and the name or pattern.
    names: BTreeSet<(&'static str, String)>,
    found: BTreeSet<(Name, String)>,
}

impl Reader<'_> {
    /// The operations that are named as entities, in the scope and in conditions.
    fn read_operations(&mut self, node: &Value) {
        match node {
            Value::Array(nodes) => nodes.iter().for_each(|node| self.read_operations(node)),
            Value::Object(members) => {
                let is_operation = members.get("type").is_some_and(|of| of == "Operation");
                if let Some(id) = members.get("id").and_then(Value::as_str).filter(|_| is_operation) {
                    self.names.insert(("operation", id.to_owned()));
                }
                members.values().for_each(|node| self.read_operations(node));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn read(&mut self, node: &Value) {
        match node {
            Value::Array(nodes) => nodes.iter().for_each(|node| self.read(node)),
            Value::Object(members) => {
                for (operator, operands) in members {
                    self.read_comparison(operator, operands);
                    self.read(operands);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn read_comparison(&mut self, operator: &str, operands: &Value) {
        let (Some(left), right) = (operands.get("left"), operands.get("right").unwrap_or(&Value::Null))
        else {
            return;
        };
        if let Some(attribute) = attribute(left) {
            self.compared(attribute, operator, right, false, operands);
        }
        if let Some(attribute) = attribute(right) {
            self.compared(attribute, operator, left, true, operands);
        }
    }

    fn compared(&mut self, attribute: &str, operator: &str, with: &Value, is_turned: bool, operands: &Value) {
        let what = match attribute {
            "operation" => "operation",
            "instance" => "instance",
            "groups" => return self.texts(with).into_iter().for_each(|name| self.read_group(&name)),
            "hour" => return self.read_number("hour", 24, operator, with, is_turned),
            "minute" => return self.read_number("minute", 60, operator, with, is_turned),
            _ => return,
        };
        let names = if operator == "like" {
            let star = |part: Option<String>| part.unwrap_or_else(|| WILDCARD.to_string());
            vec![pattern(operands).into_iter().map(star).collect()]
        } else {
            self.texts(with)
        };
        self.names.extend(names.into_iter().map(|name| (what, name)));
    }

    /// The texts of a value or a set.
    fn texts(&self, node: &Value) -> Vec<String> {
        match node {
            Value::Array(nodes) => nodes.iter().flat_map(|node| self.texts(node)).collect(),
            Value::String(text) => vec![text.clone()],
            Value::Object(members) => {
                let values = ["Value", "Set"].into_iter().filter_map(|key| members.get(key));
                values.flat_map(|node| self.texts(node)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
        }
    }

    fn read_group(&mut self, name: &str) {
        if !self.entity_types.groups().any(|known| known == name) {
            let name = name.escape_debug();
            let message =
                format!("asks for the group `{name}`, which is not one of the groups in people.toml");
            self.found.insert((Name::ImpossibleText, message));
        }
    }

    fn read_number(&mut self, what: &str, end: i64, operator: &str, with: &Value, is_turned: bool) {
        let is_set = operator.starts_with("contains");
        if let (true, Some(elements)) = (is_set, with.get("Set").and_then(Value::as_array)) {
            for number in elements.iter().filter_map(|element| element.get("Value").and_then(Value::as_i64)) {
                if !(0..end).contains(&number) {
                    let message = format!("looks for {number} in `context.{what}`: it is 0 to {}", end - 1);
                    self.found.insert((Name::ImpossibleNumber, message));
                }
            }
        }
        let Some(number) = with.get("Value").and_then(Value::as_i64) else { return };
        let holds = |value: i64| {
            let (left, right) = if is_turned { (number, value) } else { (value, number) };
            match operator {
                "==" => left == right,
                "!=" => left != right,
                "<" => left < right,
                "<=" => left <= right,
                ">" => left > right,
                _ => left >= right,
            }
        };
        if !["==", "!=", "<", "<=", ">", ">="].contains(&operator) {
            return;
        }
        // `hour < 24` is how an end is written, and always true.
        if !(0..=end).contains(&number) || !(0..end).any(holds) {
            let message = format!("compares `context.{what}` with {number}: it is 0 to {}", end - 1);
            self.found.insert((Name::ImpossibleNumber, message));
        }
    }

    fn told(mut self, is_permit: bool) -> BTreeSet<(Name, String)> {
        for (what, name) in &self.names {
            let as_written = name.replace(WILDCARD, "*");
            let shown = as_written.escape_debug();
            let lower = name.to_ascii_lowercase();
            let is_instance = what.contains("instance");
            let could_be = |star: &str| {
                let name = name.replace(WILDCARD, star);
                if is_instance { InstanceId::parse(&name).is_ok() } else { Identifier::parse(&name).is_ok() }
            };
            if !could_be("") && !could_be("x") {
                let rule = if is_instance {
                    "visible characters of ASCII without spaces and * ? < > `, not starting with - + = @"
                } else {
                    "letters, digits and - _ . : / @ alone, beginning with a letter or digit"
                };
                let hint =
                    if name.contains('*') { "; `*` stands for anything after `like` alone" } else { "" };
                let message = format!("compares with `{shown}`, which no {what} can be: {rule}{hint}");
                self.found.insert((Name::ImpossibleText, message));
            } else if lower != *name && !self.names.contains(&(*what, lower.clone())) {
                let so = if is_permit {
                    "permits nothing by it: what is permitted has to be so in lower case too"
                } else {
                    "does not hold for other spellings: each access_request is asked in lower case too"
                };
                let message = format!(
                    "names the {what} `{shown}` with capitals and {so}; write `{}`",
                    lower.replace(WILDCARD, "*")
                );
                self.found.insert((Name::CapitalsInName, message));
            }
        }
        self.found
    }
}

/// What `like` compares with, as Cedar's JSON has it.
fn pattern(like: &Value) -> Vec<Option<String>> {
    let parts = like.get("pattern").and_then(Value::as_array).into_iter().flatten();
    let mut pattern: Vec<Option<String>> = Vec::new();
    for part in parts {
        match (part.get("Literal").and_then(Value::as_str), pattern.last_mut()) {
            // Cedar has a part for each letter.
            (Some(text), Some(Some(before))) => before.push_str(text),
            (Some(text), _) => pattern.push(Some(text.to_owned())),
            (None, _) => pattern.push(None),
        }
    }
    pattern
}

/// What an expression in Cedar's JSON asks of the context.
fn attribute(node: &Value) -> Option<&str> {
    let members: &Map<String, Value> = node.get(".")?.as_object()?;
    let of_context = members.get("left")?.get("Var")? == "context";
    members.get("attr").filter(|_| of_context)?.as_str()
}
