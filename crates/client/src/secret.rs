//! Text that must not be seen: a token, or a code that is worth one.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A text that shows itself only to who asks for it by name. Its debug form says nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text. White space around it belongs to the file it came from.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Whether it can be sent as a bearer token (RFC 6750 section 2.1).
    pub fn is_bearer_token(&self) -> bool {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        !self.0.is_empty() && self.0.bytes().all(is_allowed)
    }

    /// The text, for a header or a form.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
