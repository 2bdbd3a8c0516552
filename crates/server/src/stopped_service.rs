//! The store of a service on this machine that is not running.

use crate::application::TABLES_ENVIRONMENT;
use crate::data_directory::{DataDirectory, DataDirectoryError, Lock};
use aws_sdk_dynamodb::Client;
use countersign_core::text::escaped_line;
use countersign_dynamodb::table::TableNames;
use countersign_embedded::{Embedded, OpenError};
use countersign_system::text_file;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The store of a stopped service is not there, or not to be had.
#[derive(Debug, thiserror::Error)]
pub enum StoppedServiceError {
    /// There is no database.
    #[error("{} holds no countersign database", text_file::shown(path))]
    NoDatabase {
        /// Its path.
        path: PathBuf,
    },
    /// The directory cannot be looked into.
    #[error("{}: {source}", text_file::shown(path))]
    Io {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The directory cannot be used, or the service is running.
    #[error(transparent)]
    DataDirectory(#[from] DataDirectoryError),
    /// The database cannot be opened.
    #[error("{}", escaped_line(&.0.to_string()))]
    Database(#[from] OpenError),
}

/// An opened data directory.
#[derive(Debug)]
pub struct StoppedService {
    /// Its database.
    pub client: Client,
    /// The names of its tables.
    pub tables: TableNames,
    /// Its keys.
    pub directory: DataDirectory,
    /// Keeps the service from starting: the embedded database belongs to one process at a time.
    pub lock: Lock,
}

impl StoppedService {
    /// Opens the data directory of a stopped service.
    ///
    /// # Errors
    /// When there is no database, or the service is running.
    pub fn open(path: &Path) -> Result<Self, StoppedServiceError> {
        let nothing = || StoppedServiceError::NoDatabase { path: path.to_owned() };
        match fs::symlink_metadata(path.join("countersign.db")) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(nothing()),
            Err(source) => return Err(StoppedServiceError::Io { path: path.to_owned(), source }),
        }
        let directory = DataDirectory::open(path)?;
        // The engine would make an empty one of it.
        if !directory.has_database() {
            return Err(nothing());
        }
        let lock = directory.lock()?;
        let database = directory.database()?;
        let embedded = Embedded::open(&database)?;
        let client = countersign_embedded::client(embedded);
        Ok(Self { client, tables: TableNames::of_environment(TABLES_ENVIRONMENT), directory, lock })
    }
}
