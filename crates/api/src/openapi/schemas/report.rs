//! The report on a period.

use super::Member;
use crate::openapi::values::{boolean, count, described, list, names, reference, string, time, uuid};
use countersign_core::period::Period;
use countersign_figures::period_report::Alert;
use serde_json::json;
use strum::IntoEnumIterator;

pub(super) fn report() -> Vec<Member> {
    let day = || json!({ "type": "string", "format": "date" });
    vec![
        ("period*", names(Period::iter())),
        ("name*", described(string(), "Its name: `2026-01-31`, `2026-W05` or `2026-01`.")),
        ("from*", described(day(), "Its first day.")),
        ("to*", described(day(), "Its last day.")),
        ("over*", described(boolean(), "Whether it is over: the figures of one that is not grow.")),
        ("made_at*", described(time(), "When the report was made.")),
        ("log_size*", described(count(), "How many events of the audit log are in the figures.")),
        (
            "uncounted*",
            described(count(), "How many events the log has besides: few, unless it is counted anew."),
        ),
        ("outcomes*", reference("Outcomes")),
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
                reference("DecisionTimes"),
                "From a request to its approval or rejection; absent if there was none.",
            ),
        ),
        ("waiting*", described(reference("Waiting"), "As of `made_at`.")),
        (
            "people*",
            described(
                list(reference("PersonFigures")),
                "Who asked and decided, those first who did most; `(other)` for all that a day had no place for.",
            ),
        ),
        (
            "alerts*",
            described(
                list(names(Alert::iter())),
                "`many_rejections`: 30 % or more of what approvers decided. `slow_decisions`: 24 hours or more on average.",
            ),
        ),
        (
            "stuck_executions",
            described(
                count(),
                "Executions of which nothing was heard for as long as their lease. In the report on a month alone.",
            ),
        ),
        (
            "dead_letters",
            described(reference("DeadLetters"), "As of `made_at`. In the report on a month alone."),
        ),
    ]
}

pub(super) fn outcomes() -> Vec<Member> {
    let number = |about: &str| described(count(), about);
    vec![
        ("requested*", number("Requests that were made.")),
        ("auto_approved*", number("Requests that policy approved when they were made.")),
        ("approved*", number("Requests that approvers approved, each at its first time.")),
        ("rejected*", number("Requests that an approver rejected.")),
        ("expired*", number("Requests whose deadline passed.")),
        ("cancelled*", number("Requests that were given up.")),
        ("executed*", number("Requests whose execution succeeded.")),
        ("failed*", number("Requests whose execution failed.")),
    ]
}

pub(super) fn decision_times() -> Vec<Member> {
    vec![
        ("count*", described(count(), "How many there are.")),
        ("average_milliseconds*", described(count(), "Their mean.")),
        ("shortest_milliseconds*", described(count(), "The shortest.")),
        ("longest_milliseconds*", described(count(), "The longest.")),
        ("p95_milliseconds*", described(count(), "The one that 95 of 100 are not above, within 5 %.")),
    ]
}

pub(super) fn waiting() -> Vec<Member> {
    vec![
        (
            "count*",
            described(count(), "How many requests are pending, as far as they were counted: at most 1,000."),
        ),
        ("more*", described(boolean(), "Whether there are more.")),
        (
            "oldest",
            described(
                reference("OldestRequest"),
                "The one that has waited longest, of those that were counted; absent if none waits.",
            ),
        ),
    ]
}

pub(super) fn oldest_request() -> Vec<Member> {
    vec![("request_id*", uuid()), ("requested_at*", time())]
}

pub(super) fn person_figures() -> Vec<Member> {
    vec![
        ("person*", string()),
        ("requested*", described(count(), "Requests that the person made.")),
        ("approved*", described(count(), "Approvals that the person gave.")),
        ("rejected*", described(count(), "Rejections that the person gave.")),
    ]
}

pub(super) fn dead_letters() -> Vec<Member> {
    vec![
        ("events*", described(count(), "Events that could not be published.")),
        ("deliveries*", described(count(), "Deliveries to single destinations.")),
    ]
}
