//! An audit log as a command reads it: from a directory, or from a service. Whether it is believed is for the command.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use countersign_app::log::CHECKPOINT;
use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::key_set::KeySet;
use countersign_audit::verification::Failure;
use countersign_client::connection::LOG_PATH;
use countersign_server::log_directory;
use countersign_system::text_file;
use std::path::{Path, PathBuf};

/// Where a log is.
#[derive(Debug)]
pub(crate) enum LogSource {
    /// A directory with its files: of `countersign serve`, a copy, or what was fetched of a bucket.
    Directory(PathBuf),
    /// A service.
    Service(Box<Session>),
}

impl LogSource {
    /// The log that a command line names. The token goes to the service at that URL under the same rules as for any call.
    ///
    /// # Errors
    /// When there is no such directory, or the service is none that is called.
    pub(crate) fn open(name: &str, connection: &ConnectionArguments) -> Result<Self, CommandError> {
        if name.contains("://") {
            let base = name.trim_end_matches('/');
            let url = Some(base.strip_suffix(LOG_PATH).unwrap_or(base).to_owned());
            let session = Session::open(&ConnectionArguments { url, ..connection.clone() })?;
            return Ok(Self::Service(Box::new(session)));
        }
        let path = PathBuf::from(name);
        if path.is_dir() {
            return Ok(Self::Directory(path));
        }
        let shown = text_file::shown(&path);
        Err(if path.exists() {
            CommandError::Usage(format!("{shown} is no directory: a log is a directory or a URL"))
        } else {
            CommandError::NotFound(format!("there is no directory {shown}"))
        })
    }

    /// A file of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, CommandError> {
        match self {
            Self::Directory(directory) => {
                log_directory::read(directory, path).map_err(|error| CommandError::Failed(error.to_string()))
            }
            Self::Service(session) => Ok(session.connection.log_file(path)?),
        }
    }

    /// Its checkpoint, as a note and as what it says, if one of the keys has signed it.
    ///
    /// # Errors
    /// When there is none, or it is not believed.
    pub(crate) fn checkpoint(&self, keys: &KeySet) -> Result<(String, Checkpoint), CommandError> {
        let bytes = self.read(CHECKPOINT)?;
        let bytes =
            bytes.ok_or_else(|| CommandError::NotFound("the log has no checkpoint yet".to_owned()))?;
        let note = String::from_utf8(bytes)
            .map_err(|_| CommandError::Failed("the checkpoint of the log is no text".to_owned()))?;
        let checkpoint = Checkpoint::open(&note, keys).map_err(|error| {
            CommandError::Failed(format!("{error}; is --key as the service publishes it now?"))
        })?;
        Ok((note, checkpoint))
    }
}

/// Public keys of a file, as `/.well-known/jwks.json` answers them.
///
/// # Errors
/// When it cannot be read, or is none.
pub(crate) fn read_keys(path: &Path) -> Result<KeySet, CommandError> {
    let failed = |error: &dyn std::fmt::Display| {
        CommandError::Failed(format!("--key {}: {error}", text_file::shown(path)))
    };
    let text = text_file::read_to_string(path).map_err(|error| failed(&error))?;
    KeySet::parse(&text).map_err(|error| failed(&error))
}

/// What a damaged log is to a command.
pub(crate) fn failed(failure: Failure<CommandError>) -> CommandError {
    match failure {
        Failure::Unread(error) => error,
        Failure::Damaged(damage) => CommandError::Failed(format!("the log is damaged: {damage}")),
    }
}
