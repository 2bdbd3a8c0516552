//! Digests of texts: HMAC-SHA-256 under random bytes that are kept beside the text, until both are erased.
//!
//! A plain digest of a short text can be guessed by trying texts. A holder of text and key can show that they
//! belong to a digest; once both are erased, nothing can be guessed from the digest that is left.

use crate::canonical::CanonicalJson;
use crate::digest::Digest;
use std::fmt;

/// The 16 random bytes under which the texts of one event are digested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TextKey([u8; 16]);

/// The text is not 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 32 lower-case hex digits")]
pub struct InvalidTextKey;

impl TextKey {
    /// A key of 16 random bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads 32 lower-case hex digits.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidTextKey> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidTextKey)?;
        let key = Self(bytes);
        if key.to_hex() == text { Ok(key) } else { Err(InvalidTextKey) }
    }

    /// The key as 32 lower-case hex digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// HMAC-SHA-256 over the text's UTF-8 bytes.
    pub fn digest(self, text: &str) -> Digest {
        Digest::keyed(&self.0, &[text.as_bytes()])
    }
}

impl fmt::Debug for TextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextKey(..)")
    }
}

/// A text and the key of its digest, or what is left of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyedText<T> {
    /// They are kept.
    Kept {
        /// The text.
        text: T,
        /// The key of its digest.
        key: TextKey,
    },
    /// They were erased: the digest.
    Erased(Digest),
}

impl<T: AsRef<str>> KeyedText<T> {
    /// The digest of the text under its key.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Kept { text, key } => key.digest(text.as_ref()),
            Self::Erased(digest) => *digest,
        }
    }

    /// The text and its key, unless they were erased.
    pub fn kept(&self) -> Option<(&T, TextKey)> {
        match self {
            Self::Kept { text, key } => Some((text, *key)),
            Self::Erased(_) => None,
        }
    }

    /// The text, unless it was erased.
    pub fn text(&self) -> Option<&str> {
        self.kept().map(|(text, _)| text.as_ref())
    }

    /// Leaves the digest only.
    pub fn erase(&mut self) {
        *self = Self::Erased(self.digest());
    }
}

/// A document and its digest, which is plain: SHA-256 of its bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum DigestedDocument {
    /// It is kept.
    Kept(CanonicalJson),
    /// It was erased: the digest.
    Erased(Digest),
}

impl DigestedDocument {
    /// SHA-256 of the bytes of the document.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Kept(document) => document.digest(),
            Self::Erased(digest) => *digest,
        }
    }

    /// The document, unless it was erased.
    pub fn kept(&self) -> Option<&CanonicalJson> {
        match self {
            Self::Kept(document) => Some(document),
            Self::Erased(_) => None,
        }
    }

    /// Leaves the digest only.
    pub fn erase(&mut self) {
        *self = Self::Erased(self.digest());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_its_text_and_its_key() {
        let key = TextKey::new([7; 16]);
        assert_eq!(
            key.digest("text").to_string(),
            "47b15b1fffd938c92a937e3414cca62dbe8fb907ffe256d3c5c9f38749e30a44"
        );
        assert_ne!(key.digest("text"), key.digest("texu"));
        assert_ne!(key.digest("text"), TextKey::new([8; 16]).digest("text"));
        assert_eq!(TextKey::parse(&key.to_hex()), Ok(key));
        for text in ["", "07", &"0A".repeat(16), &"07".repeat(17)] {
            assert_eq!(TextKey::parse(text), Err(InvalidTextKey), "{text}");
        }
    }
}
