//! What folding the log into figures needs of a store, and what reading them does. One trait each.

use crate::ports::{CommitError, StoreError};
use countersign_core::ids::RequestId;
use countersign_figures::day::DayFigures;
use countersign_figures::fold::{FigureState, RequestProgress, Touched};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

/// The most items that change at once: a transaction has 100 items, and one of them is the cursor.
pub const MAX_CHANGES: usize = 99;

/// How far the log has been folded into figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FoldCursor {
    /// Grows by one with each change.
    pub version: u64,
    /// How many entries of the log are in the figures.
    pub size: u64,
    /// Which set of figures it is about. Figures that are computed anew are another set.
    pub generation: u64,
    /// The [`REVISION`](countersign_figures::day::REVISION) of its documents.
    pub revision: u64,
}

/// Figures that have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FigureChanges {
    /// By day.
    pub days: BTreeMap<String, DayFigures>,
    /// What is remembered of requests from now on.
    pub requests: BTreeMap<RequestId, RequestProgress>,
    /// The requests of which nothing is remembered any more.
    pub forgotten: BTreeSet<RequestId>,
}

impl FigureChanges {
    /// Of what events touched, as it is after them.
    pub fn of(touched: &Touched, after: FigureState) -> Self {
        let forgotten = touched.requests.iter().filter(|id| !after.requests.contains_key(id)).copied();
        Self { forgotten: forgotten.collect(), days: after.days, requests: after.requests }
    }
}

/// Figures, and how far they go. Reads are strongly consistent.
pub trait FigureStore: Send + Sync {
    /// How far the log has been folded; `None` if nothing was.
    fn fold_cursor(&self) -> impl Future<Output = Result<Option<FoldCursor>, StoreError>> + Send;

    /// What is stored of what events touch.
    fn load_figures(
        &self,
        generation: u64,
        touched: &Touched,
    ) -> impl Future<Output = Result<FigureState, StoreError>> + Send;

    /// Writes changes and the cursor after them in one transaction, if the cursor is still `before`.
    fn commit_figures(
        &self,
        before: Option<&FoldCursor>,
        after: &FoldCursor,
        changes: &FigureChanges,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// Removes a set of figures, of which no cursor says that it is the one.
    fn remove_figures(&self, generation: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Figures of a range of days, and how far they go.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoredFigures {
    /// How many entries of the log are in them, at least.
    pub size: u64,
    /// By day.
    pub days: BTreeMap<String, DayFigures>,
}

/// Reads figures.
pub trait ReadFigures: Send + Sync {
    /// The figures of the days from `from` to `to`, such as `2026-01-31`.
    fn read_figures(
        &self,
        from: &str,
        to: &str,
    ) -> impl Future<Output = Result<StoredFigures, StoreError>> + Send;
}

/// Compares all figures, of a service that is stopped.
pub trait ReplaceFigures: FigureStore {
    /// All that is stored of a set of figures.
    fn all_figures(&self, generation: u64) -> impl Future<Output = Result<FigureState, StoreError>> + Send;
}
