//! Text of people as channels show it: nothing in it that hides or reorders, and cut where a channel takes no more.

use countersign_core::text::{escaped_line, escaped_lines};

/// What stands where a text of several lines was cut.
pub const CUT_LINES: &str = "\n[cut here: the whole text is with the request]";
/// What stands where a line was cut.
pub const CUT_LINE: &str = "... [cut]";

/// One line, with the escapes of what would hide or reorder it, line breaks included.
///
/// `limit` is how much of it a channel takes, by `cost` of each character; a line that costs more ends in [`CUT_LINE`].
pub fn line(text: &str, limit: usize, cost: impl Fn(char) -> usize) -> String {
    fitted(escaped_line(text), limit, CUT_LINE, cost)
}

/// What people wrote, each line behind `| `, so that none looks like a line of ours.
///
/// `limit` is how much of it a channel takes, by `cost` of each character; a text that costs more ends in
/// [`CUT_LINES`], which stands behind nothing.
pub fn quoted(text: &str, limit: usize, cost: impl Fn(char) -> usize) -> String {
    let lines: Vec<_> = escaped_lines(text).map(|line| format!("| {line}")).collect();
    fitted(lines.join("\n"), limit, CUT_LINES, cost)
}

/// Text of ours in several lines: as [`quoted`], without `| `.
pub fn lines(text: &str, limit: usize, cost: impl Fn(char) -> usize) -> String {
    let lines: Vec<_> = escaped_lines(text).collect();
    fitted(lines.join("\n"), limit, CUT_LINES, cost)
}

/// All of the text, or as much as leaves room for the notice that it is cut.
fn fitted(text: String, limit: usize, notice: &str, cost: impl Fn(char) -> usize) -> String {
    let whole = text.chars().map(&cost).fold(0, usize::saturating_add);
    if whole <= limit {
        return text;
    }
    let mut room = limit.saturating_sub(notice.chars().map(&cost).sum());
    let mut kept = String::new();
    for c in text.chars() {
        match room.checked_sub(cost(c)) {
            Some(rest) => room = rest,
            None => break,
        }
        kept.push(c);
    }
    kept.push_str(notice);
    kept
}

/// Characters of Unicode, each as one.
pub fn characters(_: char) -> usize {
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_cut_says_so() {
        assert_eq!(line("abc", 3, characters), "abc");
        assert_eq!(line(&"a".repeat(21), 20, characters), format!("{}{CUT_LINE}", "a".repeat(11)));
        assert_eq!(line("a\nb\u{202e}", 99, characters), "a\\nb\\u{202e}");
        assert_eq!(quoted("a\nb", 7, characters), "| a\n| b");
        assert_eq!(quoted(&"é".repeat(100), 70, char::len_utf8), format!("| {}{CUT_LINES}", "é".repeat(10)));
    }

    proptest! {
        #[test]
        fn no_limit_is_passed_and_no_cut_is_silent(text in "\\PC{0,80}", limit in 60_usize..200) {
            for cost in [characters, char::len_utf8, char::len_utf16] {
                let shown = quoted(&text, limit, cost);
                prop_assert!(shown.chars().map(cost).sum::<usize>() <= limit);
                let whole: Vec<_> = escaped_lines(&text).map(|line| format!("| {line}")).collect();
                prop_assert!(shown == whole.join("\n") || shown.ends_with(CUT_LINES));
            }
        }
    }
}
