//! In which form an answer is printed.

use crate::error::CommandError;
use crate::view::document;
use crate::view::terminal::{Terminal, write_document};
use crate::view::text::Text;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

/// The form of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// As people read it
    #[default]
    Table,
    /// As JSON
    Json,
    /// As YAML
    Yaml,
    /// The ids of the requests, one on each line
    Id,
}

impl Output {
    /// Whether a person reads it: nothing but the answer is printed on stdout otherwise.
    pub fn is_for_people(self) -> bool {
        self == Self::Table
    }

    /// Whether several answers must be one document.
    pub fn is_document(self) -> bool {
        matches!(self, Self::Json | Self::Yaml)
    }

    /// Prints an answer.
    ///
    /// # Errors
    /// When stdout cannot be written, or the answer names no request and only ids were asked for.
    pub fn print<T: Serialize>(
        self,
        terminal: Terminal,
        answer: &T,
        text: impl FnOnce() -> Text,
    ) -> Result<(), CommandError> {
        match self {
            Self::Table => terminal.print(&text()),
            Self::Json => write_document(&document::json(answer)?),
            Self::Yaml => write_document(&document::yaml(answer)?),
            Self::Id => {
                let answer = serde_json::to_value(answer).map_err(|error| error.to_string())?;
                let ids = ids(&answer).ok_or_else(|| {
                    CommandError::Usage("-o id: the answer of this command names no request".to_owned())
                })?;
                write_document(&ids.join("\n"))
            }
        }
    }
}

/// The ids of the requests that an answer is about, each once; nothing if it is about none.
fn ids(answer: &Value) -> Option<Vec<&str>> {
    let mut ids: Vec<&str> = match answer.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().filter_map(|item| item.get("request_id")?.as_str()).collect(),
        None => vec![answer.get("request_id")?.as_str()?],
    };
    ids.dedup();
    Some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_ids_of_an_answer_are_those_of_its_requests() {
        assert_eq!(ids(&json!({ "request_id": "a", "status": "pending" })), Some(vec!["a"]));
        assert_eq!(
            ids(&json!({ "items": [{ "request_id": "a" }, { "request_id": "b" }] })),
            Some(vec!["a", "b"])
        );
        assert_eq!(ids(&json!({ "items": [{ "request_id": "a" }, { "request_id": "a" }] })), Some(vec!["a"]));
        assert_eq!(ids(&json!({ "items": [] })), Some(vec![]));
        assert_eq!(ids(&json!({ "person": "ann" })), None);
    }
}
