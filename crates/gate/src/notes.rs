//! What the operator of a gate reads on stderr: no argument, result or token is ever in it.

use countersign_core::text::escaped_line;
use std::io::Write as _;

/// Writes a line.
pub fn note(text: &str) {
    // An agent that reads no stderr misses it; what must be known is in answers and in `countersign gate status` too.
    let _ = writeln!(std::io::stderr(), "countersign gate: {}", escaped_line(text));
}
