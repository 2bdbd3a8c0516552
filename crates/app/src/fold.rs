//! Folding: the entries of the audit log, in its order, become figures of days.
//!
//! Any number of these may run, and each may stop anywhere. Figures and cursor change in one transaction, under the condition
//! that the cursor is the one that was read: each entry is counted exactly once.

use crate::figure_store::{FigureChanges, FigureStore, FoldCursor, MAX_CHANGES, ReplaceFigures};
use crate::host::Host;
use crate::log::LogStorage;
use crate::log_reader::{LogReadError, LogReader};
use crate::ports::{CommitError, StoreError};
use countersign_core::audit::AuditEvent;
use countersign_figures::day::REVISION;
use countersign_figures::fold::{FigureState, Touched};
use std::time::Duration;

/// What a pass of folding did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FoldReport {
    /// Entries that were counted.
    pub folded: u64,
    /// How many entries are in the figures now.
    pub size: u64,
    /// Whether time ran out, or another pass was faster, before the end of the log.
    pub cut_short: bool,
}

/// Why the log is not folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogReadError),
    /// The log was rolled back behind the figures.
    #[error(
        "{figures} entries are in the figures, and the log has {log}; restore the log from its copy, or compute the figures anew \
         with `countersign audit rebuild`"
    )]
    LogBehind {
        /// How many entries are in the figures.
        figures: u64,
        /// How many the log has.
        log: u64,
    },
}

/// All that folding works with.
#[derive(Debug)]
pub struct Folder<'a, F, L> {
    /// The figures.
    pub store: &'a F,
    /// The log.
    pub log: LogReader<'a, L>,
    /// The clock.
    pub host: &'a dyn Host,
}

impl<F: FigureStore, L: LogStorage> Folder<'_, F, L> {
    /// Counts the entries of the log that are not in the figures, for at most `budget`.
    ///
    /// # Errors
    /// [`FoldError`]. What has been counted before it stays.
    pub async fn fold(&self, budget: Duration) -> Result<FoldReport, FoldError> {
        let began = self.host.elapsed();
        let mut cursor = self.store.fold_cursor().await?;
        let log = self.log.size().await?;
        // Documents of an earlier version lack members, and what was counted into them cannot be told apart any more.
        if cursor.is_some_and(|cursor| cursor.revision < REVISION) {
            cursor = self.begin_anew(cursor).await?;
            if cursor.is_none() {
                return Ok(FoldReport { cut_short: true, ..FoldReport::default() });
            }
        }
        // Nothing is counted of this generation yet: the one before is still there, at least in part.
        if let Some(FoldCursor { size: 0, generation: generation @ 1.., .. }) = cursor {
            self.store.remove_figures(generation - 1).await?;
        }
        let mut report = FoldReport { size: cursor.map_or(0, |cursor| cursor.size), ..FoldReport::default() };
        if log < report.size {
            return Err(FoldError::LogBehind { figures: report.size, log });
        }
        while report.size < log {
            let events = self.log.events(report.size, log).await?;
            let mut rest = events.as_slice();
            while !rest.is_empty() {
                if self.host.elapsed().saturating_sub(began) >= budget {
                    report.cut_short = true;
                    return Ok(report);
                }
                let (batch, after) = batch(rest);
                rest = after;
                let next = self.next(cursor, batch).await;
                let Some(next) = next? else {
                    report.cut_short = true;
                    return Ok(report);
                };
                report.folded += batch.len() as u64;
                report.size = next.size;
                cursor = Some(next);
            }
        }
        Ok(report)
    }

    /// Puts figures in the place of those that are stored: of nothing, which folding the log fills again. What there was
    /// stays until the cursor has been replaced, and is removed by the next pass.
    ///
    /// # Errors
    /// [`FoldError`]; and `false` if another pass was at work meanwhile.
    pub async fn reset(&self) -> Result<bool, FoldError> {
        let before = self.store.fold_cursor().await?;
        Ok(self.begin_anew(before).await?.is_some())
    }

    /// The cursor of another generation, if the cursor is still `before`. Of that generation there is no document yet: each is
    /// written together with a cursor that names it.
    async fn begin_anew(&self, before: Option<FoldCursor>) -> Result<Option<FoldCursor>, FoldError> {
        let cursor = before.unwrap_or_default();
        let (version, generation) = (cursor.version + 1, cursor.generation + 1);
        let after = FoldCursor { version, size: 0, generation, revision: REVISION };
        match self.store.commit_figures(before.as_ref(), &after, &FigureChanges::default()).await {
            Ok(()) => {}
            Err(CommitError::Conflict) => return Ok(None),
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
        Ok(Some(after))
    }

    /// Counts events; the cursor after them. `None` if another pass was faster, or may have been.
    async fn next(
        &self,
        before: Option<FoldCursor>,
        events: &[AuditEvent],
    ) -> Result<Option<FoldCursor>, FoldError> {
        let mut touched = Touched::default();
        events.iter().for_each(|event| touched.add(event));
        let cursor = before.unwrap_or_default();
        let mut state = self.store.load_figures(cursor.generation, &touched).await?;
        events.iter().for_each(|event| state.add(event));
        let (version, size) = (cursor.version + 1, cursor.size + events.len() as u64);
        let after = FoldCursor { version, size, revision: REVISION, ..cursor };
        let changes = FigureChanges::of(&touched, state);
        match self.store.commit_figures(before.as_ref(), &after, &changes).await {
            Ok(()) => Ok(Some(after)),
            Err(CommitError::Conflict) => Ok(None),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }
}

/// What figures are, and what they would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many entries of the log are in the figures that are stored.
    pub stored: u64,
    /// How many the log has.
    pub log: u64,
    /// The days whose figures are others than the log gives, at the size that is stored.
    pub differing_days: Vec<String>,
    /// How many requests are remembered otherwise.
    pub differing_requests: usize,
}

impl Rebuilt {
    /// Whether what is stored is what the log gives.
    pub fn is_equal(&self) -> bool {
        self.differing_days.is_empty() && self.differing_requests == 0
    }
}

impl<F: ReplaceFigures, L: LogStorage> Folder<'_, F, L> {
    /// Computes the figures anew from the log, as far as the stored ones go, and compares.
    ///
    /// # Errors
    /// [`FoldError`].
    pub async fn compare(&self) -> Result<Rebuilt, FoldError> {
        let cursor = self.store.fold_cursor().await?.unwrap_or_default();
        let log = self.log.size().await?;
        let mut state = FigureState::default();
        let mut place = 0;
        while place < cursor.size.min(log) {
            for event in self.log.events(place, log).await? {
                if place < cursor.size {
                    state.add(&event);
                    place += 1;
                }
            }
        }
        let stored = self.store.all_figures(cursor.generation).await?;
        let days = stored.days.keys().chain(state.days.keys());
        let differs = |day: &&String| stored.days.get(*day) != state.days.get(*day);
        let mut differing_days: Vec<_> = days.filter(differs).cloned().collect();
        differing_days.sort_unstable();
        differing_days.dedup();
        let requests = stored.requests.keys().chain(state.requests.keys());
        let mut requests: Vec<_> =
            requests.filter(|id| stored.requests.get(id) != state.requests.get(id)).collect();
        requests.sort_unstable();
        requests.dedup();
        Ok(Rebuilt { stored: cursor.size, log, differing_days, differing_requests: requests.len() })
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
