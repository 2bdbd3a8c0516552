//! The members of an agent's document, read strictly: one of another type is a fault, not absent.

use crate::refusal::Refusal;
use countersign_core::canonical;
use serde_json::{Map, Value};

/// The largest document that is read before a tool is used. Parameters have 64 KiB at most as canonical JSON, and escapes
/// make them up to six times as long; the rest is what agents send besides.
pub const MAX_BYTES: usize = 1024 * 1024;

/// A document of an agent.
#[derive(Debug, Clone)]
pub struct Members(Map<String, Value>);

impl Members {
    /// Reads a document in which every value counts: what can be read in two ways is refused.
    ///
    /// # Errors
    /// What is too large, no JSON of exactly one reading, or no object.
    pub fn strict(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_BYTES {
            return Err(Refusal::too_large(MAX_BYTES));
        }
        let value = canonical::read(bytes)
            .map_err(|error| Refusal::unreadable(format!("the input of the hook: {error}")))?;
        Self::of(value)
    }

    /// Reads a document of which only the digest of its result is reported: a result may be any JSON.
    ///
    /// # Errors
    /// What is no JSON, or no object.
    pub fn lenient(bytes: &[u8]) -> Result<Self, Refusal> {
        let value = serde_json::from_slice(bytes);
        // The words of the reader may quote the document.
        Self::of(value.map_err(|_| Refusal::unreadable("the input of the hook is not valid JSON"))?)
    }

    /// The members of an object.
    ///
    /// # Errors
    /// When it is none.
    pub fn of(value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(Refusal::unreadable("the input of the hook is not a JSON object")),
        }
    }

    /// A text that may be left out, `null` or empty.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(Refusal::unreadable(format!("`{name}` in the input of the hook is not a string"))),
        }
    }

    /// A text that has to be there.
    ///
    /// # Errors
    /// When it is not, or is empty or something else.
    pub fn required_text(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?
            .ok_or_else(|| Refusal::unreadable(format!("there is no `{name}` in the input of the hook")))
    }

    /// A member as it is.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A member that is an object.
    ///
    /// # Errors
    /// When it is not there, or something else.
    pub fn object(&self, name: &str) -> Result<Value, Refusal> {
        match self.0.get(name) {
            Some(object @ Value::Object(_)) => Ok(object.clone()),
            _ => Err(Refusal::unreadable(format!("`{name}` in the input of the hook is not an object"))),
        }
    }

    /// A member that is an object, or a text that holds one as JSON: some agents send arguments so. The text is read
    /// by the rules of the document.
    ///
    /// # Errors
    /// When it is neither.
    pub fn object_or_text(&self, name: &str) -> Result<Value, Refusal> {
        let Some(Value::String(text)) = self.0.get(name) else { return self.object(name) };
        let read = canonical::read(text.as_bytes());
        let value =
            read.map_err(|error| Refusal::unreadable(format!("`{name}` in the input of the hook: {error}")))?;
        match value {
            object @ Value::Object(_) => Ok(object),
            _ => Err(Refusal::unreadable(format!("`{name}` in the input of the hook holds no object"))),
        }
    }

    /// A list of texts that may be left out.
    ///
    /// # Errors
    /// When it is something else.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let fault =
            || Refusal::unreadable(format!("`{name}` in the input of the hook is not a list of strings"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(fault)).collect()
            }
            Some(_) => Err(fault()),
        }
    }

    /// The name of the event, which must be one of these.
    ///
    /// # Errors
    /// When it is another, or is missing.
    pub fn event(&self, name: &str, allowed: &[&str]) -> Result<String, Refusal> {
        let event = self.required_text(name)?;
        if allowed.contains(&event.as_str()) {
            return Ok(event);
        }
        Err(Refusal::unreadable(format!(
            "`{name}` in the input of the hook is not {}: the hook is installed for another event",
            allowed.join(" or ")
        )))
    }

    /// That there are no members but these.
    ///
    /// # Errors
    /// When there is another.
    pub fn only(&self, allowed: &[&str]) -> Result<(), Refusal> {
        if self.0.keys().all(|name| allowed.contains(&name.as_str())) {
            return Ok(());
        }
        Err(Refusal::unreadable(format!(
            "the input of the hook has members other than {}",
            allowed.join(", ")
        )))
    }
}
