//! Strict JSON in, canonical JSON (RFC 8785) out.
//!
//! What is approved is a digest over bytes, so every document must have exactly one reading and
//! one canonical form. What could be read in two ways (a key given twice, an integer that a
//! double cannot hold) is refused when it is read.

use crate::digest::Digest;
use crate::text::wrong_encoding;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cmp::Ordering;
use std::fmt;

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 32;
/// How much deeper an answer may be than a document that it holds.
const AROUND: usize = 4;

/// The largest whole number that every IEEE double reader keeps apart from its neighbours:
/// 2^53 − 1 (RFC 7493 section 2.2).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The text is not JSON that can be read in exactly one way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// Reads one JSON document.
///
/// # Errors
/// Besides what is not JSON: a key given twice in one object, nesting deeper than [`MAX_DEPTH`],
/// a number outside the range of an IEEE double, a whole number beyond ±[`MAX_INTEGER`] however
/// it is written, a lone surrogate, bytes that are not UTF-8, and anything after the document.
pub fn read(bytes: &[u8]) -> Result<Value, Unreadable> {
    read_with(bytes, Some(MAX_INTEGER), MAX_DEPTH)
}

/// Reads an answer that holds such documents: the same, with room for what is around them.
///
/// # Errors
/// As for [`read`].
pub fn read_answer(bytes: &[u8]) -> Result<Value, Unreadable> {
    read_with(bytes, Some(MAX_INTEGER), MAX_DEPTH + AROUND)
}

/// Reads a document that is not ours and is never digested, such as the claims of a token: the same, with
/// whole numbers of any size.
///
/// # Errors
/// As for [`read`], except for large whole numbers.
pub fn read_foreign(bytes: &[u8]) -> Result<Value, Unreadable> {
    read_with(bytes, None, MAX_DEPTH)
}

fn read_with(bytes: &[u8], max_integer: Option<u64>, max_depth: usize) -> Result<Value, Unreadable> {
    if let Some(rule) = wrong_encoding(bytes) {
        return Err(Unreadable(format!("the body {rule}")));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0, max_depth, max_integer }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| Unreadable(describe(&error)))
}

/// Keeps our own reasons and gives the position of every other error: serde's own words may quote
/// the document, which may hold what must not reach a log.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = [DUPLICATE_KEY, TOO_DEEP, INTEGER_TOO_LARGE]
        .into_iter()
        .find(|reason| text.starts_with(reason))
        .unwrap_or("the body is not valid JSON");
    format!("{reason} (line {}, column {})", error.line(), error.column())
}

const DUPLICATE_KEY: &str = "a key is given twice in one object";
const TOO_DEEP: &str = "arrays and objects are nested deeper than 32";
const INTEGER_TOO_LARGE: &str = "a whole number is beyond ±(2^53−1); send it as a string";

struct Strict {
    depth: usize,
    max_depth: usize,
    max_integer: Option<u64>,
}

impl Strict {
    fn inside<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth >= self.max_depth {
            return Err(E::custom(TOO_DEEP));
        }
        Ok(Self { depth: self.depth + 1, ..*self })
    }

    fn is_too_large(&self, magnitude: f64) -> bool {
        // Every double up to the largest whole number is exact.
        self.max_integer.is_some_and(|max| magnitude > max as f64)
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if self.is_too_large(value as f64) {
            return Err(E::custom(INTEGER_TOO_LARGE));
        }
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if self.is_too_large(value.unsigned_abs() as f64) {
            return Err(E::custom(INTEGER_TOO_LARGE));
        }
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        // serde_json hands over an integer literal of more than 64 bits as a double, too.
        if value.fract() == 0.0 && self.is_too_large(value.abs()) {
            return Err(E::custom(INTEGER_TOO_LARGE));
        }
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Value::Number(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        loop {
            match elements.next_element_seed(self.inside()?)? {
                Some(element) => array.push(element),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside: Self = self.inside()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(DUPLICATE_KEY));
            }
            let value = members.next_value_seed(Self { ..inside })?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// A JSON document in its one canonical form (RFC 8785): the bytes that are stored, shown and
/// digested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalJson(String);

impl AsRef<str> for CanonicalJson {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl CanonicalJson {
    /// The canonical form of a value.
    pub fn of(value: &Value) -> Self {
        let mut bytes = Vec::with_capacity(TYPICAL_BYTES);
        let written = write(value, &mut bytes).ok().and_then(|()| String::from_utf8(bytes).ok());
        // INVARIANT: a `serde_json::Value` has string keys and finite numbers only, so
        // serialisation cannot fail; `null` would be the digest of nothing that was ever shown.
        Self(written.unwrap_or_else(|| "null".to_owned()))
    }

    /// Takes stored bytes back, if they are canonical.
    pub fn from_stored(text: &str) -> Result<Self, Unreadable> {
        let canonical = Self::of(&read(text.as_bytes())?);
        if canonical.0 != text {
            return Err(Unreadable("stored JSON is not in canonical form".to_owned()));
        }
        Ok(canonical)
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The document as a value.
    pub fn to_value(&self) -> Value {
        // INVARIANT: made by `of` or `from_stored`, so it is JSON.
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    /// Whether every number in it is whole and within ±[`MAX_INTEGER`], so that any JSON library writes it alike.
    pub fn has_whole_numbers_only(&self) -> bool {
        is_whole(&self.to_value())
    }

    /// SHA-256 of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

/// What most documents need at most.
const TYPICAL_BYTES: usize = 1024;

/// Appends the canonical form of a value. A library that takes whatever can be serialised, as `serde_jcs` does, writes each
/// object into buffers of its own to sort it; the members of a value are seldom out of order.
fn write(value: &Value, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        // Its digits are the same in every way to write it.
        Value::Number(number) if is_whole_number(number) => serde_json::to_writer(bytes, number),
        // As ECMAScript writes it.
        Value::Number(number) => serde_jcs::to_writer(bytes, number),
        Value::Null | Value::Bool(_) | Value::String(_) => serde_json::to_writer(bytes, value),
        Value::Array(elements) => {
            bytes.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    bytes.push(b',');
                }
                write(element, bytes)?;
            }
            bytes.push(b']');
            Ok(())
        }
        Value::Object(members)
            if members.keys().is_sorted_by(|one, next| by_code_units(one, next).is_le()) =>
        {
            write_object(members.iter(), bytes)
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by(|(one, _), (other, _)| by_code_units(one, other));
            write_object(members.into_iter(), bytes)
        }
    }
}

fn write_object<'a>(
    members: impl Iterator<Item = (&'a String, &'a Value)>,
    bytes: &mut Vec<u8>,
) -> serde_json::Result<()> {
    bytes.push(b'{');
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        serde_json::to_writer(&mut *bytes, key)?;
        bytes.push(b':');
        write(value, bytes)?;
    }
    bytes.push(b'}');
    Ok(())
}

/// The order of keys: by code units of UTF-16 (RFC 8785 section 3.2.3), which for ASCII is that of bytes.
fn by_code_units(one: &str, other: &str) -> Ordering {
    if one.is_ascii() && other.is_ascii() {
        one.cmp(other)
    } else {
        one.encode_utf16().cmp(other.encode_utf16())
    }
}

/// Whether a number is whole and within ±[`MAX_INTEGER`].
fn is_whole_number(number: &Number) -> bool {
    let magnitude = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
    magnitude.is_some_and(|magnitude| magnitude <= MAX_INTEGER)
}

fn is_whole(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => is_whole_number(number),
        Value::Array(elements) => elements.iter().all(is_whole),
        Value::Object(members) => members.values().all(is_whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        for (text, reason) in [
            (r#"{"a":1,"a":2}"#.to_owned(), "twice"),
            (r#"{"x":{"a":1,"\u0061":2}}"#.to_owned(), "twice"),
            (deep(33), "deeper"),
            (deep(200), "deeper"),
            ("9007199254740992".to_owned(), "whole number"),
            ("-9007199254740992".to_owned(), "whole number"),
            ("123456789012345678901234567890".to_owned(), "whole number"),
            ("1e16".to_owned(), "whole number"),
            ("1e400".to_owned(), "not valid JSON"),
            ("NaN".to_owned(), "not valid JSON"),
            (r#""\ud800""#.to_owned(), "not valid JSON"),
            ("{} {}".to_owned(), "not valid JSON"),
            ("\u{feff}{}".to_owned(), "byte order mark"),
            (String::new(), "not valid JSON"),
            ("{'a':1}".to_owned(), "not valid JSON"),
            ("[1,]".to_owned(), "not valid JSON"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(read(b"\"\xff\"").is_err());
        assert!(read(deep(32).as_bytes()).is_ok());
        assert!(read(b"9007199254740991").is_ok());
    }

    #[test]
    fn an_error_never_quotes_the_document() {
        let error = read(br#"{"password": hunter2}"#).unwrap_err().to_string();
        assert!(!error.contains("hunter2") && !error.contains("password"), "{error}");
    }

    #[test]
    fn canonical_form_follows_rfc_8785() {
        let value = read(
            r#"{"b": 1.0, "a": [1e-7, 0.1, -0, 1.5e3], "\u20ac": "\u000f\n\"", "\ud83d\ude00": 1, "\ufb33": 2}"#
                .as_bytes(),
        )
        .unwrap();
        // Keys sort by UTF-16 code unit: U+1F600 (d83d) before U+FB33.
        assert_eq!(
            CanonicalJson::of(&value).as_str(),
            "{\"a\":[1e-7,0.1,0,1500],\"b\":1,\"€\":\"\\u000f\\n\\\"\",\"😀\":1,\"\u{fb33}\":2}"
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-(MAX_INTEGER as i64)..=MAX_INTEGER as i64).prop_map(|n| json!(n)),
            (-1.0e9..1.0e9f64).prop_map(|n| json!(n)),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Held against another implementation of RFC 8785.
        #[test]
        fn canonical_bytes_are_those_of_the_library(
            value in any_json(),
            keys in prop::collection::vec("[\\u{20}\\u{7f}\\u{80}\\u{e000}-\\u{ffff}\\u{10000}-\\u{10010}a-b]{0,4}", 0..8),
        ) {
            let members = keys.into_iter().map(|key| (key, value.clone())).collect();
            let value = Value::Object(members);
            prop_assert_eq!(CanonicalJson::of(&value).0, serde_jcs::to_string(&value).unwrap());
        }

        /// Store, read back, digest: the same bytes, whatever was sent.
        #[test]
        fn canonical_bytes_survive_a_round_trip(value in any_json()) {
            let canonical = CanonicalJson::of(&value);
            let stored = CanonicalJson::from_stored(canonical.as_str()).unwrap();
            prop_assert_eq!(stored.digest(), canonical.digest());
            prop_assert_eq!(CanonicalJson::of(&stored.to_value()), canonical);
        }
    }
}
