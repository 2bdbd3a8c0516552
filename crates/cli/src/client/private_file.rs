//! Files for their owner alone: written whole or not at all, and locked.
//!
//! Knows nothing of what is in them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

const OWNER_ONLY_DIRECTORY: u32 = 0o700;
const OWNER_ONLY_FILE: u32 = 0o600;

/// Puts `contents` into a file, making it and its directory if they are not there. Whoever reads
/// meanwhile finds what was there before, or all of what is there now.
///
/// # Errors
/// When the file system says no; the file is then as it was.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    // A link stays a link: some people keep their configuration elsewhere.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_directory(parent)?;
    let suffix = getrandom::u64().map_err(io::Error::other)?;
    let temporary = path.with_extension(format!("new-{suffix:016x}"));
    let mut file = OpenOptions::new().create_new(true).write(true).mode(OWNER_ONLY_FILE).open(&temporary)?;
    let written = file.write_all(contents).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // The first failure is the one to tell.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(parent)?.sync_all()
}

/// Makes a directory that only its owner can enter. One that is there stays as it is: it may be
/// somebody's home.
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
/// When the file cannot be made.
pub fn lock(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(OWNER_ONLY_FILE).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Whether others than the owner can read or write a file.
///
/// # Errors
/// When there is no such file.
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_the_owners_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/file.toml");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(!is_open_to_others(&path).unwrap());
        // Nothing else is left there.
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_a_link() {
        let home = tempfile::tempdir().unwrap();
        let (target, link) = (home.path().join("target"), home.path().join("link"));
        fs::write(&target, "before").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write(&link, b"after").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"after");
    }
}
