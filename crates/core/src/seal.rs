//! Sealing: texts that a caller carries for the service, and can neither read nor change.
//!
//! AES-SIV (RFC 5297) with 256-bit keys. It is deterministic: it needs no random source, and all that
//! it tells is that two equal texts under equal names are equal. What is sealed is not known here.

use crate::digest::DeploymentKey;
use aes_siv::KeyInit as _;
use aes_siv::siv::Aes256Siv;
use std::fmt;

/// A key that seals texts of one purpose.
#[derive(Clone)]
pub struct SealingKey([u8; 64]);

impl SealingKey {
    /// The key of a purpose, such as `countersign.cursor.v1`. Keys of different purposes, or of
    /// different deployments, open nothing of each other's.
    pub fn derived(key: &DeploymentKey, purpose: &str) -> Self {
        let mut bytes = [0; 64];
        // AES-SIV takes two keys: one authenticates, one encrypts.
        let halves = ["mac", "encryption"].map(|half| key.purpose_key(&format!("{purpose}.{half}")));
        for (byte, derived) in bytes.iter_mut().zip(halves.concat()) {
            *byte = derived;
        }
        Self(bytes)
    }

    /// Seals a text together with what it belongs to: it opens for the same `belongs_to` alone.
    /// `None` never happens to texts that fit into memory.
    pub fn seal(&self, belongs_to: &str, text: &str) -> Option<Vec<u8>> {
        let mut cipher = Aes256Siv::new_from_slice(&self.0).ok()?;
        cipher.encrypt([belongs_to.as_bytes()], text.as_bytes()).ok()
    }

    /// The text that was sealed; `None` for anything else than what [`Self::seal`] gave for the same
    /// key and the same `belongs_to`.
    pub fn open(&self, belongs_to: &str, sealed: &[u8]) -> Option<String> {
        let mut cipher = Aes256Siv::new_from_slice(&self.0).ok()?;
        String::from_utf8(cipher.decrypt([belongs_to.as_bytes()], sealed).ok()?).ok()
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8, purpose: &str) -> SealingKey {
        SealingKey::derived(&DeploymentKey::new([byte; 32]), purpose)
    }

    #[test]
    fn what_is_sealed_opens_for_its_key_and_its_place_alone() {
        let sealed = key(1, "a").seal("list", "position").unwrap();
        assert_eq!(key(1, "a").open("list", &sealed).as_deref(), Some("position"));
        assert_eq!(key(1, "a").open("list ", &sealed), None);
        assert_eq!(key(1, "b").open("list", &sealed), None);
        assert_eq!(key(2, "a").open("list", &sealed), None);
        assert!(!sealed.windows(8).any(|window| window == b"position"));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let key = key(1, "a");
        let sealed = key.seal("list", "a position of some length").unwrap();
        for place in 0..sealed.len() {
            for bit in 0..8 {
                let mut forged = sealed.clone();
                forged[place] ^= 1 << bit;
                assert_eq!(key.open("list", &forged), None);
            }
            assert_eq!(key.open("list", &sealed[..place]), None);
        }
        assert_eq!(key.open("list", &[sealed, vec![0]].concat()), None);
    }
}
