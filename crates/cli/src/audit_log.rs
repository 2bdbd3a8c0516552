//! An audit log that is believed for its keys: all of it verified, and what a store says held against it.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::log_source::{LogSource, failed, read_keys};
use crate::session::Session;
use crate::view::output::Output;
use crate::view::terminal::Terminal;
use crate::view::text::Text;
use countersign_app::log::LogIndex;
use countersign_app::ports::{LoadEvents, Outbox, StoreError};
use countersign_app::verify_log::{Hints, LogComparison, LogFinding};
use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::entry::Entry;
use countersign_audit::monitor::compare;
use countersign_audit::places::Places;
use countersign_audit::population::{Population, Span};
use countersign_audit::tile::{Content, Tile, WIDTH, entries_of};
use countersign_audit::tree::{leaf_hash, root_of_inclusion};
use countersign_audit::verification::{
    WholeLog, consistency_proof, entry_at, inclusion_proof, read_tile, whole_log,
};
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::Digest;
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;

/// How many entries whose events are missing are named one by one.
const MAX_NAMED: usize = 100;

/// A log, and its checkpoint.
#[derive(Debug)]
pub(crate) struct AuditLog {
    source: LogSource,
    /// The checkpoint as it is signed.
    pub(crate) note: String,
    pub(crate) checkpoint: Checkpoint,
}

/// An entry of a log that was verified, and the event that it is.
#[derive(Debug)]
pub(crate) struct LoggedEvent<'a> {
    /// Its place.
    pub(crate) index: u64,
    /// Its bytes: canonical JSON.
    pub(crate) text: &'a str,
    /// What they say.
    pub(crate) event: AuditEvent,
}

/// Which entries were verified: SHA-256 over the hashes of each bundle. An entry's hash is that of all of its bytes, so that a
/// bundle which is read again shows whether it is the same.
#[derive(Debug, Default)]
struct Verified {
    bundles: Vec<Digest>,
    hashes: Vec<u8>,
}

impl Verified {
    fn add(&mut self, index: u64, entry: &Entry<'_>) {
        if index.is_multiple_of(WIDTH) {
            self.close();
        }
        self.hashes.extend_from_slice(&entry.hash);
    }

    fn close(&mut self) {
        if !self.hashes.is_empty() {
            self.bundles.push(Digest::of(&self.hashes));
            self.hashes.clear();
        }
    }
}

fn unread(error: StoreError) -> CommandError {
    CommandError::Failed(format!("the store cannot be read: {error}"))
}

impl AuditLog {
    /// The log that a command line names.
    ///
    /// # Errors
    /// When there is none, or its checkpoint is not believed.
    pub(crate) fn open(
        log: &str,
        key: &Path,
        connection: &ConnectionArguments,
    ) -> Result<Self, CommandError> {
        let keys = read_keys(key)?;
        let source = LogSource::open(log, connection)?;
        let (note, checkpoint) = source.checkpoint(&keys)?;
        Ok(Self { source, note, checkpoint })
    }

    /// The same log as it was at another checkpoint that is believed, if it still begins with it.
    ///
    /// # Errors
    /// When it was cut or rewritten since, or cannot be read.
    pub(crate) fn at(self, note: &str, checkpoint: Checkpoint) -> Result<Self, CommandError> {
        let now = &self.checkpoint;
        let proof = if checkpoint.size <= now.size {
            consistency_proof(checkpoint.size, now.size, &mut |path| self.source.read(path))
                .map_err(failed)?
        } else {
            Vec::new()
        };
        compare(Some(&checkpoint), now, &proof)
            .map_err(|refused| CommandError::Failed(format!("the log of now is another: {refused}")))?;
        Ok(Self { note: note.to_owned(), checkpoint, ..self })
    }

    /// The service that the log was read from; none of a directory.
    pub(crate) fn service(&self) -> Option<&Session> {
        match &self.source {
            LogSource::Service(session) => Some(session),
            LogSource::Directory(_) => None,
        }
    }

    /// Verifies all of it, and gives where each event stands.
    ///
    /// # Errors
    /// The first damage.
    pub(crate) fn whole(&self) -> Result<(WholeLog, Places), CommandError> {
        let mut places = Places::default();
        let keep = |index: u64, entry: &Entry<'_>| {
            places.insert(index, entry);
            Ok(())
        };
        let whole = whole_log(&self.checkpoint, |path| self.source.read(path), keep).map_err(failed)?;
        Ok((whole, places))
    }

    /// Says that all of it is as it was written.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn report(&self, whole: WholeLog, output: Output) -> Result<(), CommandError> {
        let WholeLog { entries, streams } = whole;
        if output.is_document() {
            let answer = json!({
                "verified": true, "origin": self.checkpoint.origin, "size": entries, "streams": streams,
                "root": self.checkpoint.root_text(), "findings": [],
            });
            return output.print(Terminal::plain(), &answer, Text::default);
        }
        let said = format!("{} of {streams} streams checked: all as they were logged", self.checkpoint);
        writeln!(std::io::stdout(), "{said}").map_err(CommandError::stdout)
    }

    /// What of a store and this log does not belong together, as streams and sentences.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn findings(&self, compared: &LogComparison) -> Result<Vec<(String, String)>, CommandError> {
        let mut findings: Vec<_> =
            compared.findings.iter().map(|(stream, finding)| (stream.clone(), finding.to_string())).collect();
        let missing = [
            (&compared.forgotten, "is in the log and not in the store"),
            (&compared.unplaced, "is in the log, and the store does not say where"),
        ];
        for (indexes, what) in missing {
            for index in indexes.iter().take(MAX_NAMED) {
                let entry = self.entry(*index)?;
                if let Ok(entry) = Entry::read(&entry) {
                    let finding = format!("event {}, entry {index}, {what}", entry.sequence);
                    findings.push((entry.stream.to_owned(), finding));
                }
            }
            if indexes.len() > MAX_NAMED {
                findings.push(("log".to_owned(), format!("{} more: {what}", indexes.len() - MAX_NAMED)));
            }
        }
        Ok(findings)
    }

    /// Verifies all of it, and gives its first `size` events in their order: none before all of it is known to be whole, and
    /// each as it was verified, although it is read a second time for that.
    ///
    /// # Errors
    /// The first damage; when there are not so many; and what `each` fails with.
    pub(crate) fn events(
        &self,
        size: u64,
        each: &mut dyn FnMut(LoggedEvent<'_>) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        if size > self.checkpoint.size {
            return Err(CommandError::Failed(format!(
                "the log has {}, and not {size} events",
                self.checkpoint
            )));
        }
        let mut verified = Verified::default();
        let remember = |index: u64, entry: &Entry<'_>| {
            verified.add(index, entry);
            Ok(())
        };
        whole_log(&self.checkpoint, |path| self.source.read(path), remember).map_err(failed)?;
        verified.close();
        for (number, digest) in (0..size.div_ceil(WIDTH)).zip(verified.bundles) {
            let missing = || CommandError::Failed(format!("the log has no entry {}", number * WIDTH));
            let tile = Tile::of_tree(Content::Entries, number, self.checkpoint.size).ok_or_else(missing)?;
            let bundle = read_tile(tile, &mut |path| self.source.read(path)).map_err(failed)?;
            let entries = entries_of(&bundle, tile.width).ok_or_else(missing)?;
            let hashes: Result<Vec<_>, _> =
                entries.iter().map(|bytes| Entry::read(bytes).map(|entry| entry.hash)).collect();
            if hashes.map(|hashes| Digest::of(hashes.concat())) != Ok(digest) {
                return Err(CommandError::Failed(format!("{tile} was changed while the log was read")));
            }
            for (index, bytes) in (number * WIDTH..size).zip(entries) {
                each(logged_event(index, bytes)?)?;
            }
        }
        Ok(())
    }

    /// Verifies all of it, and gives the requests of a span, and when its last event was.
    ///
    /// # Errors
    /// The first damage.
    pub(crate) fn population(&self, span: Span) -> Result<(Population, Option<Timestamp>), CommandError> {
        let mut population = Population::of(span);
        let mut last = None;
        self.events(self.checkpoint.size, &mut |logged| {
            population.add(logged.index, &logged.event);
            last = last.max(Some(logged.event.timestamp));
            Ok(())
        })?;
        Ok((population, last))
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>, CommandError> {
        let entry =
            entry_at(index, self.checkpoint.size, &mut |path| self.source.read(path)).map_err(failed)?;
        entry.ok_or_else(|| CommandError::Failed(format!("the log has no entry {index}")))
    }

    /// The first event of a request that is not in the log, by a proof for each.
    ///
    /// # Errors
    /// When log or store cannot be read.
    pub(crate) async fn holds_request<S: LogIndex + LoadEvents, O: Outbox>(
        &self,
        store: &S,
        outbox: &O,
        request_id: RequestId,
    ) -> Result<Option<(String, String)>, CommandError> {
        let stream = Stream::request(request_id);
        let size = self.checkpoint.size;
        let found = |finding: LogFinding| Ok(Some((request_id.to_string(), finding.to_string())));
        for event in store.load_stream(&stream).await.map_err(unread)?.events {
            let mut leaf = store.leaf(&stream, event.sequence).await.map_err(unread)?;
            if leaf.is_none() {
                let hints = Hints::of(store, outbox).await.map_err(|error| unread_hints(&error))?;
                // Once more: what was announced may have got its place between the two reads.
                leaf = store.leaf(&stream, event.sequence).await.map_err(unread)?;
                if leaf.is_none() && !hints.announce(&stream.to_string(), event.sequence) {
                    return found(LogFinding::NotLogged(event.sequence));
                }
            }
            let Some(leaf) = leaf.filter(|leaf| leaf.index < size) else { continue };
            let entry = self.entry(leaf.index)?;
            if entry != event.document().as_str().as_bytes() {
                return found(LogFinding::Exchanged(event.sequence));
            }
            let read = &mut |path: &str| self.source.read(path);
            let proof = inclusion_proof(leaf.index, size, read).map_err(failed)?;
            if root_of_inclusion(leaf_hash(&entry), leaf.index, size, &proof) != Some(self.checkpoint.root) {
                return found(LogFinding::NotLogged(event.sequence));
            }
        }
        Ok(None)
    }
}

fn logged_event(index: u64, bytes: &[u8]) -> Result<LoggedEvent<'_>, CommandError> {
    let read = || {
        let text = std::str::from_utf8(bytes).ok()?;
        let event = AuditEvent::read(&CanonicalJson::from_stored(text).ok()?)?;
        Some(LoggedEvent { index, text, event })
    };
    read().ok_or_else(|| CommandError::Failed(format!("entry {index} is no event that this version reads")))
}

fn unread_hints(error: &countersign_app::error::AppError) -> CommandError {
    CommandError::Failed(format!("the store cannot be read: {error}"))
}
