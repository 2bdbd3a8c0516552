//! The text of a set of policies: where each policy begins, which line an offset is in, and which
//! words a policy uses outside comments.
//!
//! Cedar tells the places of its errors, but not where a policy without an error begins.

/// The deepest nesting of brackets, as of JSON.
const MAX_NESTING: usize = 32;
/// The most operators and conditions of one policy. Cedar nests what is written in a row, and does not evaluate
/// what is nested too deep for the stack of a thread: a test evaluates as many as this on the stack of one.
pub const MAX_OPERATORS: usize = 200;
/// The most attributes and methods of one policy.
const MAX_SELECTIONS: usize = 1_000;

/// A text, and where each of its policies begins, in bytes.
#[derive(Debug)]
pub struct Source {
    text: String,
    policies: Vec<usize>,
    lines: Vec<usize>,
}

/// The text of one policy, without comments.
#[derive(Debug)]
pub struct Code(String);

/// What a character belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    Comment,
    Text,
    /// After a backslash in a text.
    Escape,
}

/// What each character belongs to, in a text that need not be correct. Of the quotes around a text,
/// the first is part of it and the last is code.
fn characters(text: &str) -> impl Iterator<Item = (usize, char, Inside)> {
    let mut inside = Inside::Code;
    let mut characters = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (offset, character) = characters.next()?;
        let is_before_slash = matches!(characters.peek(), Some((_, '/')));
        inside = match (inside, character) {
            (Inside::Code, '/') if is_before_slash => Inside::Comment,
            (Inside::Comment, '\n' | '\r') => Inside::Code,
            (Inside::Code, '"') | (Inside::Escape, _) => Inside::Text,
            (Inside::Text, '"') => Inside::Code,
            (Inside::Text, '\\') => Inside::Escape,
            (Inside::Code | Inside::Comment | Inside::Text, _) => inside,
        };
        Some((offset, character, inside))
    })
}

impl Source {
    /// Reads a text that need not be correct.
    pub fn read(text: &str) -> Self {
        let mut policies = Vec::new();
        let mut is_between_policies = true;
        for (offset, character, inside) in characters(text) {
            if inside == Inside::Comment {
                continue;
            }
            // A policy ends with its semicolon, and nothing else outside texts has one.
            if inside == Inside::Code && character == ';' {
                is_between_policies = true;
            } else if is_between_policies && !character.is_whitespace() {
                is_between_policies = false;
                policies.push(offset);
            }
        }
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1));
        Self { text: text.to_owned(), policies, lines: lines.collect() }
    }

    /// Where a policy is too deep to be read and evaluated on the stack of a thread, in bytes, and which rule
    /// it breaks. To be asked before Cedar reads the text.
    pub fn too_deep(&self) -> Option<(usize, &'static str)> {
        let (mut nesting, mut operators, mut selections) = (0_usize, 0, 0);
        let (mut word, mut before) = (String::new(), ' ');
        for (offset, character, inside) in characters(&self.text) {
            let code = if inside == Inside::Code { character } else { ' ' };
            if code.is_alphanumeric() || code == '_' {
                word.push(code);
                before = code;
                continue;
            }
            if matches!(std::mem::take(&mut word).as_str(), "if" | "when" | "unless") {
                operators += 1;
            }
            match code {
                ';' => (nesting, operators, selections) = (0, 0, 0),
                '(' | '[' | '{' => nesting += 1,
                ')' | ']' | '}' => nesting = nesting.saturating_sub(1),
                '+' | '-' | '*' => operators += 1,
                '&' | '|' if before == code => operators += 1,
                '.' => selections += 1,
                _ => {}
            }
            before = code;
            if nesting > MAX_NESTING {
                return Some((offset, "brackets are nested deeper than 32 here"));
            }
            if operators > MAX_OPERATORS {
                let rule = "this policy has more than 200 operators and conditions: ask with \
                            [...].contains(...) in place of many comparisons, or write several policies";
                return Some((offset, rule));
            }
            if selections > MAX_SELECTIONS {
                return Some((
                    offset,
                    "this policy asks for more than 1000 attributes: write several policies",
                ));
            }
        }
        None
    }

    /// The line and the character in it, both from 1, of an offset in bytes.
    pub fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or_default();
        let in_line = self.text.get(start..).unwrap_or_default().char_indices();
        (line, 1 + in_line.take_while(|(at, _)| start + at < offset).count())
    }

    /// Where a policy begins, by its number in the text, from 0: the line and the character in it.
    pub fn place(&self, number: usize) -> (usize, usize) {
        self.line_and_column(self.policies.get(number).copied().unwrap_or(0))
    }
}

impl Code {
    /// Reads the text of one policy.
    pub fn read(text: &str) -> Self {
        let kept = characters(text).filter(|(_, _, inside)| *inside != Inside::Comment);
        Self(kept.map(|(_, character, _)| character).collect())
    }

    /// Whether the policy may ask for the attribute of the context that has this name. Never
    /// `false` if it does.
    pub fn may_ask_for(&self, attribute: &str) -> bool {
        self.0.contains(attribute)
    }

    /// Whether the policy may look at its resource: every policy has the word once, in its scope.
    pub fn may_name_the_resource(&self) -> bool {
        let mut scope_and_conditions = self.0.split("resource").skip(1);
        let after = scope_and_conditions.next().unwrap_or("=").trim_start();
        scope_and_conditions.next().is_some() || !(after.starts_with(')') || after.starts_with(','))
    }

    /// Whether attributes may be asked for without their names being in the text: an escape can
    /// spell a name in another way, and `context` as a whole has all of them.
    pub fn may_ask_for_anything(&self) -> bool {
        let is_selection = |rest: &str| {
            let rest = rest.trim_start();
            rest.starts_with('.') || rest.starts_with('[') || rest.starts_with("has")
        };
        self.0.contains('\\') || self.0.split("context").skip(1).any(|rest| !is_selection(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Source};

    #[test]
    fn policies_begin_after_the_semicolon_of_the_last() {
        let source =
            Source::read("// one; two\n@id(\"a;\\\"//\") permit(x); // three;\n\n  @id(\"b\")\nforbid(é);\n");
        assert_eq!((source.place(0), source.place(1)), ((2, 1), (4, 3)));
        assert_eq!(source.policies.len(), 2);
    }

    #[test]
    fn columns_are_characters() {
        let source = Source::read("äöü x\nfoo");
        assert_eq!(source.line_and_column(7), (1, 5));
        assert_eq!(source.line_and_column(9), (2, 1));
        assert_eq!(source.line_and_column(9_999), (2, 4));
    }

    #[test]
    fn what_is_too_deep_is_said_where_it_is() {
        let rule = |text: &str| Source::read(text).too_deep().map(|(offset, _)| offset);
        let nested = |depth: usize| format!("permit{}", "(".repeat(depth));
        assert_eq!((rule(&nested(32)), rule(&nested(33))), (None, Some(38)));
        let each = "permit(principal, action, resource) when { a };\n";
        assert_eq!(rule(&each.repeat(1_000)), None, "each policy is counted by itself");
        for operator in ["&&", "||", "+", "-", "*", "if", "when", "unless"] {
            let many = |count: usize| format!("a {operator} ").repeat(count);
            assert_eq!((rule(&many(200)), rule(&many(201)).is_some()), (None, true), "{operator}");
        }
        assert!(rule(&".a".repeat(1_001)).is_some() && rule(&".a".repeat(1_000)).is_none());
        for text in [
            format!("// {}\n", "(".repeat(100)),
            format!("\"{}\"", "(|| if".repeat(300)),
            "iffy whenever ".repeat(300),
            "a | b & c == d != e <= f".repeat(300),
        ] {
            assert_eq!(rule(&text), None, "{text}");
        }
    }

    #[test]
    fn a_resource_is_looked_at_where_its_name_is_followed_by_more() {
        for text in [
            "permit(principal, action, resource);",
            "permit(principal, action, resource,) when { context.own };",
        ] {
            assert!(!Code::read(text).may_name_the_resource(), "{text}");
        }
        for text in [
            "permit(principal, action, resource is Operation);",
            "permit(principal, action, resource == Operation::\"a\");",
            "permit(principal, action, resource) when { [resource].isEmpty() };",
            "permit(principal == Person::\"resource\", action, resource);",
        ] {
            assert!(Code::read(text).may_name_the_resource(), "{text}");
        }
    }

    #[test]
    fn comments_ask_for_nothing() {
        let policy = Code::read("// context.hour\npermit(context.own) // context\n; // context");
        assert!(policy.may_ask_for("own") && !policy.may_ask_for("hour") && !policy.may_ask_for_anything());
    }

    #[test]
    fn whatever_hides_a_name_asks_for_anything() {
        for text in [
            r#"context["h\u{6f}ur"]"#,
            "context == {own: true}",
            "if true then context else context",
            "[context]",
            "context",
            "(context).own",
        ] {
            assert!(Code::read(text).may_ask_for_anything(), "{text}");
        }
        for text in
            ["context.own", r#"context["own"]"#, "context has own", "context\n  .own", "context\n// a\n.own"]
        {
            assert!(!Code::read(text).may_ask_for_anything(), "{text}");
        }
    }
}
