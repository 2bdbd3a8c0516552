//! Files for their owner alone: read only if they are that, written whole or not at all, and locked.
//!
//! Knows nothing of what is in them. What is in a file that another user may write is that user's word, and
//! a secret in a file that another user may read is none.

use crate::text_file;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

const OWNER_ONLY_DIRECTORY: u32 = 0o700;
const OWNER_ONLY_FILE: u32 = 0o600;
/// What only the owner of a file may have.
const OTHERS: u32 = 0o077;
/// The same of a file of root's that this user can read only through its group: an orchestrator mounts
/// secrets so.
const OTHERS_THAN_GROUP: u32 = 0o037;
const ROOT: u32 = 0;

/// Why a file is not read, and how to mend it. The path is the caller's to name.
#[derive(Debug, thiserror::Error)]
pub enum Unsuitable {
    /// The file system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A link, where none is followed.
    #[error("is a symbolic link; name the file that it leads to, or put the file itself there")]
    Link,
    /// A directory, a pipe or a device.
    #[error("is not a regular file")]
    Kind,
    /// Planted, or left by another user.
    #[error("belongs to another user; run chown on it, or make a file of your own")]
    Owner,
    /// Everybody may change it.
    #[error("everybody can change it (mode {mode:04o}); run chmod o-w on it")]
    Writable {
        /// What they may.
        mode: u32,
    },
    /// Other users may enter the directory.
    #[error("others can read or change what is in it (mode {mode:04o}); run chmod 700 on it")]
    DirectoryMode {
        /// What they may.
        mode: u32,
    },
    /// Others may do more than they should.
    #[error("others can read or change it (mode {mode:04o}); run chmod 600 on it")]
    Mode {
        /// What they may.
        mode: u32,
    },
}

impl Unsuitable {
    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// The text of a file that is this user's, or root's, and that no other user can read or change.
///
/// # Errors
/// When it is not, or is a symbolic link, or cannot be read.
pub fn read(path: &Path) -> Result<String, Unsuitable> {
    text_of(open(OpenOptions::new().read(true), path, OFlags::NOFOLLOW)?)
}

/// The same of a file that may be reached by a link, as tools that renew certificates leave it. The link
/// must not be another user's.
///
/// # Errors
/// As for [`read`].
pub fn read_linked(path: &Path) -> Result<String, Unsuitable> {
    check_links(path)?;
    text_of(open(OpenOptions::new().read(true), path, OFlags::empty())?)
}

/// Each link on the way to a file must be one that [`read_linked`] follows. How many there may be is the
/// number of Linux (path resolution in its manual, section 7).
fn check_links(path: &Path) -> Result<(), Unsuitable> {
    const MAX_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..=MAX_LINKS {
        let metadata = fs::symlink_metadata(&path)?;
        check_owner(&metadata)?;
        if !metadata.is_symlink() {
            return Ok(());
        }
        let target = fs::read_link(&path)?;
        path = path.parent().map_or_else(|| target.clone(), |parent| parent.join(&target));
    }
    Err(Unsuitable::Link)
}

/// A file that need not be secret, but decides what the program trusts: it must be this user's or root's, and
/// not everybody's to change. That a group may change it is its owner's decision.
///
/// # Errors
/// When it is not, or is no regular file.
pub fn check_trusted(path: &Path) -> Result<(), Unsuitable> {
    check_links(path)?;
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Unsuitable::Kind);
    }
    check_owner(&metadata)?;
    match metadata.mode() & 0o777 {
        mode if mode & 0o002 != 0 => Err(Unsuitable::Writable { mode }),
        _ => Ok(()),
    }
}

fn text_of(mut file: File) -> Result<String, Unsuitable> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(text_file::text_of(bytes)?)
}

/// Opens a file and checks what was opened, so that it cannot be exchanged in between. A pipe without a writer
/// keeps no caller waiting.
fn open(options: &mut OpenOptions, path: &Path, flags: OFlags) -> Result<File, Unsuitable> {
    let flags = (flags | OFlags::NONBLOCK).bits().cast_signed();
    let opened = options.custom_flags(flags).open(path);
    let file = opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => Unsuitable::Link,
        // A socket.
        Some(Errno::NXIO) => Unsuitable::Kind,
        _ => Unsuitable::Io(error),
    })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Unsuitable::Kind);
    }
    check_owner(&metadata)?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let mode = metadata.mode() & 0o777;
    match mode & if is_ours { OTHERS } else { OTHERS_THAN_GROUP } {
        0 => Ok(file),
        _ => Err(Unsuitable::Mode { mode }),
    }
}

/// A file of root is trusted as well: root can change the files of every user.
fn check_owner(metadata: &Metadata) -> Result<(), Unsuitable> {
    let owner = metadata.uid();
    if owner == rustix::process::geteuid().as_raw() || owner == ROOT {
        Ok(())
    } else {
        Err(Unsuitable::Owner)
    }
}

/// Puts `contents` into a file, making it and its directory if they are not there. A process that reads
/// meanwhile finds what was there before, or all of what is there now. A link is replaced, and what it led
/// to left alone.
///
/// # Errors
/// When the file system says no; the file is then as it was.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = Unfinished::beside(path)?;
    file.write_all(contents)?;
    file.replace()
}

/// Puts `contents` into a file unless there is one: the second process finds that of the first, and no process
/// finds half of it.
///
/// # Errors
/// When the file system says no.
pub fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = Unfinished::beside(path)?;
    file.write_all(contents)?;
    match file.keep() {
        // That of the first may not be through to the disk yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => File::open(parent_of(path))?.sync_all(),
        kept => kept,
    }
}

/// A file for its owner alone that is not there yet: until it is finished it stands under another name beside its place, and is
/// removed if it never is.
#[derive(Debug)]
pub struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    /// Begins a file, and makes its directory if that is not there.
    ///
    /// # Errors
    /// When the file system says no.
    pub fn beside(path: &Path) -> io::Result<Self> {
        make_directory(parent_of(path))?;
        let file = tempfile::Builder::new()
            .prefix(&unfinished_prefix(path))
            .rand_bytes(UNFINISHED_SUFFIX)
            .permissions(fs::Permissions::from_mode(OWNER_ONLY_FILE))
            .tempfile_in(parent_of(path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Puts it into its place, whatever is there.
    ///
    /// # Errors
    /// When the file system says no; what is there is then as it was.
    pub fn replace(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path)?;
        File::open(parent_of(&self.path))?.sync_all()
    }

    /// Puts it into its place if nothing is there.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if something is; or when the file system says no.
    pub fn keep(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist_noclobber(&self.path)?;
        File::open(parent_of(&self.path))?.sync_all()
    }
}

impl io::Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// How long what follows the prefix of an unfinished file is.
const UNFINISHED_SUFFIX: usize = 16;

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// How the name of a file begins that was not written to its end.
fn unfinished_prefix(path: &Path) -> OsString {
    let mut prefix = path.file_stem().unwrap_or_default().to_owned();
    prefix.push(".new-");
    prefix
}

/// Removes what a [`write()`] of this file left that was killed in the middle. To be called under the lock that
/// all who write it hold.
///
/// # Errors
/// When something is there and cannot be removed.
pub fn remove_unfinished(path: &Path) -> io::Result<()> {
    let prefix = unfinished_prefix(path);
    let is_unfinished = |name: &OsStr| {
        let suffix = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        suffix.is_some_and(|suffix| {
            suffix.len() == UNFINISHED_SUFFIX && suffix.iter().all(u8::is_ascii_alphanumeric)
        })
    };
    for entry in fs::read_dir(parent_of(path))? {
        let entry = entry?;
        if is_unfinished(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes a directory that only its owner can enter. One that is there stays as it is: it may be
/// the home of a user.
///
/// # Errors
/// When it cannot be made.
pub fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(OWNER_ONLY_DIRECTORY).create(path)
}

/// Waits for a lock that is held until the file is dropped. The system releases it however the
/// process ends.
///
/// # Errors
/// When the file cannot be made, or is not one for its owner alone.
pub fn lock(path: &Path) -> Result<File, Unsuitable> {
    let file = lock_file(path)?;
    file.lock()?;
    Ok(file)
}

/// The same without waiting; nothing if another holds it.
///
/// # Errors
/// As for [`lock`].
pub fn try_lock(path: &Path) -> Result<Option<File>, Unsuitable> {
    let file = lock_file(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn lock_file(path: &Path) -> Result<File, Unsuitable> {
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).mode(OWNER_ONLY_FILE);
    open(&mut options, path, OFlags::NOFOLLOW)
}

/// Whether a directory is this user's, and no other user can enter it.
///
/// # Errors
/// When it is not.
pub fn check_private_directory(path: &Path) -> Result<(), Unsuitable> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(Unsuitable::Owner);
    }
    match metadata.mode() & 0o777 {
        mode if mode & OTHERS != 0 => Err(Unsuitable::DirectoryMode { mode }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, symlink};

    fn home() -> (tempfile::TempDir, std::path::PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        write(&path, b"text").unwrap();
        (home, path)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_written_is_the_owners_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/file.toml");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        // Nothing else is left there.
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn threat_70_what_others_can_read_or_change_is_refused() {
        let (_home, path) = home();
        for mode in [0o400, 0o600, 0o700] {
            set_mode(&path, mode);
            assert!(read(&path).is_ok() && read_linked(&path).is_ok(), "{mode:o}");
        }
        for mode in [0o640, 0o620, 0o604, 0o602, 0o601, 0o644, 0o666] {
            set_mode(&path, mode);
            for refused in [read(&path).unwrap_err(), read_linked(&path).unwrap_err()] {
                assert!(matches!(refused, Unsuitable::Mode { mode: found } if found == mode), "{refused}");
                assert!(refused.to_string().contains("chmod 600"), "{refused}");
            }
            assert!(lock(&path).is_err(), "{mode:o}");
        }
    }

    /// Only root can give files away.
    #[test]
    fn threat_70_a_file_of_another_user_is_refused() {
        let (home, path) = home();
        if rustix::process::geteuid().as_raw() != ROOT {
            return;
        }
        let link = home.path().join("link");
        symlink(&path, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
        assert!(matches!(read_linked(&link).unwrap_err(), Unsuitable::Owner), "a link that was planted");
        chown(&path, Some(12345), None).unwrap();
        assert!(matches!(read(&path).unwrap_err(), Unsuitable::Owner));
        assert!(matches!(read_linked(&path).unwrap_err(), Unsuitable::Owner));
        assert!(matches!(lock(&path).unwrap_err(), Unsuitable::Owner));
    }

    #[test]
    fn threat_70_links_pipes_and_directories_are_refused_and_left_alone() {
        let (home, path) = home();
        let (link, pipe) = (home.path().join("link"), home.path().join("pipe"));
        symlink(&path, &link).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        set_mode(&pipe, 0o600);
        assert!(matches!(read(&link).unwrap_err(), Unsuitable::Link));
        assert!(matches!(lock(&link).unwrap_err(), Unsuitable::Link));
        assert_eq!(read_linked(&link).unwrap(), "text");
        for odd in [&pipe, home.path()] {
            assert!(matches!(read(odd).unwrap_err(), Unsuitable::Kind), "{}", odd.display());
            assert!(matches!(read_linked(odd).unwrap_err(), Unsuitable::Kind), "{}", odd.display());
        }
        assert!(matches!(lock(&pipe).unwrap_err(), Unsuitable::Kind));
        assert!(read(&home.path().join("nothing")).unwrap_err().is_not_found());
        // A write puts a file there, and does not write where the link leads.
        write(&link, b"after").unwrap();
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((read(&link).unwrap(), read(&path).unwrap()), ("after".to_owned(), "text".to_owned()));
    }

    #[test]
    fn threat_70_what_decides_whom_to_trust_is_not_everybodys_to_change() {
        let (home, path) = home();
        for mode in [0o400, 0o600, 0o644, 0o664, 0o755] {
            set_mode(&path, mode);
            check_trusted(&path).unwrap();
        }
        for mode in [0o666, 0o602, 0o777] {
            set_mode(&path, mode);
            assert!(check_trusted(&path).unwrap_err().to_string().contains("chmod o-w"), "{mode:o}");
        }
        assert!(matches!(check_trusted(home.path()).unwrap_err(), Unsuitable::Kind));
        set_mode(&path, 0o644);
        if rustix::process::geteuid().as_raw() == ROOT {
            chown(&path, Some(12345), None).unwrap();
            assert!(matches!(check_trusted(&path).unwrap_err(), Unsuitable::Owner));
        }
    }

    #[test]
    fn threat_70_each_link_of_a_chain_is_looked_at() {
        let (home, path) = home();
        let (first, second) = (home.path().join("first"), home.path().join("second"));
        symlink(&path, &second).unwrap();
        symlink("second", &first).unwrap();
        assert_eq!(read_linked(&first).unwrap(), "text");
        if rustix::process::geteuid().as_raw() == ROOT {
            std::os::unix::fs::lchown(&second, Some(12345), None).unwrap();
            assert!(matches!(read_linked(&first).unwrap_err(), Unsuitable::Owner));
            assert!(matches!(check_trusted(&first).unwrap_err(), Unsuitable::Owner));
        }
        let circle = home.path().join("circle");
        symlink("circle", &circle).unwrap();
        assert!(matches!(read_linked(&circle).unwrap_err(), Unsuitable::Link));
    }

    #[test]
    fn threat_70_a_socket_is_named_as_what_it_is() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(read(&path).unwrap_err(), Unsuitable::Kind));
        assert!(matches!(read_linked(&path).unwrap_err(), Unsuitable::Kind));
    }

    #[test]
    fn an_unfinished_file_is_in_nobodys_way() {
        let (home, path) = home();
        let begun = |text: &str| {
            let mut file = Unfinished::beside(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        };
        drop(begun("never finished"));
        assert_eq!(begun("another").keep().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap(), "text");
        begun("another").replace().unwrap();
        assert_eq!(read(&path).unwrap(), "another");
        fs::remove_file(&path).unwrap();
        begun("the first").keep().unwrap();
        assert_eq!(read(&path).unwrap(), "the first");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_write_left_is_removed_and_nothing_else() {
        let (home, path) = home();
        let left = home.path().join("file.new-0123456789abcdef");
        let others = ["file.new-xyz", "other.new-0123456789abcdef", "file.new-0123456789abcdef0"];
        fs::write(&left, "secret").unwrap();
        for other in others {
            fs::write(home.path().join(other), "").unwrap();
        }
        remove_unfinished(&path).unwrap();
        assert!(!left.exists() && path.exists());
        assert!(others.iter().all(|other| home.path().join(other).exists()));
    }
}
