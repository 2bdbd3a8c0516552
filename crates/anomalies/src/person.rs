//! What is remembered of one person, as one document of bounded size.

use crate::attempts::AttemptHistory;
use crate::burst::RequestRate;
use crate::decisions::DecisionHistory;
use crate::finding::Rule;
use crate::hours::HourHistory;
use crate::partners::ApproverCounts;
use crate::weight::{HABIT_HALF_LIFE_DAYS, RATE_HALF_LIFE_DAYS, factor};
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long a rule that was reported of a person is not reported again of that person: what is left of a night or a
/// working day.
const COOL_DOWN_MILLISECONDS: i64 = 12 * 60 * 60 * 1_000;

/// What is remembered of one person: less than 8 KiB as JSON, whatever the person does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonHistory {
    clock: Clock,
    pub(crate) requests: RequestRate,
    pub(crate) attempts: AttemptHistory,
    pub(crate) hours: HourHistory,
    pub(crate) decisions: DecisionHistory,
    /// Who has approved this person's requests.
    pub(crate) approvers: ApproverCounts,
    /// When each rule was reported, in milliseconds since 1970.
    reported: BTreeMap<Rule, i64>,
}

impl PersonHistory {
    /// Moves on to a time, and fades what is older by whole days. Gives the time in milliseconds since 1970.
    pub(crate) fn move_on(&mut self, at: Timestamp) -> i64 {
        let days = self.clock.move_on(at);
        if days > 0 {
            let (rate, habit) = (factor(days, RATE_HALF_LIFE_DAYS), factor(days, HABIT_HALF_LIFE_DAYS));
            self.requests.fade(rate);
            self.attempts.fade(rate);
            self.hours.fade(habit);
            self.decisions.counts.fade(habit);
            self.approvers.fade(habit);
        }
        self.clock.latest
    }

    /// Whether a rule is to be reported now, which it is then not again for a while.
    pub(crate) fn report(&mut self, rule: Rule) -> bool {
        let now = self.clock.latest;
        let last = self.reported.get(&rule);
        let is_due = last.is_none_or(|last| now.saturating_sub(*last) >= COOL_DOWN_MILLISECONDS);
        if is_due {
            self.reported.insert(rule, now);
        }
        is_due
    }
}

/// The latest time that was seen. Events of several streams may be some seconds out of order: time does not go back here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Clock {
    /// In milliseconds since 1970.
    latest: i64,
}

impl Clock {
    /// Moves on to a time, and gives the number of midnights in UTC since the latest.
    pub(crate) fn move_on(&mut self, at: Timestamp) -> u32 {
        let day = |millisecond: i64| millisecond.div_euclid(24 * 60 * 60 * 1_000);
        let before = self.latest;
        self.latest = before.max(at.as_millisecond());
        u32::try_from(day(self.latest) - day(before)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_reported_again_after_twelve_hours() {
        let mut person = PersonHistory::default();
        let mut is_reported = |hour: u32, rule| {
            person.move_on(Timestamp::EARLIEST.plus_seconds(hour * 60 * 60));
            person.report(rule)
        };
        assert!(is_reported(1, Rule::UnusualHour) && is_reported(2, Rule::RequestBurst));
        assert!(!is_reported(12, Rule::UnusualHour) && !is_reported(13, Rule::RequestBurst));
        assert!(is_reported(13, Rule::UnusualHour) && !is_reported(13, Rule::UnusualHour));
    }

    #[test]
    fn time_does_not_go_back() {
        let mut clock = Clock::default();
        let at = |hour: u32| Timestamp::EARLIEST.plus_seconds(hour * 60 * 60);
        assert_eq!([50, 49, 20, 71, 72].map(|hour| clock.move_on(at(hour))), [2, 0, 0, 0, 1]);
    }
}
