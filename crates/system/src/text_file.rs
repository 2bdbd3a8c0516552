//! Files that people write: text in UTF-8 without a byte order mark, which most readers of text take for
//! part of the first word and report in words that do not help.

use countersign_core::text::{escaped_line, wrong_encoding};
use std::io::{Error, ErrorKind};
use std::path::Path;

/// A path as it may be printed within a line.
pub fn shown(path: &Path) -> String {
    escaped_line(&path.display().to_string())
}

/// The bytes of a file.
///
/// # Errors
/// When it cannot be read, or begins with a byte order mark.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    checked(bytes_of(path.as_ref())?)
}

/// A pipe would be waited for, and a device read without end.
fn bytes_of(path: &Path) -> Result<Vec<u8>, Error> {
    if std::fs::metadata(path)?.is_file() {
        std::fs::read(path)
    } else {
        Err(Error::new(ErrorKind::InvalidInput, "is not a regular file"))
    }
}

fn checked(bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    match wrong_encoding(&bytes) {
        None => Ok(bytes),
        Some(rule) => Err(Error::new(ErrorKind::InvalidData, rule)),
    }
}

/// The text of a file.
///
/// # Errors
/// As for [`read`], and when it is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> Result<String, Error> {
    text_of(bytes_of(path.as_ref())?)
}

/// The text that these bytes of a file are.
///
/// # Errors
/// When they are not UTF-8, or begin with a byte order mark.
pub fn text_of(bytes: Vec<u8>) -> Result<String, Error> {
    let not_utf_8 = |_| Error::new(ErrorKind::InvalidData, "is not UTF-8: write it as UTF-8");
    String::from_utf8(checked(bytes)?).map_err(not_utf_8)
}
