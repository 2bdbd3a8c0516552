//! The directory of calls: a record for each, and the lock of the caller who waits for it. Knows no service.
//!
//! Files are made, taken over and removed under the lock of the directory, which is held for no call of the service.

use crate::call::CallKey;
use crate::error::DirectoryError;
use crate::record::{Record, VERSION};
use countersign_system::private_file::{self, Unsuitable};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The directory.
#[derive(Debug, Clone)]
pub(crate) struct CallDirectory {
    path: PathBuf,
}

/// A call that this caller alone holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldCall {
    /// Names it.
    pub(crate) key: CallKey,
    directory: CallDirectory,
    _lock: File,
}

/// The lock of the directory.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    move |error| DirectoryError::Io { path: path.to_owned(), error }
}

fn unsuitable_at(path: &Path) -> impl FnOnce(Unsuitable) -> DirectoryError {
    move |error| DirectoryError::Unsuitable { path: path.to_owned(), error }
}

impl CallDirectory {
    /// The directory at a path; it is made if it is not there.
    pub(crate) fn open(path: PathBuf) -> Result<Self, DirectoryError> {
        private_file::make_directory(&path).map_err(io_at(&path))?;
        private_file::check_private_directory(&path).map_err(unsuitable_at(&path))?;
        Ok(Self { path })
    }

    fn record_path(&self, key: &CallKey) -> PathBuf {
        self.path.join(format!("{key}.json"))
    }

    fn lock_path(&self, key: &CallKey) -> PathBuf {
        self.path.join(format!("{key}.lock"))
    }

    /// Waits for the lock of the directory.
    pub(crate) fn lock(&self) -> Result<DirectoryLock, DirectoryError> {
        let path = self.path.join("lock");
        Ok(DirectoryLock { _file: private_file::lock(&path).map_err(unsuitable_at(&path))? })
    }

    /// The calls that there are, the oldest first: all, or those with this digest.
    pub(crate) fn keys(&self, digest: Option<&str>) -> Result<Vec<CallKey>, DirectoryError> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(io_at(&self.path))? {
            let name = entry.map_err(io_at(&self.path))?.file_name();
            let key = name.to_str().and_then(|name| name.strip_suffix(".json")).and_then(CallKey::parse);
            keys.extend(key.filter(|key| digest.is_none_or(|digest| key.digest == digest)));
        }
        keys.sort_by_key(|key| key.counter);
        Ok(keys)
    }

    /// Takes a call, unless another caller holds it.
    pub(crate) fn take(&self, key: &CallKey, _: &DirectoryLock) -> Result<Option<HeldCall>, DirectoryError> {
        let path = self.lock_path(key);
        let lock = private_file::try_lock(&path).map_err(unsuitable_at(&path))?;
        Ok(lock.map(|lock| HeldCall { key: key.clone(), directory: self.clone(), _lock: lock }))
    }

    /// The record of a call; none if it has been removed meanwhile.
    pub(crate) fn read(&self, key: &CallKey) -> Result<Option<Record>, DirectoryError> {
        let path = self.record_path(key);
        let text = match private_file::read(&path) {
            Ok(text) => text,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(unsuitable_at(&path)(error)),
        };
        let record = serde_json::from_str::<Record>(&text).ok().filter(|record| record.version == VERSION);
        record.map(Some).ok_or(DirectoryError::NoRecord { path })
    }
}

impl HeldCall {
    /// The record.
    pub(crate) fn read(&self) -> Result<Option<Record>, DirectoryError> {
        self.directory.read(&self.key)
    }

    /// Replaces the record; it is on the disk when this returns.
    pub(crate) fn write(&self, record: &Record) -> Result<(), DirectoryError> {
        let path = self.directory.record_path(&self.key);
        let text = serde_json::to_vec(record).map_err(|error| io_at(&path)(error.into()))?;
        private_file::write(&path, &text).map_err(io_at(&path))
    }

    /// Removes the call.
    pub(crate) fn remove(self) -> Result<(), DirectoryError> {
        let directory = self.directory.clone();
        self.remove_under(&directory.lock()?)
    }

    /// The same, by a holder of the directory's lock.
    pub(crate) fn remove_under(self, _: &DirectoryLock) -> Result<(), DirectoryError> {
        // The lock last: a record without a lock's file is a call without a caller, a lock's file alone is nothing.
        for path in [self.directory.record_path(&self.key), self.directory.lock_path(&self.key)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(&path)(error)),
                _ => {}
            }
        }
        Ok(())
    }
}
