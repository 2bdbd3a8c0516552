//! A file that a command writes, for its owner alone: whole or not at all, and over another one only if that was asked for.

use crate::error::CommandError;
use countersign_system::private_file::Unfinished;
use countersign_system::text_file;
use std::io::{BufWriter, Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// The file, which is not in its place yet.
#[derive(Debug)]
pub(crate) struct OutputFile {
    file: BufWriter<Unfinished>,
    path: PathBuf,
    is_replaced: bool,
}

impl OutputFile {
    /// Begins a file.
    ///
    /// # Errors
    /// When one is there that is not to be replaced, or none can be made.
    pub(crate) fn begin(path: &Path, is_replaced: bool) -> Result<Self, CommandError> {
        if !is_replaced && path.symlink_metadata().is_ok() {
            return Err(unwritten(path, &ErrorKind::AlreadyExists.into()));
        }
        let file = Unfinished::beside(path).map_err(|error| unwritten(path, &error))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), is_replaced })
    }

    /// Writes more of it.
    ///
    /// # Errors
    /// When the file system says no.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        self.file.write_all(bytes).map_err(|error| unwritten(&self.path, &error))
    }

    /// Puts it into its place.
    ///
    /// # Errors
    /// When one has come there that is not to be replaced, or the file system says no.
    pub(crate) fn finish(self) -> Result<(), CommandError> {
        let Self { file, path, is_replaced } = self;
        let file = file.into_inner().map_err(|error| unwritten(&path, error.error()))?;
        let finished = if is_replaced { file.replace() } else { file.keep() };
        finished.map_err(|error| unwritten(&path, &error))
    }
}

fn unwritten(path: &Path, error: &Error) -> CommandError {
    let path = text_file::shown(path);
    match error.kind() {
        ErrorKind::AlreadyExists => {
            CommandError::Conflict(format!("{path} is there already; --replace writes it anew"))
        }
        _ => CommandError::Failed(format!("{path}: {error}")),
    }
}
