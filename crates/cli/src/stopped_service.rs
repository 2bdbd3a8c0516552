//! The store of a service on this machine that is not running.

use crate::application::TABLES_ENVIRONMENT;
use crate::data_directory::{DataDirectory, Lock};
use crate::exit::Exit;
use aws_sdk_dynamodb::Client;
use countersign_dynamodb::table::TableNames;
use countersign_embedded::Embedded;
use std::path::Path;

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
        if !path.join("countersign.db").exists() {
            return Err(Exit::not_found(format!("{} holds no countersign database", path.display())));
        }
        let directory = DataDirectory::open(path).map_err(|error| error.to_string())?;
        let lock = directory.lock().map_err(|error| error.to_string())?;
        let database = directory.database().map_err(|error| error.to_string())?;
        let embedded = Embedded::open(&database).map_err(|error| error.to_string())?;
        let client = countersign_embedded::client(embedded);
        Ok(Self { client, tables: TableNames::of_environment(TABLES_ENVIRONMENT), directory, lock })
    }
}
