//! Documents as they are printed: JSON and YAML of the same values, in which nothing is left that a
//! terminal acts on.

use crate::exit::Exit;
use countersign_core::text::must_be_escaped;
use serde::Serialize;
use serde_yaml_ng::Value as Yaml;
use std::fmt::Write as _;

/// JSON with line breaks.
///
/// # Errors
/// When a value has no JSON, which none of ours does.
pub fn json(value: &impl Serialize) -> Result<String, Exit> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    Ok(escaped(&text))
}

/// JSON on one line.
///
/// # Errors
/// As for [`json`].
pub fn json_line(value: &impl Serialize) -> Result<String, Exit> {
    let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
    Ok(escaped(&text))
}

/// JSON with escapes (RFC 8259 section 7) for what a terminal would act on.
fn escaped(json: &str) -> String {
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
pub fn yaml(value: &impl Serialize) -> Result<String, Exit> {
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
    Ok(text.trim_end().to_owned())
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
    fn what_does_no_harm_stays_as_it_is() {
        let value = json!(["Zoë 漢字", "a\nb"]);
        assert_eq!(json_line(&value).unwrap(), r#"["Zoë 漢字","a\nb"]"#);
        assert_eq!(yaml(&value).unwrap(), "- Zoë 漢字\n- |-\n  a\n  b");
    }
}
