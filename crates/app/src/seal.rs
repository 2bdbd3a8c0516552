//! Sealing: events become entries of the audit log, in the order of their streams, each once.
//!
//! Any number of sealers may run, and each may stop anywhere. What decides is one transaction, which gives each event of a
//! batch its place and names the batch in the head; files follow from that and are the same whoever writes them; the
//! checkpoint comes last. A batch whose files or checkpoint are not written yet is finished before the next one begins.

use crate::audit_keys::AuditKeys;
use crate::host::Host;
use crate::log::{
    self, Leaf, LogHead, LogIndex, LogStorage, LogStorageError, MAX_BATCH, Scan, StoredCheckpoint,
};
use crate::ports::{CommitError, Outbox, OutboxEntry, OutboxKey, Settled, StoreError};
use crate::signing::SigningError;
use countersign_audit::checkpoint::{Checkpoint, InvalidCheckpoint};
use countersign_audit::edge::Edge;
use countersign_audit::key::Purpose;
use countersign_audit::tile::{Content, MAX_ENTRY_BYTES, Tile, WIDTH, entries_of, push_entry};
use countersign_audit::tree::{Hash, leaf_hash};
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::notification::EventPlace;
use countersign_core::origin::Origin;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often head and checkpoint are read anew because another sealer is at work between the two reads.
const READS: usize = 5;

/// What a pass of sealing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealReport {
    /// Events that are in the log now.
    pub logged: usize,
    /// Streams with an event that does not verify: it is not logged, and none after it in its stream.
    pub refused: BTreeMap<String, RefusedEvent>,
    /// Entries of the outbox that name no event, because they cannot be read or are not this deployment's.
    pub unplaced: usize,
    /// Whether time ran out, or another sealer was faster, before the end.
    pub cut_short: bool,
}

/// Why an event is not logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {sequence} {reason}")]
pub struct RefusedEvent {
    /// Its place in its stream.
    pub sequence: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Why nothing is sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The files.
    #[error("the files of the log: {0}")]
    Storage(#[from] LogStorageError),
    /// The key.
    #[error("the key of the log: {0}")]
    Signing(#[from] SigningError),
    /// The checkpoint that is there.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// It is another deployment's.
    #[error("the log is of {0}, another deployment")]
    Origin(String),
    /// The store was rolled back behind its log.
    #[error(
        "the store is older than its log: {store} events have a place in the log, and its checkpoint has {log}; restore the \
         store as it was"
    )]
    StoreBehind {
        /// How many events have a place, by the store.
        store: u64,
        /// How many the checkpoint has.
        log: u64,
    },
    /// The files of the log were rolled back behind the store, or removed.
    #[error(
        "the log is older than its store: its checkpoint has {log} events, and {store} have a place in it; restore the log \
         from its copy"
    )]
    LogBehind {
        /// How many the checkpoint has.
        log: u64,
        /// How many events have a place, by the store.
        store: u64,
    },
    /// The files do not lead to the root of the checkpoint.
    #[error("the files of the log are not those that its checkpoint was signed over: {0}")]
    Changed(&'static str),
    /// An event that has a place in the log is not what it was.
    #[error("event {sequence} of {stream} has a place in the log, and is not in the store as it was")]
    Forgotten {
        /// Its stream.
        stream: String,
        /// Its place in the stream.
        sequence: u64,
    },
}

/// All that sealing works with.
#[derive(Debug)]
pub struct Sealer<'a, S, O, L> {
    /// The events, and their places in the log.
    pub store: &'a S,
    /// Which events may be new.
    pub outbox: &'a O,
    /// The files.
    pub storage: &'a L,
    /// What signs checkpoints.
    pub keys: &'a dyn AuditKeys,
    /// Whose events they are.
    pub key: &'a DeploymentKey,
    /// The clock.
    pub host: &'a dyn Host,
}

impl<S: LogIndex, O: Outbox, L: LogStorage> Sealer<'_, S, O, L> {
    /// Seals what the outbox names, for at most `budget`; and, until that has been done once, all streams of the store.
    ///
    /// # Errors
    /// [`SealError`]. What has been sealed before it stays.
    pub async fn seal(&self, budget: Duration) -> Result<SealReport, SealError> {
        let (head, signed) = self.finish().await?;
        let mut pass = Pass {
            sealer: self,
            origin: Origin::of(self.key),
            began: self.host.elapsed(),
            budget,
            head,
            signed,
            pending: Vec::new(),
            tails: BTreeMap::new(),
            waiting: Vec::new(),
            report: SealReport::default(),
        };
        let ended = match pass.run().await {
            // What there was time for is sealed. Where another sealer was faster, the head is not that of this pass any more,
            // and what that one has sealed is found by the next pass.
            Err(Stopped::CutShort) => {
                pass.report.cut_short = true;
                pass.flush(None).await
            }
            ended => ended,
        };
        match ended {
            Ok(()) | Err(Stopped::CutShort) => Ok(pass.report),
            Err(Stopped::Failed(error)) => Err(error),
        }
    }

    /// Head and checkpoint as they belong together, after the files of the last batch have been written.
    async fn finish(&self) -> Result<(Option<LogHead>, Option<Signed>), SealError> {
        let mut sizes = (0, 0);
        for _ in 0..READS {
            // In this order: a head is written before the checkpoint of its size.
            let signed = self.signed().await?;
            let head = self.store.log_head().await?;
            let log = signed.as_ref().map_or(0, |signed| signed.checkpoint.size);
            let store = head.as_ref().map_or(0, |head| head.size);
            let unfinished = head.as_ref().map_or(0, |head| head.batch.len() as u64);
            if store < log {
                return Err(SealError::StoreBehind { store, log });
            }
            if store == log {
                return Ok((head, signed));
            }
            if let Some(head) = head.filter(|_| store - unfinished.min(store) == log) {
                let entries = self.entries_of(&head).await?;
                let edge = self.edge(signed.as_ref()).await?;
                let signed = self.write(&head, signed, edge, &entries).await?;
                return Ok((Some(head), Some(signed)));
            }
            sizes = (log, store);
        }
        Err(SealError::LogBehind { log: sizes.0, store: sizes.1 })
    }

    /// The last checkpoint, if it is one of this deployment.
    async fn signed(&self) -> Result<Option<Signed>, SealError> {
        let Some(stored) = self.storage.checkpoint().await? else { return Ok(None) };
        let checkpoint = Checkpoint::open(&stored.note, &self.keys.published().await?)?;
        if checkpoint.origin != Origin::of(self.key).as_str() {
            return Err(SealError::Origin(checkpoint.origin));
        }
        Ok(Some(Signed { checkpoint, stored }))
    }

    /// The entries of a batch that another pass has given its places.
    async fn entries_of(&self, head: &LogHead) -> Result<Vec<String>, SealError> {
        let mut entries = Vec::with_capacity(head.batch.len());
        let first = head.size - (head.batch.len() as u64).min(head.size);
        for (index, (stream, sequence)) in (first..).zip(&head.batch) {
            let leaf = self.store.leaf(stream, *sequence).await?;
            let event = self.store.stream_events(stream, *sequence, 1).await?.pop();
            let entry = event.and_then(Result::ok).filter(|event| {
                let is_there =
                    leaf.as_ref().is_some_and(|leaf| leaf.index == index && leaf.hash == event.hash);
                is_there && event.sequence == *sequence && event.compute_hash() == event.hash
            });
            let forgotten = || SealError::Forgotten { stream: stream.to_string(), sequence: *sequence };
            entries.push(entry.ok_or_else(forgotten)?.document().as_str().to_owned());
        }
        Ok(entries)
    }

    /// Writes the files of a batch, and then the checkpoint.
    async fn write(
        &self,
        head: &LogHead,
        signed: Option<Signed>,
        (mut edge, mut bundle): (Edge, Vec<u8>),
        entries: &[String],
    ) -> Result<Signed, SealError> {
        let mut files: Vec<(Tile, Vec<u8>)> = Vec::new();
        let mut full = Vec::new();
        for entry in entries {
            push_entry(&mut bundle, entry.as_bytes())
                .map_err(|_| SealError::Changed("an event of the batch is too long"))?;
            edge.append(leaf_hash(entry.as_bytes()), &mut |tile, hashes| {
                files.push((tile, hashes.concat()));
                full.push(tile);
            });
            if edge.size().is_multiple_of(WIDTH) {
                let tile =
                    Tile { content: Content::Entries, index: edge.size() / WIDTH - 1, width: 0 }.full();
                files.push((tile, std::mem::take(&mut bundle)));
                full.push(tile);
            }
        }
        files.extend(
            Tile::of_tree(Content::Entries, edge.size() / WIDTH, edge.size()).map(|tile| (tile, bundle)),
        );
        files.extend(edge.partial_bytes());
        let files = files.into_iter().map(|(tile, bytes)| (tile.to_string(), bytes)).collect();
        self.storage.put_all_new(files).await?;
        let signed = self.sign(head.size, edge.root(), signed).await?;
        for tile in full {
            self.storage.tile_is_full(tile).await?;
        }
        Ok(signed)
    }

    /// The right edge of the tree and its last entries, as the files have them. They must be those of the checkpoint:
    /// otherwise nothing more is signed.
    async fn edge(&self, signed: Option<&Signed>) -> Result<(Edge, Vec<u8>), SealError> {
        let Some(Signed { checkpoint, .. }) = signed else { return Ok((Edge::default(), Vec::new())) };
        let mut tiles: BTreeMap<Tile, Vec<u8>> = BTreeMap::new();
        for tile in Edge::tiles(checkpoint.size) {
            let bytes = log::tile(self.storage, tile).await?;
            tiles.insert(tile, bytes.ok_or(SealError::Changed("a tile is missing"))?);
        }
        let first: Option<Vec<u8>> = tiles.first_key_value().map(|(_, bytes)| bytes.clone());
        let edge = Edge::of_tiles(checkpoint.size, |tile| tiles.remove(&tile))
            .filter(|edge| edge.root() == checkpoint.root)
            .ok_or(SealError::Changed("its tiles lead to another root"))?;
        let Some(tile) = Tile::of_tree(Content::Entries, checkpoint.size / WIDTH, checkpoint.size) else {
            return Ok((edge, Vec::new()));
        };
        let bundle = log::tile(self.storage, tile).await?;
        let bundle = bundle.ok_or(SealError::Changed("a bundle of entries is missing"))?;
        let entries = entries_of(&bundle, tile.width);
        let hashes: Option<Vec<u8>> =
            entries.map(|entries| entries.into_iter().flat_map(leaf_hash).collect());
        if hashes != first {
            return Err(SealError::Changed("an entry is not the one that was logged"));
        }
        Ok((edge, bundle))
    }

    /// Signs the checkpoint of a tree that begins with the one before. Of two sealers that do so, one is faster; both
    /// have the same tree.
    async fn sign(&self, size: u64, root: Hash, before: Option<Signed>) -> Result<Signed, SealError> {
        let checkpoint = Checkpoint { origin: Origin::of(self.key).as_str().to_owned(), size, root };
        let key = self.keys.current(Purpose::Log).await?;
        let signature = self.keys.sign(&key, checkpoint.text().as_bytes()).await?;
        let note = checkpoint.signed(&key, &signature);
        let tag = before.as_ref().map(|before| before.stored.tag.as_str());
        self.storage.replace_checkpoint(tag, &note).await?;
        // Whether this one or the other one's is there now, it has at least these entries.
        let signed = self.signed().await?.filter(|signed| signed.checkpoint.size >= size);
        signed.ok_or(SealError::LogBehind {
            log: before.map_or(0, |before| before.checkpoint.size),
            store: size,
        })
    }
}

/// A checkpoint that is believed.
#[derive(Debug, Clone)]
struct Signed {
    checkpoint: Checkpoint,
    stored: StoredCheckpoint,
}

/// Why a pass ends before it is through.
enum Stopped {
    CutShort,
    Failed(SealError),
}

impl<E: Into<SealError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The last event of a stream that has a place, or is about to get one.
#[derive(Debug, Clone)]
struct Tail {
    sequence: u64,
    hash: Digest,
    /// Its time; `None` if it has a place and was not read yet.
    timestamp: Option<Timestamp>,
}

/// One walk over the outbox.
struct Pass<'a, S, O, L> {
    sealer: &'a Sealer<'a, S, O, L>,
    origin: Origin,
    began: Duration,
    budget: Duration,
    head: Option<LogHead>,
    signed: Option<Signed>,
    /// What the next batch has so far.
    pending: Vec<AuditEvent>,
    /// The last events of the streams in it.
    tails: BTreeMap<String, Option<Tail>>,
    /// Entries whose events are in the log when the batch is.
    waiting: Vec<OutboxKey>,
    report: SealReport,
}

impl<S: LogIndex, O: Outbox, L: LogStorage> Pass<'_, S, O, L> {
    async fn run(&mut self) -> Result<(), Stopped> {
        let outbox = self.sealer.outbox;
        // Dead letters are events like all others.
        for shard in outbox.shards().into_iter().chain([outbox.dead_shard()]) {
            let mut after = None;
            loop {
                let page = outbox.unlogged(&shard, after.as_ref()).await?;
                for entry in page.entries {
                    self.entry(entry).await?;
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        let mut after = None;
        loop {
            let page = outbox.recorded(after.as_ref()).await?;
            for entry in page.entries {
                self.hint(entry.key, entry.place).await?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.flush(None).await?;
        self.scan().await
    }

    fn check_time(&self) -> Result<(), Stopped> {
        let spent = self.sealer.host.elapsed().saturating_sub(self.began);
        if spent >= self.budget { Err(Stopped::CutShort) } else { Ok(()) }
    }

    /// Takes an entry of the outbox as a hint that its stream has events up to the one that it names.
    async fn entry(&mut self, entry: OutboxEntry) -> Result<(), Stopped> {
        let place = entry.event.as_ref().ok().filter(|_| entry.is_sealed_under(self.sealer.key));
        let place = place.map(|event| event.notice.place());
        self.hint(entry.key, place).await
    }

    async fn hint(&mut self, key: OutboxKey, place: Option<EventPlace>) -> Result<(), Stopped> {
        let Some(EventPlace { stream, sequence, hash }) = place else {
            self.report.unplaced += 1;
            return Ok(());
        };
        if self.follow(&stream, Some((sequence, hash))).await? {
            self.waiting.push(key);
        }
        Ok(())
    }

    /// Until the store has been searched once to its end, takes up the streams that are in it.
    async fn scan(&mut self) -> Result<(), Stopped> {
        loop {
            let cursor = match self.head.as_ref().map(|head| &head.scan) {
                Some(Scan::Done) => return Ok(()),
                Some(Scan::After(cursor)) => Some(cursor.clone()),
                Some(Scan::Due) | None => None,
            };
            let (streams, next) = self.sealer.store.scan_streams(cursor).await?;
            for stream in streams {
                // What is no stream has no event that verifies: `countersign audit verify --all` names it.
                if let Ok(stream) = Stream::parse(&stream) {
                    self.follow(&stream, None).await?;
                }
            }
            self.flush(Some(next.map_or(Scan::Done, Scan::After))).await?;
        }
    }

    /// Puts the events of a stream that have no place yet into the batch, up to `until`. Whether the log has them all when
    /// the batch is written.
    async fn follow(
        &mut self,
        stream: &Stream,
        until: Option<(u64, Option<Digest>)>,
    ) -> Result<bool, Stopped> {
        let name = stream.to_string();
        if self.report.refused.contains_key(&name) {
            return Ok(false);
        }
        let mut tail = match self.tails.get(&name) {
            Some(tail) => tail.clone(),
            None => {
                let leaf = self.sealer.store.last_leaf(stream).await?;
                let signed = self.signed.as_ref().map_or(0, |signed| signed.checkpoint.size);
                // Another sealer has just given it its place: that is for the next pass to see.
                if leaf.as_ref().is_some_and(|leaf| leaf.index >= signed) {
                    return Err(Stopped::CutShort);
                }
                leaf.map(|leaf| Tail { sequence: leaf.sequence, hash: leaf.hash, timestamp: None })
            }
        };
        let last = until.map_or(u64::MAX, |(sequence, _)| sequence);
        loop {
            let known = tail.as_ref().map_or(0, |tail| tail.sequence);
            if known >= last {
                return Ok(true);
            }
            self.check_time()?;
            if self.pending.len() >= MAX_BATCH {
                self.flush(None).await?;
            }
            // The last one that has a place is read once more: the next must follow it as it is in the store.
            let is_repeated = tail.as_ref().is_some_and(|tail| tail.timestamp.is_none());
            let from = if is_repeated { known } else { known + 1 };
            let room = MAX_BATCH - self.pending.len() + usize::from(is_repeated);
            let limit =
                usize::try_from(last.saturating_sub(from).saturating_add(1)).unwrap_or(room).min(room);
            let events = self.sealer.store.stream_events(stream, from, limit).await?;
            let is_last_page = events.len() < limit;
            for (sequence, event) in (from..).zip(events) {
                let named = until.filter(|(last, _)| *last == sequence).and_then(|(_, hash)| hash);
                let next = match self.next(stream, sequence, event, tail.as_ref(), named) {
                    Ok(next) => next,
                    Err(reason) => {
                        self.report.refused.insert(name, RefusedEvent { sequence, reason });
                        return Ok(false);
                    }
                };
                let next_tail = Tail { sequence, hash: next.hash, timestamp: Some(next.timestamp) };
                if tail.as_ref().is_none_or(|tail| tail.sequence < sequence) {
                    self.pending.push(next);
                }
                tail = Some(next_tail);
                self.tails.insert(name.clone(), tail.clone());
            }
            let known = tail.as_ref().map_or(0, |tail| tail.sequence);
            if is_last_page && known < last {
                if until.is_some() {
                    let reason = "is not in the store, though the outbox names it";
                    self.report.refused.insert(name, RefusedEvent { sequence: known + 1, reason });
                }
                return Ok(false);
            }
        }
    }

    /// The event at a place of a stream, if it is whole and follows the one before.
    fn next(
        &self,
        stream: &Stream,
        sequence: u64,
        event: Result<AuditEvent, String>,
        tail: Option<&Tail>,
        named: Option<Digest>,
    ) -> Result<AuditEvent, &'static str> {
        let event = event.map_err(|_| "cannot be read")?;
        if event.stream != *stream || event.sequence != sequence {
            return Err("is missing, or another stands in its place");
        }
        if event.compute_hash() != event.hash {
            return Err("was edited: its hash is not that of what it says");
        }
        if event.origin != self.origin {
            return Err("was recorded by another deployment");
        }
        if named.is_some_and(|named| named != event.hash) {
            return Err("is another than the one that the outbox names");
        }
        if event.document().as_str().len() > MAX_ENTRY_BYTES {
            return Err("is longer than an entry of the log");
        }
        match tail {
            None if event.prev_hash != Digest::ZERO => Err("does not begin its stream"),
            None => Ok(event),
            Some(tail) if tail.sequence == sequence => {
                if event.hash == tail.hash {
                    Ok(event)
                } else {
                    Err("is another than the one that was logged")
                }
            }
            Some(tail) if event.prev_hash != tail.hash => Err("does not follow the event before it"),
            Some(tail) if tail.timestamp.is_some_and(|timestamp| event.timestamp < timestamp) => {
                Err("is older than the event before it")
            }
            Some(_) => Ok(event),
        }
    }

    /// Gives the events of the batch their places, writes them, and settles the entries that wait for that.
    async fn flush(&mut self, scan: Option<Scan>) -> Result<(), Stopped> {
        let sealer = self.sealer;
        if !self.pending.is_empty() || scan.is_some() {
            let pending = std::mem::take(&mut self.pending);
            let first = self.head.as_ref().map_or(0, |head| head.size);
            let leaves: Vec<_> = (first..)
                .zip(&pending)
                .map(|(index, event)| Leaf {
                    stream: event.stream.clone(),
                    sequence: event.sequence,
                    index,
                    hash: event.hash,
                })
                .collect();
            let head = LogHead {
                version: self.head.as_ref().map_or(0, |head| head.version) + 1,
                size: first + leaves.len() as u64,
                batch: leaves.iter().map(|leaf| (leaf.stream.clone(), leaf.sequence)).collect(),
                scan: scan
                    .unwrap_or_else(|| self.head.as_ref().map(|head| head.scan.clone()).unwrap_or_default()),
            };
            // Before an event gets its place: files that are not those of the checkpoint get no more.
            let edge = sealer.edge(self.signed.as_ref()).await?;
            match sealer.store.commit_leaves(self.head.as_ref(), &head, &leaves).await {
                Ok(()) => {}
                Err(CommitError::Conflict) => return Err(Stopped::CutShort),
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
            if !leaves.is_empty() {
                let entries: Vec<_> =
                    pending.iter().map(|event| event.document().as_str().to_owned()).collect();
                self.signed = Some(sealer.write(&head, self.signed.take(), edge, &entries).await?);
            }
            self.report.logged += leaves.len();
            self.head = Some(head);
            self.tails.clear();
        }
        sealer.outbox.settle_all(&std::mem::take(&mut self.waiting), Settled::Logged).await?;
        Ok(())
    }
}
