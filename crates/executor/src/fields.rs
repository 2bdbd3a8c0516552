//! The parameters of an operation, read strictly: every broken rule is found at once, and a parameter that nothing
//! reads is refused.

use crate::planner::Fault;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// Parameters on their way to becoming values.
#[derive(Debug)]
pub(crate) struct Fields {
    left: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Fields {
    pub(crate) fn read(parameters: &Value) -> Self {
        match parameters {
            Value::Object(members) => Self { left: members.clone(), faults: Vec::new() },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Self { left: Map::new(), faults: vec![Fault::of_parameter("", "must be an object")] }
            }
        }
    }

    pub(crate) fn fault(&mut self, name: &str, message: impl Into<String>) {
        self.faults.push(Fault::of_parameter(name, message));
    }

    /// Takes a parameter out. It may have several names, of which a caller uses one.
    pub(crate) fn take(&mut self, names: &[&'static str]) -> Option<(&'static str, Value)> {
        let given: Vec<_> = names.iter().filter_map(|name| Some((*name, self.left.remove(*name)?))).collect();
        let (first, _) = *given.first().as_ref()?;
        for (name, _) in given.iter().skip(1) {
            self.fault(name, format!("means the same as `{first}`: give one of them"));
        }
        given.into_iter().next()
    }

    /// The same for one that must be there.
    pub(crate) fn take_required(&mut self, names: &[&'static str]) -> Option<(&'static str, Value)> {
        let taken = self.take(names);
        if let (None, Some(name)) = (&taken, names.first()) {
            self.fault(name, "is required");
        }
        taken
    }

    /// A text that keeps a rule.
    pub(crate) fn text(
        &mut self,
        given: Option<(&'static str, Value)>,
        rule: fn(&str) -> Result<(), &'static str>,
    ) -> Option<String> {
        let (name, value) = given?;
        let Value::String(text) = value else {
            self.fault(name, "must be a text");
            return None;
        };
        match rule(&text) {
            Ok(()) => Some(text),
            Err(message) => {
                self.fault(name, message);
                None
            }
        }
    }

    /// A whole number in a range.
    pub(crate) fn whole(
        &mut self,
        given: Option<(&'static str, Value)>,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let (name, value) = given?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            self.fault(name, format!("must be a whole number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let (name, value) = self.take(&[name])?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.fault(name, "must be true or false");
        }
        flag
    }

    /// A parameter that has one value if it is there at all.
    pub(crate) fn fixed(&mut self, name: &'static str, only: bool, message: &'static str) {
        if let Some((name, value)) = self.take(&[name])
            && value != Value::Bool(only)
        {
            self.fault(name, message);
        }
    }

    /// A parameter that must not be there.
    pub(crate) fn refuse(&mut self, names: &[&'static str], message: &'static str) {
        for name in names {
            if self.left.remove(*name).is_some() {
                self.fault(name, message);
            }
        }
    }

    /// All broken rules.
    pub(crate) fn finish(mut self) -> Vec<Fault> {
        for name in std::mem::take(&mut self.left).keys() {
            self.fault(name, "is not a parameter of this operation");
        }
        self.faults
    }
}
