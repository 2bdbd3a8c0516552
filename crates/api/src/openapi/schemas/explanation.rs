//! The members of an explanation and of its parts.

use super::{Member, approvals_required, slots};
use crate::openapi::values::{
    boolean, count, described, digest, environment, list, names, reference, risk_level, string, time, uuid,
};
use crate::problem::Code;
use countersign_core::command::CommandName;
use strum::IntoEnumIterator;

pub(super) fn explanation() -> Vec<Member> {
    let head = vec![
        ("request_id*", uuid()),
        ("status*", reference("Status")),
        ("risk_level*", described(risk_level(), "The effective one.")),
        ("environment*", described(environment(), "The effective one.")),
        approvals_required(),
    ];
    let who = "Who can still give what is missing: each entry is a list of groups, and a person who is in all groups of one entry can. Empty unless the request is pending.";
    let rest = vec![
        ("policy_version*", described(digest(), "SHA-256 of the policy that it was made under.")),
        ("rules*", described(list(reference("Rule")), "What each part of that policy demanded.")),
        ("current_policy_version*", described(digest(), "SHA-256 of the current policy.")),
        (
            "current_rules*",
            described(
                list(reference("Rule")),
                "What each part of the current policy would demand. While the request is pending or approved, \
                 the stricter of both holds.",
            ),
        ),
        (
            "blocked_by",
            described(
                list(string()),
                "Why it cannot go ahead, one sentence each: its requester, or the owner of its requester, is \
                 disabled.",
            ),
        ),
        ("approvals*", described(list(reference("Approval")), "Those on record.")),
        ("missing*", reference("Missing")),
        ("approvers*", described(list(list(string())), who)),
        ("actions*", described(list(reference("Action")), "What the caller may do to it.")),
        ("otherwise*", described(string(), "What happens if no call changes the request.")),
        ("deadline", described(time(), "When that happens. Absent where nothing happens by itself.")),
    ];
    [head, slots(), rest].concat()
}

/// The commands that an explanation is about: those of people on a request.
const ACTIONS: [CommandName; 7] = [
    CommandName::Approve,
    CommandName::Reject,
    CommandName::Withdraw,
    CommandName::Cancel,
    CommandName::Comment,
    CommandName::Start,
    CommandName::Finish,
];

pub(super) fn approval() -> Vec<Member> {
    vec![
        ("person*", string()),
        ("groups*", described(list(string()), "The groups that they were in.")),
        ("counts*", described(boolean(), "Whether it counts under the current policy.")),
        ("reason", described(string(), "Why not.")),
    ]
}

pub(super) fn missing() -> Vec<Member> {
    vec![
        ("slots*", described(list(reference("Slot")), "Those that are open.")),
        ("from_anybody*", described(count(), "How many more, from any person who may approve.")),
    ]
}

pub(super) fn action() -> Vec<Member> {
    vec![
        ("action*", names(ACTIONS)),
        ("permitted*", described(boolean(), "Whether it would be accepted now.")),
        ("code", described(names(Code::iter()), "Of the problem that would be the answer.")),
        ("reasons", described(list(string()), "Why not: the `reasons` of that problem.")),
    ]
}
