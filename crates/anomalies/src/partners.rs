//! `reciprocal_approval`: who approves whose requests, against how often each approves those of others.

use crate::finding::Measure;
use crate::probability::{THRESHOLD, binomial_tail, both};
use crate::weight::Weight;
use countersign_core::person::PersonId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The fewest approvals that each of the two has given the other.
const LEAST: u64 = 8;
/// So many times the odds that were to be expected are the least that count: in many approvals small preferences are certain,
/// and mean nothing.
const LEAST_ODDS_RATIO: f64 = 2.0;
/// Of two approvers either is expected to give as many as the other, unless it gives more to others as well.
const LEAST_SHARE: f64 = 0.5;
/// A larger share is never expected: that a person is decided by another alone explains nothing.
const MOST_SHARE: f64 = 0.75;
/// How many persons a document names.
const MOST_PERSONS: usize = 64;
/// How many bytes they may take in a document.
const MOST_BYTES: usize = 5_000;
/// What a person takes besides the name.
const PERSON_BYTES: usize = 64;
/// How long a pair that was reported is not reported again.
const COOL_DOWN_MILLISECONDS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// How often persons have approved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApproverCounts {
    /// By person, of those with the most.
    persons: BTreeMap<String, Approver>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Approver {
    approvals: Weight,
    /// When the pair was reported, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported_at: Option<i64>,
}

impl ApproverCounts {
    pub(crate) fn fade(&mut self, factor: f64) {
        for approver in self.persons.values_mut() {
            approver.approvals.fade(factor);
        }
        self.persons.retain(|_, approver| !approver.approvals.is_zero());
    }

    /// Counts an approval. Of more persons than a document has place for, those with the least are forgotten; of several
    /// with as little, those whose names come last.
    pub(crate) fn add(&mut self, approver: &PersonId) {
        self.persons.entry(approver.as_str().to_owned()).or_default().approvals.add(1);
        while self.persons.len() > MOST_PERSONS || self.bytes() > MOST_BYTES {
            let others = self.persons.iter().filter(|(name, _)| name.as_str() != approver.as_str());
            let least = others.min_by(|(name, one), (next, other)| {
                one.approvals.cmp(&other.approvals).then_with(|| next.cmp(name))
            });
            let Some(least) = least.map(|(name, _)| name.clone()) else { return };
            self.persons.remove(&least);
        }
    }

    fn bytes(&self) -> usize {
        self.persons.keys().map(|name| name.len() + PERSON_BYTES).sum()
    }

    fn of(&self, approver: &str) -> Weight {
        self.persons.get(approver).map_or(Weight::default(), |approver| approver.approvals)
    }

    /// How unlikely it is that a person has given so many of these approvals, if it is by far more than is to be expected: of
    /// those that this person and the next most frequent approver have given, as many as these two give to all others.
    ///
    /// Teams decide among themselves, so that most pairs are far above what each has in all approvals. The next approver is
    /// of the same team, if that has more than two.
    fn preference(&self, approver: &PersonId, everybody: &Self) -> Option<Measure> {
        let observed = self.of(approver.as_str()).whole_events();
        if observed < LEAST {
            return None;
        }
        let others = self.persons.iter().filter(|(name, _)| name.as_str() != approver.as_str());
        let next = others.max_by(|(name, one), (later, other)| {
            one.approvals.cmp(&other.approvals).then_with(|| later.cmp(name))
        });
        let by_next = next.map_or(0, |(_, next)| next.approvals.whole_events());
        let to_others = |name: &str| everybody.of(name).without(self.of(name)).events() + 1.0;
        let by_both = to_others(approver.as_str()) + next.map_or(1.0, |(name, _)| to_others(name));
        let share = (to_others(approver.as_str()) / by_both).clamp(LEAST_SHARE, MOST_SHARE);
        if observed as f64 * (1.0 - share) < LEAST_ODDS_RATIO * share * by_next as f64 {
            return None;
        }
        let all = observed.saturating_add(by_next);
        let probability = binomial_tail(observed, all, share);
        Some(Measure { observed: observed as f64, expected: all as f64 * share, probability })
    }

    /// When the pair with this person was reported.
    fn reported_at(&self, approver: &PersonId) -> Option<i64> {
        self.persons.get(approver.as_str()).and_then(|approver| approver.reported_at)
    }

    fn report(&mut self, approver: &PersonId, at_millisecond: i64) {
        if let Some(approver) = self.persons.get_mut(approver.as_str()) {
            approver.reported_at = Some(at_millisecond);
        }
    }
}

/// One of two persons: who it is, and who has approved this person's requests.
pub(crate) struct Side<'a> {
    pub(crate) person: &'a PersonId,
    pub(crate) approvers: &'a mut ApproverCounts,
}

/// How unlikely it is that two persons have approved each other's requests so often by chance, if it is a finding that was
/// not reported lately. The probabilities of both directions are combined.
pub(crate) fn reciprocity(
    one: Side<'_>,
    other: Side<'_>,
    everybody: &ApproverCounts,
    at_millisecond: i64,
) -> Option<Measure> {
    let given = one.approvers.preference(other.person, everybody)?;
    let returned = other.approvers.preference(one.person, everybody)?;
    let probability = both(given.probability, returned.probability);
    let last = one.approvers.reported_at(other.person).max(other.approvers.reported_at(one.person));
    let is_due = last.is_none_or(|last| at_millisecond.saturating_sub(last) >= COOL_DOWN_MILLISECONDS);
    if probability >= THRESHOLD || !is_due {
        return None;
    }
    one.approvers.report(other.person, at_millisecond);
    other.approvers.report(one.person, at_millisecond);
    let observed = given.observed + returned.observed;
    Some(Measure { observed, expected: given.expected + returned.expected, probability })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> PersonId {
        PersonId::from_email(&format!("{name}@example.com")).unwrap()
    }

    fn counts(approvals: &[(&str, u64)]) -> ApproverCounts {
        let mut counts = ApproverCounts::default();
        for (name, times) in approvals {
            (0..*times).for_each(|_| counts.add(&named(name)));
        }
        counts
    }

    fn observed_and_expected(measure: Option<Measure>) -> Option<(f64, f64)> {
        measure.map(|measure| (measure.observed, measure.expected))
    }

    #[test]
    fn an_approver_is_compared_with_the_next() {
        let approvers = counts(&[("ann", 8), ("bob", 2), ("eve", 1)]);
        let preference = |name: &str, everybody: &ApproverCounts| {
            observed_and_expected(approvers.preference(&named(name), everybody))
        };
        assert_eq!(preference("ann", &approvers), Some((8.0, 5.0)));
        assert_eq!(preference("bob", &approvers), None);
        // Who gives much to others gives much to this person: no more than that is expected.
        let busy = counts(&[("ann", 8 + 18), ("bob", 2 + 9)]);
        let share = 19.0 / 29.0;
        assert_eq!(preference("ann", &busy), Some((8.0, 10.0 * share)));
        let busiest = counts(&[("ann", 8 + 99), ("bob", 2 + 9)]);
        assert_eq!(preference("ann", &busiest), None);
    }

    #[test]
    fn too_few_approvals_and_a_small_preference_mean_nothing() {
        for (ann, bob, is_preference) in [(7, 0, false), (8, 0, true), (80, 40, true), (80, 41, false)] {
            let approvers = counts(&[("ann", ann), ("bob", bob)]);
            let preference = approvers.preference(&named("ann"), &approvers);
            assert_eq!(preference.is_some(), is_preference, "{ann} {bob}");
        }
    }

    #[test]
    fn those_with_the_least_are_forgotten_and_the_newest_are_not() {
        let mut approvers = counts(&[("ann", 3), ("bob", 2)]);
        for number in 0..1_000 {
            let newest = named(&format!("visitor-{number}"));
            approvers.add(&newest);
            assert!(approvers.persons.len() <= MOST_PERSONS);
            assert_eq!(approvers.of(newest.as_str()).whole_events(), 1);
        }
        let left = |name: &str| approvers.of(named(name).as_str()).whole_events();
        assert_eq!((left("ann"), left("bob")), (3, 2));
    }

    #[test]
    fn what_has_faded_is_forgotten() {
        let mut approvers = counts(&[("ann", 1)]);
        approvers.fade(0.5);
        assert_eq!(approvers.persons.len(), 1);
        approvers.fade(0.001);
        assert_eq!(approvers, ApproverCounts::default());
    }

    #[test]
    fn a_pair_is_reported_again_after_thirty_days() {
        let (ann, bob) = (named("ann"), named("bob"));
        let (mut of_ann, mut of_bob) = (counts(&[("bob", 40)]), counts(&[("ann", 40)]));
        let everybody = counts(&[("ann", 40), ("bob", 40)]);
        let mut is_found = |at| {
            let one = Side { person: &ann, approvers: &mut of_ann };
            let other = Side { person: &bob, approvers: &mut of_bob };
            reciprocity(one, other, &everybody, at).is_some()
        };
        let found = [0, 1, COOL_DOWN_MILLISECONDS - 1, COOL_DOWN_MILLISECONDS].map(&mut is_found);
        assert_eq!(found, [true, false, false, true]);
    }
}
