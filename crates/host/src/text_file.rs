//! Files that people write: text in UTF-8 without a byte order mark, which most readers of text take for
//! part of the first word and tell of in words that help nobody.

use countersign_core::text::wrong_encoding;
use std::io::{Error, ErrorKind};
use std::path::Path;

/// The bytes of a file.
///
/// # Errors
/// When it cannot be read, or begins with a byte order mark.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    let bytes = std::fs::read(path)?;
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
    let not_utf_8 = |_| Error::new(ErrorKind::InvalidData, "is not UTF-8: write it as UTF-8");
    String::from_utf8(read(path)?).map_err(not_utf_8)
}
