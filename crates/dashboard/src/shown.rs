//! Texts that people wrote, as a page may show them: what would hide, reorder or imitate other text is spelt out, as
//! `⟨U+202E⟩`. HTML itself is escaped by the templates.
//!
//! What is shown reads back: no two texts are shown alike.

use countersign_core::text::must_be_escaped;
use std::borrow::Cow;
use std::fmt;
use unicode_width::UnicodeWidthChar as _;

/// How many marks may stand on one character, as in `countersign_core::text`.
const MAX_MARKS: usize = 3;
/// What a spelt-out character begins with. It is spelt out itself, so that no text can imitate one.
const OPENING: char = '⟨';

/// A text as a page may show it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// A text for one line: line breaks are spelt out too.
    #[must_use]
    pub fn line(text: &str) -> Self {
        Self(spelt_out(text, false))
    }

    /// A text of several lines: line feeds stay.
    #[must_use]
    pub fn lines(text: &str) -> Self {
        Self(spelt_out(text, true))
    }

    /// What is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&String> for Shown {
    fn from(text: &String) -> Self {
        Self::line(text)
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self::line(&text)
    }
}

fn spelt_out(text: &str, keeps_lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut marks = MAX_MARKS;
    for c in text.chars() {
        if keeps_lines && c == '\n' {
            marks = MAX_MARKS;
            shown.push(c);
            continue;
        }
        marks = if c.width() == Some(0) { marks + 1 } else { 0 };
        if must_be_escaped(c) || c == OPENING || marks > MAX_MARKS {
            shown.push_str(&spelling(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

fn spelling(c: char) -> String {
    format!("{OPENING}U+{:04X}⟩", u32::from(c))
}

/// A whole page without any character that must not act, whatever a template let through. Line feeds and tabs are white
/// space of HTML, and of what people type into fields.
#[must_use]
pub fn without_acting_characters(page: String) -> String {
    let acts = |c: char| must_be_escaped(c) && c != '\n' && c != '\t';
    if !page.contains(acts) {
        return page;
    }
    let part = |c: char| if acts(c) { Cow::Owned(spelling(c)) } else { Cow::Owned(c.to_string()) };
    page.chars().map(part).collect()
}

/// The text that is shown so; `None` if no text is.
#[must_use]
pub fn read_back(shown: &str) -> Option<String> {
    let mut text = String::with_capacity(shown.len());
    let mut rest = shown;
    while let Some((before, after)) = rest.split_once(OPENING) {
        let (code, after) = after.strip_prefix("U+")?.split_once('⟩')?;
        text.push_str(before);
        text.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_would_act_is_spelt_out() {
        let cases = [
            ("plain, 한국어, <b>", "plain, 한국어, <b>"),
            ("drop\u{202e}evil", "drop⟨U+202E⟩evil"),
            ("a\u{200b}b\u{7}", "a⟨U+200B⟩b⟨U+0007⟩"),
            ("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟩"),
            ("\u{301}", "⟨U+0301⟩"),
            ("two\nlines", "two⟨U+000A⟩lines"),
        ];
        for (text, shown) in cases {
            assert_eq!(Shown::line(text).as_str(), shown);
            assert_eq!(read_back(shown).as_deref(), Some(text));
        }
        assert_eq!(Shown::lines("two\nlines\r").as_str(), "two\nlines⟨U+000D⟩");
    }

    #[test]
    fn a_page_loses_what_a_template_let_through() {
        let page = without_acting_characters("<p>\n\ta\u{202e}b</p>".to_owned());
        assert_eq!(page, "<p>\n\ta⟨U+202E⟩b</p>");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(text in any::<String>()) {
            for shown in [Shown::line(&text), Shown::lines(&text)] {
                prop_assert_eq!(read_back(shown.as_str()), Some(text.clone()));
                prop_assert!(!shown.as_str().contains(|c| must_be_escaped(c) && c != '\n'));
            }
        }
    }
}
