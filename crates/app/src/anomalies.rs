//! Anomalies: the entries of the audit log, in its order, become events about what is unusual among them.
//!
//! Any number of these may run, and each may stop anywhere. What was found is an event before the cursor moves on, and what is an
//! event already is found out before it is one again: each finding is recorded once.

use crate::dependencies::Dependencies;
use crate::host::Host;
use crate::log::LogStorage;
use crate::log_reader::{LogReadError, LogReader};
use crate::ports::{CommitError, LastEvent, LoadEvents, RecordEvent, Sequel, StoreError};
use crate::retry::Attempts;
use countersign_anomalies::document::{DocumentKey, UnreadableDocument};
use countersign_anomalies::finding::{Finding, Rule};
use countersign_anomalies::fold::{AnomalyState, Touched};
use countersign_core::audit::AuditEvent;
use countersign_core::audit::unusual::{RecentAnomaly, Unusual};
use countersign_core::caller::Channel;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

/// How many documents change in a transaction at most, beside the cursor.
pub const MAX_CHANGES: usize = 99;

/// How far the log has been looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnomalyCursor {
    /// Counts the changes.
    pub version: u64,
    /// How many entries have been looked at.
    pub size: u64,
}

/// A document as it is to be stored; none if it is to be removed.
pub type DocumentChange = (DocumentKey, Option<String>);

/// Keeps what is remembered of persons, requests and the deployment.
pub trait AnomalyStore: Send + Sync {
    /// The cursor; none before the first pass. Strongly consistent, as all reads here are.
    fn anomaly_cursor(&self) -> impl Future<Output = Result<Option<AnomalyCursor>, StoreError>> + Send;

    /// Those of the documents that there are.
    fn load_documents(
        &self,
        keys: &BTreeSet<DocumentKey>,
    ) -> impl Future<Output = Result<Vec<(DocumentKey, String)>, StoreError>> + Send;

    /// Changes documents and cursor in one transaction, if the cursor is still the one that was read.
    fn commit_documents(
        &self,
        before: Option<&AnomalyCursor>,
        after: &AnomalyCursor,
        changes: &[DocumentChange],
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
}

/// The names of all rules.
pub fn rule_names() -> impl Iterator<Item = &'static str> {
    Rule::names()
}

/// What a pass did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DetectionReport {
    /// Entries that were looked at.
    pub entries: u64,
    /// How often each rule has found something.
    pub found: BTreeMap<Rule, u64>,
    /// Whether time ran out, or another pass was faster, before the end of the log.
    pub cut_short: bool,
}

/// Why the log is not looked at.
#[derive(Debug, thiserror::Error)]
pub enum DetectionError {
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogReadError),
    /// What was remembered.
    #[error(transparent)]
    Document(#[from] UnreadableDocument),
    /// What is to be remembered.
    #[error("what is to be remembered cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
    /// The log was rolled back.
    #[error("{looked_at} entries were looked at, and the log has {log}; restore the log from its copy")]
    LogBehind {
        /// How many entries have been looked at.
        looked_at: u64,
        /// How many the log has.
        log: u64,
    },
    /// Others write events about the same person all the time.
    #[error("what was found cannot be recorded: others are faster")]
    Contended,
}

/// All that looking for anomalies works with.
#[derive(Debug)]
pub struct Detector<'a, S, L> {
    /// What is remembered, and the events.
    pub store: &'a S,
    /// The log.
    pub log: LogReader<'a, L>,
    /// Clock and ids.
    pub host: &'a dyn Host,
    /// How the program is called.
    pub channel: Channel,
}

impl<S: AnomalyStore + RecordEvent + LoadEvents, L: LogStorage> Detector<'_, S, L> {
    /// Looks at the entries of the log that were not looked at, for at most `budget`.
    ///
    /// # Errors
    /// [`DetectionError`]. What has been recorded before it stays.
    pub async fn detect(&self, budget: Duration) -> Result<DetectionReport, DetectionError> {
        let began = self.host.elapsed();
        let mut cursor = self.store.anomaly_cursor().await?;
        let log = self.log.size().await?;
        let looked_at = cursor.map_or(0, |cursor| cursor.size);
        let mut report = DetectionReport::default();
        if log < looked_at {
            return Err(DetectionError::LogBehind { looked_at, log });
        }
        let mut place = looked_at;
        while place < log {
            let events = self.log.events(place, log).await?;
            let mut rest = events.as_slice();
            while !rest.is_empty() {
                if self.host.elapsed().saturating_sub(began) >= budget {
                    report.cut_short = true;
                    return Ok(report);
                }
                let (batch, after) = batch(rest);
                rest = after;
                let Some(next) = self.next(cursor, batch, &mut report).await? else {
                    report.cut_short = true;
                    return Ok(report);
                };
                report.entries += batch.len() as u64;
                place = next.size;
                cursor = Some(next);
            }
        }
        Ok(report)
    }

    /// Looks at events; the cursor after them. `None` if another pass was faster.
    async fn next(
        &self,
        before: Option<AnomalyCursor>,
        events: &[AuditEvent],
        report: &mut DetectionReport,
    ) -> Result<Option<AnomalyCursor>, DetectionError> {
        let mut touched = Touched::default();
        events.iter().for_each(|event| touched.add(event));
        let mut state = AnomalyState::default();
        for (key, text) in self.store.load_documents(&touched.documents).await? {
            state.load(&key, &text)?;
        }
        let findings: Vec<Finding> = events.iter().flat_map(|event| state.add(event)).collect();
        // Documents change with the cursor only: where it is still the one that was read, so were they, and what was found is
        // what every pass finds.
        if !findings.is_empty() && self.store.anomaly_cursor().await? != before {
            return Ok(None);
        }
        for finding in &findings {
            if self.record(finding).await? {
                *report.found.entry(finding.rule).or_default() += 1;
            }
        }
        let documents = touched.documents.into_iter();
        let changes: Result<Vec<DocumentChange>, serde_json::Error> =
            documents.map(|key| Ok((key.clone(), state.document(&key)?))).collect();
        let cursor = before.unwrap_or_default();
        let after = AnomalyCursor { version: cursor.version + 1, size: cursor.size + events.len() as u64 };
        match self.store.commit_documents(before.as_ref(), &after, &changes?).await {
            Ok(()) => Ok(Some(after)),
            Err(CommitError::Conflict) => Ok(None),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// Makes an event of a finding, unless it is one. Whether it has been made here.
    async fn record(&self, finding: &Finding) -> Result<bool, DetectionError> {
        let unusual = Unusual { person: finding.person.clone(), at: finding.at, details: finding.details() };
        let actor = Principal::anomalies(self.channel);
        let event_id = self.host.event_id();
        let mut attempts = Attempts::begin(self.host);
        loop {
            let trail = self.store.load_stream(&unusual.stream()).await?;
            if let Some(recorded) = trail.events.iter().find(|event| unusual.is_recorded_by(event)) {
                // Another pass, or this one, of which only the answer was lost.
                return Ok(recorded.event_id == event_id);
            }
            let last = trail.events.last();
            let event = unusual.record(event_id, self.host.now(), &actor, last, self.log.key);
            match self.store.record_event(&event, Sequel::Keep).await {
                Ok(true) => return Ok(true),
                Ok(false) if attempts.again().await => {}
                Ok(false) => return Err(DetectionError::Contended),
                Err(StoreError::Unavailable(_)) if attempts.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// As many events as one transaction takes, and the rest.
fn batch(events: &[AuditEvent]) -> (&[AuditEvent], &[AuditEvent]) {
    let mut touched = Touched::default();
    let fits = |event: &&AuditEvent| {
        touched.add(event);
        touched.len() <= MAX_CHANGES
    };
    let count = events.iter().take_while(fits).count();
    events.split_at_checked(count.max(1)).unwrap_or((events, &[]))
}

/// What was last found unusual about an actor, if policy lets it raise what the actor asks for, and it is not too long ago.
///
/// # Errors
/// When the events cannot be read: doubt is no reason to demand less.
pub async fn recent<S: LastEvent>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    now: Timestamp,
) -> Result<Option<RecentAnomaly>, StoreError> {
    let Some(seconds) = dependencies.policy.rules().raise_seconds() else { return Ok(None) };
    let since = now.minus_seconds(seconds);
    let mut latest: Option<RecentAnomaly> = None;
    for person in &actor.addresses {
        for at in [since, now] {
            let of_month = Unusual { person: person.clone(), at, details: serde_json::Value::Null };
            let last = dependencies.store.last_event(&of_month.stream()).await?;
            let found = last.and_then(|event| RecentAnomaly::of(&event, since));
            if found.as_ref().map(|found| found.at) > latest.as_ref().map(|latest| latest.at) {
                latest = found;
            }
            if since.month() == now.month() {
                break;
            }
        }
    }
    Ok(latest)
}
