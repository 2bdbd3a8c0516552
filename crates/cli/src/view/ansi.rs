//! Lines as a terminal draws them: each tone as its escape sequence. One of two painters; the other is that of the
//! inbox.

use crate::view::text::{Line, Tone};

/// A line with the escape sequences of its tones (ECMA-48, SGR).
pub fn painted(line: &Line) -> String {
    let spans = line.spans().iter().map(|span| match span.tone() {
        None => span.text().to_owned(),
        Some(tone) => format!("\u{1b}[{}m{}\u{1b}[0m", parameters(tone), span.text()),
    });
    spans.collect()
}

fn parameters(tone: Tone) -> &'static str {
    match tone {
        Tone::Quiet => "2",
        Tone::Strong => "1",
        Tone::Good => "32",
        Tone::Warning => "33",
        Tone::Danger => "1;31",
    }
}
