//! The plugin file of opencode, which runs the hook before and after each tool.

use super::entry::Entry;
use crate::agent::Agent;
use serde_json::json;

const TEMPLATE: &str = include_str!("opencode.js");
/// The line of the file that the commands are in.
const BEFORE: &str = "const BEFORE = ";
const AFTER: &str = "const AFTER = ";

/// The file.
pub fn plugin(entry: &Entry) -> String {
    let words = |is_after| json!(entry.hook(Agent::Opencode, is_after)).to_string();
    TEMPLATE
        .replace("[/* BEFORE */]", &words(false))
        .replace("[/* AFTER */]", &words(true))
        .replace("0 /* LIMIT */", &entry.limit.to_string())
}

/// The words of the command before a use that a file has.
pub fn command(plugin: &str) -> Option<Vec<String>> {
    let line = plugin.lines().find_map(|line| line.strip_prefix(BEFORE))?;
    serde_json::from_str(line.trim_end_matches(';')).ok()
}

/// Whether a file is what this program writes, whatever its commands and its limit are.
pub fn is_ours(text: &str) -> bool {
    let code = |text: &str| {
        let is_value = |line: &&str| {
            [BEFORE, AFTER, "const LIMIT_SECONDS = "].iter().any(|start| line.starts_with(start))
        };
        text.lines().filter(|line| !is_value(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    code(text) == code(TEMPLATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_in_the_file_as_they_are() {
        let words = ["/opt/a \"b\"/countersign".to_owned(), "--profile".to_owned(), "x".to_owned()];
        let entry = Entry { words: words.to_vec(), limit: 42 };
        let text = plugin(&entry);
        assert_eq!(command(&text), Some(entry.hook(Agent::Opencode, false)));
        assert!(text.contains("const LIMIT_SECONDS = 42;"), "{text}");
        assert!(!text.contains("/* "), "{text}");
        assert!(is_ours(&text));
        assert!(!is_ours(&text.replace("throw", "return")));
    }
}
