//! How a command ends when it does not do what it was asked.

use std::fmt;

/// A message for the person at the terminal, and the exit code that tells scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// 1 failed, 4 not found; 2, wrong usage, is the argument parser's.
    pub code: u8,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl Exit {
    /// What was named is not there.
    pub fn not_found(message: String) -> Self {
        Self { code: 4, message }
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
