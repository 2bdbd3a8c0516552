//! How a command ends when it does not do what it was asked.

use crate::document;
use countersign_api::problem::Code;
use countersign_core::text::escaped_lines;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::Write as _;
use std::{fmt, io};

/// What a shell says of a program that was stopped because nobody reads its output: 128 and SIGPIPE.
const NOBODY_READS: u8 = 141;

/// What a shell says of a program that was ended by Ctrl-C: 128 and SIGINT.
pub const INTERRUPTED: u8 = 130;

/// How errors are told.
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

/// A message for the person at the terminal, and the exit code that tells scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// 1 failed, 2 wrong usage, 3 refused by a rule, 4 not found, 5 conflict, 7 timed out, 130 interrupted,
    /// 141 nobody reads the output.
    pub code: u8,
    /// What is wrong, and what to do about it. Empty if nothing is left to say.
    pub message: String,
    /// Which refusal of the service it was, if it was one.
    pub problem: Option<Code>,
    /// The refusal itself, as the service gave it.
    pub answer: Option<Box<Value>>,
    /// Whether it may pass by itself: a connection that is lost, a service that is not ready.
    pub is_passing: bool,
}

impl Exit {
    fn new(code: u8, message: String) -> Self {
        Self { code, message, problem: None, answer: None, is_passing: false }
    }

    /// The command line does not say what to do.
    pub fn usage(message: String) -> Self {
        Self::new(2, message)
    }

    /// The code of a rule that says no.
    pub const REFUSED: u8 = 3;

    /// A rule says no.
    pub fn refused(message: String) -> Self {
        Self::new(Self::REFUSED, message)
    }

    /// What was named is not there.
    pub fn not_found(message: String) -> Self {
        Self::new(4, message)
    }

    /// It did not happen, or nobody answered, in time.
    pub fn timed_out(message: String) -> Self {
        Self::new(7, message)
    }

    /// The person at the keyboard had enough.
    pub fn interrupted(message: String) -> Self {
        Self::new(INTERRUPTED, message)
    }

    /// The error as programs read it.
    pub fn as_json(&self) -> Value {
        let name = match self.code {
            2 => "usage",
            3 => "refused",
            4 => "not_found",
            5 => "conflict",
            7 => "timed_out",
            INTERRUPTED => "interrupted",
            _ => "failed",
        };
        let code = self.problem.map_or(name, Code::as_str);
        let mut error = json!({ "code": code, "exit_code": self.code, "message": self.message });
        if let (Some(error), Some(answer)) = (error.as_object_mut(), &self.answer) {
            error.insert("problem".to_owned(), Value::clone(answer));
        }
        error
    }

    /// Says it on stderr, if there is anything to say.
    pub fn tell(&self, style: Style) {
        let text = match style {
            _ if self.message.is_empty() => return,
            Style::Json => document::json_line(&json!({ "error": self.as_json() })).unwrap_or_default(),
            // Every part is escaped where it is put in; this is so that none can be forgotten.
            Style::Text => escaped_lines(&format!("countersign: {self}")).collect::<Vec<_>>().join("\n"),
        };
        // Nothing is left to do if even this cannot be written.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// It failed, and stdout says already how.
    pub fn told() -> Self {
        Self::new(1, String::new())
    }

    /// Stdout cannot be written. A reader who has had enough, such as `head`, needs no message.
    pub fn of_stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(NOBODY_READS, String::new()),
            _ => Self::from(format!("stdout: {error}")),
        }
    }

    /// The end of a call that was answered with this HTTP status.
    pub fn of_status(status: u16, message: String) -> Self {
        let code = match status {
            400 => 2,
            404 => 4,
            408 | 504 => 7,
            409 => 5,
            401..=499 => 3,
            _ => 1,
        };
        let is_passing = matches!(status, 408 | 429 | 502..=504);
        Self { is_passing, ..Self::new(code, message) }
    }
}

impl From<String> for Exit {
    fn from(message: String) -> Self {
        Self::new(1, message)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_as_the_answer_was_asked_for_even_if_the_rest_makes_no_sense() {
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
