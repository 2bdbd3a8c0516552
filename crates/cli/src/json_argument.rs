//! Arguments that are JSON: given on the line, in a file, or on stdin.

use crate::error::CommandError;
use countersign_core::canonical;
use countersign_system::text_file;
use serde_json::Value;
use std::io::Read as _;

/// JSON of an argument, of a file, or of stdin; strict, as the service is.
///
/// # Errors
/// When it cannot be read, or is no JSON.
pub(crate) fn read(option: &str, argument: &str) -> Result<Value, CommandError> {
    let at = |error: &dyn std::fmt::Display| CommandError::Usage(format!("--{option}: {error}"));
    let text = match argument.strip_prefix('@') {
        Some(path) => text_file::read(path).map_err(|error| at(&format!("{path}: {error}")))?,
        None if argument == "-" => {
            let mut text = Vec::new();
            std::io::stdin().lock().read_to_end(&mut text).map_err(|error| at(&error))?;
            text
        }
        None => argument.as_bytes().to_vec(),
    };
    // To the service it is a body that is read; here it is what the option holds.
    canonical::read(&text).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.strip_prefix("the body is ").or_else(|| reason.strip_prefix("the body "));
        at(&reason.unwrap_or(&error.to_string()))
    })
}
