//! How a command ends when it does not do what it was asked.

use countersign_api::problem::Code;
use std::{fmt, io};

/// What a shell says of a program that was stopped because nobody reads its output: 128 and SIGPIPE.
const NOBODY_READS: u8 = 141;

/// A message for the person at the terminal, and the exit code that tells scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// 1 failed, 2 wrong usage, 3 refused by a rule, 4 not found, 5 conflict, 7 timed out, 141 nobody
    /// reads the output.
    pub code: u8,
    /// What is wrong, and what to do about it. Empty if nothing is left to say.
    pub message: String,
    /// Which refusal of the service it was, if it was one.
    pub problem: Option<Code>,
}

impl Exit {
    fn new(code: u8, message: String) -> Self {
        Self { code, message, problem: None }
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
        Self::new(code, message)
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
