//! Keys of a JSON document that its reader may take for others: an approver reads `size`, the executor
//! finds another key.

use crate::text::is_visible;
use serde_json::Value;
use std::collections::BTreeMap;
use unicode_security::confusable_detection::skeleton;

/// A key that is not what it seems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubtfulKey {
    /// The object that it is in, as RFC 6901 names it; empty for the document itself.
    pub pointer: String,
    /// The key.
    pub key: String,
    /// The other keys of that object that look the same (UTS #39), in their order.
    pub alike: Vec<String>,
}

impl DoubtfulKey {
    /// What is doubtful about it, in ASCII: `"s\u{456}ze" is not ASCII, looks like "size"`.
    pub fn in_words(&self) -> String {
        let quoted = |key: &String| format!("\"{}\"", key.escape_default());
        let mut words = quoted(&self.key);
        if !self.pointer.is_empty() {
            words.push_str(&format!(" in {}", self.pointer.escape_default()));
        }
        if !self.key.is_ascii() {
            words.push_str(" is not ASCII");
        }
        if !self.alike.is_empty() {
            let alike: Vec<_> = self.alike.iter().map(quoted).collect();
            let separator = if self.key.is_ascii() { "" } else { "," };
            words.push_str(&format!("{separator} looks like {}", alike.join(" and ")));
        }
        words
    }
}

/// The keys that are not ASCII, or look like another of the same object: equal after normalisation, after
/// confusable characters have been replaced by what they look like, or but for what cannot be seen.
pub fn doubtful_keys(document: &Value) -> Vec<DoubtfulKey> {
    let mut found = Vec::new();
    search(document, "", &mut found);
    found
}

fn search(value: &Value, pointer: &str, found: &mut Vec<DoubtfulKey>) {
    match value {
        Value::Object(members) => {
            let mut looks: BTreeMap<String, Vec<&String>> = BTreeMap::new();
            for key in members.keys() {
                looks.entry(look(key)).or_default().push(key);
            }
            for (key, member) in members {
                let same = looks.get(&look(key)).into_iter().flatten();
                let alike: Vec<_> =
                    same.filter(|other| **other != key).map(|other| (*other).clone()).collect();
                if !key.is_ascii() || !alike.is_empty() {
                    found.push(DoubtfulKey { pointer: pointer.to_owned(), key: key.clone(), alike });
                }
                let step = key.replace('~', "~0").replace('/', "~1");
                search(member, &format!("{pointer}/{step}"), found);
            }
        }
        Value::Array(members) => {
            for (index, member) in members.iter().enumerate() {
                search(member, &format!("{pointer}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What two texts have in common that look the same.
fn look(text: &str) -> String {
    let visible: String = text.chars().filter(|c| is_visible(*c)).collect();
    skeleton(&visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(document: Value) -> Vec<String> {
        doubtful_keys(&document).iter().map(DoubtfulKey::in_words).collect()
    }

    #[test]
    fn keys_that_look_alike_are_found_at_any_depth() {
        assert_eq!(
            words(json!({ "size": 1, "s\u{456}ze": 2 })),
            [r#""size" looks like "s\u{456}ze""#, r#""s\u{456}ze" is not ASCII, looks like "size""#]
        );
        let composed = json!({ "a": [{ "cafe\u{301}": 1, "caf\u{e9}": 2 }] });
        assert_eq!(
            words(composed),
            [
                r#""cafe\u{301}" in /a/0 is not ASCII, looks like "caf\u{e9}""#,
                r#""caf\u{e9}" in /a/0 is not ASCII, looks like "cafe\u{301}""#,
            ]
        );
        for (one, other) in [("size", "size\u{200b}"), ("size", " size"), ("ll", "l1"), ("a\u{2800}b", "ab")]
        {
            assert_eq!(doubtful_keys(&json!({ one: 1, other: 2 })).len(), 2, "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_cannot_be_mistaken_is_left_alone() {
        assert_eq!(
            words(json!({ "size": 1, "a": { "size": 2, "é": null } })),
            [r#""\u{e9}" in /a is not ASCII"#]
        );
        assert_eq!(words(json!([{ "size": "sіze", "sizes": 1, "Size": 2 }, "é", null])), [""; 0]);
    }
}
