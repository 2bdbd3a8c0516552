//! The files of the audit log in a directory, and a second copy of them in another.
//!
//! Each file is written whole or not at all, and lasts when it is written. The copy is written together with the first:
//! nothing counts as logged that is not in both. Knows the names of files and nothing of what is signed.

use countersign_app::log::{CHECKPOINT, LogStorage, LogStorageError, StoredCheckpoint};
use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::edge::Edge;
use countersign_audit::note::{MAX_NOTE_BYTES, text_of};
use countersign_audit::tile::{Content, MAX_TILE_BYTES, Tile, WIDTH, tiles_of};
use countersign_audit::tree::Hash;
use countersign_audit::verification::{Failure, read_tile, read_tiles};
use countersign_system::{private_file, text_file};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What there is of levels in a tree of any size.
const LEVELS: std::ops::RangeInclusive<u8> = 0..=7;

/// A directory of the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogDirectoryError {
    /// A file cannot be read or written.
    #[error("{}: {source}", text_file::shown(path))]
    Io {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A copy is of another log, or of a later state of this one.
    #[error("{}: {reason}", text_file::shown(path))]
    Differs {
        /// The directory.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// The log's files, and their copy.
#[derive(Debug, Clone)]
pub struct LogDirectory {
    paths: Arc<[PathBuf]>,
    /// Held while the checkpoint is replaced.
    replacing: Arc<Mutex<()>>,
}

impl LogDirectory {
    /// The log in a directory, which is made on first use, and its copy, which is brought up to date if it lags or is
    /// empty.
    ///
    /// # Errors
    /// When a directory cannot be used, or the copy is of another log.
    pub fn open(path: &Path, copy: Option<&Path>) -> Result<Self, LogDirectoryError> {
        for path in copy.into_iter().chain([path]) {
            private_file::make_directory(path).map_err(|source| io_error(path, source))?;
        }
        if let Some(copy) = copy {
            catch_up(path, copy)?;
        }
        let paths: Vec<_> = [path].into_iter().chain(copy).map(Path::to_owned).collect();
        Ok(Self { paths: paths.into(), replacing: Arc::default() })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&[PathBuf]) -> Result<T, LogStorageError> + Send + 'static,
    ) -> Result<T, LogStorageError> {
        let paths = Arc::clone(&self.paths);
        let done = tokio::task::spawn_blocking(move || work(&paths)).await;
        done.unwrap_or_else(|error| Err(LogStorageError::Unavailable(error.to_string())))
    }
}

fn io_error(path: &Path, source: io::Error) -> LogDirectoryError {
    LogDirectoryError::Io { path: path.to_owned(), source }
}

fn unavailable(error: LogDirectoryError) -> LogStorageError {
    LogStorageError::Unavailable(error.to_string())
}

/// A file of a log; none that is longer than it can be.
///
/// # Errors
/// When it cannot be read.
pub fn read(directory: &Path, name: &str) -> Result<Option<Vec<u8>>, LogDirectoryError> {
    let path = directory.join(name);
    let at = |source| io_error(&path, source);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.len() > MAX_TILE_BYTES as u64 => {
            Err(at(io::Error::new(io::ErrorKind::FileTooLarge, "longer than a file of a log can be")))
        }
        Ok(_) => fs::read(&path).map(Some).map_err(at),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(error)),
    }
}

/// The note of the checkpoint in a directory.
///
/// # Errors
/// When it cannot be read, or is no text.
pub fn read_checkpoint(directory: &Path) -> Result<Option<String>, LogDirectoryError> {
    let Some(bytes) = read(directory, CHECKPOINT)? else { return Ok(None) };
    let note = String::from_utf8(bytes).ok().filter(|note| note.len() <= MAX_NOTE_BYTES);
    note.map(Some).ok_or_else(|| differs(directory, "its checkpoint is no text"))
}

fn differs(path: &Path, reason: impl Into<String>) -> LogDirectoryError {
    LogDirectoryError::Differs { path: path.to_owned(), reason: reason.into() }
}

/// Writes a file that is not there; one that is must have these bytes.
fn write_new(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), LogStorageError> {
    let path = directory.join(name);
    let at = |source| unavailable(io_error(&path, source));
    if let Some(parent) = path.parent() {
        make_directories(directory, parent).map_err(at)?;
    }
    if !path.exists() {
        private_file::write_new(&path, bytes).map_err(at)?;
    }
    match read(directory, name).map_err(unavailable)? {
        Some(there) if there == bytes => Ok(()),
        Some(_) | None => Err(LogStorageError::Diverged(text_file::shown(&path))),
    }
}

/// Makes the directories between one that is there and another, each so that it lasts.
fn make_directories(root: &Path, path: &Path) -> io::Result<()> {
    if path == root || path.is_dir() {
        return Ok(());
    }
    let Some(parent) = path.parent() else { return Ok(()) };
    make_directories(root, parent)?;
    private_file::make_directory(path)?;
    fs::File::open(parent)?.sync_all()
}

/// What a directory says of itself. Nothing is believed of it but that it is this file.
fn unverified(directory: &Path) -> Result<Option<Checkpoint>, LogDirectoryError> {
    let Some(note) = read_checkpoint(directory)? else { return Ok(None) };
    let checkpoint = text_of(&note).and_then(Checkpoint::of_text);
    checkpoint.map(Some).ok_or_else(|| differs(directory, "its checkpoint is none"))
}

/// Brings a copy up to date with its log. It must be what the log was.
fn catch_up(log: &Path, copy: &Path) -> Result<(), LogDirectoryError> {
    let (log_is, copy_is) = (unverified(log)?, unverified(copy)?);
    let from = match (&log_is, &copy_is) {
        (None, None) => return Ok(()),
        (Some(_), None) => 0,
        (None, Some(copy_is)) => {
            let reason = format!("this copy has {copy_is}, and the log is empty; restore the log from it");
            return Err(differs(copy, reason));
        }
        (Some(log_is), Some(copy_is)) if log_is.origin != copy_is.origin => {
            return Err(differs(copy, format!("this is a copy of another log, of {}", copy_is.origin)));
        }
        (Some(log_is), Some(copy_is)) if copy_is.size > log_is.size => {
            let reason = format!(
                "this copy has {copy_is}, and the log only {}; find out who has cut the log, and restore it from the copy",
                log_is.size
            );
            return Err(differs(copy, reason));
        }
        (Some(log_is), Some(copy_is)) => {
            let in_log = root(log, copy_is.size, log_is.size);
            let in_copy = edge_root(copy, copy_is.size);
            if in_log != Some(copy_is.root) || in_copy != Some(copy_is.root) {
                let reason = format!(
                    "this copy, of {copy_is}, is not what the log was at that size; verify both with `countersign audit \
                     verify --log`, and keep the copy"
                );
                return Err(differs(copy, reason));
            }
            copy_is.size
        }
    };
    let Some(log_is) = log_is else { return Ok(()) };
    if from == log_is.size {
        return Ok(());
    }
    let mut get = |name: &str| read(log, name);
    for content in LEVELS.map(|level| Content::Hashes { level }).chain([Content::Entries]) {
        let height = match content {
            Content::Hashes { level } => 8 * u32::from(level),
            Content::Entries => 0,
        };
        let first = from.checked_shr(height).unwrap_or_default() / WIDTH;
        for index in first.. {
            let Some(tile) = Tile::of_tree(content, index, log_is.size) else { break };
            let bytes = read_tile(tile, &mut get).map_err(|failure| match failure {
                Failure::Damaged(damage) => differs(log, damage.to_string()),
                Failure::Unread(error) => error,
            })?;
            write_new(copy, &tile.to_string(), &bytes).map_err(|error| differs(copy, error.to_string()))?;
        }
    }
    let note = read_checkpoint(log)?.unwrap_or_default();
    let path = copy.join(CHECKPOINT);
    private_file::write(&path, note.as_bytes()).map_err(|source| io_error(&path, source))
}

/// The root that a log had at an earlier size, by its tiles.
fn root(log: &Path, size: u64, of: u64) -> Option<Hash> {
    let whole = 0..size;
    let tiles =
        read_tiles(tiles_of(std::slice::from_ref(&whole), of), &mut |name: &str| read(log, name)).ok()?;
    tiles.hash(whole)
}

/// The root that a copy has, by its right edge.
fn edge_root(copy: &Path, size: u64) -> Option<Hash> {
    let edge = Edge::of_tiles(size, |tile| read_tile(tile, &mut |name: &str| read(copy, name)).ok())?;
    Some(edge.root())
}

impl LogStorage for LogDirectory {
    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LogStorageError> {
        let path = path.to_owned();
        self.blocking(move |paths| match paths.first() {
            Some(directory) => read(directory, &path).map_err(unavailable),
            None => Ok(None),
        })
        .await
    }

    async fn put_new(&self, path: &str, bytes: &[u8]) -> Result<(), LogStorageError> {
        let (path, bytes) = (path.to_owned(), bytes.to_vec());
        self.blocking(move |paths| paths.iter().try_for_each(|directory| write_new(directory, &path, &bytes)))
            .await
    }

    /// Each on a thread of its own: what waits for the disk together waits hardly longer than one.
    async fn put_all_new(&self, files: Vec<(String, Vec<u8>)>) -> Result<(), LogStorageError> {
        self.blocking(move |paths| {
            std::thread::scope(|scope| {
                let write = |path: &str, bytes: &[u8]| {
                    paths.iter().try_for_each(|directory| write_new(directory, path, bytes))
                };
                let writers: Vec<_> =
                    files.iter().map(|(path, bytes)| scope.spawn(move || write(path, bytes))).collect();
                writers.into_iter().try_for_each(|writer| {
                    let panicked = |_| Err(LogStorageError::Unavailable("a write has panicked".to_owned()));
                    writer.join().unwrap_or_else(panicked)
                })
            })
        })
        .await
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, LogStorageError> {
        self.blocking(|paths| {
            let Some(directory) = paths.first() else { return Ok(None) };
            let note = read_checkpoint(directory).map_err(unavailable)?;
            Ok(note.map(|note| StoredCheckpoint { tag: note.clone(), note }))
        })
        .await
    }

    async fn replace_checkpoint(&self, tag: Option<&str>, note: &str) -> Result<bool, LogStorageError> {
        let (tag, note) = (tag.map(str::to_owned), note.to_owned());
        let replacing = Arc::clone(&self.replacing);
        self.blocking(move |paths| {
            let _replacing = replacing.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(directory) = paths.first() else { return Ok(false) };
            if read_checkpoint(directory).map_err(unavailable)? != tag {
                return Ok(false);
            }
            // The copy last: what it says is then never ahead of the log.
            for directory in paths {
                let path = directory.join(CHECKPOINT);
                private_file::write(&path, note.as_bytes())
                    .map_err(|source| unavailable(io_error(&path, source)))?;
            }
            Ok(true)
        })
        .await
    }

    async fn tile_is_full(&self, tile: Tile) -> Result<(), LogStorageError> {
        self.blocking(move |paths| {
            for directory in paths {
                let path = directory.join(format!("{}.p", tile.full()));
                match fs::remove_dir_all(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(unavailable(io_error(&path, error)));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_app::log::file;
    use countersign_audit::key::{KeyStatus, PrivateKey, Purpose};
    use countersign_audit::tile::{bytes_of, push_entry};
    use countersign_audit::tree::leaf_hash;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    /// Writes a log of so many entries into a directory.
    fn fill(directory: &Path, entries: u64, word: &str) {
        let mut edge = Edge::default();
        let mut files: BTreeMap<Tile, Vec<u8>> = BTreeMap::new();
        let mut bundle = Vec::new();
        for index in 0..entries {
            let entry = format!("{word} {index}");
            push_entry(&mut bundle, entry.as_bytes()).unwrap();
            edge.append(leaf_hash(entry.as_bytes()), &mut |tile, hashes| {
                files.insert(tile, bytes_of(hashes));
            });
            let tile = Tile::of_tree(Content::Entries, index / WIDTH, index + 1).unwrap();
            if tile.is_full() || index + 1 == entries {
                files.insert(tile, std::mem::take(&mut bundle));
            }
        }
        files.extend(edge.partial_bytes());
        for (tile, bytes) in files {
            write_new(directory, &tile.to_string(), &bytes).unwrap();
        }
        let checkpoint = Checkpoint { origin: "o".to_owned(), size: entries, root: edge.root() };
        let key = PrivateKey::from_bytes(&[7; 32]);
        let signature = key.sign(checkpoint.text().as_bytes());
        let note = checkpoint.signed(&key.public(Purpose::Log, KeyStatus::Current), &signature);
        private_file::write(&directory.join(CHECKPOINT), note.as_bytes()).unwrap();
    }

    fn opened(log: &Path, copy: &Path) -> Result<(), String> {
        LogDirectory::open(log, Some(copy)).map(|_| ()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_copy_that_lags_or_is_empty_is_brought_up_to_date() {
        for (has, had) in [(0, 0), (3, 0), (300, 0), (300, 3), (600, 300), (600, 256), (257, 257)] {
            let home = tempfile::tempdir().unwrap();
            let (log, copy) = (home.path().join("log"), home.path().join("copy"));
            if has > 0 {
                fill(&log, has, "entry");
            }
            if had > 0 {
                fill(&copy, had, "entry");
            }
            opened(&log, &copy).unwrap();
            assert_eq!(read_checkpoint(&copy).unwrap(), read_checkpoint(&log).unwrap(), "{has} {had}");
            assert_eq!(edge_root(&copy, has), edge_root(&log, has));
            let entries = Tile::of_tree(Content::Entries, has.saturating_sub(1) / WIDTH, has);
            if let Some(tile) = entries {
                assert_eq!(read(&copy, &tile.to_string()).unwrap(), read(&log, &tile.to_string()).unwrap());
            }
        }
    }

    #[test]
    fn a_copy_of_something_else_is_refused_and_left_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        fill(&path("log"), 300, "entry");
        for (name, entries, word, reason) in [
            ("rewritten", 200, "other", "not what the log was"),
            ("ahead", 301, "entry", "who has cut the log"),
        ] {
            fill(&path(name), entries, word);
            let refused = opened(&path("log"), &path(name)).unwrap_err();
            assert!(refused.contains(reason) && refused.contains(name), "{refused}");
            assert_eq!(unverified(&path(name)).unwrap().unwrap().size, entries);
        }
        let refused = opened(&path("nothing"), &path("log")).unwrap_err();
        assert!(refused.contains("restore the log from it"), "{refused}");
    }

    #[tokio::test]
    async fn no_file_is_overwritten_and_one_that_is_there_stays() {
        let home = tempfile::tempdir().unwrap();
        let (log, copy) = (home.path().join("log"), home.path().join("copy"));
        let directory = LogDirectory::open(&log, Some(&copy)).unwrap();
        let name = "tile/0/x001/000.p/3";
        directory.put_new(name, b"one").await.unwrap();
        directory.put_new(name, b"one").await.unwrap();
        let other = directory.put_new(name, b"two").await;
        assert!(matches!(other, Err(LogStorageError::Diverged(_))), "{other:?}");
        for path in [&log, &copy] {
            assert_eq!(fs::read(path.join(name)).unwrap(), b"one");
            assert_eq!(fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        // A copy that something else has been put into is not written over either.
        fs::create_dir_all(copy.join("tile/1")).unwrap();
        fs::write(copy.join("tile/1/000"), "else").unwrap();
        assert!(matches!(directory.put_new("tile/1/000", b"x").await, Err(LogStorageError::Diverged(_))));
        directory.tile_is_full(Tile::parse("tile/0/x001/000").unwrap()).await.unwrap();
        assert!(!log.join("tile/0/x001/000.p").exists() && !copy.join("tile/0/x001/000.p").exists());
        for outside in
            ["../log/checkpoint", "tile/../checkpoint", "tile/0/../../checkpoint", "deployment.key", ""]
        {
            assert_eq!(file(&directory, outside).await, Ok(None), "{outside}");
        }
    }

    #[tokio::test]
    async fn a_checkpoint_is_replaced_by_one_who_knows_it() {
        let home = tempfile::tempdir().unwrap();
        let directory = LogDirectory::open(&home.path().join("log"), None).unwrap();
        assert_eq!(directory.checkpoint().await, Ok(None));
        assert_eq!(directory.replace_checkpoint(None, "one").await, Ok(true));
        assert_eq!(directory.replace_checkpoint(None, "two").await, Ok(false));
        let one = directory.checkpoint().await.unwrap().unwrap();
        assert_eq!(directory.replace_checkpoint(Some(&one.tag), "two").await, Ok(true));
        assert_eq!(directory.checkpoint().await.unwrap().unwrap().note, "two");
    }
}
