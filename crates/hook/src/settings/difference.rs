//! What changes in a file, by lines: a few lines around each change, as people read it.

use std::fmt::Write as _;

/// How many lines are shown around a change.
const CONTEXT: usize = 2;

/// A line of either text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// The lines that are removed begin with `-`, those that are added with `+`. Empty if nothing changes.
pub fn difference(before: &str, after: &str) -> String {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let lines = aligned(&before, &after);
    let is_near = |index: usize| {
        let near = lines.iter().take(index + CONTEXT + 1).skip(index.saturating_sub(CONTEXT));
        near.into_iter().any(|line| !matches!(line, Line::Same(_)))
    };
    let mut text = String::new();
    let mut is_gap = false;
    for (index, line) in lines.iter().enumerate() {
        if !is_near(index) {
            is_gap = true;
            continue;
        }
        if std::mem::take(&mut is_gap) {
            text.push_str("  …\n");
        }
        let (sign, line) = match line {
            Line::Same(line) => (' ', line),
            Line::Removed(line) => ('-', line),
            Line::Added(line) => ('+', line),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{sign} {line}");
    }
    text
}

/// The longest common subsequence of the lines, with the others between.
fn aligned<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Line<'a>> {
    let width = after.len() + 1;
    let mut lengths = vec![0_u32; (before.len() + 1) * width];
    let at = |lengths: &[u32], row: usize, column: usize| {
        lengths.get(row * width + column).copied().unwrap_or_default()
    };
    for (row, old) in before.iter().enumerate().rev() {
        for (column, new) in after.iter().enumerate().rev() {
            let length = if old == new {
                at(&lengths, row + 1, column + 1) + 1
            } else {
                at(&lengths, row + 1, column).max(at(&lengths, row, column + 1))
            };
            if let Some(cell) = lengths.get_mut(row * width + column) {
                *cell = length;
            }
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (before.get(row), after.get(column)) {
            (Some(old), Some(new)) if old == new => {
                lines.push(Line::Same(old));
                (row, column) = (row + 1, column + 1);
            }
            (Some(old), new)
                if new.is_none() || at(&lengths, row + 1, column) >= at(&lengths, row, column + 1) =>
            {
                lines.push(Line::Removed(old));
                row += 1;
            }
            (_, Some(new)) => {
                lines.push(Line::Added(new));
                column += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_what_is_around_them() {
        assert_eq!(difference("a\nb\nc\n", "a\nb\nc\n"), "");
        assert_eq!(difference("", "a\n"), "+ a\n");
        assert_eq!(difference("a\n", ""), "- a\n");
        assert_eq!(
            difference("1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\n4\nfive\n6\n7\n"),
            "  …\n  3\n  4\n- 5\n+ five\n  6\n  7\n"
        );
        assert_eq!(difference("1\n2\n3\n4\n5\n", "0\n2\n3\n4\n5\n"), "- 1\n+ 0\n  2\n  3\n");
    }
}
