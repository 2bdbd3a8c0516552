//! Which folders Gemini CLI trusts: in one that it does not, it runs no hooks, those of the user neither (0.61.0). What the file
//! says is read here; what links of its paths lead to is an argument.

use super::document::Node;
use super::faults::{Fault, shown};
use countersign_core::text::escaped_line;
use std::path::{Path, PathBuf};

/// The variable that names the file in place of the one in the user's directory.
pub const VARIABLE: &str = "GEMINI_CLI_TRUSTED_FOLDERS_PATH";

/// The name of the file, in the user's directory.
pub const FILE: &str = "trustedFolders.json";

/// What the file says of the directory that the agent works in, which is a path without links. No fault without a rule: Gemini
/// CLI asks its user then.
pub fn faults(
    file: &Path,
    text: &str,
    directory: &Path,
    without_links: impl Fn(&Path) -> PathBuf,
) -> Option<Fault> {
    let document = match Node::read(text) {
        Ok(document) => document,
        Err(error) => {
            return Some(Fault::new(
                format!(
                    "{}: {}: the folders that Gemini CLI trusts are not known",
                    shown(file),
                    escaped_line(&error)
                ),
                "write the file as plain JSON, without comments",
            ));
        }
    };
    let rules = document.names().filter_map(|rule| Some((rule, document.get(rule)?.text()?)));
    let applies = |rule: &str, level: &str| {
        let path = directory.join(rule);
        let path = if level == "TRUST_PARENT" { path.parent().unwrap_or(&path) } else { &path };
        directory.starts_with(without_links(path))
    };
    // Of several the longest wins; of two of the same length the first.
    let mut wins: Option<(&str, &str)> = None;
    for (rule, level) in rules.filter(|(rule, level)| applies(rule, level)) {
        if wins.is_none_or(|(longest, _)| rule.encode_utf16().count() > longest.encode_utf16().count()) {
            wins = Some((rule, level));
        }
    }
    let (rule, _) = wins.filter(|(_, level)| *level == "DO_NOT_TRUST")?;
    Some(Fault::new(
        format!(
            "Gemini CLI does not trust this folder (`{}` is DO_NOT_TRUST in {}): it runs no hooks here, and tools run without \
             asking",
            escaped_line(rule),
            shown(file)
        ),
        "trust the folder by `/permissions` in Gemini CLI, or take that line out of the file",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        let links = |path: &Path| match path.strip_prefix("/link") {
            Ok(rest) => Path::new("/srv").join(rest),
            Err(_) => path.to_owned(),
        };
        faults(Path::new("/user/trustedFolders.json"), text, Path::new("/srv/app"), links)
            .map(|fault| fault.to_string())
    }

    #[test]
    fn the_longest_rule_for_the_folder_or_a_parent_holds() {
        for text in [
            r#"{"/srv/app": "DO_NOT_TRUST"}"#,
            r#"{"/srv": "DO_NOT_TRUST"}"#,
            r#"{"/": "DO_NOT_TRUST"}"#,
            r#"{"/link/app": "DO_NOT_TRUST"}"#,
            r#"{"/srv": "TRUST_FOLDER", "/srv/app": "DO_NOT_TRUST"}"#,
            r#"{"/srv/app": "DO_NOT_TRUST", "/link": "TRUST_FOLDER"}"#,
        ] {
            let line = of(text).unwrap_or_default();
            assert!(line.contains("tools run without asking") && !line.contains("install"), "{text}: {line}");
        }
        for text in [
            "{}",
            r#"{"/srv/app": "TRUST_FOLDER"}"#,
            r#"{"/srv/app/inner": "DO_NOT_TRUST", "/srv/application": "DO_NOT_TRUST"}"#,
            r#"{"/srv": "DO_NOT_TRUST", "/srv/app": "TRUST_FOLDER"}"#,
            r#"{"/srv": "DO_NOT_TRUST", "/srv/other": "TRUST_PARENT"}"#,
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_understood_is_a_fault() {
        for text in ["", "[]", "{ // mine\n}"] {
            assert!(of(text).is_some_and(|line| line.contains("are not known")), "{text}");
        }
    }
}
