//! How what is shown stands on a page: at most 80 columns, nothing cut off, names beside or above what they name.

use crate::view::text::{Line, Text, Tone};
use crate::view::times::RelativeTime;
use crate::view::tones::status_tone;
use countersign_core::look_alike::doubtful_keys;
use serde_json::Value;

/// Below this width, what has a name stands under it and no longer beside it.
const NARROW: usize = 36;
/// How far in values stand beside their names, and below them.
const BESIDE: usize = 14;
const BELOW: usize = 2;

/// How things are shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Now.
    pub moment: RelativeTime,
    /// The width that everything fits into.
    pub width: usize,
}

impl View {
    /// What is to be done, to what.
    pub(crate) fn title(&self, operation_type: &str, instance_id: &str) -> Text {
        Line::wrapped(Tone::Strong, &format!("{operation_type} on {instance_id}"), self.width).into()
    }

    /// A status, and what is said with it.
    pub(crate) fn status(&self, text: &mut Text, status: &str, rest: &str) {
        let line = Line::new(status_tone(status), status).with(None, rest);
        let pieces = Line::wrapped(None, &line.to_string(), self.width.saturating_sub(2));
        if pieces.len() == 1 {
            return text.push(line);
        }
        // A service that is not ours may say anything.
        for (index, piece) in pieces.into_iter().enumerate() {
            text.push(if index == 0 { piece } else { indented(2, piece) });
        }
    }

    /// A value beside its name.
    pub(crate) fn line(&self, text: &mut Text, name: &str, value: &str, tone: Option<Tone>) {
        let pieces = Line::wrapped(None, value, self.width.saturating_sub(self.indent()));
        for (index, piece) in pieces.into_iter().enumerate() {
            match (index, tone) {
                (0, Some(tone)) => self.named(text, name, piece.toned(tone)),
                (0, None) => self.named(text, name, piece),
                _ => text.push(indented(self.indent(), piece)),
            }
        }
    }

    /// Values under one name, each on a line of its own. What does not fit goes on further in, so that
    /// it cannot look like another value.
    pub(crate) fn lines(&self, text: &mut Text, name: &str, values: impl IntoIterator<Item = String>) {
        let mut name = name;
        for value in values {
            let pieces = Line::wrapped(None, &value, self.width.saturating_sub(self.indent() + 2));
            for (index, piece) in pieces.into_iter().enumerate() {
                match index {
                    0 => self.named(text, name, piece),
                    _ => text.push(indented(self.indent() + 2, piece)),
                }
            }
            name = "";
        }
    }

    /// A value that may not be there.
    pub(crate) fn optional(&self, text: &mut Text, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(text, name, value, None);
        }
    }

    /// How far in a value stands.
    fn indent(&self) -> usize {
        if self.width < NARROW { BELOW } else { BESIDE }
    }

    /// What stands beside its name, or below it where the window is narrow.
    fn named(&self, text: &mut Text, name: &str, value: Line) {
        if self.width >= NARROW {
            text.push(value.behind(Tone::Quiet, &format!("{name:<BESIDE$}")));
            return;
        }
        if !name.is_empty() {
            text.push(Line::new(Tone::Quiet, name));
        }
        text.push(indented(BELOW, value));
    }

    /// A text that a person wrote, under its title.
    pub(crate) fn quote(&self, text: &mut Text, title: &str, words: &str) {
        text.wrapped(Tone::Quiet, title, self.width);
        text.quote(words, self.width);
    }

    /// A JSON document, and which of its keys may be taken for others. Its own escapes stay; what it leaves
    /// as it is gets ours.
    pub(crate) fn block(&self, text: &mut Text, title: &str, document: &Value) {
        self.quote(text, title, &serde_json::to_string_pretty(document).unwrap_or_default());
        self.doubts(text, document);
    }

    /// Which keys of a document may be taken for others.
    pub(crate) fn doubts(&self, text: &mut Text, document: &Value) {
        for doubt in doubtful_keys(document) {
            let doubt = format!("the key {}", doubt.in_words());
            for line in Line::wrapped(Tone::Danger, &doubt, self.width.saturating_sub(4)) {
                text.push(line.behind(Tone::Danger, "! ").behind(None, "  "));
            }
        }
    }
}

fn indented(indent: usize, line: Line) -> Line {
    line.behind(None, &" ".repeat(indent))
}

/// Fails unless every line fits and holds nothing but text.
#[cfg(test)]
#[track_caller]
pub(crate) fn check_fits(text: &str) {
    let is_harmful =
        |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}');
    for line in text.lines() {
        let width: usize = line.chars().map(|c| unicode_width::UnicodeWidthChar::width(c).unwrap_or(1)).sum();
        assert!(width <= crate::view::width::WIDTH, "{width} columns: {line}");
        assert!(!line.contains(is_harmful), "{line:?}");
    }
}
