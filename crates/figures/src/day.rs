//! The figures of one day in UTC, as one document of bounded size.

use crate::amounts::Amounts;
use crate::answers::Answers;
use crate::counts::{Counts, Figure};
use crate::extremes::Extremes;
use crate::histogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where everything is counted whose own name has no place in a document any more. No person and no operation is called this.
pub const OTHER: &str = "(other)";

/// Which members the documents of days have. Events that were counted into documents with fewer are counted anew.
pub const REVISION: u64 = 3;

/// How many bytes the persons of a day may take in its document. A year of the largest days is then less than 31 MB, which
/// is 31 reads.
const MAX_USER_BYTES: usize = 36_000;
/// The same of its operations.
const MAX_OPERATION_BYTES: usize = 20_000;
/// The same of its types of events.
const MAX_EVENT_TYPE_BYTES: usize = 6_000;
/// The same of those who decided.
const MAX_APPROVER_BYTES: usize = 14_000;
/// The same of their groups. A policy has 40 at most, which have a place each.
const MAX_GROUP_BYTES: usize = 4_500;
/// What a person takes besides the name: two figures, or three.
const USER_BYTES: usize = 60;
/// What an operation takes besides its name: figures, buckets of a histogram, and costs.
const OPERATION_BYTES: usize = 620;
/// What a type of events takes besides its name.
const EVENT_TYPE_BYTES: usize = 20;
/// What an approver or a group takes besides its name: a count and a sum.
const ANSWERS_BYTES: usize = 50;

/// What requests cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// As estimated, of requests that were made.
    pub estimated: Amounts,
    /// As reported, of executions that ended.
    pub actual: Amounts,
}

impl Costs {
    /// Adds all of others.
    pub fn merge(&mut self, others: &Self) {
        self.estimated.merge(&others.estimated);
        self.actual.merge(&others.actual);
    }

    fn is_empty(&self) -> bool {
        self.estimated.is_empty() && self.actual.is_empty()
    }
}

/// The figures of one operation on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationFigures {
    /// What is counted.
    pub counts: Counts,
    /// The times from a request to the decision on it.
    pub time_to_decision: Histogram,
    /// What its requests cost.
    #[serde(default, skip_serializing_if = "Costs::is_empty")]
    pub costs: Costs,
}

/// The figures of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayFigures {
    /// What is counted of all.
    pub counts: Counts,
    /// The times from a request to the decision on it, of decisions of this day.
    pub time_to_decision: Histogram,
    /// The shortest and the longest of these times.
    #[serde(default, skip_serializing_if = "Extremes::is_empty")]
    pub decision_extremes: Extremes,
    /// By operation.
    pub operations: BTreeMap<String, OperationFigures>,
    /// By person: of the requests that the person made, and of what the person decided and was refused.
    pub users: BTreeMap<String, Counts>,
    /// How many events there are of each type.
    pub event_types: BTreeMap<String, u64>,
    /// What requests cost.
    #[serde(default, skip_serializing_if = "Costs::is_empty")]
    pub costs: Costs,
    /// By person who decided: the times from a request to an approval or rejection of that person.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approvers: BTreeMap<String, Answers>,
    /// By group of those who approved: the times from a request to an approval of one of its members.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Answers>,
}

impl DayFigures {
    /// Counts something that happened to a request.
    pub(crate) fn count_request(&mut self, figure: Figure, operation: &str, requester: &str) {
        self.counts.add(figure, 1);
        self.operation(operation).counts.add(figure, 1);
        self.user(requester).add(figure, 1);
    }

    /// Counts what one person did.
    pub(crate) fn count_person(&mut self, figure: Figure, person: &str, more: u64) {
        self.counts.add(figure, more);
        self.user(person).add(figure, more);
    }

    pub(crate) fn count_event(&mut self, event_type: &str) {
        *entry(&mut self.event_types, event_type, EVENT_TYPE_BYTES, MAX_EVENT_TYPE_BYTES) += 1;
    }

    pub(crate) fn decided_after(&mut self, milliseconds: u64, operation: &str) {
        self.time_to_decision.record(milliseconds);
        self.decision_extremes.record(milliseconds);
        self.operation(operation).time_to_decision.record(milliseconds);
    }

    /// Counts how long one person took to decide on a request.
    pub(crate) fn answered_after(&mut self, milliseconds: u64, person: &str, groups: &[String]) {
        entry(&mut self.approvers, person, ANSWERS_BYTES, MAX_APPROVER_BYTES).record(milliseconds);
        for group in groups {
            entry(&mut self.groups, group, ANSWERS_BYTES, MAX_GROUP_BYTES).record(milliseconds);
        }
    }

    /// Counts what a request costs, of all and of its operation.
    pub(crate) fn costs(&mut self, operation: &str, record: impl Fn(&mut Costs)) {
        record(&mut self.costs);
        record(&mut self.operation(operation).costs);
    }

    fn operation(&mut self, name: &str) -> &mut OperationFigures {
        entry(&mut self.operations, name, OPERATION_BYTES, MAX_OPERATION_BYTES)
    }

    fn user(&mut self, name: &str) -> &mut Counts {
        entry(&mut self.users, name, USER_BYTES, MAX_USER_BYTES)
    }
}

/// The entry of a name, or the one of all others if the document has no place for another name. Which names have one follows
/// from the order of events alone, so that events in the same order give the same document.
fn entry<'a, T: Default>(
    entries: &'a mut BTreeMap<String, T>,
    name: &str,
    each: usize,
    at_most: usize,
) -> &'a mut T {
    let has_place = || {
        let taken: usize = entries.keys().map(|name| name.len() + each).sum();
        taken + name.len() + each <= at_most
    };
    let name = if entries.contains_key(name) || has_place() { name } else { OTHER };
    entries.entry(name.to_owned()).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest days of a year are at most 31 reads of 1 MB.
    #[test]
    fn a_day_of_many_names_stays_small_and_loses_nothing() {
        let mut day = DayFigures::default();
        for number in 0..5_000_u64 {
            let (operation, person) =
                (format!("operation_{}", number % 200), format!("person-{number}@example.com"));
            day.count_event(&format!("TYPE_{}", number % 300));
            day.count_request(Figure::Total, &operation, &person);
            day.count_request(Figure::Approved, &operation, &person);
            day.decided_after(number * 40_000, &operation);
            let approver = format!("approver-{}@example.com", number % 700);
            day.count_person(Figure::ApprovalsGiven, &approver, 1);
            let groups = [format!("group-of-the-longest-name-that-a-policy-takes-{:03}", number % 60)];
            day.answered_after(number * 40_000, &approver, &groups);
            day.costs(&operation, |costs| {
                costs.estimated.record("999999999999999.123456");
                costs.actual.record("0.000001");
            });
        }
        let size = serde_json::to_string(&day).unwrap().len();
        assert!(size < 84_000, "{size}");
        assert!(day.users.len() > 300 && day.users[OTHER].get(Figure::Total) > 0);
        let total = |figure| day.users.values().map(|counts| counts.get(figure)).sum::<u64>();
        assert_eq!((total(Figure::Total), total(Figure::ApprovalsGiven)), (5_000, 5_000));
        assert_eq!(day.event_types.values().sum::<u64>(), 5_000);
        let decided: u64 = day.operations.values().map(|figures| figures.time_to_decision.count()).sum();
        assert_eq!(decided, 5_000);
        assert!(day.approvers.len() > 150 && day.groups.len() > 40 && day.operations.len() > 30);
        for answers in [&day.approvers, &day.groups] {
            assert_eq!(answers.values().map(Answers::count).sum::<u64>(), 5_000);
        }
        let costs: u64 = day.operations.values().map(|figures| figures.costs.actual.count()).sum();
        assert_eq!((costs, day.costs.estimated.count()), (5_000, 5_000));
    }

    #[test]
    fn a_document_is_read_back() {
        let mut day = DayFigures::default();
        day.count_request(Figure::Total, "reboot", "ann@example.com");
        day.decided_after(1_234, "reboot");
        day.answered_after(1_234, "bob@example.com", &["dba".to_owned()]);
        day.costs("reboot", |costs| costs.actual.record("2.5"));
        let text = serde_json::to_string(&day).unwrap();
        assert_eq!(serde_json::from_str::<DayFigures>(&text).unwrap(), day);
    }

    /// A document of the first revision has neither costs nor answers.
    #[test]
    fn a_document_without_the_members_of_now_is_read() {
        let first = r#"{"counts":{"total":1},"time_to_decision":{"count":0,"sum":0,"buckets":{}},"operations":{"reboot":{"counts":{"total":1},"time_to_decision":{"count":0,"sum":0,"buckets":{}}}},"users":{"ann@example.com":{"total":1}},"event_types":{}}"#;
        let day: DayFigures = serde_json::from_str(first).unwrap();
        assert_eq!((day.counts.get(Figure::Total), day.approvers.len()), (1, 0));
        assert_eq!(serde_json::to_string(&day).unwrap(), first);
    }
}
