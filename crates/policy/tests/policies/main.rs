//! Policies as people write them: directories that can and cannot be used, and the examples of the guide.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod directory;
mod examples;
