//! Where a gate keeps what must outlive it: for its user alone.

use countersign_system::private_file;
use std::io;
use std::path::{Path, PathBuf};

/// The directory.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// The directory at a path.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes what is not there.
    ///
    /// # Errors
    /// When the file system says no, or other users can enter.
    pub fn make(&self) -> io::Result<()> {
        for path in [self.path.clone(), self.calls(), self.tasks(), self.all_running()] {
            private_file::make_directory(&path)?;
        }
        // `calls/` is looked at by what uses it.
        for (name, path) in [("tasks", self.tasks()), ("running", self.all_running())] {
            let checked = private_file::check_private_directory(&path);
            checked.map_err(|error| io::Error::other(format!("{name}: {error}")))?;
        }
        Ok(())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records of calls.
    pub fn calls(&self) -> PathBuf {
        self.path.join("calls")
    }

    /// Long calls.
    pub fn tasks(&self) -> PathBuf {
        self.path.join("tasks")
    }

    /// What was observed.
    pub fn observed(&self) -> PathBuf {
        self.path.join("observed.jsonl")
    }

    /// Gates that run.
    pub fn all_running(&self) -> PathBuf {
        self.path.join("running")
    }

    /// One of them.
    pub fn running(&self, pid: u32) -> PathBuf {
        self.all_running().join(format!("{pid}.json"))
    }

    /// Its lock.
    pub fn running_lock(&self, pid: u32) -> PathBuf {
        self.all_running().join(format!("{pid}.lock"))
    }

    /// The pins, unless the configuration has another place for them.
    pub fn pins(&self) -> PathBuf {
        self.path.join("gate.lock")
    }
}
