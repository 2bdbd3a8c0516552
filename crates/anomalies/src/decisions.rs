//! `quick_approvals` and `no_rejections`: how a person decides, against how all others do.

use crate::finding::Measure;
use crate::probability::{THRESHOLD, all_in_a_row};
use crate::weight::Weight;
use serde::{Deserialize, Serialize};

/// Who has had less time than this for a request has not read it.
const READING_MILLISECONDS: i64 = 10_000;
/// The fewest approvals in a row that left no time to read.
const LEAST_QUICK: u32 = 5;
/// Quick approvals that are assumed of every deployment, among [`PRIOR_APPROVALS`].
const PRIOR_QUICK: f64 = 1.0;
const PRIOR_APPROVALS: f64 = 20.0;
/// More of the approvals are not taken to be quick, so that where most are, a row of fourteen is still found.
const MOST_QUICK: f64 = 0.5;
/// The fewest decisions in a row without a refusal.
const LEAST_UNREFUSED: u32 = 100;
/// Fewer decisions of others than this say nothing of how often requests are refused.
const LEAST_DECISIONS_OF_OTHERS: f64 = 100.0;
/// Decisions without a refusal that are assumed of every deployment.
const PRIOR_DECISIONS: f64 = 20.0;

/// Decisions, as counts that fade.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecisionCounts {
    approvals: Weight,
    /// Approvals that left no time to read.
    quick: Weight,
    refusals: Weight,
}

impl DecisionCounts {
    pub(crate) fn fade(&mut self, factor: f64) {
        for weight in [&mut self.approvals, &mut self.quick, &mut self.refusals] {
            weight.fade(factor);
        }
    }

    pub(crate) fn without(&self, other: &Self) -> Self {
        Self {
            approvals: self.approvals.without(other.approvals),
            quick: self.quick.without(other.quick),
            refusals: self.refusals.without(other.refusals),
        }
    }

    pub(crate) fn add(&mut self, decision: Decision) {
        match decision {
            Decision::Approval { is_quick } => {
                self.approvals.add(1);
                self.quick.add(u64::from(is_quick));
            }
            Decision::Refusal => self.refusals.add(1),
        }
    }

    /// The part of approvals that is quick.
    fn quick_share(&self) -> f64 {
        let share = (self.quick.events() + PRIOR_QUICK) / (self.approvals.events() + PRIOR_APPROVALS);
        share.min(MOST_QUICK)
    }

    /// The part of decisions that refuses, once it is known.
    fn refused_share(&self) -> Option<f64> {
        let decisions = self.approvals.events() + self.refusals.events();
        let is_known = decisions >= LEAST_DECISIONS_OF_OTHERS;
        is_known.then(|| self.refusals.events() / (decisions + PRIOR_DECISIONS))
    }
}

/// A decision on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The request was approved, with time to read it or without.
    Approval { is_quick: bool },
    /// The request was rejected.
    Refusal,
}

/// What is remembered of a person's decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecisionHistory {
    pub(crate) counts: DecisionCounts,
    /// Quick approvals since the last decision that was none.
    quick_row: u32,
    /// Decisions since the last refusal.
    unrefused_row: u32,
    /// When the last decision was, in milliseconds since 1970.
    last_at: Option<i64>,
}

impl DecisionHistory {
    /// What an approval is of a request that was made at this time, in milliseconds since 1970. The time to read begins when
    /// the request is there and the decision before it is made.
    pub(crate) fn approval(&self, requested_at: Option<i64>, at_millisecond: i64) -> Decision {
        let begin = requested_at.max(self.last_at);
        let is_quick = requested_at.is_some()
            && begin.is_some_and(|begin| at_millisecond.saturating_sub(begin) < READING_MILLISECONDS);
        Decision::Approval { is_quick }
    }

    /// Adds a decision to the history, not to what others are compared with.
    pub(crate) fn add(&mut self, decision: Decision, at_millisecond: i64) {
        self.counts.add(decision);
        self.last_at = Some(at_millisecond);
        let is_quick = decision == Decision::Approval { is_quick: true };
        self.quick_row = if is_quick { self.quick_row.saturating_add(1) } else { 0 };
        let is_refusal = decision == Decision::Refusal;
        self.unrefused_row = if is_refusal { 0 } else { self.unrefused_row.saturating_add(1) };
    }

    /// How unlikely the row of quick approvals is, if it is a finding. It begins anew then.
    pub(crate) fn take_quick_row(&mut self, others: &DecisionCounts) -> Option<Measure> {
        let share = others.quick_share();
        let row = unlikely_row(&mut self.quick_row, LEAST_QUICK, share)?;
        Some(Measure { observed: row.length, expected: row.length * share, probability: row.probability })
    }

    /// How unlikely the row of decisions without a refusal is, if it is a finding. It begins anew then.
    pub(crate) fn take_unrefused_row(&mut self, others: &DecisionCounts) -> Option<Measure> {
        let share = others.refused_share()?;
        let row = unlikely_row(&mut self.unrefused_row, LEAST_UNREFUSED, 1.0 - share)?;
        Some(Measure { observed: 0.0, expected: row.length * share, probability: row.probability })
    }
}

/// A row of decisions that are all of one kind.
struct Row {
    length: f64,
    probability: f64,
}

/// A row that is long enough and too unlikely, where decisions of its kind have this share. It is taken.
fn unlikely_row(row: &mut u32, least: u32, share: f64) -> Option<Row> {
    let probability = all_in_a_row(share, *row);
    if *row < least || probability >= THRESHOLD {
        return None;
    }
    Some(Row { length: f64::from(std::mem::take(row)), probability })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Decision = Decision::Approval { is_quick: true };
    const READ: Decision = Decision::Approval { is_quick: false };

    fn counts(decisions: impl IntoIterator<Item = (Decision, usize)>) -> DecisionCounts {
        let mut counts = DecisionCounts::default();
        for (decision, times) in decisions {
            (0..times).for_each(|_| counts.add(decision));
        }
        counts
    }

    #[test]
    fn the_time_to_read_begins_with_the_request_or_the_decision_before() {
        let mut history = DecisionHistory::default();
        for (requested_at, at, is_quick) in [
            (Some(0), 9_999, true),
            (Some(0), 19_998, true),
            (Some(0), 29_998, false),
            (Some(100_000), 109_999, true),
            (Some(100_000), 120_000, false),
            (None, 121_000, false),
        ] {
            let decision = history.approval(requested_at, at);
            assert_eq!(decision, Decision::Approval { is_quick }, "{at}");
            history.add(decision, at);
        }
    }

    /// The length of the row that is found.
    fn quick_row(others: &DecisionCounts) -> Option<u32> {
        let mut history = DecisionHistory::default();
        (1..=50).find(|_| {
            history.add(QUICK, 0);
            history.take_quick_row(others).is_some()
        })
    }

    #[test]
    fn five_quick_approvals_in_a_row_are_found_and_more_where_they_are_usual() {
        assert_eq!(quick_row(&DecisionCounts::default()), Some(5));
        assert_eq!(quick_row(&counts([(READ, 80), (QUICK, 20)])), Some(6));
        assert_eq!(quick_row(&counts([(QUICK, 10_000)])), Some(14));
    }

    #[test]
    fn another_decision_ends_the_row() {
        let mut history = DecisionHistory::default();
        for decision in
            [QUICK, QUICK, QUICK, QUICK, READ, QUICK, QUICK, QUICK, QUICK, Decision::Refusal, QUICK]
        {
            history.add(decision, 0);
            assert_eq!(history.take_quick_row(&DecisionCounts::default()), None);
        }
    }

    /// The length of the row that is found.
    fn unrefused_row(others: &DecisionCounts) -> Option<u32> {
        let mut history = DecisionHistory::default();
        (1..=2_000).find(|_| {
            history.add(READ, 0);
            history.take_unrefused_row(others).is_some()
        })
    }

    #[test]
    fn a_row_without_a_refusal_is_found_by_how_often_others_refuse() {
        assert_eq!(unrefused_row(&counts([(READ, 800), (Decision::Refusal, 200)])), Some(100));
        assert_eq!(unrefused_row(&counts([(READ, 950), (Decision::Refusal, 50)])), Some(184));
        assert_eq!(unrefused_row(&counts([(READ, 5_000)])), None);
        assert_eq!(unrefused_row(&counts([(READ, 50), (Decision::Refusal, 49)])), None);
    }

    #[test]
    fn a_row_is_reported_with_what_was_expected_and_begins_anew() {
        let others = counts([(READ, 880), (Decision::Refusal, 100)]);
        let mut history = DecisionHistory::default();
        let found: Vec<_> = (0..250)
            .filter_map(|_| {
                history.add(READ, 0);
                history.take_unrefused_row(&others)
            })
            .collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].observed, found[0].expected), (0.0, 10.0));
        history.add(Decision::Refusal, 0);
        assert_eq!(history.unrefused_row, 0);
    }
}
