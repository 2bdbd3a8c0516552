//! The keys of the log and of evidence, among those that a service publishes (RFC 7517 section 5).

use crate::key::{KeyStatus, PublicKey, Purpose};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::canonical;
use serde_json::Value;
use std::str::FromStr as _;

/// The longest text that is looked at, and the most keys in it.
const MAX_BYTES: usize = 64 * 1024;
const MAX_KEYS: usize = 200;

/// Public keys, each with its purpose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet(Vec<PublicKey>);

/// A text that is no set of keys, or one that no service publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key set: {0}")]
pub struct InvalidKeySet(&'static str);

impl KeySet {
    /// Of these keys. One that is there twice for the same purpose counts once, as the first of them: while keys are
    /// rotated, one may be both current and past.
    #[must_use]
    pub fn new(keys: Vec<PublicKey>) -> Self {
        let mut unique: Vec<PublicKey> = Vec::with_capacity(keys.len());
        for key in keys {
            if !unique.iter().any(|other| other.key_id() == key.key_id() && other.purpose == key.purpose) {
                unique.push(key);
            }
        }
        Self(unique)
    }

    /// Reads a set as it is published. Members that are not known are ignored, and so are keys of other types, such as
    /// those that verify permits.
    ///
    /// # Errors
    /// What is no key set. One with a private key, or with an Ed25519 key that has no purpose or status, or is not what its
    /// `kid` says.
    pub fn parse(text: &str) -> Result<Self, InvalidKeySet> {
        if text.len() > MAX_BYTES {
            return Err(InvalidKeySet("it is too long"));
        }
        let set = canonical::read(text.as_bytes()).map_err(|_| InvalidKeySet("it is not read as JSON"))?;
        let listed =
            set.get("keys").and_then(Value::as_array).ok_or(InvalidKeySet("it has no list of keys"))?;
        if listed.len() > MAX_KEYS {
            return Err(InvalidKeySet("it has too many keys"));
        }
        let keys = listed.iter().filter_map(|key| read_key(key).transpose());
        Ok(Self::new(keys.collect::<Result<_, _>>()?))
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter()
    }

    /// The keys of one purpose.
    pub fn of_purpose(&self, purpose: Purpose) -> impl Iterator<Item = &PublicKey> {
        self.iter().filter(move |key| key.purpose == purpose)
    }

    /// The key that signs for this purpose now.
    #[must_use]
    pub fn current(&self, purpose: Purpose) -> Option<&PublicKey> {
        self.of_purpose(purpose).find(|key| key.status == KeyStatus::Current)
    }
}

/// A key of a published set; `None` for one of another type.
fn read_key(listed: &Value) -> Result<Option<PublicKey>, InvalidKeySet> {
    let listed = listed.as_object().ok_or(InvalidKeySet("a key is not an object"))?;
    if listed.contains_key("d") || listed.contains_key("k") {
        return Err(InvalidKeySet("it has a private key"));
    }
    let text = |name: &str| listed.get(name).and_then(Value::as_str);
    if (text("kty"), text("crv"), text("use")) != (Some("OKP"), Some("Ed25519"), Some("sig")) {
        return Ok(None);
    }
    let purpose = text("purpose").and_then(|name| Purpose::from_str(name).ok());
    let status = text("status").and_then(|name| KeyStatus::from_str(name).ok());
    let (Some(purpose), Some(status)) = (purpose, status) else {
        return Err(InvalidKeySet("a key has no purpose or status"));
    };
    let bytes = text("x").and_then(|x| URL_SAFE_NO_PAD.decode(x).ok()).unwrap_or_default();
    let key = PublicKey::from_bytes(&bytes, purpose, status)
        .map_err(|_| InvalidKeySet("a key is not an Ed25519 key"))?;
    if text("kid") != Some(key.key_id()) {
        return Err(InvalidKeySet("a key is not what its kid says"));
    }
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::PrivateKey;
    use serde_json::json;

    fn public(byte: u8, purpose: Purpose, status: KeyStatus) -> PublicKey {
        PrivateKey::from_bytes(&[byte; 32]).public(purpose, status)
    }

    fn published(keys: &[Value]) -> String {
        json!({ "keys": keys }).to_string()
    }

    #[test]
    fn a_published_set_is_read_back_and_keys_of_others_are_left_out() {
        let keys = [
            public(1, Purpose::Log, KeyStatus::Next),
            public(2, Purpose::Log, KeyStatus::Current),
            public(2, Purpose::Evidence, KeyStatus::Current),
        ];
        let mut json: Vec<_> = keys.iter().map(PublicKey::to_json).collect();
        let set = KeySet::parse(&published(&json)).unwrap();
        assert_eq!(set, KeySet::new(keys.to_vec()));
        assert_eq!(set.current(Purpose::Log), Some(&keys[1]));
        assert_eq!(set.of_purpose(Purpose::Evidence).count(), 1);
        json.push(json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "purpose": "log" }));
        json.push(public(2, Purpose::Log, KeyStatus::Past).to_json());
        assert_eq!(KeySet::parse(&published(&json)), Ok(set));
    }

    #[test]
    fn what_no_service_publishes_is_refused() {
        let good = public(2, Purpose::Log, KeyStatus::Current).to_json();
        for (member, value) in [
            ("d", json!("AAAA")),
            ("k", json!("AAAA")),
            ("purpose", Value::Null),
            ("purpose", json!("permit")),
            ("status", json!("Current")),
            ("kid", json!("another")),
            ("x", json!("AAAA")),
            ("x", public(3, Purpose::Log, KeyStatus::Current).to_json()["x"].clone()),
        ] {
            let mut key = good.clone();
            key[member] = value;
            assert!(KeySet::parse(&published(&[key])).is_err(), "{member}");
        }
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":["x"]}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(KeySet::parse(text).is_err(), "{text}");
        }
        assert!(KeySet::parse(&format!("{}{{\"keys\":[]}}", " ".repeat(MAX_BYTES))).is_err());
    }
}
