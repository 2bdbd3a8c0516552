//! The data directory: the database, the keys, and the lock that keeps a second server out.

use countersign_core::digest::DeploymentKey;
use countersign_identity::token::LocalKey;
use countersign_system::{private_file, text_file};
use rustix::fs::OFlags;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
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
    #[error("{}: {source}", text_file::shown(path))]
    Io {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Everybody keeps files there.
    #[error("{} is everybody's; choose a directory of its own with --data-dir", text_file::shown(path))]
    Unsuitable {
        /// Its path.
        path: PathBuf,
    },
    /// It belongs to another user, or holds what is not ours.
    #[error("{} {reason}; choose an empty or a new directory with --data-dir", text_file::shown(path))]
    NotOurs {
        /// Its path.
        path: PathBuf,
        /// The reason.
        reason: &'static str,
    },
    /// A file in it is not one that we made: what it holds may be anybody's.
    #[error("{}: {reason}", text_file::shown(path))]
    File {
        /// Its path.
        path: PathBuf,
        /// The reason.
        reason: &'static str,
    },
    /// Another server has it.
    #[error(
        "{} is in use by another `countersign serve`; stop that one or choose another --data-dir",
        text_file::shown(path)
    )]
    InUse {
        /// Its path.
        path: PathBuf,
    },
    /// The database of a key is gone, or there is nothing in it.
    #[error(
        "{}: the database that {DEPLOYMENT_KEY} beside it was made for is missing or empty; restore it from a \
         backup, or begin with an empty --data-dir",
        text_file::shown(path)
    )]
    NoDatabase {
        /// Its path.
        path: PathBuf,
    },
    /// A key file is not what we wrote.
    #[error("{}: {reason}", text_file::shown(path))]
    Key {
        /// Its path.
        path: PathBuf,
        /// The reason.
        reason: &'static str,
    },
}

/// Held as long as the server runs. The system releases it however the process ends.
#[derive(Debug)]
pub struct Lock {
    // A lock file could be taken for litter and removed.
    _directory: File,
    _mark: File,
}

/// The bit of directories that everybody writes to.
const STICKY: u32 = 0o1000;
/// Says that the directory is one of ours, before there is anything else in it.
const MARK: &str = "countersign.lock";
const DATABASE: &str = "countersign.db";
const DEPLOYMENT_KEY: &str = "deployment.key";
/// The same until its database has been made.
const FIRST_DEPLOYMENT_KEY: &str = "deployment.key.first";
const TOKEN_KEY: &str = "token.key";
/// The directory of the audit log.
const LOG: &str = "log";
/// Where the engine writes first.
const DATABASE_LOG: &str = "countersign.db-wal";
/// What the engine puts beside the database.
const BESIDE_DATABASE: [&str; 3] = [DATABASE_LOG, "countersign.db-shm", "countersign.db-journal"];
const OWNER_ONLY_DIRECTORY: u32 = 0o700;
const OWNER_ONLY_FILE: u32 = 0o600;
const ROOT: u32 = 0;

impl DataDirectory {
    /// Opens the directory, creating it if it is not there, and closes it to everybody else. One that
    /// is there must be empty, or one of ours: it is left as it is otherwise.
    ///
    /// # Errors
    /// When it cannot be created or is not ours to close.
    pub fn open(path: &Path) -> Result<Self, DataDirectoryError> {
        let at = |source| DataDirectoryError::Io { path: path.to_owned(), source };
        let not_ours = |reason| DataDirectoryError::NotOurs { path: path.to_owned(), reason };
        // A link that another user planted would choose the directory.
        let is_planted = |it: &fs::Metadata| it.is_symlink() && ![own_user(), ROOT].contains(&it.uid());
        if fs::symlink_metadata(path).is_ok_and(|it| is_planted(&it)) {
            return Err(not_ours("is a symbolic link of another user"));
        }
        DirBuilder::new().recursive(true).mode(OWNER_ONLY_DIRECTORY).create(path).map_err(at)?;
        let directory = File::open(path).map_err(at)?;
        let metadata = directory.metadata().map_err(at)?;
        if metadata.mode() & STICKY != 0 {
            return Err(DataDirectoryError::Unsuitable { path: path.to_owned() });
        }
        if metadata.uid() != own_user() {
            return Err(not_ours("belongs to another user"));
        }
        // Either is there from the beginning, and a backup has the second.
        let is_marked = [MARK, DATABASE].iter().any(|name| {
            fs::symlink_metadata(path.join(name)).is_ok_and(|it| it.is_file() && it.uid() == own_user())
        });
        if !is_marked && fs::read_dir(path).map_err(at)?.next().is_some() {
            return Err(not_ours(
                "holds other files, and neither countersign.lock nor countersign.db of yours",
            ));
        }
        if metadata.mode() & 0o077 != 0 {
            directory.set_permissions(Permissions::from_mode(OWNER_ONLY_DIRECTORY)).map_err(at)?;
        }
        let opened = Self { path: path.to_owned() };
        opened.make(MARK)?;
        Ok(opened)
    }

    /// Keeps every other server out while the lock lives.
    ///
    /// # Errors
    /// [`DataDirectoryError::InUse`] when another server is in.
    pub fn lock(&self) -> Result<Lock, DataDirectoryError> {
        let at = |source| DataDirectoryError::Io { path: self.path.clone(), source };
        let locked = |file: File| match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(DataDirectoryError::InUse { path: self.path.clone() }),
            Err(TryLockError::Error(source)) => Err(at(source)),
        };
        let directory = locked(File::open(&self.path).map_err(at)?)?;
        // What an older server holds.
        let mark = locked(self.make(MARK)?)?;
        Ok(Lock { _directory: directory, _mark: mark })
    }

    /// The database file; made if it is not there, for the owner alone. What the engine puts
    /// beside it takes its mode from it.
    ///
    /// # Errors
    /// When it cannot be made, or it or what is beside it is not ours.
    pub fn database(&self) -> Result<PathBuf, DataDirectoryError> {
        // The engine opens these by name. INVARIANT: the directory is closed to others, so what has
        // been looked at here is what the engine finds.
        for name in BESIDE_DATABASE {
            self.own(name, OpenOptions::new().read(true))?;
        }
        self.make(DATABASE)?;
        Ok(self.path.join(DATABASE))
    }

    /// Where the audit log is.
    pub fn log_path(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// A file of ours; made empty if it is not there.
    fn make(&self, name: &str) -> Result<File, DataDirectoryError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(OWNER_ONLY_FILE);
        let made = self.own(name, &mut options)?;
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        made.ok_or_else(|| DataDirectoryError::Io { path: self.path.join(name), source: missing() })
    }

    /// A file of ours, if it is there: a regular one, no link to elsewhere, which no other user owns or
    /// can read. What is no such file is not waited for either.
    fn own(&self, name: &str, options: &mut OpenOptions) -> Result<Option<File>, DataDirectoryError> {
        let path = self.path.join(name);
        let refuse = |reason| DataDirectoryError::File { path: path.clone(), reason };
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = match options.custom_flags(flags).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                let is_other = fs::symlink_metadata(&path).is_ok_and(|it| !it.is_file());
                return Err(if is_other {
                    refuse("this is no regular file; find out who put it there")
                } else {
                    DataDirectoryError::Io { path, source }
                });
            }
        };
        let metadata = match file.metadata() {
            Ok(metadata) => metadata,
            Err(source) => return Err(DataDirectoryError::Io { path, source }),
        };
        if !metadata.is_file() {
            return Err(refuse("this is no regular file; find out who put it there"));
        }
        if metadata.uid() != own_user() {
            return Err(refuse("this belongs to another user; find out who put it there"));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(refuse(
                "others can read or write this; run chmod 600 on it, and think about who has done so",
            ));
        }
        Ok(Some(file))
    }

    /// Whether there is a key that signs tokens already.
    pub fn has_token_key(&self) -> bool {
        fs::symlink_metadata(self.path.join(TOKEN_KEY)).is_ok()
    }

    /// The key that signs tokens; made on first use.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not a key that only we can read.
    pub fn token_key(&self) -> Result<LocalKey, DataDirectoryError> {
        self.key(TOKEN_KEY).map(LocalKey::new)
    }

    /// The deployment's key; made on first use. A database that was written under another key is of no
    /// use without it, so none is made where there is a database; and a key whose database is gone is not
    /// used for an empty one, which would say that nothing was ever asked for.
    ///
    /// # Errors
    /// As for [`DataDirectory::token_key`], and when the key of a database is missing, or a key's database.
    pub fn deployment_key(&self) -> Result<DeploymentKey, DataDirectoryError> {
        let is_there = |name: &str| fs::symlink_metadata(self.path.join(name)).is_ok();
        match (is_there(DEPLOYMENT_KEY), self.has_database()) {
            (true, true) => self.key(DEPLOYMENT_KEY).map(DeploymentKey::new),
            (true, false) => {
                self.key(DEPLOYMENT_KEY)?;
                Err(DataDirectoryError::NoDatabase { path: self.path.join(DATABASE) })
            }
            (false, true) if !is_there(FIRST_DEPLOYMENT_KEY) => Err(self.key_is_missing()),
            (false, _) => self.key(FIRST_DEPLOYMENT_KEY).map(DeploymentKey::new),
        }
    }

    /// Whether there is a database with something in it. What the engine has not yet moved into the file
    /// counts.
    pub fn has_database(&self) -> bool {
        let holds = |name: &str| fs::symlink_metadata(self.path.join(name)).is_ok_and(|it| it.len() > 0);
        holds(DATABASE) || holds(DATABASE_LOG)
    }

    /// Keeps the deployment's key for good, now that its database has been made. Before that, a start that
    /// is interrupted leaves nothing that anything depends on.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub fn keep_deployment_key(&self) -> Result<(), DataDirectoryError> {
        let first = self.path.join(FIRST_DEPLOYMENT_KEY);
        let at = |source| DataDirectoryError::Io { path: first.clone(), source };
        if !self.is_first_start() {
            // A key that was restored meanwhile counts: it is the one of the database beside it.
            return match fs::remove_file(&first) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(error)),
                Ok(()) | Err(_) => Ok(()),
            };
        }
        // Linked, not renamed: what is there already is never replaced.
        fs::hard_link(&first, self.path.join(DEPLOYMENT_KEY))
            .and_then(|()| fs::remove_file(&first))
            .and_then(|()| File::open(&self.path)?.sync_all())
            .map_err(at)
    }

    /// Whether the deployment's key is one that no start has finished with yet: there must be nothing in the
    /// database then.
    pub fn is_first_start(&self) -> bool {
        let is_there = |name: &str| fs::symlink_metadata(self.path.join(name)).is_ok();
        is_there(FIRST_DEPLOYMENT_KEY) && !is_there(DEPLOYMENT_KEY)
    }

    /// The database was written under another key than the one that is there.
    pub fn key_is_missing(&self) -> DataDirectoryError {
        let reason = "this key of the database is missing; restore it from a backup";
        DataDirectoryError::Key { path: self.path.join(DEPLOYMENT_KEY), reason }
    }

    fn key(&self, name: &str) -> Result<[u8; 32], DataDirectoryError> {
        let bytes = self.own_bytes(name, || {
            let mut key = vec![0; 32];
            getrandom::fill(&mut key).map_err(io::Error::other)?;
            Ok(key)
        })?;
        <[u8; 32]>::try_from(bytes)
            .map_err(|_| self.unusable(name, "this is not a key of 32 bytes; restore it from a backup"))
    }

    /// What a file of ours holds; made if it is not there. Of two processes that make it, one does.
    pub(crate) fn own_bytes(
        &self,
        name: &str,
        make: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> Result<Vec<u8>, DataDirectoryError> {
        let path = self.path.join(name);
        let at = |source| DataDirectoryError::Io { path: path.clone(), source };
        let mut reading = OpenOptions::new();
        reading.read(true);
        let mut file = match self.own(name, &mut reading)? {
            Some(file) => file,
            None => {
                make().and_then(|made| private_file::write_new(&path, &made)).map_err(at)?;
                let missing = || at(io::Error::from(io::ErrorKind::NotFound));
                self.own(name, &mut reading)?.ok_or_else(missing)?
            }
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(at)?;
        Ok(bytes)
    }

    /// Puts something else into a file of ours, and removes what an earlier attempt left that was killed. To be called
    /// under the lock.
    pub(crate) fn replace(&self, name: &str, bytes: io::Result<Vec<u8>>) -> Result<(), DataDirectoryError> {
        let path = self.path.join(name);
        let replaced = bytes.and_then(|bytes| {
            private_file::remove_unfinished(&path)?;
            private_file::write(&path, &bytes)
        });
        replaced.map_err(|source| DataDirectoryError::Io { path, source })
    }

    /// A key file is not what we wrote.
    pub(crate) fn unusable(&self, name: &str, reason: &'static str) -> DataDirectoryError {
        DataDirectoryError::Key { path: self.path.join(name), reason }
    }
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
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
        directory.keep_deployment_key().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        let files: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 3, "two keys and the mark: {files:?}");
        for file in &files {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        let key = |name: &str| fs::read(path.join(name)).unwrap();
        assert_ne!(key("token.key"), key("deployment.key"));
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

    /// THREATS 70: whatever is not ours is named, refused and left as it is.
    #[test]
    fn threat_70_a_directory_with_other_things_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        for name in ["notes.txt", "token.key", "countersign.dbx"] {
            let path = parent.path().join(name).with_extension("directory");
            fs::create_dir(&path).unwrap();
            fs::write(path.join(name), "theirs").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            let refused = DataDirectory::open(&path).unwrap_err().to_string();
            assert!(refused.contains("holds other files"), "{refused}");
            assert_eq!(mode(&path), 0o755);
            assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        }
        // A mark that leads elsewhere is none.
        let path = parent.path().join("linked");
        fs::create_dir(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path.join(DATABASE)).unwrap();
        assert!(DataDirectory::open(&path).is_err());
        // One of ours stays ours, whatever else its owner puts there.
        let path = parent.path().join("ours");
        DataDirectory::open(&path).unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        DataDirectory::open(&path).unwrap();
    }

    #[test]
    fn threat_70_links_pipes_and_files_of_others_are_refused() {
        type Use = fn(&DataDirectory) -> Result<(), DataDirectoryError>;
        let uses: [(&str, Use); 5] = [
            (TOKEN_KEY, |it| it.token_key().map(drop)),
            (DEPLOYMENT_KEY, |it| it.deployment_key().map(drop)),
            (DATABASE, |it| it.database().map(drop)),
            (BESIDE_DATABASE[0], |it| it.database().map(drop)),
            (MARK, |it| it.make(MARK).map(drop)),
        ];
        for (name, used) in uses {
            let parent = tempfile::tempdir().unwrap();
            let directory = DataDirectory::open(parent.path()).unwrap();
            let (file, elsewhere) = (parent.path().join(name), parent.path().join("elsewhere"));
            let refused = || used(&directory).unwrap_err().to_string();
            let clear = || {
                if fs::symlink_metadata(&file).is_ok() {
                    fs::remove_file(&file).unwrap();
                }
            };
            clear();
            if name == DEPLOYMENT_KEY {
                fs::write(parent.path().join(DATABASE), "something").unwrap();
            }
            fs::write(&elsewhere, [7; 32]).unwrap();
            fs::set_permissions(&elsewhere, Permissions::from_mode(0o600)).unwrap();
            std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
            assert!(refused().contains("no regular file"), "{name}: {}", refused());
            clear();
            std::os::unix::fs::symlink("/nowhere", &file).unwrap();
            assert!(refused().contains("no regular file"), "{name}: {}", refused());
            clear();
            assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
            assert!(refused().contains("no regular file"), "{name}: {}", refused());
            clear();
            fs::copy(&elsewhere, &file).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
            assert!(refused().contains("chmod 600"), "{name}: {}", refused());
            fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            // Only root can give a file away.
            if std::os::unix::fs::chown(&file, Some(4711), None).is_ok() {
                assert!(refused().contains("another user"), "{name}: {}", refused());
                std::os::unix::fs::chown(&file, Some(own_user()), None).unwrap();
            }
            used(&directory).unwrap();
        }
    }

    #[test]
    fn threat_70_a_directory_of_another_user_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("theirs");
        fs::create_dir(&path).unwrap();
        // Only root can give a directory away, and only root can use another's.
        if std::os::unix::fs::chown(&path, Some(4711), None).is_ok() {
            let refused = DataDirectory::open(&path).unwrap_err().to_string();
            assert!(refused.contains("another user"), "{refused}");
            assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        }
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

    #[test]
    fn threat_70_a_link_that_another_user_planted_is_not_followed() {
        // Only root can give a link away.
        if own_user() != ROOT {
            return;
        }
        let parent = tempfile::tempdir().unwrap();
        let (target, link) = (parent.path().join("target"), parent.path().join("link"));
        fs::create_dir(&target).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        DataDirectory::open(&link).unwrap();
        fs::remove_file(target.join(MARK)).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
        let refused = DataDirectory::open(&link).unwrap_err().to_string();
        assert!(refused.contains("symbolic link of another user"), "{refused}");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
    }

    #[test]
    fn a_key_whose_database_is_gone_makes_no_empty_one() {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(parent.path()).unwrap();
        let database = parent.path().join(DATABASE);
        // A first start that was interrupted, anywhere, begins again with the same key.
        directory.deployment_key().unwrap();
        let key = fs::read(parent.path().join(FIRST_DEPLOYMENT_KEY)).unwrap();
        directory.database().unwrap();
        directory.deployment_key().unwrap();
        fs::write(&database, "something").unwrap();
        directory.deployment_key().unwrap();
        directory.keep_deployment_key().unwrap();
        assert_eq!(fs::read(parent.path().join(DEPLOYMENT_KEY)).unwrap(), key);
        directory.deployment_key().unwrap();
        directory.keep_deployment_key().unwrap();

        // A key that was restored over an interrupted start is not replaced by that start's.
        fs::write(parent.path().join(FIRST_DEPLOYMENT_KEY), [9; 32]).unwrap();
        assert!(!directory.is_first_start());
        directory.keep_deployment_key().unwrap();
        assert_eq!(fs::read(parent.path().join(DEPLOYMENT_KEY)).unwrap(), key);
        assert!(!parent.path().join(FIRST_DEPLOYMENT_KEY).exists());

        fs::write(&database, "").unwrap();
        for _ in 0..2 {
            let refused = directory.deployment_key().unwrap_err().to_string();
            assert!(refused.contains("missing or empty; restore it"), "{refused}");
            let _ = fs::remove_file(&database);
        }
    }

    #[test]
    fn removing_a_file_lets_no_second_server_in() {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(parent.path()).unwrap();
        let lock = directory.lock().unwrap();
        fs::remove_file(parent.path().join(MARK)).unwrap();
        assert!(matches!(directory.lock(), Err(DataDirectoryError::InUse { .. })));
        drop(lock);
        let of_an_older_server = directory.make(MARK).unwrap();
        of_an_older_server.lock().unwrap();
        assert!(matches!(directory.lock(), Err(DataDirectoryError::InUse { .. })));
    }
}
