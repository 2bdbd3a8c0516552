//! The report on a day, a week or a month: what became of requests, how long decisions took, who asked and decided, and what
//! deserves attention. Made of the figures of its days, and of what is open when it is made.

use crate::counts::{Counts, Figure};
use crate::day::{DayFigures, OTHER};
use crate::extremes::Extremes;
use crate::histogram::Histogram;
use countersign_core::ids::RequestId;
use countersign_core::period::{Period, Span};
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{EnumIter, IntoStaticStr};

/// From this part of rejections on, of what approvers decided, a report has an alert: in ten thousandths, 30 %.
pub const REJECTIONS_ALERT: u64 = 3_000;
/// From this mean of times to a decision on a report has an alert, in milliseconds: 24 hours.
pub const DECISION_ALERT_MILLISECONDS: u64 = 24 * 60 * 60 * 1000;

/// The report on a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodReport {
    /// How long the period is.
    pub period: Period,
    /// Its name: `2026-01-31`, `2026-W05` or `2026-01`.
    pub name: String,
    /// Its first day.
    pub from: String,
    /// Its last day.
    pub to: String,
    /// Whether it is over: figures of one that is not grow.
    pub over: bool,
    /// When the report was made.
    pub made_at: Timestamp,
    /// How many events of the audit log are in the figures.
    pub log_size: u64,
    /// How many events the log has besides: few, unless the log is counted anew.
    pub uncounted: u64,
    /// What became of requests.
    pub outcomes: Outcomes,
    /// Rejected requests as a part of those that approvers decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection_rate: Option<f64>,
    /// How long decisions took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_decision: Option<DecisionTimes>,
    /// What waits for a decision when the report is made.
    pub waiting: Waiting,
    /// Who asked and decided, those first who did most.
    pub people: Vec<PersonFigures>,
    /// What deserves attention.
    pub alerts: Vec<Alert>,
    /// Executions of which nothing was heard for as long as their lease. In the report on a month alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck_executions: Option<u64>,
    /// What was given up when the report is made. In the report on a month alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<DeadLetters>,
}

/// What became of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Requests that were made.
    pub requested: u64,
    /// Requests that policy approved at once.
    pub auto_approved: u64,
    /// Requests that approvers approved.
    pub approved: u64,
    /// Requests that an approver rejected.
    pub rejected: u64,
    /// Requests whose deadline passed.
    pub expired: u64,
    /// Requests that were given up.
    pub cancelled: u64,
    /// Requests whose execution succeeded.
    pub executed: u64,
    /// Requests whose execution failed.
    pub failed: u64,
}

/// How long decisions took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionTimes {
    /// How many there are.
    pub count: u64,
    /// Their mean.
    pub average_milliseconds: u64,
    /// The shortest.
    pub shortest_milliseconds: u64,
    /// The longest.
    pub longest_milliseconds: u64,
    /// The one that 95 of 100 are not above, within 5 %.
    pub p95_milliseconds: u64,
}

/// What waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Waiting {
    /// How many requests, as far as they were counted.
    pub count: u64,
    /// Whether there are more.
    pub more: bool,
    /// The one that has waited longest, of those that were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<OldestRequest>,
}

/// A request that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldestRequest {
    /// Which.
    pub request_id: RequestId,
    /// When it was made.
    pub requested_at: Timestamp,
}

/// What one person did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonFigures {
    /// Who; `(other)` for all that have no line of their own.
    pub person: String,
    /// Requests that the person made.
    pub requested: u64,
    /// Approvals that the person gave.
    pub approved: u64,
    /// Rejections that the person gave.
    pub rejected: u64,
}

/// Messages that were given up: an operator can deliver them again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetters {
    /// Events that could not be published.
    pub events: u64,
    /// Deliveries to single destinations.
    pub deliveries: u64,
}

/// What deserves attention.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Alert {
    /// Approvers rejected 30 % or more of what they decided.
    ManyRejections,
    /// Decisions took 24 hours or more on average.
    SlowDecisions,
}

/// What stands open when a report is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many events the log has besides those in the figures.
    pub uncounted: u64,
    /// What waits for a decision.
    pub waiting: Waiting,
    /// What was given up, if the report says it.
    pub dead_letters: Option<DeadLetters>,
}

impl PeriodReport {
    /// The report on a period: of figures by day, of which there are `log_size` events of the log, and of what stands open at
    /// `now`. Days of other periods are left out.
    pub fn of<'a>(
        span: &Span,
        days: impl IntoIterator<Item = (&'a String, &'a DayFigures)>,
        log_size: u64,
        standing: Standing,
        now: Timestamp,
    ) -> Self {
        let (from, to) = (span.first_day(), span.last_day());
        let mut counts = Counts::default();
        let (mut times, mut extremes) = (Histogram::default(), Extremes::default());
        let mut people = BTreeMap::<&str, Counts>::new();
        for (_, day) in days.into_iter().filter(|(name, _)| (&from..=&to).contains(name)) {
            counts.merge(&day.counts);
            times.merge(&day.time_to_decision);
            extremes.merge(&day.decision_extremes);
            for (person, more) in &day.users {
                people.entry(person).or_default().merge(more);
            }
        }
        let is_monthly = span.period == Period::Monthly;
        let mut people: Vec<_> = people.into_iter().filter_map(PersonFigures::of).collect();
        sort(&mut people);
        Self {
            period: span.period,
            name: span.name.clone(),
            over: span.is_over(now),
            from,
            to,
            made_at: now,
            log_size,
            uncounted: standing.uncounted,
            outcomes: Outcomes::of(&counts),
            rejection_rate: counts.rejection_rate(),
            time_to_decision: DecisionTimes::of(&times, &extremes),
            waiting: standing.waiting,
            people,
            alerts: alerts(&counts, &times),
            stuck_executions: is_monthly.then(|| counts.get(Figure::Unknown)),
            dead_letters: standing.dead_letters.filter(|_| is_monthly),
        }
    }

    /// The same with at most so many lines about persons: all others share the last one, so that sums stay what they are.
    #[must_use]
    pub fn shortened(mut self, lines: usize) -> Self {
        if self.people.len() > lines {
            let named = lines.saturating_sub(1);
            // What has no name already is not put before what has one.
            self.people.sort_by_key(|person| person.person == OTHER);
            let rest = self.people.split_off(named);
            let mut others =
                PersonFigures { person: OTHER.to_owned(), requested: 0, approved: 0, rejected: 0 };
            for person in rest {
                others.requested = others.requested.saturating_add(person.requested);
                others.approved = others.approved.saturating_add(person.approved);
                others.rejected = others.rejected.saturating_add(person.rejected);
            }
            self.people.push(others);
        }
        self
    }
}

/// Those who did most first, and at equal figures in the order of names; what has no name at the end.
fn sort(people: &mut [PersonFigures]) {
    people.sort_by(|left, right| {
        let is_other = |person: &PersonFigures| person.person == OTHER;
        is_other(left)
            .cmp(&is_other(right))
            .then(right.all().cmp(&left.all()))
            .then(left.person.cmp(&right.person))
    });
}

impl PersonFigures {
    /// None of a person who neither asked for anything nor decided.
    fn of((person, counts): (&str, Counts)) -> Option<Self> {
        let figures = Self {
            person: person.to_owned(),
            requested: counts.get(Figure::Total),
            approved: counts.get(Figure::ApprovalsGiven),
            rejected: counts.get(Figure::RejectionsGiven),
        };
        (figures.all() > 0).then_some(figures)
    }

    fn all(&self) -> u64 {
        self.requested.saturating_add(self.approved).saturating_add(self.rejected)
    }
}

impl Outcomes {
    fn of(counts: &Counts) -> Self {
        Self {
            requested: counts.get(Figure::Total),
            auto_approved: counts.get(Figure::AutoApproved),
            approved: counts.get(Figure::Approved),
            rejected: counts.get(Figure::Rejected),
            expired: counts.get(Figure::Expired),
            cancelled: counts.get(Figure::Cancelled),
            executed: counts.get(Figure::Executed),
            failed: counts.get(Figure::Failed),
        }
    }
}

impl DecisionTimes {
    fn of(times: &Histogram, extremes: &Extremes) -> Option<Self> {
        let (shortest, longest) = (extremes.shortest()?, extremes.longest()?);
        Some(Self {
            count: times.count(),
            average_milliseconds: times.average()?,
            shortest_milliseconds: shortest,
            longest_milliseconds: longest,
            // The middle of the bucket may be beyond the longest that is in it.
            p95_milliseconds: times.quantile(95)?.clamp(shortest, longest),
        })
    }
}

fn alerts(counts: &Counts, times: &Histogram) -> Vec<Alert> {
    // Of the counts, and not of the rounded part: 29.996 % are no 30.
    let rejected = counts.get(Figure::Rejected);
    let decided = rejected.saturating_add(counts.get(Figure::Approved));
    let is_rejected =
        rejected > 0 && rejected.saturating_mul(10_000) >= decided.saturating_mul(REJECTIONS_ALERT);
    let is_slow = times.average().is_some_and(|average| average >= DECISION_ALERT_MILLISECONDS);
    [is_rejected.then_some(Alert::ManyRejections), is_slow.then_some(Alert::SlowDecisions)]
        .into_iter()
        .flatten()
        .collect()
}
