//! How a command ends: the number for scripts and the last words for people, of every kind of error.

use crate::error::{CommandError, Kind};
use crate::view::document;
use countersign_api::problem::Code;
use countersign_client::error::Error;
use countersign_core::text::escaped_lines;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{self, Write as _};

/// How errors are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For people.
    Text,
    /// As one JSON object, for programs.
    Json,
}

impl Style {
    /// What a command line asks for, also one that cannot be understood: the answer as JSON or YAML, of
    /// which JSON is a part.
    pub fn asked_for(words: &[OsString]) -> Self {
        let words = words.iter().map(|word| word.to_string_lossy()).take_while(|word| word != "--");
        let mut is_value = false;
        for word in words {
            let is_structured = |text: &str| matches!(text, "json" | "yaml");
            let short = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
            let attached =
                short.and_then(|short| short.split_once('o')).map(|(_, rest)| rest.trim_start_matches('='));
            if word == "--json"
                || (is_value && is_structured(&word))
                || word.strip_prefix("--output=").is_some_and(is_structured)
                || attached.is_some_and(is_structured)
            {
                return Self::Json;
            }
            is_value = word == "--output" || short.is_some_and(|short| short.ends_with('o'));
        }
        Self::Text
    }
}

/// The number of a kind of error: 1 failed, 2 wrong usage, 3 refused by a rule, 4 not found, 5 conflict, 7 timed
/// out; what a shell says of a program that was ended by Ctrl-C or because its output has no reader: 128 and the
/// number of the signal.
pub fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::Refused => 3,
        Kind::NotFound => 4,
        Kind::Conflict => 5,
        Kind::TimedOut => 7,
        Kind::Interrupted => 130,
        Kind::Unread => 141,
        Kind::Command(code) => code,
    }
}

/// An error as programs read it.
pub fn as_json(error: &CommandError) -> Value {
    let kind = error.kind();
    let name = match kind {
        Kind::Conflict if matches!(error, CommandError::TargetChanged(_)) => "target_changed",
        Kind::Command(126) => "not_executable",
        Kind::Command(127) => "command_not_found",
        Kind::Command(_) => "command_ended",
        Kind::Usage => "usage",
        Kind::Refused => "refused",
        Kind::NotFound => "not_found",
        Kind::Conflict => "conflict",
        Kind::TimedOut => "timed_out",
        Kind::Interrupted => "interrupted",
        Kind::Failed | Kind::Unread => "failed",
    };
    let name = error.problem().map_or(name, Code::as_str);
    let mut body = json!({ "code": name, "exit_code": code(kind), "message": error.to_string() });
    if let (Some(body), Some(problem)) = (body.as_object_mut(), answer(error)) {
        body.insert("problem".to_owned(), problem.clone());
    }
    body
}

/// The refusal as the service gave it.
fn answer(error: &CommandError) -> Option<&Value> {
    match error {
        CommandError::Client(Error::Refused(refusal)) => refusal.problem.as_deref(),
        CommandError::Told(cause) | CommandError::Explained { cause, .. } => answer(cause),
        _ => None,
    }
}

/// Says an error on stderr, if there is anything to say.
pub fn tell(error: &CommandError, style: Style) {
    let message = error.to_string();
    let text = match style {
        _ if message.is_empty() || error.kind() == Kind::Unread => return,
        Style::Json => document::json_line(&json!({ "error": as_json(error) })).unwrap_or_default(),
        // Every part is escaped where it is put in; this is so that none can be forgotten.
        Style::Text => escaped_lines(&format!("countersign: {message}")).collect::<Vec<_>>().join("\n"),
    };
    // Nothing is left to do if even this cannot be written.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_form_that_was_asked_for_even_if_the_rest_makes_no_sense() {
        let style = |line: &str| Style::asked_for(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in [
            "list --json",
            "nonsense --json",
            "list -o json",
            "list -ojson",
            "list -o=json",
            "list --output json",
            "list --output=yaml",
            "approve x -yo json",
        ] {
            assert_eq!(style(line), Style::Json, "{line}");
        }
        for line in ["list", "list -o table", "list -o id", "comment x -- --json", "list json", "get -m json"]
        {
            assert_eq!(style(line), Style::Text, "{line}");
        }
    }
}
