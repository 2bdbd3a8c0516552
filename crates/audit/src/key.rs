//! Ed25519 keys that sign checkpoints and evidence: a public key with what it is for, and a private one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// What a key signs. One of another purpose verifies nothing.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::EnumIter,
)]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// Checkpoints of the audit log.
    Log,
    /// Evidence of what was approved.
    Evidence,
}

/// Where a key stands in its life. All three verify.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum KeyStatus {
    /// Will sign after the next rotation.
    Next,
    /// Signs now.
    Current,
    /// Has signed before the last rotation.
    Past,
}

/// The bytes are no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key")]
pub struct InvalidKey;

/// A public key, what it is for, and where it stands in its life.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// What it signs.
    pub purpose: Purpose,
    /// Where it stands in its life.
    pub status: KeyStatus,
    id: String,
    key: VerifyingKey,
}

/// What stands before the key in a `SubjectPublicKeyInfo` (RFC 8410 section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The signature type of Ed25519 in a key id (C2SP `signed-note`).
const NOTE_TYPE: u8 = 1;

impl PublicKey {
    /// From 32 bytes (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    /// [`InvalidKey`], also for a key that verifies more than one holder's signatures.
    pub fn from_bytes(bytes: &[u8], purpose: Purpose, status: KeyStatus) -> Result<Self, InvalidKey> {
        let bytes = bytes.try_into().map_err(|_| InvalidKey)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| InvalidKey)?;
        if key.is_weak() { Err(InvalidKey) } else { Ok(Self::new(key, purpose, status)) }
    }

    fn new(key: VerifyingKey, purpose: Purpose, status: KeyStatus) -> Self {
        // RFC 7638 section 3, with the members that RFC 8037 section 2 requires.
        let required =
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(key.as_bytes()));
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(required));
        Self { purpose, status, id, key }
    }

    /// From a DER `SubjectPublicKeyInfo`, as KMS answers it.
    ///
    /// # Errors
    /// [`InvalidKey`], also for a key on another curve.
    pub fn from_spki_der(der: &[u8], purpose: Purpose, status: KeyStatus) -> Result<Self, InvalidKey> {
        Self::from_bytes(der.strip_prefix(&SPKI_PREFIX).ok_or(InvalidKey)?, purpose, status)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The RFC 7638 thumbprint.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// The id in signatures of notes under this name (C2SP `signed-note`).
    #[must_use]
    pub fn note_id(&self, name: &str) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', NOTE_TYPE])
            .chain_update(self.key.as_bytes())
            .finalize();
        let mut id = [0; 4];
        id.iter_mut().zip(digest).for_each(|(byte, of_digest)| *byte = of_digest);
        id
    }

    /// The key as it is published (RFC 7517, RFC 8037, RFC 9864).
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": URL_SAFE_NO_PAD.encode(self.key.as_bytes()),
            "kid": self.id,
            "alg": "Ed25519",
            "use": "sig",
            "purpose": <&str>::from(self.purpose),
            "status": <&str>::from(self.status),
        })
    }

    /// Whether this key has signed these bytes (RFC 8032 section 5.1.7), in the one spelling that a signature has.
    #[must_use]
    pub fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(signed, &signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {} {})", self.purpose, self.status, self.id)
    }
}

/// A private key. Its debug form does not show it, and its bytes are overwritten when it is dropped.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// From 32 bytes of a random source, or of an earlier [`Self::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// The 32 bytes, secret.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self, purpose: Purpose, status: KeyStatus) -> PublicKey {
        PublicKey::new(self.0.verifying_key(), purpose, status)
    }

    /// Signs. A message has one signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(private: &str) -> PrivateKey {
        PrivateKey::from_bytes(&hex::decode(private).unwrap().try_into().unwrap())
    }

    /// RFC 8032 section 7.1, tests 1 and 2; the thumbprint is that of RFC 8037 appendix A.3.
    #[test]
    fn known_answers() {
        let first = key("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = first.public(Purpose::Log, KeyStatus::Current);
        assert_eq!(
            hex::encode(public.as_bytes()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(public.key_id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(public.to_json()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let second = key("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let signature = second.sign(&[0x72]);
        assert_eq!(
            hex::encode(signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        let public = second.public(Purpose::Evidence, KeyStatus::Past);
        assert!(public.verifies(&[0x72], &signature));
        assert!(!public.verifies(&[0x73], &signature) && !public.verifies(&[0x72], &signature[1..]));
        let spki = [SPKI_PREFIX.as_slice(), public.as_bytes()].concat();
        assert_eq!(PublicKey::from_spki_der(&spki, Purpose::Evidence, KeyStatus::Past), Ok(public));
    }

    #[test]
    fn what_is_no_key_of_one_holder_is_refused() {
        let public = key(&"07".repeat(32)).public(Purpose::Log, KeyStatus::Next);
        let refused = |bytes: &[u8]| PublicKey::from_bytes(bytes, Purpose::Log, KeyStatus::Next).is_err();
        let mut identity = [0; 32];
        identity[0] = 1;
        for bytes in [
            &[],
            &public.as_bytes()[1..],
            &identity,
            &[0; 32],
            &[public.as_bytes().as_slice(), &[0]].concat(),
        ] {
            assert!(refused(bytes), "{bytes:?}");
        }
        let mut another_curve = [SPKI_PREFIX.as_slice(), public.as_bytes()].concat();
        another_curve[8] ^= 1;
        for der in [&[], public.as_bytes().as_slice(), &another_curve] {
            assert_eq!(PublicKey::from_spki_der(der, Purpose::Log, KeyStatus::Next), Err(InvalidKey));
        }
    }

    #[test]
    fn a_private_key_is_not_shown() {
        let key = key(&"07".repeat(32));
        assert_eq!(format!("{key:?}"), "PrivateKey(secret)");
        assert_eq!(key.to_bytes(), [7; 32]);
    }
}
