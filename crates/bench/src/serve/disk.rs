//! What one commit costs on a disk: a row into an otherwise idle `SQLite` database, with the settings of the engine.

use rusqlite::Connection;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A database of its own.
#[derive(Debug)]
pub(crate) struct Disk {
    connection: Connection,
    _directory: TempDir,
}

impl Disk {
    /// Makes one on the disk of a directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn open(on: &Path) -> Result<Self, String> {
        let directory = tempfile::tempdir_in(on).map_err(|error| error.to_string())?;
        let opened = Connection::open(directory.path().join("plain.db")).and_then(|connection| {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.execute_batch("CREATE TABLE entries (number INTEGER PRIMARY KEY, text TEXT)")?;
            Ok(connection)
        });
        Ok(Self { connection: opened.map_err(|error| error.to_string())?, _directory: directory })
    }

    /// Commits so many rows, each on its own; what each took.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn commits(&self, count: usize) -> Result<Vec<Duration>, String> {
        let text = "x".repeat(300);
        let insert = || -> rusqlite::Result<Duration> {
            let began = Instant::now();
            self.connection
                .prepare_cached("INSERT INTO entries (text) VALUES (?1)")?
                .execute([text.as_str()])?;
            Ok(began.elapsed())
        };
        (0..count).map(|_| insert().map_err(|error| error.to_string())).collect()
    }
}
