//! Figures of a range of days.

use super::Member;
use crate::openapi::values::{count, described, list, names, reference, string};
use countersign_figures::report::GroupBy;
use serde_json::json;
use strum::IntoEnumIterator;

pub(super) fn stats() -> Vec<Member> {
    let day = || json!({ "type": "string", "format": "date" });
    vec![
        ("from*", described(day(), "The first day.")),
        ("to*", described(day(), "The last day.")),
        ("group_by*", names(GroupBy::iter())),
        ("log_size*", described(count(), "How many events of the audit log are in the figures.")),
        ("totals*", described(reference("Figures"), "Of all groups.")),
        ("groups*", described(list(reference("Group")), "In the order of names.")),
        (
            "busiest_approvers*",
            described(list(reference("Approver")), "Who decided most, those first: at most ten."),
        ),
        (
            "slowest_approvers*",
            described(
                list(reference("Slowest")),
                "Who took longest to decide, by the mean, those first: at most ten.",
            ),
        ),
        (
            "slowest_groups*",
            described(
                list(reference("Slowest")),
                "The groups whose members took longest to approve, by the mean, those first: at most ten.",
            ),
        ),
    ]
}

pub(super) fn group() -> Vec<Member> {
    vec![
        (
            "name*",
            described(
                string(),
                "The day, person, operation, group or type of event; `(other)` for all that a day had no place for.",
            ),
        ),
        ("figures*", reference("Figures")),
    ]
}

pub(super) fn figures() -> Vec<Member> {
    let number = |about: &str| described(count(), about);
    vec![
        ("events", number("Audit events; absent of persons, operations and groups.")),
        ("total*", number("Requests that were made.")),
        ("approved*", number("Requests that approvers approved, each at its first time.")),
        ("rejected*", number("Requests that an approver rejected.")),
        ("expired*", number("Requests whose deadline passed.")),
        ("cancelled*", number("Requests that were given up.")),
        ("executed*", number("Requests whose execution succeeded.")),
        ("failed*", number("Requests whose execution failed.")),
        (
            "unknown*",
            number("Requests whose execution was silent for as long as its lease, each at its first time."),
        ),
        ("auto_approved*", number("Requests that policy approved when they were made.")),
        ("refused*", number("Calls that were refused.")),
        ("approvals_given*", number("Approvals that were given.")),
        ("rejections_given*", number("Rejections that were given.")),
        (
            "rejection_rate",
            described(
                json!({ "type": "number", "minimum": 0, "maximum": 1 }),
                "Rejected requests as a part of those that approvers decided; absent if they decided none.",
            ),
        ),
        (
            "time_to_decision",
            described(
                reference("Durations"),
                "From a request to its approval or rejection; absent if there was none, and of persons, groups and types of events.",
            ),
        ),
        (
            "time_to_answer",
            described(
                reference("Answers"),
                "From a request to an approval or rejection of one person, or to an approval of a member of a group; absent if there \
                 was none, and of operations and types of events.",
            ),
        ),
        (
            "estimated_cost",
            described(
                reference("Amounts"),
                "What the requests that were made were estimated to cost; absent if none named it, and of persons, groups and types \
                 of events.",
            ),
        ),
        (
            "actual_cost",
            described(
                reference("Amounts"),
                "What executions that ended were reported to cost; absent if none was, and of persons, groups and types of events.",
            ),
        ),
    ]
}

pub(super) fn answers() -> Vec<Member> {
    vec![
        ("count*", described(count(), "How many approvals and rejections there are.")),
        ("average_milliseconds*", described(count(), "Their mean.")),
    ]
}

pub(super) fn amounts() -> Vec<Member> {
    vec![
        ("count*", described(count(), "How many there are.")),
        (
            "sum*",
            described(
                json!({ "type": "number", "minimum": 0 }),
                "All of them together, each rounded to a millionth.",
            ),
        ),
    ]
}

pub(super) fn slowest() -> Vec<Member> {
    vec![
        ("name*", described(string(), "The person or the group.")),
        ("time_to_answer*", reference("Answers")),
    ]
}

pub(super) fn durations() -> Vec<Member> {
    vec![
        ("count*", described(count(), "How many there are.")),
        ("average_milliseconds*", described(count(), "Their mean.")),
        (
            "median_milliseconds*",
            described(count(), "The duration that half of them are not above, within 5 %."),
        ),
        ("p95_milliseconds*", described(count(), "The duration that 95 of 100 are not above, within 5 %.")),
    ]
}

pub(super) fn approver() -> Vec<Member> {
    vec![
        ("person*", string()),
        ("decisions*", described(count(), "How many approvals and rejections the person gave.")),
    ]
}
