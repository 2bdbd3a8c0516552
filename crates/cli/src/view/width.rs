//! How wide a text is on a terminal, and how it breaks into lines that fit. Knows no colour and no answer.

use icu_properties::CodePointMapData;
use icu_properties::props::EastAsianWidth;
use unicode_width::UnicodeWidthChar as _;

/// The width that everything fits into, unless the screen is narrower.
pub(crate) const WIDTH: usize = 80;

/// A line of ours in pieces that fit, none of which ends in a blank.
pub(crate) fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut pieces: Vec<_> =
        broken(line, width).iter().map(|piece| piece.trim_end_matches(' ').to_owned()).collect();
    pieces.retain(|piece| !piece.is_empty());
    if pieces.is_empty() { vec![String::new()] } else { pieces }
}

/// A line of escaped text in pieces that fit. Nothing is left out; it breaks at spaces where it can.
pub(crate) fn broken(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut used = 0;
    for c in line.chars() {
        let wide = cells(c);
        if used + wide > width && !current.is_empty() {
            let at = current.rfind(' ').filter(|at| *at > width / 2).map_or(current.len(), |at| at + 1);
            let rest = current.split_off(at);
            lines.push(std::mem::replace(&mut current, rest));
            used = columns(&current);
        }
        current.push(c);
        used += wide;
    }
    lines.push(current);
    lines
}

/// How many columns a text takes at most: some terminals give a place of its own even to a mark that others
/// put on the character before it, and two to a character whose width Unicode leaves open (UAX #11,
/// ambiguous), as are Greek and Cyrillic letters.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(cells).sum()
}

/// Whether terminals differ in how wide they draw a text.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    text.chars().any(has_no_fixed_width)
}

fn has_no_fixed_width(c: char) -> bool {
    CodePointMapData::<EastAsianWidth>::new().get(c) == EastAsianWidth::Ambiguous
}

/// How many rows a text takes at most in a window of so many columns.
pub(crate) fn rows(text: &str, width: usize) -> usize {
    let (mut rows, mut used) = (1, 0);
    for wide in text.chars().map(cells) {
        used += wide;
        if used > width {
            (rows, used) = (rows + 1, wide);
        }
    }
    rows
}

fn cells(c: char) -> usize {
    if has_no_fixed_width(c) { 2 } else { c.width().unwrap_or(1).max(1) }
}
