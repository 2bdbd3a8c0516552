//! What an executor saw of a target: a document that approvers are shown and that is looked at again before anything is
//! done.

use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::Digest;
use serde_json::{Map, Value};

/// The most that the service takes, as canonical JSON.
pub const MAX_BYTES: usize = 16 * 1024;

/// The state of a target at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Target(Map<String, Value>);

/// What is seen cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// It has no members.
    #[error("a target is a JSON object")]
    NoObject,
    /// It is more than the service takes.
    #[error("a target has at most {MAX_BYTES} bytes as canonical JSON")]
    TooLong,
}

impl Target {
    /// Checks a document.
    ///
    /// # Errors
    /// When it is no object, or too long.
    pub fn new(document: Value) -> Result<Self, InvalidTarget> {
        if CanonicalJson::of(&document).as_str().len() > MAX_BYTES {
            return Err(InvalidTarget::TooLong);
        }
        match document {
            Value::Object(members) => Ok(Self(members)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(InvalidTarget::NoObject)
            }
        }
    }

    /// Its members.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The document.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// SHA-256 of its canonical form.
    pub fn digest(&self) -> Digest {
        CanonicalJson::of(&self.to_value()).digest()
    }

    /// The names of the members that are not the same in both.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let names: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let differing = names.into_iter().filter(|name| {
            let canonical = |target: &Self| target.0.get(*name).map(CanonicalJson::of);
            canonical(self) != canonical(other)
        });
        differing.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_target_is_an_object_of_limited_length() {
        assert_eq!(Target::new(json!([])), Err(InvalidTarget::NoObject));
        let of = |length: usize| Target::new(json!({ "a": "x".repeat(length) }));
        assert!(of(MAX_BYTES - 8).is_ok());
        assert_eq!(of(MAX_BYTES - 7), Err(InvalidTarget::TooLong));
    }

    #[test]
    fn differences_are_of_values_and_not_of_how_they_are_written() {
        let target = |document| Target::new(document).unwrap();
        let (one, other) =
            (target(json!({ "a": 1.0, "b": 2 })), target(json!({ "a": 1, "b": 3, "c": null })));
        assert_eq!(one.differences(&other), ["b", "c"]);
        assert_eq!(one.differences(&one), [""; 0]);
        assert_eq!(target(json!({ "b": 2, "a": 1 })).digest(), one.digest());
    }
}
