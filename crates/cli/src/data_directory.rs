//! The data directory: the database, the keys, and the lock that keeps a second server out.

use countersign_core::digest::DeploymentKey;
use countersign_identity::token::LocalKey;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A data directory that belongs to its owner alone.
#[derive(Debug, Clone)]
pub struct DataDirectory {
    path: PathBuf,
}

/// The directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirectoryError {
    /// A file or the directory itself cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Everybody keeps files there.
    #[error("{} is everybody's; choose a directory of its own with --data-dir", path.display())]
    Unsuitable {
        /// Which.
        path: PathBuf,
    },
    /// Another server has it.
    #[error(
        "{} is in use by another `countersign serve`; stop that one or choose another --data-dir",
        path.display()
    )]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// A key file is not what we wrote.
    #[error("{}: {reason}", path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
}

/// Held as long as the server runs. The system releases it however the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The bit of directories that everybody writes to.
const STICKY: u32 = 0o1000;
const TOKEN_KEY: &str = "token.key";
const OWNER_ONLY_DIRECTORY: u32 = 0o700;
const OWNER_ONLY_FILE: u32 = 0o600;

impl DataDirectory {
    /// Opens the directory, creating it if it is not there, and closes it to everybody else.
    ///
    /// # Errors
    /// When it cannot be created or is not ours to close.
    pub fn open(path: &Path) -> Result<Self, DataDirectoryError> {
        let at = |source| DataDirectoryError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(OWNER_ONLY_DIRECTORY).create(path).map_err(at)?;
        let mode = fs::metadata(path).map_err(at)?.permissions().mode();
        if mode & STICKY != 0 {
            return Err(DataDirectoryError::Unsuitable { path: path.to_owned() });
        }
        if mode & 0o077 != 0 {
            fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY_DIRECTORY)).map_err(at)?;
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Keeps every other server out while the lock lives.
    ///
    /// # Errors
    /// [`DataDirectoryError::InUse`] when another server is in.
    pub fn lock(&self) -> Result<Lock, DataDirectoryError> {
        let path = self.path.join("countersign.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(OWNER_ONLY_FILE)
            .open(&path)
            .map_err(|source| DataDirectoryError::Io { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataDirectoryError::InUse { path: self.path.clone() }),
            Err(TryLockError::Error(source)) => Err(DataDirectoryError::Io { path, source }),
        }
    }

    /// The database file; made if it is not there, for the owner alone. What the engine puts
    /// beside it takes its mode from it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn database(&self) -> Result<PathBuf, DataDirectoryError> {
        let path = self.path.join("countersign.db");
        let made =
            OpenOptions::new().create(true).truncate(false).write(true).mode(OWNER_ONLY_FILE).open(&path);
        match made {
            Ok(_) => Ok(path),
            Err(source) => Err(DataDirectoryError::Io { path, source }),
        }
    }

    /// Whether there is a key that signs tokens already.
    pub fn has_token_key(&self) -> bool {
        self.path.join(TOKEN_KEY).exists()
    }

    /// The key that signs tokens; made on first use.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not a key that only we can read.
    pub fn token_key(&self) -> Result<LocalKey, DataDirectoryError> {
        self.key(TOKEN_KEY).map(LocalKey::new)
    }

    /// The deployment's key; made on first use. A database that was written under another key is of no
    /// use without it, so none is made where there is a database.
    ///
    /// # Errors
    /// As for [`DataDirectory::token_key`], and when the key of a database is missing.
    pub fn deployment_key(&self) -> Result<DeploymentKey, DataDirectoryError> {
        let path = self.path.join("deployment.key");
        if !path.exists() && self.path.join("countersign.db").exists() {
            let reason = "this key of the database is missing; restore it from a backup";
            return Err(DataDirectoryError::Key { path, reason });
        }
        self.key("deployment.key").map(DeploymentKey::new)
    }

    fn key(&self, name: &str) -> Result<[u8; 32], DataDirectoryError> {
        let path = self.path.join(name);
        let at = |source| DataDirectoryError::Io { path: path.clone(), source };
        let refuse = |reason| DataDirectoryError::Key { path: path.clone(), reason };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_key(&path).map_err(at)?;
                File::open(&path).map_err(at)?
            }
            Err(error) => return Err(at(error)),
        };
        if file.metadata().map_err(at)?.permissions().mode() & 0o077 != 0 {
            return Err(refuse(
                "others can read this key; run chmod 600 on it, and think about who has read it",
            ));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(at)?;
        <[u8; 32]>::try_from(bytes)
            .map_err(|_| refuse("this is not a key of 32 bytes; restore it from a backup"))
    }

    /// Writes a new key beside its place and links it there: whoever comes second finds the first
    /// one's, and nobody ever finds half a key.
    fn make_key(&self, path: &Path) -> io::Result<()> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let suffix = getrandom::u64().map_err(io::Error::other)?;
        let temporary = path.with_extension(format!("new-{suffix:016x}"));
        let mut file =
            OpenOptions::new().create_new(true).write(true).mode(OWNER_ONLY_FILE).open(&temporary)?;
        let written = file.write_all(&key).and_then(|()| file.sync_all());
        let linked = match written.and_then(|()| fs::hard_link(&temporary, path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        };
        fs::remove_file(&temporary)?;
        linked?;
        File::open(&self.path)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_and_its_keys_belong_to_the_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let directory = DataDirectory::open(&path).unwrap();
        directory.token_key().unwrap();
        directory.deployment_key().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        let files: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 2, "{files:?}");
        for file in &files {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        assert_ne!(fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
    }

    #[test]
    fn a_key_is_made_once_and_a_bad_one_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(parent.path()).unwrap();
        assert!(!directory.has_token_key());
        directory.token_key().unwrap();
        assert!(directory.has_token_key());
        let path = parent.path().join("token.key");
        let key = fs::read(&path).unwrap();
        directory.token_key().unwrap();
        assert_eq!(fs::read(&path).unwrap(), key);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(directory.token_key().unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(directory.token_key().unwrap_err().to_string().contains("32 bytes"));
    }

    #[test]
    fn a_directory_of_everybody_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(matches!(DataDirectory::open(parent.path()), Err(DataDirectoryError::Unsuitable { .. })));
        assert_eq!(fs::metadata(parent.path()).unwrap().permissions().mode() & 0o7777, 0o1777);
    }

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_gone() {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(parent.path()).unwrap();
        let lock = directory.lock().unwrap();
        assert!(matches!(directory.lock(), Err(DataDirectoryError::InUse { .. })));
        drop(lock);
        directory.lock().unwrap();
    }
}
