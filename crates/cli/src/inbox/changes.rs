//! What has changed of a request while a person had it in front of them, in words.

use countersign_api::wire::{CommentBody, DecisionBody, RequestBody};
use countersign_core::text::escaped_line;
use std::collections::{BTreeMap, BTreeSet};

/// How many people a message names.
const MOST_PEOPLE: usize = 5;

/// What has changed, the most important first; never empty when the two are not the same.
pub fn changes(before: &RequestBody, after: &RequestBody) -> Vec<String> {
    let mut changes = Vec::new();
    let is_other_content = before.parameters != after.parameters
        || before.content != after.content
        || before.estimated_cost != after.estimated_cost;
    if is_other_content || asked(before) != asked(after) {
        changes.push("what is asked for".to_owned());
    }
    if before.status != after.status {
        changes.push(format!("it is {}", escaped_line(&after.status)));
    }
    for (person, verb) in people(before, after) {
        let change = format!("{} {verb}", escaped_line(person));
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    let rest = [
        (before.approvals_received != after.approvals_received, "how many approvals count"),
        (is_counted_anew(before, after), "which approvals count"),
        (!are_terms_same(before, after), "what approvals it takes"),
        (before.blocked_by != after.blocked_by, "what blocks it"),
        (before.expires_at != after.expires_at, "its deadline"),
        (before.requester_groups != after.requester_groups, "the groups of its requester"),
    ];
    changes.extend(rest.iter().filter(|(is_changed, _)| *is_changed).map(|(_, what)| (*what).to_owned()));
    if changes.is_empty() && before != after {
        changes.push("what is on record of it".to_owned());
    }
    changes
}

/// Who has approved, commented or taken an approval back since.
fn people<'a>(before: &'a RequestBody, after: &'a RequestBody) -> Vec<(&'a str, &'a str)> {
    let approvers = |request: &'a RequestBody| request.approved_by.iter().collect::<BTreeSet<_>>();
    let (earlier, later) = (approvers(before), approvers(after));
    let approved = later.difference(&earlier).map(|person| (person.as_str(), "approved"));
    let withdrew = earlier.difference(&later).map(|person| (person.as_str(), "no longer approves"));
    let known: BTreeSet<_> = before.comments.iter().map(said).collect();
    let new = after.comments.iter().filter(|comment| !known.contains(&said(comment)));
    let commented = new.map(|comment| (comment.user.as_str(), comment.action.as_str()));
    // A message has to fit.
    approved.chain(withdrew).chain(commented).take(MOST_PEOPLE).collect()
}

fn said(comment: &CommentBody) -> [&str; 4] {
    [&comment.user, &comment.timestamp, &comment.action, &comment.comment]
}

fn asked(request: &RequestBody) -> [Option<&str>; 14] {
    [
        Some(request.request_id.as_str()),
        Some(request.operation_type.as_str()),
        Some(request.instance_id.as_str()),
        Some(request.environment.as_str()),
        Some(request.risk_level.as_str()),
        Some(request.requested_by.as_str()),
        request.justification.as_deref(),
        request.filed_by.as_deref(),
        request.owner.as_deref(),
        request.estimated_duration.as_deref(),
        request.ticket.as_deref(),
        request.rollback_plan.as_deref(),
        request.parameters_digest.as_deref(),
        request.content_digest.as_deref(),
    ]
}

/// Whether an approval counts that did not, or the other way round.
fn is_counted_anew(before: &RequestBody, after: &RequestBody) -> bool {
    let earlier: BTreeMap<_, _> = before.decisions.iter().map(counting).collect();
    let mut later = after.decisions.iter().map(counting);
    later.any(|(event, counts)| earlier.get(event).is_some_and(|earlier| *earlier != counts))
}

fn counting(decision: &DecisionBody) -> (&str, (Option<bool>, Option<&str>)) {
    (&decision.event_id, (decision.counts, decision.reason.as_deref()))
}

fn are_terms_same(before: &RequestBody, after: &RequestBody) -> bool {
    (before.approvals_required, before.digest_required, &before.policy_version)
        == (after.approvals_required, after.digest_required, &after.policy_version)
        && before.slots == after.slots
        && before.rules == after.rules
}
