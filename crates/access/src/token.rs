//! The words and signs of a text in Cedar's language, and what its quoted texts mean:
//! <https://docs.cedarpolicy.com/policies/syntax-grammar.html>.

use std::fmt;

/// A word or a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// An identifier or a word of the language.
    Word(&'a str),
    /// Digits.
    Number(&'a str),
    /// What stands between quotation marks, as it is written.
    Quoted(&'a str),
    Sign(&'static str),
    /// Something that no policy has.
    Other(char),
    End,
}

/// Those of two characters come first: the longest counts.
const SIGNS: [&str; 26] = [
    "::", "==", "!=", "<=", ">=", "||", "&&", ":", "=", "!", "<", ">", "@", ".", ",", ";", "(", ")", "{",
    "}", "[", "]", "+", "-", "*", "?",
];

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Number(text) => write!(f, "`{text}`"),
            Self::Quoted(_) => f.write_str("a text in quotation marks"),
            Self::Sign(sign) => write!(f, "`{sign}`"),
            Self::Other(character) => write!(f, "`{}`", character.escape_debug()),
            Self::End => f.write_str("the end of the file"),
        }
    }
}

/// The tokens of a text, each with where it begins, in bytes; the end is the last.
pub(crate) fn tokens(text: &str) -> Vec<(usize, Token<'_>)> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            let end = comment.find(['\n', '\r']).unwrap_or(comment.len());
            rest = comment.get(end..).unwrap_or_default();
            continue;
        }
        let offset = text.len() - rest.len();
        let (token, length) = next(rest);
        tokens.push((offset, token));
        if token == Token::End {
            return tokens;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// The first token of a text, and how many bytes it takes.
fn next(text: &str) -> (Token<'_>, usize) {
    let Some(first) = text.chars().next() else { return (Token::End, 0) };
    let while_all = |is_part: fn(char) -> bool| {
        let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
        (text.get(..end).unwrap_or_default(), end)
    };
    if first == '_' || first.is_ascii_alphabetic() {
        let (word, length) = while_all(|c| c == '_' || c.is_ascii_alphanumeric());
        return (Token::Word(word), length);
    }
    if first.is_ascii_digit() {
        let (number, length) = while_all(|c| c.is_ascii_digit());
        return (Token::Number(number), length);
    }
    if first == '"'
        && let Some(end) = end_of_quoted(text)
    {
        return (Token::Quoted(text.get(1..end).unwrap_or_default()), end + 1);
    }
    match SIGNS.iter().find(|sign| text.starts_with(**sign)) {
        Some(sign) => (Token::Sign(sign), sign.len()),
        None => (Token::Other(first), first.len_utf8()),
    }
}

/// Where the mark stands that ends the quoted text which this begins with.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (offset, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(offset),
            _ => {}
        }
    }
    None
}

/// A character of a quoted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Character {
    Plain(char),
    /// `\*`, which only patterns have.
    EscapedStar,
}

/// What a quoted text means; `None` where it has an escape that means nothing.
pub(crate) fn unquoted(quoted: &str) -> Option<String> {
    characters(quoted)
        .map(|character| match character? {
            Character::Plain(c) => Some(c),
            Character::EscapedStar => None,
        })
        .collect()
}

/// The parts of a pattern: `*` is a wildcard, for which `None` stands, and `\*` is a star.
pub(crate) fn pattern(quoted: &str) -> Option<Vec<Option<String>>> {
    let mut parts: Vec<Option<String>> = Vec::new();
    let mut begin = quoted;
    while !begin.is_empty() {
        // A star that is not escaped is a wildcard. It takes a look at the text, as its meaning does not tell any more.
        let end = plain_star(begin).unwrap_or(begin.len());
        let (plain, rest) = begin.split_at_checked(end)?;
        if !plain.is_empty() {
            let text: Option<String> = characters(plain)
                .map(|character| match character? {
                    Character::Plain(c) => Some(c),
                    Character::EscapedStar => Some('*'),
                })
                .collect();
            parts.push(Some(text?));
        }
        begin = match rest.strip_prefix('*') {
            Some(rest) => {
                parts.push(None);
                rest
            }
            None => rest,
        };
    }
    Some(parts)
}

fn plain_star(quoted: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (offset, c) in quoted.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '*' => return Some(offset),
            _ => {}
        }
    }
    None
}

/// The characters that a quoted text means; `None` in the place of what means nothing.
fn characters(quoted: &str) -> impl Iterator<Item = Option<Character>> {
    let mut rest = quoted.chars();
    std::iter::from_fn(move || {
        let c = rest.next()?;
        if c != '\\' {
            // A carriage return hides what stands before it.
            return Some((c != '\r').then_some(Character::Plain(c)));
        }
        let plain = |c: char| Some(Character::Plain(c));
        Some(match rest.next() {
            Some('n') => plain('\n'),
            Some('r') => plain('\r'),
            Some('t') => plain('\t'),
            Some('0') => plain('\0'),
            Some(c @ ('\\' | '\'' | '"')) => plain(c),
            Some('*') => Some(Character::EscapedStar),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                let is_ascii = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = u8::from_str_radix(&digits, 16).ok().filter(|code| is_ascii && code.is_ascii());
                code.map(|code| Character::Plain(code.into()))
            }
            Some('u') => {
                let digits: Option<String> = match rest.next() {
                    Some('{') => Some(rest.by_ref().take_while(|c| *c != '}').collect()),
                    _ => None,
                };
                let digits = digits.filter(|digits| {
                    (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
                });
                let code = digits.and_then(|digits| u32::from_str_radix(&digits, 16).ok());
                code.and_then(char::from_u32).map(Character::Plain)
            }
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_sign_counts_and_comments_are_none() {
        let of = |text: &'static str| tokens(text).into_iter().map(|(_, token)| token).collect::<Vec<_>>();
        assert_eq!(
            of("a==b // c\n::\"d//\\\"\"12_"),
            [
                Token::Word("a"),
                Token::Sign("=="),
                Token::Word("b"),
                Token::Sign("::"),
                Token::Quoted("d//\\\""),
                Token::Number("12"),
                Token::Word("_"),
                Token::End,
            ]
        );
        assert_eq!(of("\"open"), [Token::Other('"'), Token::Word("open"), Token::End]);
        assert_eq!(of("a|b"), [Token::Word("a"), Token::Other('|'), Token::Word("b"), Token::End]);
        assert_eq!(of("a//x\rb"), [Token::Word("a"), Token::Word("b"), Token::End]);
    }

    #[test]
    fn escapes_mean_what_they_mean_in_rust() {
        for (quoted, meant) in [
            (r"a\n\t\0\\\'", Some("a\n\t\0\\'")),
            (r#"\""#, Some("\"")),
            (r"h\u{6f}ur\x41", Some("hourA")),
            (r"\u{1F600}", Some("\u{1F600}")),
            (r"\u{d800}", None),
            (r"\u{}", None),
            (r"\u{0000041}", None),
            (r"\x80", None),
            (r"\x4", None),
            (r"\*", None),
            (r"\q", None),
            ("a\rb", None),
        ] {
            assert_eq!(unquoted(quoted).as_deref(), meant, "{quoted}");
        }
    }

    #[test]
    fn a_star_is_a_wildcard_unless_it_is_escaped() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(pattern(r"a*\*b\u{2a}**"), Some(vec![text("a"), None, text("*b*"), None, None]));
        assert_eq!(pattern(""), Some(vec![]));
        assert_eq!(pattern(r"\\*"), Some(vec![text("\\"), None]));
        assert_eq!(pattern(r"*\q"), None);
    }
}
