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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_tone_is_painted_and_what_others_wrote_paints_nothing() {
        let line = Line::plain("risk ").with(Tone::Danger, "high\u{1b}[0m").with(None, ".");
        assert_eq!(painted(&line), "risk \u{1b}[1;31mhigh\\u{1b}[0m\u{1b}[0m.");
    }
}
