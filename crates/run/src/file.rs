//! A file as it is bound: opened once, read from the descriptor, and known again by what the file system says of it.

use crate::error::BindError;
use crate::parameters::FileDigest;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The largest file that is bound, in bytes. It is read three times: for approvers, after the approval, and right before
/// the start.
pub(crate) const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A file that is open, and what was in it.
#[derive(Debug)]
pub(crate) struct BoundFile {
    pub(crate) file: File,
    pub(crate) digest: FileDigest,
    pub(crate) watched: Watched,
}

/// A file, and how it looked when its content was taken down.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    path: PathBuf,
    shown: String,
    identity: Identity,
}

/// What changes when anything of a file does. Only a privileged user can set the time of a change back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Watched {
    /// The name of the file, if it is another than it was, or has been written to.
    pub(crate) fn changed(&self) -> Option<&str> {
        let is_same = fs::metadata(&self.path).is_ok_and(|metadata| Identity::of(&metadata) == self.identity);
        (!is_same).then_some(self.shown.as_str())
    }
}

/// Opens a regular file and takes its digest, of at most so many bytes. `shown` is its name for people.
pub(crate) fn open(path: &Path, shown: &str, max_bytes: Option<u64>) -> Result<BoundFile, BindError> {
    let failed = |error: io::Error| BindError::File { path: shown.to_owned(), reason: error.to_string() };
    // A pipe would be waited for, and a terminal made the controlling one.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(BindError::NotRegular { path: shown.to_owned() });
    }
    if let Some(max_bytes) = max_bytes.filter(|max_bytes| metadata.len() > *max_bytes) {
        return Err(BindError::TooLarge { path: shown.to_owned(), max_bytes });
    }
    let sha256 = sha256(&mut file).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let watched =
        Watched { path: path.to_owned(), shown: shown.to_owned(), identity: Identity::of(&metadata) };
    Ok(BoundFile { file, digest: FileDigest { path: shown.to_owned(), sha256 }, watched })
}

fn sha256(file: &mut File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(hasher.finalize())),
            Ok(length) => hasher.update(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
