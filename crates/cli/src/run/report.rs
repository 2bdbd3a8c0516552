//! What came of `countersign run`, for scripts: an exit code of ours and one of the command may be the same number.

use crate::error::{CommandError, Kind};
use crate::exit;
use crate::view::document;
use countersign_core::text::escaped_line;
use countersign_system::{private_file, text_file};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;

/// The format of the file.
const FORMAT: &str = "countersign.run-report.v1";

/// What came of it, as far as it went.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The request.
    pub request_id: Option<String>,
    /// Its execution.
    pub execution_id: Option<String>,
    /// Whether the command was started.
    pub has_run: bool,
    /// What was to be reported of the execution.
    pub result: Option<Value>,
    /// Whether the service has it.
    pub is_reported: bool,
}

impl Report {
    fn document(&self, error: Option<&CommandError>) -> Value {
        let exit_code = error.map_or(0, |error| exit::code(error.kind()));
        let is_ours = !self.has_run || error.is_some_and(|error| !matches!(error.kind(), Kind::Command(_)));
        json!({
            "format": FORMAT,
            "request_id": self.request_id,
            "execution_id": self.execution_id,
            "exit_code": exit_code,
            "exit_code_of": if is_ours { "countersign" } else { "command" },
            "error": error.filter(|_| is_ours).map(exit::as_json),
            "result": self.result,
            "reported": self.is_reported,
        })
    }

    /// Writes it for its owner alone: a result may hold what the command has written.
    pub(crate) fn write(&self, path: &Path, error: Option<&CommandError>) {
        let text = document::json(&self.document(error)).unwrap_or_default();
        if let Err(error) = private_file::write(path, format!("{text}\n").as_bytes()) {
            // What the command did is not undone by this, and its exit code stays.
            let message = escaped_line(&error.to_string());
            let _ =
                writeln!(std::io::stderr(), "countersign: --report {}: {message}", text_file::shown(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_the_command_is_told_from_ours() {
        let of = |has_run: bool, error: Option<CommandError>| {
            let document = Report { has_run, ..Report::default() }.document(error.as_ref());
            let text = |name: &str| document[name].as_str().map(str::to_owned);
            let code = document["error"]["code"].as_str().map(str::to_owned);
            (document["exit_code"].as_u64().unwrap(), text("exit_code_of").unwrap(), code)
        };
        let command = |code: u8| Some(CommandError::Command { code, message: String::new() });
        let ours = "countersign".to_owned();
        let changed = CommandError::TargetChanged("x".to_owned());
        assert_eq!(of(true, None), (0, "command".to_owned(), None));
        assert_eq!(of(true, command(5)), (5, "command".to_owned(), None));
        assert_eq!(of(false, Some(changed)), (5, ours.clone(), Some("target_changed".to_owned())));
        assert_eq!(of(false, command(127)), (127, ours, Some("command_not_found".to_owned())));
    }
}
