//! What the operator of a gate reads on stderr: no argument, result or token is ever in it.

use countersign_core::text::escaped_line;
use std::io::Write as _;

/// The longest name of a tool that is written down, in characters: agents and servers choose them.
const MAX_NAME: usize = 128;
/// The longest line.
const MAX_LINE: usize = 2_048;

/// Writes a line.
pub fn note(text: &str) {
    // An agent that reads no stderr misses it; what must be known is in answers and in `countersign gate status` too.
    let _ = writeln!(std::io::stderr(), "countersign gate: {}", escaped_line(&cut(text, MAX_LINE)));
}

/// A name as it is written down.
pub fn named(name: &str) -> String {
    cut(name, MAX_NAME)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_end() {
        let long = "ö".repeat(MAX_NAME);
        assert_eq!(named(&long), long);
        assert_eq!(named(&format!("{long}ö")), format!("{long}…"));
    }
}
