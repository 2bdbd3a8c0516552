//! What a command writes: passed on as it comes, counted and digested on the way.
//!
//! A terminal is left to the command itself, as a pipe in its place would change what the command writes.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, IsTerminal as _, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much is kept of a stream, in bytes.
const KEPT_BYTES: usize = 8 * 1024;
/// How much of that may be in a result, in bytes of JSON: a result has at most 16 KiB, and other members.
const KEPT_JSON_BYTES: usize = 14 * 1024;
/// How long is read on after the command has ended, while what it has left behind holds its output open.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait for a reader that is not ready, where this process must not block.
const PAUSE: Duration = Duration::from_millis(5);

/// A stream of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stream {
    /// A terminal: nothing is known of what was written.
    Terminal,
    /// Both streams went to the same place, in the order in which they were written.
    WithStdout,
    /// It went through here.
    Recorded(Record),
}

/// What went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    bytes: u64,
    sha256: String,
    /// The end of it.
    kept: Option<Vec<u8>>,
    /// Whether a process that the command has left behind could still write.
    is_incomplete: bool,
}

/// The ends that a command writes to.
pub(crate) struct Ends {
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
}

/// The streams of a command that runs.
#[derive(Debug)]
pub(crate) struct Streams {
    stdout: Option<Pump>,
    stderr: Option<Pump>,
    is_joined: bool,
    ended: Receiver<()>,
}

#[derive(Debug)]
struct Pump {
    recorder: Arc<Mutex<Recorder>>,
}

#[derive(Debug)]
struct Recorder {
    hasher: Sha256,
    bytes: u64,
    kept: Option<Vec<u8>>,
    has_ended: bool,
}

impl Streams {
    /// Gets ready for what a command writes to the stdout and stderr of this process. What is to be kept goes through
    /// here even if it goes to a terminal.
    ///
    /// # Errors
    /// When there can be no pipe or no thread.
    pub(crate) fn open(keeps: bool) -> io::Result<(Self, Ends)> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let is_piped = |is_terminal: bool| keeps || !is_terminal;
        let (is_stdout_piped, is_stderr_piped) =
            (is_piped(stdout.is_terminal()), is_piped(stderr.is_terminal()));
        let is_joined = is_stdout_piped && is_stderr_piped && is_same_place(&stdout, &stderr)?;
        let (has_ended, ended) = channel();
        let (stdout, stdout_end, joined_end) = if is_stdout_piped {
            let (reader, writer) = io::pipe()?;
            let joined = is_joined.then(|| writer.try_clone()).transpose()?;
            let pump = Pump::start(reader, owned(stdout)?, keeps, has_ended.clone())?;
            (Some(pump), Stdio::from(writer), joined.map(Stdio::from))
        } else {
            (None, Stdio::inherit(), None)
        };
        let (stderr, stderr_end) = match joined_end {
            Some(end) => (None, end),
            None if is_stderr_piped => {
                let (reader, writer) = io::pipe()?;
                (Some(Pump::start(reader, owned(stderr)?, keeps, has_ended)?), Stdio::from(writer))
            }
            None => (None, Stdio::inherit()),
        };
        Ok((Self { stdout, stderr, is_joined, ended }, Ends { stdout: stdout_end, stderr: stderr_end }))
    }

    /// What the command has written, once it has ended: stdout and stderr.
    pub(crate) fn end(self) -> (Stream, Stream) {
        let end = Instant::now() + PATIENCE;
        for _ in [&self.stdout, &self.stderr].into_iter().flatten() {
            // Both ends of time: all is read, or it is time to go.
            let _ = self.ended.recv_timeout(end.saturating_duration_since(Instant::now()));
        }
        let stream = |pump: Option<Pump>| pump.map_or(Stream::Terminal, |pump| pump.record());
        let stderr = if self.is_joined { Stream::WithStdout } else { stream(self.stderr) };
        (stream(self.stdout), stderr)
    }
}

impl Pump {
    fn start(from: PipeReader, to: File, keeps: bool, has_ended: Sender<()>) -> io::Result<Self> {
        let recorder =
            Recorder { hasher: Sha256::new(), bytes: 0, kept: keeps.then(Vec::new), has_ended: false };
        let recorder = Arc::new(Mutex::new(recorder));
        let shared = Arc::clone(&recorder);
        let pump = move || {
            pass_on(from, to, &shared);
            shared.lock().unwrap_or_else(PoisonError::into_inner).has_ended = true;
            // It is waited for, or no more.
            let _ = has_ended.send(());
        };
        std::thread::Builder::new().name("run-output".to_owned()).spawn(pump)?;
        Ok(Self { recorder })
    }

    fn record(&self) -> Stream {
        let recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        Stream::Recorded(Record {
            bytes: recorder.bytes,
            sha256: hex::encode(recorder.hasher.clone().finalize()),
            kept: recorder.kept.clone(),
            is_incomplete: !recorder.has_ended,
        })
    }
}

impl Recorder {
    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
            kept.drain(..kept.len().saturating_sub(KEPT_BYTES));
        }
    }
}

/// Passes on until the command has closed its end, or the reader of this process has gone. The command then learns of
/// that as if it had written itself.
fn pass_on(mut from: PipeReader, mut to: File, recorder: &Mutex<Recorder>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                recorder.lock().unwrap_or_else(PoisonError::into_inner).take(bytes);
                if write(&mut to, bytes).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn write(to: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The other side of the file description has asked not to be waited for.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The stream itself, without the buffer that this program writes through.
fn owned(stream: impl AsFd) -> io::Result<File> {
    let descriptor: OwnedFd = stream.as_fd().try_clone_to_owned()?;
    Ok(File::from(descriptor))
}

/// Whether both write to one file, pipe or terminal, so that the order between them counts.
fn is_same_place(one: impl AsFd, other: impl AsFd) -> io::Result<bool> {
    let (one, other) = (owned(one)?.metadata()?, owned(other)?.metadata()?);
    // Two streams that are thrown away have no order.
    let is_device = one.file_type().is_char_device() && !io::stdout().is_terminal();
    Ok(!is_device && (one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Both streams as a result has them.
pub(crate) fn shown(stdout: &Stream, stderr: &Stream) -> (Value, Value) {
    let shares = [stdout, stderr].into_iter().filter(|stream| has_text(stream)).count().max(1);
    let budget = KEPT_JSON_BYTES / shares;
    (stdout.shown(budget), stderr.shown(budget))
}

fn has_text(stream: &Stream) -> bool {
    matches!(stream, Stream::Recorded(Record { kept: Some(kept), .. }) if !kept.is_empty())
}

impl Stream {
    fn shown(&self, budget: usize) -> Value {
        match self {
            Self::Terminal => json!({ "to": "terminal" }),
            Self::WithStdout => json!({ "to": "stdout" }),
            Self::Recorded(record) => {
                let mut shown = json!({ "bytes": record.bytes, "sha256": record.sha256 });
                let kept = record.kept.as_deref().map(|kept| json!(text(kept, budget)));
                let members =
                    [("text", kept), ("incomplete", record.is_incomplete.then_some(Value::Bool(true)))];
                for (name, value) in members {
                    if let (Some(shown), Some(value)) = (shown.as_object_mut(), value) {
                        shown.insert(name.to_owned(), value);
                    }
                }
                shown
            }
        }
    }
}

/// The end of a text that takes at most so many bytes of JSON. What is no UTF-8 is replaced.
fn text(bytes: &[u8], budget: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    // A text that was cut within a character begins with its rest.
    let text = if bytes.len() >= KEPT_BYTES { text.trim_start_matches('\u{fffd}') } else { &text };
    let mut left = budget;
    let from = text.char_indices().rev().take_while(|(_, c)| {
        let length = serde_json::to_string(&c).map_or(usize::MAX, |json| json.len().saturating_sub(2));
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    });
    let from = from.last().map_or(text.len(), |(index, _)| index);
    text.get(from..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(keeps: bool) -> Recorder {
        Recorder { hasher: Sha256::new(), bytes: 0, kept: keeps.then(Vec::new), has_ended: false }
    }

    #[test]
    fn bytes_are_passed_on_untouched_and_counted() {
        let (reader, mut writer) = io::pipe().unwrap();
        let target = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let (written, to) = (bytes.clone(), target.reopen().unwrap());
        let writing = std::thread::spawn(move || writer.write_all(&written));
        let recorder = Mutex::new(recorder(true));
        pass_on(reader, to, &recorder);
        writing.join().unwrap().unwrap();
        assert_eq!(std::fs::read(target.path()).unwrap(), bytes);
        let recorder = recorder.into_inner().unwrap();
        assert_eq!(recorder.bytes, 300_000);
        assert_eq!(recorder.hasher.finalize(), Sha256::digest(&bytes));
        assert_eq!(recorder.kept.unwrap(), bytes[bytes.len() - KEPT_BYTES..]);
    }

    #[test]
    fn a_reader_that_goes_is_felt_by_the_command() {
        let (reader, mut writer) = io::pipe().unwrap();
        let (gone, to) = io::pipe().unwrap();
        drop(gone);
        writer.write_all(b"x").unwrap();
        pass_on(reader, File::from(OwnedFd::from(to)), &Mutex::new(recorder(false)));
        assert_eq!(writer.write_all(b"y").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn the_end_of_a_text_fits_into_a_result() {
        assert_eq!(text(b"abc", 2), "bc");
        assert_eq!(text("a\u{1}\u{e4}".as_bytes(), 8), "\u{1}\u{e4}", "a control character takes six bytes");
        assert_eq!(text("a\u{1}\u{e4}".as_bytes(), 7), "\u{e4}");
        assert_eq!(text(b"\xff", 100), "\u{fffd}");
        let cut = [&"\u{e4}".as_bytes()[1..], &vec![b'x'; KEPT_BYTES - 1]].concat();
        assert!(text(&cut, KEPT_JSON_BYTES).starts_with('x'));
        let control = vec![1; KEPT_BYTES];
        let record = |kept: &[u8]| {
            Stream::Recorded(Record {
                bytes: 0,
                sha256: String::new(),
                kept: Some(kept.to_vec()),
                is_incomplete: false,
            })
        };
        let (stdout, stderr) = shown(&record(&control), &record(&control));
        let length = stdout.to_string().len() + stderr.to_string().len();
        assert!((KEPT_JSON_BYTES - 100..KEPT_JSON_BYTES + 200).contains(&length), "{length}");
    }
}
