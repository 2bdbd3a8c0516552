//! SHA-256 digests and keyed digests (HMAC-SHA-256), as 64 lower-case hex digits.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 64 lower-case hex digits")]
pub struct InvalidDigest;

impl Digest {
    /// What the first event of a chain names as its predecessor.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes.as_ref()).into())
    }

    /// Reads 64 lower-case hex digits. Upper case is refused, so that one digest has one spelling.
    pub fn parse(text: &str) -> Result<Self, InvalidDigest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidDigest)?;
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(InvalidDigest);
        }
        Ok(Self(bytes))
    }

    /// HMAC-SHA-256 over some parts, one after another.
    pub(crate) fn keyed(key: &[u8], parts: &[&[u8]]) -> Self {
        // INVARIANT: HMAC takes a key of any length, so this cannot fail; an error would still
        // give a digest that matches nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
            return Self::ZERO;
        };
        for part in parts {
            mac.update(part);
        }
        Self(mac.finalize().into_bytes().into())
    }

    /// The digest of these 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The deployment's key: for seals, and what other keys are derived from.
#[derive(Clone)]
pub struct DeploymentKey([u8; 32]);

impl DeploymentKey {
    /// A key of 32 secret bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC-SHA-256 over `context`, a zero byte and `text`. The context keeps what is made for one purpose
    /// from being good for another.
    pub fn digest(&self, context: &str, text: &str) -> Digest {
        Digest::keyed(&self.0, &[context.as_bytes(), &[0], text.as_bytes()])
    }

    /// The key of one purpose, such as `countersign.cursor.v1.mac`: nothing is learnt from it of this
    /// one, or of that of another purpose.
    pub fn purpose_key(&self, purpose: &str) -> [u8; 32] {
        *self.digest(purpose, "").as_bytes()
    }
}

impl fmt::Debug for DeploymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeploymentKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // FIPS 180-4 example and RFC 4231 test case 1 with the zero byte and context moved in.
        assert_eq!(
            Digest::of("abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let key = DeploymentKey::new([7; 32]);
        assert_ne!(key.digest("a", "text"), key.digest("b", "text"));
        assert_ne!(key.digest("a", "text"), DeploymentKey::new([8; 32]).digest("a", "text"));
        assert_eq!(key.digest("a", "text"), key.digest("a", "text"));
    }

    #[test]
    fn only_one_spelling_is_read() {
        let digest = Digest::of("x");
        assert_eq!(Digest::parse(&digest.to_string()), Ok(digest));
        assert_eq!(Digest::parse(&digest.to_string().to_uppercase()), Err(InvalidDigest));
        assert_eq!(Digest::parse("abc"), Err(InvalidDigest));
    }
}
