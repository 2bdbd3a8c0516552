//! What a person calls a request: all of its id, or the beginning. Finds nothing itself.

use countersign_core::ids::RequestId;

/// What a person calls a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestName {
    /// All of its id.
    Id(RequestId),
    /// The beginning, of at least four characters.
    Prefix(String),
}

/// The text names no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is neither an id nor the beginning of one (4 characters or more)", .0.escape_debug())]
pub struct InvalidName(String);

impl RequestName {
    /// Reads a name.
    ///
    /// # Errors
    /// When it cannot be one.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if let Ok(id) = RequestId::parse(text) {
            return Ok(Self::Id(id));
        }
        let may_begin_an_id = text.bytes().all(|b| b == b'-' || matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if may_begin_an_id && (4..36).contains(&text.len()) {
            return Ok(Self::Prefix(text.to_owned()));
        }
        Err(InvalidName(text.to_owned()))
    }
}
