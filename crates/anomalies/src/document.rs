//! Documents: what is stored between batches, each by its key.

use countersign_core::ids::RequestId;
use countersign_core::person::PersonId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Names the form of documents. Another meaning of a member gets another name.
pub const FORMAT: &str = "countersign.anomalies.v1";

/// Which document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKey {
    /// What is remembered of all persons together.
    Deployment,
    /// What is remembered of a person.
    Person(PersonId),
    /// What is remembered of a request that is open.
    Request(RequestId),
}

/// The text is no key of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `deployment`, `person/` and a person, or `request/` and the id of a request")]
pub struct InvalidKey;

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployment => f.write_str("deployment"),
            Self::Person(person) => write!(f, "person/{person}"),
            Self::Request(request) => write!(f, "request/{request}"),
        }
    }
}

impl FromStr for DocumentKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        match text.split_once('/') {
            None if text == "deployment" => Ok(Self::Deployment),
            Some(("person", id)) => PersonId::from_stored(id).map(Self::Person).map_err(|_| InvalidKey),
            Some(("request", id)) => RequestId::parse(id).map(Self::Request).map_err(|_| InvalidKey),
            None | Some(_) => Err(InvalidKey),
        }
    }
}

/// The text is no document, or one of another form.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableDocument {
    /// The text is no document.
    #[error("the document of {0} cannot be read: {1}")]
    Malformed(DocumentKey, #[source] serde_json::Error),
    /// The document has the form of another version.
    #[error("the document of {0} has the format {1}, not {FORMAT}")]
    OtherFormat(DocumentKey, String),
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    format: String,
    document: T,
}

/// What a stored document has.
pub(crate) fn read<T: DeserializeOwned>(key: &DocumentKey, text: &str) -> Result<T, UnreadableDocument> {
    #[derive(Deserialize)]
    struct Form {
        format: String,
    }
    let malformed = |error| UnreadableDocument::Malformed(key.clone(), error);
    let form: Form = serde_json::from_str(text).map_err(malformed)?;
    if form.format != FORMAT {
        return Err(UnreadableDocument::OtherFormat(key.clone(), form.format));
    }
    let stored: Stored<T> = serde_json::from_str(text).map_err(malformed)?;
    Ok(stored.document)
}

/// The document as it is stored. Equal values have equal documents, byte by byte.
pub(crate) fn write<T: Serialize>(document: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Stored { format: FORMAT.to_owned(), document })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_nothing_else_does() {
        for text in [
            "deployment",
            "person/ann@example.com",
            "person/service:ci/deploy",
            "request/01930000-0000-7000-8000-00000000beef",
        ] {
            assert_eq!(text.parse::<DocumentKey>().unwrap().to_string(), text);
        }
        for text in ["", "person", "person/", "person/Ann@example.com", "request/1", "deployment/", "day/1"] {
            assert_eq!(text.parse::<DocumentKey>(), Err(InvalidKey), "{text}");
        }
    }

    #[test]
    fn a_document_of_another_form_is_refused() {
        let key = DocumentKey::Deployment;
        assert_eq!(read::<u8>(&key, &write(&7_u8).unwrap()).unwrap(), 7);
        let other = r#"{"format":"countersign.anomalies.v2","document":{"new":true}}"#;
        assert!(matches!(read::<u8>(&key, other), Err(UnreadableDocument::OtherFormat(..))));
        assert!(matches!(read::<u8>(&key, "{}"), Err(UnreadableDocument::Malformed(..))));
    }
}
