//! Keys on P-256: a public key with what it is for, and a private one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// What a key signs. One of another purpose verifies no permit.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// Permits.
    Permit,
    /// Evidence of what was approved.
    Evidence,
    /// Heads of the audit log.
    Log,
}

/// Where a key stands in its life. All three verify: a verifier may have seen a key before it signs, and may see what
/// it signed after it has been replaced.
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

/// Bytes that are no key, or no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// No public key on P-256.
    #[error("not a public key on P-256")]
    Public,
    /// No private key on P-256: zero, or not below the curve's order.
    #[error("not a private key on P-256")]
    Private,
    /// No ECDSA signature on P-256.
    #[error("not an ECDSA signature on P-256")]
    Signature,
}

/// A public key, what it is for, and where it stands in its life.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// What it signs.
    pub purpose: Purpose,
    /// Where it stands in its life.
    pub status: KeyStatus,
    id: String,
    x: String,
    y: String,
    key: VerifyingKey,
}

/// What stands before the point in a `SubjectPublicKeyInfo` of a key on P-256 (RFC 5480): its DER has no other form.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl PublicKey {
    /// From a point as SEC 1 section 2.3.3 writes it.
    ///
    /// # Errors
    /// [`InvalidKey::Public`].
    pub fn from_sec1(point: &[u8], purpose: Purpose, status: KeyStatus) -> Result<Self, InvalidKey> {
        let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| InvalidKey::Public)?;
        Ok(Self::new(key, purpose, status))
    }

    fn new(key: VerifyingKey, purpose: Purpose, status: KeyStatus) -> Self {
        let point = key.to_encoded_point(false);
        // INVARIANT: a verifying key is never the point at infinity, the only one without coordinates.
        let text =
            |coordinate: Option<_>| coordinate.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default();
        let (x, y) = (text(point.x()), text(point.y()));
        // RFC 7638 section 3: the members that a key must have, in the order of their names, without white space.
        let required = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(required));
        Self { purpose, status, id, x, y, key }
    }

    /// From a DER `SubjectPublicKeyInfo`, as KMS answers it.
    ///
    /// # Errors
    /// [`InvalidKey::Public`], also for a key on another curve.
    pub fn from_spki_der(der: &[u8], purpose: Purpose, status: KeyStatus) -> Result<Self, InvalidKey> {
        match der.strip_prefix(&SPKI_PREFIX) {
            Some(point) if point.len() == 65 => Self::from_sec1(point, purpose, status),
            Some(_) | None => Err(InvalidKey::Public),
        }
    }

    /// The RFC 7638 thumbprint.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// The point, uncompressed (SEC 1 section 2.3.3), 65 bytes.
    #[must_use]
    pub fn to_sec1(&self) -> Vec<u8> {
        self.key.to_encoded_point(false).as_bytes().to_vec()
    }

    /// The key as a JWK (RFC 7517).
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "kty": "EC",
            "crv": "P-256",
            "x": self.x,
            "y": self.y,
            "kid": self.id,
            "alg": "ES256",
            "use": "sig",
            "purpose": <&str>::from(self.purpose),
            "status": <&str>::from(self.status),
        })
    }

    /// Whether this key has signed these bytes, with r and s of 32 bytes each. Both signatures with an r are taken, as
    /// ES256 has it: what a permit is spent by is its `jti`, not its bytes.
    #[must_use]
    pub fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.key.verify(signed, &signature).is_ok())
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
    /// From 32 bytes, of a random source or of an earlier [`Self::to_bytes`]. One in 2^32 random choices is no key.
    ///
    /// # Errors
    /// [`InvalidKey::Private`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        SigningKey::from_slice(bytes).map(Self).map_err(|_| InvalidKey::Private)
    }

    /// The 32 bytes, secret.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self, purpose: Purpose, status: KeyStatus) -> PublicKey {
        PublicKey::new(*self.0.verifying_key(), purpose, status)
    }

    /// Signs with ES256, with a nonce that follows from key and message (RFC 6979): r and s, 32 bytes each.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.0.sign(message);
        raw(&signature)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(secret)")
    }
}

/// A signature as a JWS has it, of the DER that KMS answers (RFC 3279 section 2.2.3).
///
/// # Errors
/// [`InvalidKey::Signature`].
pub fn signature_from_der(der: &[u8]) -> Result<[u8; 64], InvalidKey> {
    Signature::from_der(der).map(|signature| raw(&signature)).map_err(|_| InvalidKey::Signature)
}

fn raw(signature: &Signature) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes.copy_from_slice(&signature.to_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(text: &str) -> PrivateKey {
        PrivateKey::from_bytes(&URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap()).unwrap()
    }

    /// RFC 7515 appendix A.3.
    #[test]
    fn known_answer_of_es256() {
        let key =
            private("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").public(Purpose::Log, KeyStatus::Past);
        assert_eq!(key.x, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        assert_eq!(key.y, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        let signed = b"eyJhbGciOiJFUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = URL_SAFE_NO_PAD
            .decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
            .unwrap();
        assert!(key.verifies(signed, &signature));
        assert!(!key.verifies(b"another", &signature));
    }

    /// The key and its thumbprint of RFC 9449 sections 4.1 and 6.1; RFC 7638 itself has an RSA key only.
    #[test]
    fn known_answer_of_a_thumbprint() {
        let point: Vec<u8> =
            ["l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"]
                .iter()
                .fold(vec![4], |point, part| [point, URL_SAFE_NO_PAD.decode(part).unwrap()].concat());
        let key = PublicKey::from_sec1(&point, Purpose::Permit, KeyStatus::Current).unwrap();
        assert_eq!(key.key_id(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!(key.to_sec1(), point);
        let spki = [SPKI_PREFIX.as_slice(), &point].concat();
        assert_eq!(PublicKey::from_spki_der(&spki, Purpose::Permit, KeyStatus::Current), Ok(key));
    }

    /// RFC 6979 appendix A.2.5, SHA-256 of "sample".
    #[test]
    fn known_answer_of_a_signature() {
        let bytes: [u8; 32] = hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
            .unwrap()
            .try_into()
            .unwrap();
        let key = PrivateKey::from_bytes(&bytes).unwrap();
        assert_eq!(
            hex::encode_upper(key.sign(b"sample")),
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        );
        assert_eq!(key.to_bytes(), bytes);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let key =
            private("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").public(Purpose::Permit, KeyStatus::Next);
        let point = key.to_sec1();
        let public = |bytes: &[u8]| PublicKey::from_sec1(bytes, Purpose::Permit, KeyStatus::Next);
        let mut beside = point.clone();
        beside[64] ^= 1;
        for bytes in [&[], &[0][..], &point[..64], &beside, &[point.as_slice(), &[0]].concat()] {
            assert_eq!(public(bytes).unwrap_err(), InvalidKey::Public, "{bytes:?}");
        }
        let spki = [SPKI_PREFIX.as_slice(), &point].concat();
        let mut another_curve = spki.clone();
        another_curve[22] ^= 1;
        // A compressed point would be another spelling of the same key.
        let compressed = [SPKI_PREFIX.as_slice(), &[2], &point[1..33]].concat();
        for der in [&[], spki.strip_suffix(&[point[64]]).unwrap(), &another_curve, &compressed] {
            let refused = PublicKey::from_spki_der(der, Purpose::Permit, KeyStatus::Next);
            assert_eq!(refused.unwrap_err(), InvalidKey::Public);
        }
        for bytes in [[0; 32], [0xff; 32]] {
            assert_eq!(PrivateKey::from_bytes(&bytes).unwrap_err(), InvalidKey::Private);
        }
    }

    #[test]
    fn a_signature_of_kms_becomes_one_of_a_jws() {
        let key = private("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
        let signature = key.sign(b"x");
        let der = Signature::from_slice(&signature).unwrap().to_der();
        assert_eq!(signature_from_der(der.as_bytes()), Ok(signature));
        // KMS answers either of the two signatures with an r; both are ES256.
        let other = p256::NonZeroScalar::try_from(&signature[32..]).unwrap();
        let other = [&signature[..32], &p256::FieldBytes::from(-*other)].concat();
        let public = key.public(Purpose::Permit, KeyStatus::Current);
        assert!(public.verifies(b"x", &signature) && public.verifies(b"x", &other) && other != signature);
        for der in [&[], &signature[..], &der.as_bytes()[1..], &[der.as_bytes(), &[0]].concat()] {
            assert_eq!(signature_from_der(der), Err(InvalidKey::Signature));
        }
    }

    #[test]
    fn a_private_key_is_not_shown() {
        assert_eq!(format!("{:?}", PrivateKey::from_bytes(&[7; 32]).unwrap()), "PrivateKey(secret)");
    }
}
