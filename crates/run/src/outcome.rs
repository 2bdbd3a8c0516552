//! How a command has ended, as its requester, approvers and scripts read it. Pure.

use crate::streams::{self, Stream};
use serde_json::{Value, json};
use std::time::Duration;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

/// What came of a command.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ended,
    pub(crate) duration: Duration,
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
    /// The bound files that were written to or replaced while it ran.
    pub changed: Vec<String>,
}

impl Outcome {
    /// Whether it did what it was to do.
    pub fn is_success(&self) -> bool {
        self.ended == Ended::Status(0)
    }

    /// The exit code of a shell that had run it: POSIX, 2.8.2, with the 128 that shells add to a signal.
    pub fn exit_code(&self) -> u8 {
        let code = match self.ended {
            Ended::Status(status) => status,
            Ended::Signal(signal) => signal.saturating_add(128),
        };
        u8::try_from(code).unwrap_or(1)
    }

    /// The result of the execution, as it is reported.
    pub fn result(&self) -> Value {
        let (stdout, stderr) = streams::shown(&self.stdout, &self.stderr);
        let milliseconds = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        let mut result = json!({ "duration_milliseconds": milliseconds, "stdout": stdout, "stderr": stderr });
        if let Some(members) = result.as_object_mut() {
            match self.ended {
                Ended::Status(status) => members.insert("exit_status".to_owned(), json!(status)),
                Ended::Signal(signal) => members.insert("signal".to_owned(), json!(name(signal))),
            };
            if !self.changed.is_empty() {
                members.insert("changed_while_running".to_owned(), json!(self.changed));
            }
        }
        result
    }
}

/// `SIGTERM`, or the number of a signal that has no name.
pub fn name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal).map_or_else(|| signal.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(ended: Ended) -> Outcome {
        Outcome {
            ended,
            duration: Duration::from_millis(1500),
            stdout: Stream::Terminal,
            stderr: Stream::WithStdout,
            changed: Vec::new(),
        }
    }

    #[test]
    fn a_command_ends_as_a_shell_says() {
        for (ended, code, member) in [
            (Ended::Status(0), 0, json!({ "exit_status": 0 })),
            (Ended::Status(3), 3, json!({ "exit_status": 3 })),
            (Ended::Signal(15), 143, json!({ "signal": "SIGTERM" })),
            (Ended::Signal(35), 163, json!({ "signal": "35" })),
        ] {
            let outcome = outcome(ended);
            assert_eq!(outcome.exit_code(), code);
            assert_eq!(outcome.is_success(), code == 0);
            let mut expected = json!({
                "duration_milliseconds": 1500, "stdout": { "to": "terminal" }, "stderr": { "to": "stdout" },
            });
            expected.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
            assert_eq!(outcome.result(), expected);
        }
    }
}
