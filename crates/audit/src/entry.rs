//! An entry of the log: the canonical document of an event, of which only the place in its stream and its hash are read.
//!
//! One pass over the bytes, without a copy: a log has millions of entries. What is read here as canonical is what
//! `countersign_core::canonical` writes, and the other way round. Refuses to know what an event means.

use countersign_core::canonical::{MAX_DEPTH, MAX_INTEGER};
use sha2::{Digest as _, Sha256};
use std::cmp::Ordering;
use std::ops::Range;

/// The format of the events that a log has.
const FORMAT: &str = "countersign.audit.v1";

/// What is read of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The deployment that recorded it.
    pub origin: &'a str,
    /// The stream that it belongs to.
    pub stream: &'a str,
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// Its time, as a number that grows with it.
    pub timestamp: u64,
    /// The hash of the event before.
    pub prev_hash: [u8; 32],
    /// Its hash, which is that of its bytes.
    pub hash: [u8; 32],
}

/// Why an entry is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// It is not canonical JSON.
    #[error("it is not canonical JSON")]
    NotCanonical,
    /// A member is missing, or has an impossible value.
    #[error("it is no event: its member {0} is missing or impossible")]
    Member(&'static str),
    /// Its hash is not that of its bytes.
    #[error("its hash is not that of what it says: it was edited")]
    Edited,
}

impl<'a> Entry<'a> {
    /// Reads an entry and compares it with its own hash.
    ///
    /// # Errors
    /// [`InvalidEntry`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, InvalidEntry> {
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidEntry::NotCanonical)?;
        let mut members = Members::default();
        let mut scanner = Scanner { text, at: 0 };
        let is_canonical = scanner.object(0, &mut |name, member, value| {
            if let Some(place) = members.place(name) {
                *place = Some((member, value));
            }
        });
        if is_canonical.is_none() || scanner.at != text.len() {
            return Err(InvalidEntry::NotCanonical);
        }
        let value = |found: &Found, name| {
            let (_, value) = found.as_ref().ok_or(InvalidEntry::Member(name))?;
            text.get(value.clone()).ok_or(InvalidEntry::Member(name))
        };
        let string = |found: &Found, name| {
            let inside = value(found, name)?.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let is_plain = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
            inside.filter(|text| !text.is_empty()).filter(is_plain).ok_or(InvalidEntry::Member(name))
        };
        let digest =
            |found: &Found, name| hexadecimal(string(found, name)?).ok_or(InvalidEntry::Member(name));
        if string(&members.format, "format")? != FORMAT {
            return Err(InvalidEntry::Member("format"));
        }
        let sequence = value(&members.sequence, "sequence")?.parse().ok().filter(|sequence| *sequence > 0);
        let entry = Self {
            origin: string(&members.origin, "origin")?,
            stream: string(&members.stream, "stream")?,
            sequence: sequence.ok_or(InvalidEntry::Member("sequence"))?,
            timestamp: timestamp(string(&members.timestamp, "timestamp")?)
                .ok_or(InvalidEntry::Member("timestamp"))?,
            prev_hash: digest(&members.prev_hash, "prev_hash")?,
            hash: digest(&members.hash, "hash")?,
        };
        // What is hashed is the same document without its member `hash`, and without the comma that goes with it.
        let (member, _) = members.hash.ok_or(InvalidEntry::Member("hash"))?;
        let (before, after) = (text.get(..member.start), text.get(member.end..));
        let (before, after) = before.zip(after).ok_or(InvalidEntry::NotCanonical)?;
        let (before, after) = match (after.strip_prefix(','), before.strip_suffix(',')) {
            (Some(after), _) => (before, after),
            (None, Some(before)) => (before, after),
            (None, None) => (before, after),
        };
        let digest: [u8; 32] = Sha256::new().chain_update(before).chain_update(after).finalize().into();
        if digest == entry.hash { Ok(entry) } else { Err(InvalidEntry::Edited) }
    }
}

/// Where a member and its value stand.
type Found = Option<(Range<usize>, Range<usize>)>;

#[derive(Debug, Default)]
struct Members {
    format: Found,
    origin: Found,
    stream: Found,
    sequence: Found,
    timestamp: Found,
    prev_hash: Found,
    hash: Found,
}

impl Members {
    fn place(&mut self, name: &str) -> Option<&mut Found> {
        Some(match name {
            "format" => &mut self.format,
            "origin" => &mut self.origin,
            "stream" => &mut self.stream,
            "sequence" => &mut self.sequence,
            "timestamp" => &mut self.timestamp,
            "prev_hash" => &mut self.prev_hash,
            "hash" => &mut self.hash,
            _ => return None,
        })
    }
}

/// 32 bytes as 64 lower-case hexadecimal digits.
fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// `2026-11-25T19:03:21.482Z` as the number of its digits.
fn timestamp(text: &str) -> Option<u64> {
    const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    if text.len() != FORM.len() {
        return None;
    }
    text.bytes().zip(FORM).try_fold(0_u64, |number, (byte, form)| match (form, byte) {
        (b'0', b'0'..=b'9') => Some(number * 10 + u64::from(byte - b'0')),
        (b'0', _) => None,
        (form, byte) => (byte == *form).then_some(number),
    })
}

/// Gets the name of a member, where the member stands, and where its value does.
type EachMember<'a> = dyn FnMut(&str, Range<usize>, Range<usize>) + 'a;

/// Reads canonical JSON (RFC 8785) of which all numbers are whole.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(literal).then(|| self.at += literal.len())
    }

    /// An object; `each` gets each member.
    fn object(&mut self, depth: usize, each: &mut EachMember<'_>) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return (depth < MAX_DEPTH).then_some(());
        }
        let mut before: Option<&str> = None;
        loop {
            let start = self.at;
            let name = self.string()?;
            if before.is_some_and(|before| in_order(before, name) != Ordering::Less) {
                return None;
            }
            before = Some(name);
            self.take(b':')?;
            let value = self.at;
            self.value(depth + 1)?;
            each(name, start..self.at, value..self.at);
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'{' => self.object(depth, &mut |_, _, _| {}),
            b'[' => self.array(depth),
            b'"' => self.string().map(|_| ()),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return (depth < MAX_DEPTH).then_some(());
        }
        loop {
            self.value(depth + 1)?;
            if self.take(b']').is_some() {
                return Some(());
            }
            self.take(b',')?;
        }
    }

    fn number(&mut self) -> Option<()> {
        let is_negative = self.take(b'-').is_some();
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = self.text.get(start..self.at)?;
        let number: u64 = digits.parse().ok()?;
        let has_one_spelling = digits.len() == 1 || !digits.starts_with('0');
        (has_one_spelling && number <= MAX_INTEGER && !(is_negative && number == 0)).then_some(())
    }

    /// A string, with the escapes that are needed and no others; gives what stands between the quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    let inside = self.text.get(start..self.at)?;
                    self.at += 1;
                    return Some(inside);
                }
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        if self.take(b'u').is_none() {
            let is_short = matches!(self.peek()?, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't');
            return is_short.then(|| self.at += 1);
        }
        self.take(b'0')?;
        self.take(b'0')?;
        let high = self.peek().filter(|byte| matches!(byte, b'0' | b'1'))?;
        self.at += 1;
        let low = self.peek().filter(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))?;
        self.at += 1;
        // Those that have a short form are written in it.
        let has_short_form = high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd');
        (!has_short_form).then_some(())
    }
}

/// The order of members: that of the UTF-16 code units of their names.
fn in_order(left: &str, right: &str) -> Ordering {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii() && byte != b'\\');
    if is_plain(left) && is_plain(right) {
        return left.cmp(right);
    }
    code_units(left).cmp(&code_units(right))
}

/// The code units of a string that has been scanned.
fn code_units(inside: &str) -> Vec<u16> {
    let mut units = Vec::new();
    let mut characters = inside.chars();
    let mut buffer = [0; 2];
    while let Some(character) = characters.next() {
        let character = match character {
            '\\' => match characters.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let digits: String = characters.by_ref().take(4).collect();
                    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).unwrap_or_default()
                }
                escaped => escaped.unwrap_or_default(),
            },
            character => character,
        };
        units.extend_from_slice(character.encode_utf16(&mut buffer));
    }
    units
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use countersign_core::canonical::CanonicalJson;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// An event of a stream, which follows the one with this hash.
    pub(crate) fn event(stream: &str, sequence: u64, prev_hash: &str, more: &Value) -> (String, String) {
        let mut event = json!({
            "format": FORMAT, "origin": "urn:countersign:deployment:0a", "stream": stream, "sequence": sequence,
            "timestamp": "2026-11-25T19:03:21.482Z", "prev_hash": prev_hash, "details": {},
        });
        for (name, value) in more.as_object().unwrap() {
            event[name] = value.clone();
        }
        let hash = CanonicalJson::of(&event).digest().to_string();
        event["hash"] = json!(hash);
        (CanonicalJson::of(&event).as_str().to_owned(), hash)
    }

    fn zero() -> String {
        "0".repeat(64)
    }

    #[test]
    fn an_event_is_read_and_compared_with_its_hash() {
        // With and without members after `hash`, and before it.
        for more in [
            json!({}),
            json!({"a": 1, "zz": "é\n\u{1}"}),
            json!({"details": {"hash": "x", "stream": [1, -2, true]}}),
        ] {
            let (text, hash) = event("request/1", 7, &zero(), &more);
            let entry = Entry::read(text.as_bytes()).unwrap();
            assert_eq!((entry.stream, entry.sequence, entry.prev_hash), ("request/1", 7, [0; 32]));
            assert_eq!((hex::encode(entry.hash), entry.timestamp), (hash, 20_261_125_190_321_482));
            assert_eq!(entry.origin, "urn:countersign:deployment:0a");
            let edited = text.replace("19:03:21", "19:03:22");
            assert_eq!(Entry::read(edited.as_bytes()), Err(InvalidEntry::Edited));
        }
        for (member, value) in [
            ("format", json!("countersign.audit.v2")),
            ("stream", json!("a b")),
            ("stream", json!("")),
            ("sequence", json!(0)),
            ("sequence", json!("1")),
            ("timestamp", json!("2026-11-25T19:03:21Z")),
            ("timestamp", json!("2026-11-25 19:03:21.482Z")),
            ("prev_hash", json!("00")),
            ("prev_hash", json!("A".repeat(64))),
            ("origin", json!(1)),
        ] {
            let (text, _) = event("request/1", 1, &zero(), &json!({ member: value }));
            assert_eq!(Entry::read(text.as_bytes()), Err(InvalidEntry::Member(member)), "{text}");
        }
        assert_eq!(Entry::read(b"{}"), Err(InvalidEntry::Member("format")));
    }

    /// The example of docs/audit-event.md, of which the hash is written there.
    #[test]
    fn the_documented_example_is_read() {
        let documentation = include_str!("../../../docs/audit-event.md");
        let example =
            documentation.split("```json\n").nth(1).unwrap().split("\n```").next().unwrap().replace('\n', "");
        let hash = "482a9d3d56a2036d1445b3f3ae20cb70febf370aa0a4fccbf75142a53bb46aff";
        let text = example.replace(r#""instance_id""#, &format!(r#""hash":"{hash}","instance_id""#));
        assert_eq!(hex::encode(Entry::read(text.as_bytes()).unwrap().hash), hash);
    }

    fn is_canonical(text: &str) -> bool {
        let mut scanner = Scanner { text, at: 0 };
        scanner.value(0).is_some() && scanner.at == text.len()
    }

    fn is_written_by_core(text: &str) -> bool {
        CanonicalJson::from_stored(text).is_ok_and(|document| document.has_whole_numbers_only())
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|n| json!(n)),
            (-9..9_i64).prop_map(|n| json!(n)),
            (-1.0e3..1.0e3_f64).prop_map(|n| json!(n)),
            any::<String>().prop_map(Value::String),
            "[\\x00-\\x22\\\\/\u{7f}é]{0,4}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map("[a-c\\x0a\u{e9}\u{fb33}\u{1f600}\"]{0,3}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn what_is_canonical_here_is_canonical_in_core(
            value in any_json(), place in any::<prop::sample::Index>(), inserted in "[ {}\\[\\],:\"\\\\0-9a-fun.eE+-]{0,2}",
        ) {
            let text = CanonicalJson::of(&value).as_str().to_owned();
            prop_assert_eq!(is_canonical(&text), is_written_by_core(&text), "{}", text);
            let mut places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
            places.push(text.len());
            let at = places[place.index(places.len())];
            for cut in [at, (at + 1).min(text.len())] {
                let Some((before, after)) = text.get(..at).zip(text.get(cut..)) else { continue };
                let changed = format!("{before}{inserted}{after}");
                prop_assert_eq!(is_canonical(&changed), is_written_by_core(&changed), "{}", changed);
            }
        }
    }

    #[test]
    fn nesting_ends_where_it_does_in_core() {
        for depth in 30..36 {
            for text in [
                format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
                format!("{}1{}", "[".repeat(depth), "]".repeat(depth)),
                format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth)),
                format!("{}{{}}{}", r#"{"a":"#.repeat(depth), "}".repeat(depth)),
            ] {
                assert_eq!(is_canonical(&text), is_written_by_core(&text), "{depth} {text}");
            }
        }
    }
}
