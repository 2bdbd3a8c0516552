//! Attributes read back from what is stored, each with the parser of its own type.

use crate::expression::Item;
use crate::keys::FORMAT;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_core::digest::Digest;
use countersign_core::person::PersonId;
use countersign_core::risk::Cost;
use countersign_core::text_key::{KeyedText, TextKey};
use std::collections::BTreeSet;

/// An attribute holds what it cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidAttribute {
    /// Its value is not of its kind.
    #[error("attribute `{0}` has an impossible value")]
    Value(&'static str),
    /// Attributes contradict each other.
    #[error("attributes contradict each other: {0}")]
    Contradiction(&'static str),
}

impl InvalidAttribute {
    /// The attribute, or those that contradict each other.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Value(attribute) | Self::Contradiction(attribute) => attribute,
        }
    }
}

/// Reads an attribute with its own parser; the value itself never enters the error.
pub(crate) fn read<T, E>(
    attribute: &'static str,
    value: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, InvalidAttribute> {
    parse(value).map_err(|_| InvalidAttribute::Value(attribute))
}

/// A text, as an attribute.
pub(crate) fn text_value(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A whole number, as an attribute.
pub(crate) fn number_value(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The text of an attribute that has to be there.
pub(crate) fn read_text<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, InvalidAttribute> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or(InvalidAttribute::Value(name))
}

/// The whole number of an attribute that has to be there.
pub(crate) fn read_number(item: &Item, name: &'static str) -> Result<u64, InvalidAttribute> {
    let value = item.get(name).and_then(|value| value.as_n().ok()).ok_or(InvalidAttribute::Value(name))?;
    read(name, value, str::parse)
}

/// That an item has this set of attributes.
pub(crate) fn check_format(item: &Item, format: &str) -> Result<(), InvalidAttribute> {
    if read_text(item, FORMAT)? == format { Ok(()) } else { Err(InvalidAttribute::Value(FORMAT)) }
}

pub(crate) fn read_option<T, E>(
    attribute: &'static str,
    value: Option<&String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, InvalidAttribute> {
    value.map(|value| read(attribute, value, parse)).transpose()
}

/// In the place of the key of a text that was erased. In the place of the text is its digest.
const ERASED: &str = "erased";

/// A text and its key, as attributes.
pub(crate) fn keyed<T: AsRef<str>>(text: &KeyedText<T>) -> (String, String) {
    match text {
        KeyedText::Kept { text, key } => (text.as_ref().to_owned(), key.to_hex()),
        KeyedText::Erased(digest) => (digest.to_string(), ERASED.to_owned()),
    }
}

/// A text and its key, or what is left of them.
pub(crate) fn read_keyed<T, E>(
    attribute: &'static str,
    text: &str,
    key: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<KeyedText<T>, InvalidAttribute> {
    if key == ERASED {
        return Ok(KeyedText::Erased(read(attribute, text, Digest::parse)?));
    }
    Ok(KeyedText::Kept { text: read(attribute, text, parse)?, key: read(attribute, key, TextKey::parse)? })
}

pub(crate) fn read_cost(
    attribute: &'static str,
    value: Option<f64>,
) -> Result<Option<Cost>, InvalidAttribute> {
    value.map(Cost::new).transpose().map_err(|_| InvalidAttribute::Value(attribute))
}

/// The addresses of a person besides the one they are known by.
pub(crate) fn other_addresses(addresses: &BTreeSet<PersonId>, person: &PersonId) -> Vec<String> {
    addresses.iter().filter(|address| *address != person).map(PersonId::to_string).collect()
}

/// All addresses of a person, from those that are stored.
pub(crate) fn all_addresses(
    attribute: &'static str,
    others: &[String],
    person: &str,
) -> Result<BTreeSet<PersonId>, InvalidAttribute> {
    let others = others.iter().map(String::as_str);
    others.chain([person]).map(|address| read(attribute, address, PersonId::from_stored)).collect()
}

/// A value that may not be there, as it is stored.
pub(crate) fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}
