//! An audit log that is believed for its keys: all of it verified, and what a store says held against it.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::log_source::{LogSource, failed, read_keys};
use crate::view::output::Output;
use crate::view::terminal::Terminal;
use crate::view::text::Text;
use countersign_app::log::LogIndex;
use countersign_app::ports::{LoadEvents, Outbox, StoreError};
use countersign_app::verify_log::{Hints, LogComparison, LogFinding};
use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::entry::Entry;
use countersign_audit::places::Places;
use countersign_audit::tile::{Content, Tile, WIDTH, entries_of};
use countersign_audit::tree::{leaf_hash, root_of_inclusion};
use countersign_audit::verification::{WholeLog, entry_at, inclusion_proof, read_tile, whole_log};
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::canonical::CanonicalJson;
use countersign_core::ids::RequestId;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;

/// How many entries whose events are missing are named one by one.
const MAX_NAMED: usize = 100;

/// A log, and its checkpoint.
#[derive(Debug)]
pub(crate) struct AuditLog {
    source: LogSource,
    pub(crate) checkpoint: Checkpoint,
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
        let (_, checkpoint) = source.checkpoint(&keys)?;
        Ok(Self { source, checkpoint })
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

    /// Verifies all of it, and gives its first `size` events in their order.
    ///
    /// # Errors
    /// The first damage; and when there are not so many.
    pub(crate) fn events(&self, size: u64, each: &mut dyn FnMut(&AuditEvent)) -> Result<(), CommandError> {
        if size > self.checkpoint.size {
            return Err(CommandError::Failed(format!(
                "the log has {}, and not {size} events",
                self.checkpoint
            )));
        }
        whole_log(&self.checkpoint, |path| self.source.read(path), |_, _| Ok(())).map_err(failed)?;
        let mut place = 0;
        while place < size {
            let tile = Tile::of_tree(Content::Entries, place / WIDTH, self.checkpoint.size);
            let missing = || CommandError::Failed(format!("the log has no entry {place}"));
            let tile = tile.ok_or_else(missing)?;
            let bundle = read_tile(tile, &mut |path| self.source.read(path)).map_err(failed)?;
            for entry in entries_of(&bundle, tile.width).ok_or_else(missing)? {
                let text = std::str::from_utf8(entry).ok();
                let document = text.and_then(|text| CanonicalJson::from_stored(text).ok());
                let event = document.and_then(|document| AuditEvent::read(&document));
                let unreadable =
                    || CommandError::Failed(format!("entry {place} is no event that this version reads"));
                let event = event.ok_or_else(unreadable)?;
                if place < size {
                    each(&event);
                }
                place += 1;
            }
        }
        Ok(())
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

fn unread_hints(error: &countersign_app::error::AppError) -> CommandError {
    CommandError::Failed(format!("the store cannot be read: {error}"))
}
