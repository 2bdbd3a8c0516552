//! Sealing: what a browser carries for the dashboard, and can neither read nor change. XChaCha20-Poly1305.
//!
//! What is sealed is not known here. Random bytes are an argument.

use crate::visit::Visit;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// The bytes of a nonce of `XChaCha20`.
const NONCE_BYTES: usize = 24;

/// The keys that seal: what is sealed under the old one opens until the old one is gone.
#[derive(Clone)]
pub struct Keys {
    new: [u8; 32],
    old: Option<[u8; 32]>,
}

impl Keys {
    /// The key that seals, and the one that did before.
    #[must_use]
    pub fn new(new: [u8; 32], old: Option<[u8; 32]>) -> Self {
        Self { new, old }
    }

    /// Seals a value together with what it is for, as text for a cookie or a field. `None` never happens to values that fit
    /// into memory.
    pub(crate) fn seal(&self, purpose: &str, value: &impl Serialize, visit: &Visit) -> Option<String> {
        let text = serde_json::to_string(value).ok()?;
        // Random bytes are a visit's own, and of one visit another text has another nonce.
        let random = visit.random(purpose, &text);
        let nonce: [u8; NONCE_BYTES] = random.first_chunk().copied()?;
        let payload = Payload { msg: text.as_bytes(), aad: purpose.as_bytes() };
        let cipher = XChaCha20Poly1305::new(&self.new.into());
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// What was sealed for this purpose under one of the keys.
    pub(crate) fn open<T: DeserializeOwned>(&self, purpose: &str, sealed: &str) -> Option<T> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let text = [Some(self.new), self.old].into_iter().flatten().find_map(|key| {
            let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
            XChaCha20Poly1305::new(&key.into()).decrypt(&XNonce::from(*nonce), payload).ok()
        })?;
        serde_json::from_slice(&text).ok()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::visit;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_under_new_and_old_key() {
        let sealed = Keys::new([1; 32], None).seal("session", &"secret", &visit()).unwrap();
        assert!(!sealed.contains("secret"));
        let open = |keys: Keys, purpose| keys.open::<String>(purpose, &sealed);
        assert_eq!(open(Keys::new([1; 32], None), "session").as_deref(), Some("secret"));
        assert_eq!(open(Keys::new([2; 32], Some([1; 32])), "session").as_deref(), Some("secret"));
        assert_eq!(open(Keys::new([2; 32], None), "session"), None);
        assert_eq!(open(Keys::new([1; 32], None), "ticket"), None);
    }

    #[test]
    fn every_changed_character_is_found() {
        let keys = Keys::new([1; 32], None);
        let sealed = keys.seal("session", &"secret", &visit()).unwrap();
        for place in 0..sealed.len() {
            let mut forged = sealed.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(keys.open::<String>("session", &forged), None, "{forged}");
            assert_eq!(keys.open::<String>("session", sealed.get(..place).unwrap()), None);
        }
    }
}
