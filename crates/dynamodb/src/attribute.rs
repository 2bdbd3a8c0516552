//! Attributes read back from what is stored, each with the parser of its own type.

use countersign_core::risk::Cost;

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

pub(crate) fn read_option<T, E>(
    attribute: &'static str,
    value: Option<&String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, InvalidAttribute> {
    value.map(|value| read(attribute, value, parse)).transpose()
}

pub(crate) fn read_name<T>(
    attribute: &'static str,
    value: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, InvalidAttribute> {
    parse(value).ok_or(InvalidAttribute::Value(attribute))
}

pub(crate) fn read_cost(
    attribute: &'static str,
    value: Option<f64>,
) -> Result<Option<Cost>, InvalidAttribute> {
    value.map(Cost::new).transpose().map_err(|_| InvalidAttribute::Value(attribute))
}
