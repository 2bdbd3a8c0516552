//! The keys that a service publishes (RFC 7517 section 5).

use crate::json;
use crate::key::{KeyStatus, PublicKey, Purpose};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use std::str::FromStr as _;

/// The longest text that is looked at, and the most keys in it.
const MAX_BYTES: usize = 64 * 1024;
const MAX_KEYS: usize = 100;

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

    /// Reads a set as it is published. Members that are not known are ignored, and so are keys of other types or for
    /// other algorithms (RFC 7517 section 5).
    ///
    /// # Errors
    /// What is no key set. One with a private key, or with a key on P-256 that has no purpose or status, is no point of
    /// the curve, or is not what its `kid` says.
    pub fn parse(text: &str) -> Result<Self, InvalidKeySet> {
        if text.len() > MAX_BYTES {
            return Err(InvalidKeySet("it is too long"));
        }
        let set = json::object(text.as_bytes()).ok_or(InvalidKeySet("it is not read as JSON"))?;
        let listed =
            set.get("keys").and_then(Value::as_array).ok_or(InvalidKeySet("it has no list of keys"))?;
        if listed.len() > MAX_KEYS {
            return Err(InvalidKeySet("it has too many keys"));
        }
        let keys = listed.iter().filter_map(|key| read_key(key).transpose());
        Ok(Self::new(keys.collect::<Result<_, _>>()?))
    }

    /// The set as it is published: `{"keys":[…]}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "keys": self.0.iter().map(PublicKey::to_json).collect::<Vec<_>>() })
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter()
    }

    /// The keys of this id: of one purpose, unless a service uses one key for several.
    pub(crate) fn with_id<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a PublicKey> {
        self.iter().filter(move |key| key.key_id() == id)
    }
}

/// A key of a published set; `None` for one that cannot have signed a permit.
fn read_key(listed: &Value) -> Result<Option<PublicKey>, InvalidKeySet> {
    let listed = listed.as_object().ok_or(InvalidKeySet("a key is not an object"))?;
    if listed.contains_key("d") || listed.contains_key("k") {
        return Err(InvalidKeySet("it has a private key"));
    }
    let text = |name: &str| listed.get(name).and_then(Value::as_str);
    let is_ours = (text("kty"), text("crv"), text("alg"), text("use"))
        == (Some("EC"), Some("P-256"), Some("ES256"), Some("sig"));
    if !is_ours {
        return Ok(None);
    }
    let purpose = text("purpose").and_then(|name| Purpose::from_str(name).ok());
    let status = text("status").and_then(|name| KeyStatus::from_str(name).ok());
    let (Some(purpose), Some(status)) = (purpose, status) else {
        return Err(InvalidKeySet("a key has no purpose or status"));
    };
    let point = [vec![4], coordinate(listed, "x")?, coordinate(listed, "y")?].concat();
    let key = PublicKey::from_sec1(&point, purpose, status)
        .map_err(|_| InvalidKeySet("a key is not a point of P-256"))?;
    if text("kid") != Some(key.key_id()) {
        return Err(InvalidKeySet("a key is not what its kid says"));
    }
    Ok(Some(key))
}

fn coordinate(key: &Map<String, Value>, name: &str) -> Result<Vec<u8>, InvalidKeySet> {
    let bytes = key.get(name).and_then(Value::as_str).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.filter(|bytes| bytes.len() == 32).ok_or(InvalidKeySet("a key has no two coordinates of 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::PrivateKey;

    fn public(byte: u8, purpose: Purpose, status: KeyStatus) -> PublicKey {
        PrivateKey::from_bytes(&[byte; 32]).unwrap().public(purpose, status)
    }

    fn set() -> KeySet {
        KeySet::new(vec![
            public(1, Purpose::Permit, KeyStatus::Next),
            public(2, Purpose::Permit, KeyStatus::Current),
            public(3, Purpose::Permit, KeyStatus::Past),
            public(4, Purpose::Evidence, KeyStatus::Current),
            public(5, Purpose::Log, KeyStatus::Current),
        ])
    }

    #[test]
    fn a_published_set_is_read_back() {
        let json = set().to_json();
        assert_eq!(KeySet::parse(&json.to_string()), Ok(set()));
        let mut members: Vec<_> = json["keys"][1].as_object().unwrap().keys().map(String::as_str).collect();
        // Whether a map keeps the order in which it was filled depends on what else is linked.
        members.sort_unstable();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "purpose", "status", "use", "x", "y"]);
        assert_eq!(json["keys"][1]["status"], "current");
    }

    #[test]
    fn a_key_counts_once_for_a_purpose() {
        let twice = KeySet::new(vec![
            public(1, Purpose::Permit, KeyStatus::Current),
            public(1, Purpose::Permit, KeyStatus::Past),
            public(1, Purpose::Log, KeyStatus::Past),
        ]);
        let kept: Vec<_> = twice.iter().map(|key| (key.purpose, key.status)).collect();
        assert_eq!(kept, [(Purpose::Permit, KeyStatus::Current), (Purpose::Log, KeyStatus::Past)]);
    }

    fn changed(member: &str, value: Value) -> Result<KeySet, InvalidKeySet> {
        let mut json = KeySet::new(vec![public(2, Purpose::Permit, KeyStatus::Current)]).to_json();
        json["keys"][0][member] = value;
        KeySet::parse(&json.to_string())
    }

    #[test]
    fn keys_of_others_are_left_out() {
        for (member, value) in [("kty", "RSA"), ("crv", "secp256k1"), ("alg", "ES384"), ("use", "enc")] {
            assert_eq!(changed(member, value.into()), Ok(KeySet::default()), "{member}");
        }
        assert_eq!(changed("x5t", "ignored".into()).unwrap().iter().count(), 1);
    }

    #[test]
    fn what_no_service_publishes_is_refused() {
        let point = public(3, Purpose::Permit, KeyStatus::Current).to_json();
        for (member, value) in [
            ("d", json!("AAAA")),
            ("k", json!("AAAA")),
            ("purpose", Value::Null),
            ("purpose", json!("permits")),
            ("status", json!("Current")),
            ("kid", json!("another")),
            ("kid", Value::Null),
            ("x", json!("AAAA")),
            ("y", Value::Null),
            ("x", point["x"].clone()),
        ] {
            assert!(changed(member, value.clone()).is_err(), "{member}: {value}");
        }
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":["x"]}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(KeySet::parse(text).is_err(), "{text}");
        }
        assert!(KeySet::parse(&format!("{}{{\"keys\":[]}}", " ".repeat(MAX_BYTES))).is_err());
        assert!(KeySet::parse(&json!({"keys": vec![json!({}); MAX_KEYS + 1]}).to_string()).is_err());
        assert_eq!(KeySet::parse(r#"{"keys":[]}"#), Ok(KeySet::default()));
    }
}
