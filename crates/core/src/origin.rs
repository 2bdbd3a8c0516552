//! The deployment that an audit event was recorded by.

use crate::digest::DeploymentKey;
use std::fmt;

/// The longest origin, in characters.
const MAX_LENGTH: usize = 255;
/// The characters of a key's fingerprint.
const FINGERPRINT: usize = 32;

/// Names a deployment by a URN with a fingerprint of its key.
///
/// No setting is needed: two deployments that have equal names differ all the same, and a deployment that moves
/// to another host or address stays the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// The text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 printable ASCII characters without spaces")]
pub struct InvalidOrigin;

impl Origin {
    /// The origin of what the deployment with this key records.
    pub fn of(key: &DeploymentKey) -> Self {
        let fingerprint = hex::encode(key.purpose_key("countersign.origin.v1"));
        let fingerprint: String = fingerprint.chars().take(FINGERPRINT).collect();
        Self(format!("urn:countersign:deployment:{fingerprint}"))
    }

    /// Reads any deployment's origin.
    ///
    /// # Errors
    /// A text that could not be shown as it is.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let is_printable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_printable && text.len() <= MAX_LENGTH { Ok(Self(text.to_owned())) } else { Err(InvalidOrigin) }
    }

    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_of_its_key() {
        let origin = Origin::of(&DeploymentKey::new([7; 32]));
        assert_eq!(Origin::parse(origin.as_str()), Ok(origin.clone()));
        assert_eq!(origin.as_str().len(), "urn:countersign:deployment:".len() + 32);
        assert_ne!(origin, Origin::of(&DeploymentKey::new([8; 32])));
        for text in ["", "a b", "\u{e9}", &"x".repeat(256)] {
            assert_eq!(Origin::parse(text), Err(InvalidOrigin), "{text}");
        }
    }
}
