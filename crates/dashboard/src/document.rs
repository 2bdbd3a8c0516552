//! JSON as a page shows it: canonical, a line for each member, nothing cut and nothing added.

use crate::shown::Shown;
use countersign_core::canonical::CanonicalJson;
use serde_json::Value;

/// Deeper lines are not moved further to the right: a phone has no room for it.
const DEEPEST: usize = 9;

/// A line of a document. All lines one after another are the canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentLine {
    /// How far it is moved to the right.
    pub depth: usize,
    pub text: Shown,
}

/// The lines of a value.
pub(crate) fn lines(value: &Value) -> Vec<DocumentLine> {
    of_canonical(CanonicalJson::of(value).as_str())
}

/// Breaks canonical JSON after each opening bracket and comma, and before each closing bracket.
fn of_canonical(text: &str) -> Vec<DocumentLine> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if is_string {
            line.push(c);
            is_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' => {
                line.push(c);
                match characters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(closing) => line.push(closing),
                    None => {
                        end(&mut lines, &mut line, depth);
                        depth += 1;
                    }
                }
            }
            '}' | ']' => {
                end(&mut lines, &mut line, depth);
                depth = depth.saturating_sub(1);
                line.push(c);
            }
            ',' => {
                line.push(c);
                end(&mut lines, &mut line, depth);
            }
            _ => {
                is_string = c == '"';
                line.push(c);
            }
        }
    }
    end(&mut lines, &mut line, depth);
    lines
}

fn end(lines: &mut Vec<DocumentLine>, line: &mut String, depth: usize) {
    if !line.is_empty() {
        lines.push(DocumentLine { depth: depth.min(DEEPEST), text: Shown::from(std::mem::take(line)) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shown::read_back;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn each_member_has_a_line() {
        let shown = lines(&json!({"b": {"x": [1, "a,b{\"\\"]}, "a": {}, "c": []}));
        let shown: Vec<_> = shown.iter().map(|line| (line.depth, line.text.as_str())).collect();
        let expected = [
            (0, "{"),
            (1, "\"a\":{},"),
            (1, "\"b\":{"),
            (2, "\"x\":["),
            (3, "1,"),
            (3, "\"a,b{\\\"\\\\\""),
            (2, "]"),
            (1, "},"),
            (1, "\"c\":[]"),
            (0, "}"),
        ];
        assert_eq!(shown, expected);
    }

    proptest! {
        #[test]
        fn lines_read_back_to_the_bytes(texts in prop::collection::vec(any::<String>(), 0..6), number in any::<i32>()) {
            let value = json!({"texts": texts, "number": number, "nested": {texts.concat(): [texts]}});
            let shown: String = lines(&value).iter().map(|line| line.text.as_str()).collect();
            let canonical = CanonicalJson::of(&value).as_str().to_owned();
            prop_assert_eq!(read_back(&shown), Some(canonical));
        }
    }
}
