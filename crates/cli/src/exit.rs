//! How a command ends when it does not do what it was asked.

use std::fmt;

/// A message for the person at the terminal, and the exit code that tells scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// 1 failed, 2 wrong usage, 3 refused by a rule, 4 not found, 5 conflict, 7 timed out.
    pub code: u8,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl Exit {
    /// The command line does not say what to do.
    pub fn usage(message: String) -> Self {
        Self { code: 2, message }
    }

    /// A rule says no.
    pub fn refused(message: String) -> Self {
        Self { code: 3, message }
    }

    /// What was named is not there.
    pub fn not_found(message: String) -> Self {
        Self { code: 4, message }
    }

    /// It did not happen, or nobody answered, in time.
    pub fn timed_out(message: String) -> Self {
        Self { code: 7, message }
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
        Self { code, message }
    }
}

impl From<String> for Exit {
    fn from(message: String) -> Self {
        Self { code: 1, message }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
