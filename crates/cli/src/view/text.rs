//! Text that people read, before it is painted: lines of spans, each with a tone.
//!
//! INVARIANT: what is in a span holds nothing that a terminal acts on. It is escaped where the span is made, here
//! and nowhere else, so that no painter has to know who wrote it.

use crate::view::width;
use countersign_core::text::{escaped_line, escaped_lines};
use std::fmt;

/// What a span is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The name of something.
    Quiet,
    /// What the eye should find first.
    Strong,
    /// What went well.
    Good,
    /// What needs a decision, or has a limit.
    Warning,
    /// What is dangerous, or went wrong.
    Danger,
}

/// A piece of a line in one tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    tone: Option<Tone>,
    text: String,
}

impl Span {
    /// A text, escaped.
    pub fn new(tone: impl Into<Option<Tone>>, text: &str) -> Self {
        Self { tone: tone.into(), text: escaped_line(text) }
    }

    /// Its tone, if it has one.
    pub fn tone(&self) -> Option<Tone> {
        self.tone
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A line, however long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    spans: Vec<Span>,
}

impl Line {
    /// A line of one span.
    pub fn new(tone: impl Into<Option<Tone>>, text: &str) -> Self {
        Self::default().with(tone, text)
    }

    /// A line of one span without a tone.
    pub fn plain(text: &str) -> Self {
        Self::new(None, text)
    }

    /// The same with one more span.
    pub fn with(mut self, tone: impl Into<Option<Tone>>, text: &str) -> Self {
        self.push(Span::new(tone, text));
        self
    }

    /// Puts one more span at the end.
    pub fn push(&mut self, span: Span) {
        self.spans.push(span);
    }

    /// A line of ours as lines that fit, none of which ends in a blank.
    pub fn wrapped(tone: impl Into<Option<Tone>>, text: &str, width: usize) -> Vec<Self> {
        Self::of_pieces(tone.into(), width::wrapped(&escaped_line(text), width))
    }

    /// A line as lines that fit, of which nothing is left out.
    pub fn broken(text: &str, width: usize) -> Vec<Self> {
        Self::of_pieces(None, width::broken(&escaped_line(text), width))
    }

    fn of_pieces(tone: Option<Tone>, pieces: Vec<String>) -> Vec<Self> {
        pieces.into_iter().map(|text| Self { spans: vec![Span { tone, text }] }).collect()
    }

    /// The same in one tone.
    pub fn toned(mut self, tone: Tone) -> Self {
        self.spans.iter_mut().for_each(|span| span.tone = Some(tone));
        self
    }

    /// The same behind a text of ours.
    pub fn behind(mut self, tone: impl Into<Option<Tone>>, text: &str) -> Self {
        self.spans.insert(0, Span::new(tone, text));
        self
    }

    /// The same with another line at its end.
    pub fn and(mut self, other: Self) -> Self {
        self.spans.extend(other.spans);
        self
    }

    /// The same without blanks at its end.
    pub fn trimmed(mut self) -> Self {
        while let Some(last) = self.spans.last_mut() {
            last.text.truncate(last.text.trim_end_matches(' ').len());
            if !last.text.is_empty() {
                break;
            }
            self.spans.pop();
        }
        self
    }

    /// Its spans, from left to right.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// How many columns it takes at most.
    pub fn columns(&self) -> usize {
        self.spans.iter().map(|span| width::columns(&span.text)).sum()
    }

    /// How many rows it takes at most in a window of so many columns.
    pub fn rows(&self, columns: usize) -> usize {
        width::rows(&self.to_string(), columns)
    }

    /// Whether terminals differ in how wide they draw it.
    pub fn is_ambiguous(&self) -> bool {
        self.spans.iter().any(|span| width::is_ambiguous(&span.text))
    }
}

impl fmt::Display for Line {
    /// Without its tones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spans.iter().try_for_each(|span| f.write_str(&span.text))
    }
}

/// Lines, one below the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    lines: Vec<Line>,
}

impl Text {
    /// One line of one span without a tone.
    pub fn of_line(text: &str) -> Self {
        Self { lines: vec![Line::plain(text)] }
    }

    /// Puts a line below.
    pub fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Puts lines below.
    pub fn extend(&mut self, lines: impl IntoIterator<Item = Line>) {
        self.lines.extend(lines);
    }

    /// Puts a line without anything below.
    pub fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    /// Puts a line of ours below, as lines that fit.
    pub fn wrapped(&mut self, tone: impl Into<Option<Tone>>, text: &str, width: usize) {
        self.extend(Line::wrapped(tone, text, width));
    }

    /// Puts what a person wrote below, behind a bar, so that it cannot look like a line of ours.
    pub fn quote(&mut self, words: &str, width: usize) {
        for line in escaped_lines(words) {
            for piece in width::broken(&line, width.saturating_sub(4)) {
                let piece = Span { tone: None, text: piece };
                self.push(Line { spans: vec![Span::new(None, "  | "), piece] });
            }
        }
    }

    /// The lines, from above.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

impl From<Vec<Line>> for Text {
    fn from(lines: Vec<Line>) -> Self {
        Self { lines }
    }
}

impl From<Text> for Vec<Line> {
    fn from(text: Text) -> Self {
        text.lines
    }
}

impl fmt::Display for Text {
    /// Without its tones; each line ends in a line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_put_into_a_span_is_escaped() {
        let evil = "a\u{1b}[2J\nb\u{202e}";
        let mut text = Text::of_line(evil);
        text.push(Line::new(Tone::Good, evil).with(None, evil).behind(None, evil));
        text.wrapped(Tone::Danger, evil, 80);
        text.extend(Line::broken(evil, 80));
        text.quote(evil, 80);
        let shown = text.to_string();
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
        assert_eq!(shown.lines().count(), 6, "{shown}");
        assert!(shown.ends_with("  | a\\u{1b}[2J\n  | b\\u{202e}\n"), "{shown}");
    }

    #[test]
    fn a_line_without_blanks_at_its_end_has_none() {
        let line = Line::plain("a ").with(Tone::Good, "b  ").with(None, "  ").trimmed();
        assert_eq!(line.to_string(), "a b");
        assert_eq!(Line::plain("  ").trimmed(), Line::default());
    }
}
