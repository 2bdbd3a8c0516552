//! What is counted, and counts of it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{EnumIter, IntoStaticStr};

/// What is counted of requests, decisions and calls.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Figure {
    /// Requests that were made.
    Total,
    /// Requests that approvers approved, each at its first time.
    Approved,
    /// Requests that an approver rejected.
    Rejected,
    /// Requests whose deadline passed.
    Expired,
    /// Requests that were given up.
    Cancelled,
    /// Requests whose execution succeeded.
    Executed,
    /// Requests whose execution failed.
    Failed,
    /// Requests of whose execution nothing was heard for as long as its lease, each at its first time.
    Unknown,
    /// Requests that policy approved when they were made.
    AutoApproved,
    /// Calls that were refused.
    Refused,
    /// Approvals that a person gave.
    ApprovalsGiven,
    /// Rejections that a person gave.
    RejectionsGiven,
}

/// How much of each figure there is. What is not there is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<Figure, u64>);

impl Counts {
    /// How much there is of a figure.
    pub fn get(&self, figure: Figure) -> u64 {
        self.0.get(&figure).copied().unwrap_or_default()
    }

    /// Adds to a figure.
    pub fn add(&mut self, figure: Figure, more: u64) {
        if more > 0 {
            let count = self.0.entry(figure).or_default();
            *count = count.saturating_add(more);
        }
    }

    /// Adds all of other counts.
    pub fn merge(&mut self, others: &Self) {
        for (figure, more) in &others.0 {
            self.add(*figure, *more);
        }
    }

    /// Rejections as a part of what approvers decided, in ten thousandths. `None` if they decided nothing.
    pub fn rejections_in_ten_thousand(&self) -> Option<u64> {
        let rejected = self.get(Figure::Rejected);
        let decided = rejected.saturating_add(self.get(Figure::Approved));
        let half = decided / 2;
        rejected.saturating_mul(10_000).saturating_add(half).checked_div(decided)
    }

    /// The same as a part, with four digits after the point.
    pub fn rejection_rate(&self) -> Option<f64> {
        let in_ten_thousand = u32::try_from(self.rejections_in_ten_thousand()?).ok()?;
        Some(f64::from(in_ten_thousand) / 10_000.0)
    }
}
