//! Documents as they are printed: JSON and YAML of the same values, in which nothing is left that a
//! terminal acts on.

use crate::error::CommandError;
use countersign_core::text::must_be_escaped;
use serde::Serialize;
use serde_yaml_ng::Value as Yaml;
use std::fmt::Write as _;

/// JSON with line breaks.
///
/// # Errors
/// When a value has no JSON, which none of ours does.
pub fn json(value: &impl Serialize) -> Result<String, CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    Ok(escaped(&text))
}

/// JSON on one line.
///
/// # Errors
/// As for [`json`].
pub fn json_line(value: &impl Serialize) -> Result<String, CommandError> {
    let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
    Ok(escaped(&text))
}

/// JSON with escapes (RFC 8259 section 7) for what a terminal would act on.
pub fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        // INVARIANT: outside of strings JSON is ASCII, and its only controls are our line breaks; inside,
        // line breaks are escaped already.
        if c != '\n' && must_be_escaped(c) {
            escape(&mut text, c);
        } else {
            text.push(c);
        }
    }
    text
}

fn escape(text: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(text, "\\u{unit:04x}");
    }
}

/// YAML.
///
/// # Errors
/// When a value has no YAML, which none of ours does.
pub fn yaml(value: &impl Serialize) -> Result<String, CommandError> {
    let mut value = serde_yaml_ng::to_value(value).map_err(|error| error.to_string())?;
    mark(&mut value);
    let yaml = serde_yaml_ng::to_string(&value).map_err(|error| error.to_string())?;
    let mut text = String::with_capacity(yaml.len());
    for c in yaml.chars() {
        if c != '\n' && must_be_escaped(c) {
            let unmarked = text.strip_suffix(MARK_AS_WRITTEN).map(str::len);
            text.truncate(unmarked.unwrap_or(text.len()));
            let code = u32::from(c);
            let _ = if code > 0xffff { write!(text, "\\U{code:08x}") } else { write!(text, "\\u{code:04x}") };
        } else {
            text.push(c);
        }
    }
    Ok(without_quoted(text.trim_end()))
}

/// Takes the controls out again that follow the first quotation mark of a string. One within a string follows a
/// backslash.
fn without_quoted(text: &str) -> String {
    let first = format!("\"{QUOTED_AS_WRITTEN}");
    let mut parts = text.split(&first);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_within = result.ends_with('\\');
        result.push('"');
        result.push_str(if is_within { QUOTED_AS_WRITTEN } else { "" });
        result.push_str(part);
    }
    result
}

/// What makes the library write a string in double quotes that it would leave bare: a control at its beginning.
const QUOTED: char = '\u{5}';
const QUOTED_AS_WRITTEN: &str = "\\x05";

/// Whether a reader of YAML 1.1 may take a bare string for something else: a truth value, a number (also with
/// colons or underscores), a date, or a key of its own (YAML types for 1.1, yaml.org/type).
fn is_ambiguous(text: &str) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "<<", "="];
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    let is_numeric = |c: char| {
        c.is_ascii_hexdigit() || matches!(c, '_' | ':' | '.' | '+' | '-' | 'x' | 'o' | 'T' | 'Z' | ' ')
    };
    let is_special =
        |text: &str| matches!(text.to_ascii_lowercase().trim_start_matches(['+', '-']), ".inf" | ".nan");
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
        || (begins && (text.chars().all(is_numeric) || is_special(text)))
        || text.starts_with(QUOTED)
        // What would be taken for it.
        || text.contains(QUOTED_AS_WRITTEN)
}

/// What makes the library write a string in double quotes, where alone there are escapes (YAML 1.2.2
/// section 5.7): a control before each character that it would leave as it is.
const MARK: char = '\u{7}';
const MARK_AS_WRITTEN: &str = "\\a";

fn mark(value: &mut Yaml) {
    match value {
        Yaml::String(text) => {
            // What is below, line breaks and the byte order mark, the library escapes itself.
            let is_left = |c: char| {
                c >= '\u{a0}' && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') && must_be_escaped(c)
            };
            let mut marked = String::with_capacity(text.len());
            marked.extend(is_ambiguous(text).then_some(QUOTED));
            for c in text.chars() {
                marked.extend(is_left(c).then_some(MARK));
                marked.push(c);
            }
            *text = marked;
        }
        Yaml::Sequence(values) => values.iter_mut().for_each(mark),
        Yaml::Mapping(members) => {
            *members = std::mem::take(members)
                .into_iter()
                .map(|(mut name, mut value)| {
                    mark(&mut name);
                    mark(&mut value);
                    (name, value)
                })
                .collect();
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Tagged(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn every_harmful_character() -> String {
        ('\0'..=char::MAX).filter(|c| must_be_escaped(*c)).collect()
    }

    #[track_caller]
    fn check_harmless(text: &str) {
        let harmful = text.chars().find(|c| *c != '\n' && must_be_escaped(*c));
        assert_eq!(harmful, None);
    }

    #[test]
    fn threat_71_json_and_yaml_hold_the_same_values_and_nothing_that_a_terminal_acts_on() {
        let all = every_harmful_character();
        let mut cases = vec![json!({ all.clone(): [all.clone(), { "b": all }] })];
        for harmful in
            ["\u{9b}2J", "\u{202e}", "\\a\u{202e}", "\u{7}\u{202e}", "a\u{200b}b\n", "- \u{e0001}: x"]
        {
            cases.push(
                json!({ harmful: harmful, "list": [harmful, 1.5, null, true, "plain: text", "äß 漢"] }),
            );
        }
        for value in cases {
            let (pretty, line, yaml) =
                (super::json(&value).unwrap(), json_line(&value).unwrap(), super::yaml(&value).unwrap());
            for text in [&pretty, &line, &yaml] {
                check_harmless(text);
            }
            assert_eq!(serde_json::from_str::<Value>(&pretty).unwrap(), value);
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
            assert_eq!(serde_yaml_ng::from_str::<Value>(&yaml).unwrap(), value, "{yaml}");
            assert!(!line.contains('\n'));
        }
    }

    #[test]
    fn threat_71_readers_of_yaml_1_1_find_the_same_strings() {
        for ambiguous in [
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "~",
            "null",
            "True",
            "1_000",
            "12:30:45",
            "2026-01-01",
            "0x1F",
            "0o7",
            "012",
            "1e3",
            "+1",
            "-1",
            ".5",
            ".inf",
            "-.Inf",
            ".NaN",
            "<<",
            "=",
            "2026-01-01T00:00:00Z",
            "2026-01-01 00:00:00 +1",
            "0b1",
            "1.",
            "\u{5}",
            "\u{5}yes",
            "yes\u{202e}",
            "\"\u{5}",
            "a \"\\x05",
        ] {
            let value = json!({ ambiguous: ambiguous, "list": [ambiguous] });
            let text = yaml(&value).unwrap();
            assert_eq!(serde_yaml_ng::from_str::<Value>(&text).unwrap(), value, "{text}");
            let bare = text.lines().filter(|line| !line.contains('"')).collect::<Vec<_>>();
            assert_eq!(bare, ["list:"], "{text}");
        }
        for plain in ["yesterday", "a", "production", "10 minutes", "1st", "db-01"] {
            assert_eq!(yaml(&json!([plain])).unwrap(), format!("- {plain}"));
        }
    }

    #[test]
    fn what_does_no_harm_stays_as_it_is() {
        let value = json!(["Zoë 漢字", "a\nb"]);
        assert_eq!(json_line(&value).unwrap(), r#"["Zoë 漢字","a\nb"]"#);
        assert_eq!(yaml(&value).unwrap(), "- Zoë 漢字\n- |-\n  a\n  b");
    }
}
