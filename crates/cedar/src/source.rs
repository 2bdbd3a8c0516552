//! The text of a set of policies: where each policy begins, which line an offset is in, and which
//! words a policy uses outside comments.
//!
//! Cedar tells the places of its errors, but not where a policy without an error begins.

/// A text, and where each of its policies begins, in bytes.
#[derive(Debug)]
pub(crate) struct Source {
    text: String,
    policies: Vec<usize>,
}

/// The text of one policy, without comments.
#[derive(Debug)]
pub(crate) struct Code(String);

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
    pub(crate) fn read(text: &str) -> Self {
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
        Self { text: text.to_owned(), policies }
    }

    /// The line and the character in it, both from 1, of an offset in bytes.
    pub(crate) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.char_indices().take_while(|(start, _)| *start < offset);
        before.fold((1, 1), |(line, column), (_, character)| match character {
            '\n' => (line + 1, 1),
            _ => (line, column + 1),
        })
    }

    /// Where a policy begins, by its number in the text, from 0: the line and the character in it.
    pub(crate) fn place(&self, number: usize) -> (usize, usize) {
        self.line_and_column(self.policies.get(number).copied().unwrap_or(0))
    }
}

impl Code {
    /// Reads the text of one policy.
    pub(crate) fn read(text: &str) -> Self {
        let kept = characters(text).filter(|(_, _, inside)| *inside != Inside::Comment);
        Self(kept.map(|(_, character, _)| character).collect())
    }

    /// Whether the policy may ask for the attribute of the context that has this name. Never
    /// `false` if it does.
    pub(crate) fn may_ask_for(&self, attribute: &str) -> bool {
        self.0.contains(attribute)
    }

    /// Whether the policy may look at its resource: every policy has the word once, in its scope.
    pub(crate) fn may_name_the_resource(&self) -> bool {
        let mut scope_and_conditions = self.0.split("resource").skip(1);
        let after = scope_and_conditions.next().unwrap_or("=").trim_start();
        scope_and_conditions.next().is_some() || !(after.starts_with(')') || after.starts_with(','))
    }

    /// Whether attributes may be asked for without their names being in the text: an escape can
    /// spell a name in another way, and `context` as a whole has all of them.
    pub(crate) fn may_ask_for_anything(&self) -> bool {
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
