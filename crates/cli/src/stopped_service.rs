//! The store of a service on this machine that is not running.

use crate::application::TABLES_ENVIRONMENT;
use crate::data_directory::{DataDirectory, Lock};
use crate::exit::Exit;
use aws_sdk_dynamodb::Client;
use countersign_core::text::escaped_line;
use countersign_dynamodb::table::TableNames;
use countersign_embedded::Embedded;
use countersign_system::text_file;
use std::path::Path;
use std::{fs, io};

/// An opened data directory.
#[derive(Debug)]
pub(crate) struct StoppedService {
    /// Its database.
    pub(crate) client: Client,
    /// The names of its tables.
    pub(crate) tables: TableNames,
    /// Its keys.
    pub(crate) directory: DataDirectory,
    /// Keeps the service from starting: the embedded database belongs to one process at a time.
    pub(crate) lock: Lock,
}

impl StoppedService {
    /// Opens the data directory of a stopped service.
    ///
    /// # Errors
    /// When there is no database, or the service is running.
    pub(crate) fn open(path: &Path) -> Result<Self, Exit> {
        let nothing = || Exit::not_found(format!("{} holds no countersign database", text_file::shown(path)));
        match fs::symlink_metadata(path.join("countersign.db")) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(nothing()),
            Err(error) => return Err(Exit::from(format!("{}: {error}", text_file::shown(path)))),
        }
        let directory = DataDirectory::open(path).map_err(|error| error.to_string())?;
        // The engine would make an empty one of it.
        if !directory.has_database() {
            return Err(nothing());
        }
        let lock = directory.lock().map_err(|error| error.to_string())?;
        let database = directory.database().map_err(|error| error.to_string())?;
        let embedded = Embedded::open(&database).map_err(|error| escaped_line(&error.to_string()))?;
        let client = countersign_embedded::client(embedded);
        Ok(Self { client, tables: TableNames::of_environment(TABLES_ENVIRONMENT), directory, lock })
    }
}
