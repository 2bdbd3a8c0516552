//! The type of an audit event that is read: one that this version records, or only a name.

use crate::event::EventType;

/// The longest name of a type, in characters.
const MAX_LENGTH: usize = 64;

/// The type of an audit event. An event of a type that this version does not know verifies like any other;
/// what it did to a request is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditEventType {
    /// A type that this version records.
    Known(EventType),
    /// A type of another version.
    Unknown(String),
}

impl AuditEventType {
    /// Reads a name: capitals and underscores, as all types have them.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = !text.is_empty()
            && text.len() <= MAX_LENGTH
            && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let unknown = || is_name.then(|| Self::Unknown(text.to_owned()));
        text.parse().ok().map(Self::Known).or_else(unknown)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(event_type) => event_type.as_str(),
            Self::Unknown(name) => name,
        }
    }

    /// The type, if this version knows it.
    pub fn known(&self) -> Option<EventType> {
        match self {
            Self::Known(event_type) => Some(*event_type),
            Self::Unknown(_) => None,
        }
    }
}

impl From<EventType> for AuditEventType {
    fn from(event_type: EventType) -> Self {
        Self::Known(event_type)
    }
}
