//! What the figures of a range of days say.

use crate::answers::Answers;
use crate::counts::{Counts, Figure};
use crate::day::{Costs, DayFigures, OTHER};
use crate::histogram::Histogram;
use std::collections::BTreeMap;
use strum::{EnumIter, EnumString, IntoStaticStr};

/// How many approvers are named as the busiest, and how many of each kind as the slowest.
pub const NAMED: usize = 10;

/// What figures are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum GroupBy {
    /// The day in UTC.
    Day,
    /// The person.
    User,
    /// The operation.
    Operation,
    /// The group of those who approved: how many approvals its members gave and how long they took, and nothing else.
    Group,
    /// The type of event: how many events there are, and nothing else.
    EventType,
}

/// Figures of one group, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFigures {
    /// How many events there are. Known of days and of types of events.
    pub events: Option<u64>,
    /// What is counted.
    pub counts: Counts,
    /// The times from a request to the decision on it. Known of days and of operations.
    pub time_to_decision: Histogram,
    /// What requests cost. Known of days and of operations.
    pub costs: Costs,
    /// The times from a request to an approval or rejection of one person. Known of days, persons and groups.
    pub answers: Answers,
}

/// The figures of a range of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Of all.
    pub totals: GroupFigures,
    /// Of each group, by its name, in the order of names.
    pub groups: BTreeMap<String, GroupFigures>,
    /// The persons who decided most, those first, and how much.
    pub busiest_approvers: Vec<(String, u64)>,
    /// The persons who took longest to decide, those first.
    pub slowest_approvers: Vec<(String, Answers)>,
    /// The groups whose members took longest to approve, those first.
    pub slowest_groups: Vec<(String, Answers)>,
}

impl Report {
    /// The report on days, each given once.
    pub fn of<'a>(days: impl IntoIterator<Item = (&'a String, &'a DayFigures)>, group_by: GroupBy) -> Self {
        let mut totals = GroupFigures { events: Some(0), ..GroupFigures::default() };
        let mut groups = BTreeMap::<String, GroupFigures>::new();
        let mut approvers = BTreeMap::<&str, u64>::new();
        let mut answers = [const { BTreeMap::<&str, Answers>::new() }; 2];
        for (name, day) in days {
            totals.add_day(day);
            for (person, counts) in &day.users {
                let given = counts.get(Figure::ApprovalsGiven) + counts.get(Figure::RejectionsGiven);
                if given > 0 && person != OTHER {
                    *approvers.entry(person).or_default() += given;
                }
            }
            for (all, of_day) in answers.iter_mut().zip([&day.approvers, &day.groups]) {
                for (name, answers) in of_day {
                    all.entry(name).or_default().merge(answers);
                }
            }
            match group_by {
                GroupBy::Day => groups.entry(name.clone()).or_default().add_day(day),
                GroupBy::User => {
                    for (person, counts) in &day.users {
                        groups.entry(person.clone()).or_default().counts.merge(counts);
                    }
                    for (person, answers) in &day.approvers {
                        groups.entry(person.clone()).or_default().answers.merge(answers);
                    }
                }
                GroupBy::Operation => {
                    for (operation, figures) in &day.operations {
                        let group = groups.entry(operation.clone()).or_default();
                        group.counts.merge(&figures.counts);
                        group.time_to_decision.merge(&figures.time_to_decision);
                        group.costs.merge(&figures.costs);
                    }
                }
                GroupBy::Group => {
                    for (name, answers) in &day.groups {
                        let group = groups.entry(name.clone()).or_default();
                        group.counts.add(Figure::ApprovalsGiven, answers.count());
                        group.answers.merge(answers);
                    }
                }
                GroupBy::EventType => {
                    for (event_type, events) in &day.event_types {
                        *groups.entry(event_type.clone()).or_default().events.get_or_insert(0) += events;
                    }
                }
            }
        }
        let mut busiest_approvers: Vec<_> =
            approvers.into_iter().map(|(person, given)| (person.to_owned(), given)).collect();
        busiest_approvers.sort_by(|(left, much), (right, more)| more.cmp(much).then(left.cmp(right)));
        busiest_approvers.truncate(NAMED);
        let [slowest_approvers, slowest_groups] = answers.map(slowest);
        Self { totals, groups, busiest_approvers, slowest_approvers, slowest_groups }
    }
}

/// Those with the highest means, and at equal means in the order of their names.
fn slowest(answers: BTreeMap<&str, Answers>) -> Vec<(String, Answers)> {
    let named = answers.into_iter().filter(|(name, _)| *name != OTHER);
    let mut slowest: Vec<_> = named.map(|(name, answers)| (name.to_owned(), answers)).collect();
    slowest.sort_by_key(|(_, answers)| std::cmp::Reverse(answers.average()));
    slowest.truncate(NAMED);
    slowest
}

impl GroupFigures {
    fn add_day(&mut self, day: &DayFigures) {
        *self.events.get_or_insert(0) += day.event_types.values().sum::<u64>();
        self.counts.merge(&day.counts);
        self.time_to_decision.merge(&day.time_to_decision);
        self.costs.merge(&day.costs);
        day.approvers.values().for_each(|answers| self.answers.merge(answers));
    }
}
