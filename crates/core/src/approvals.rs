//! Which of the approvals on record count now, and what they fill.
//!
//! An approval is a fact that stays on record. Whether it counts is asked again at every decision
//! and at the start: its giver may have been disabled, have turned out to be the requester by
//! another address, or no longer be a person whom policy lets approve.

use crate::caller::PrincipalKind;
use crate::person::PersonId;
use crate::policy::Policy;
use crate::policy::access::{AccessDecision, Action};
use crate::policy::people;
use crate::policy::request_view::RequestView;
use crate::principal::Principal;
use crate::request::Decision;
use crate::requirements::Requirements;
use crate::slots::{Groups, SlotAssignment};
use std::collections::BTreeSet;

/// The approvals of a request, by whether they count.
#[derive(Debug, Clone, PartialEq)]
pub struct Approvals<'a> {
    /// Those that do: one for each person.
    pub counting: Vec<&'a Decision>,
    /// Those that do not, and why.
    pub discounted: Vec<(&'a Decision, String)>,
}

impl<'a> Approvals<'a> {
    /// Asks of each approval on record whether it counts under a policy and what it demands now.
    pub fn of(request: &'a impl RequestView, requirements: &Requirements, policy: &Policy) -> Self {
        let people = policy.people();
        let mut counted: BTreeSet<PersonId> = BTreeSet::new();
        // A retired address is no sign that its two holders are one.
        let is_new = |known: &BTreeSet<PersonId>, counted: &BTreeSet<PersonId>| {
            known.iter().all(|address| people.is_retired(address) || !counted.contains(address))
        };
        let mut approvals = Self { counting: Vec::new(), discounted: Vec::new() };
        for decision in request.approvals() {
            // INVARIANT: all that was known of its giver then, and all persons who have any of it now. An
            // address that has gone from one person to another makes them one, unless people.toml
            // says whose it was.
            let mut known = decision.addresses.clone();
            known.extend(people.addresses(people.maker(&decision.person)));
            let moved = decision.addresses.iter().filter(|address| !people.is_retired(address));
            known.extend(moved.flat_map(|address| people.addresses(address)));
            match reason_against(request, decision, &known, requirements, policy) {
                Some(reason) => approvals.discounted.push((decision, reason)),
                None if is_new(&known, &counted) => {
                    counted.extend(known);
                    approvals.counting.push(decision);
                }
                None => {
                    let reason = format!("`{}` has approved by another address already", decision.person);
                    approvals.discounted.push((decision, reason));
                }
            }
        }
        approvals
    }

    /// How far they fill what is demanded, together with an approver in these groups.
    pub fn slot_assignment(
        &self,
        requirements: &Requirements,
        additional: Option<&Groups>,
    ) -> SlotAssignment {
        let people: Vec<&Groups> =
            self.counting.iter().map(|decision| &decision.groups).chain(additional).collect();
        requirements.slots.fill(requirements.approvals_required, &people)
    }

    /// Why approvals on record do not count, and what is missing: sentences, if anything is.
    pub fn shortfall(&self, requirements: &Requirements) -> Vec<String> {
        let slot_assignment = self.slot_assignment(requirements, None);
        if slot_assignment.is_complete() {
            return Vec::new();
        }
        let discounted = self.discounted.iter().map(|(_, reason)| reason.clone());
        discounted.chain([format!("missing: {slot_assignment}")]).collect()
    }
}

/// Why an approval does not count, if so. `known` is every address of its giver.
fn reason_against(
    request: &impl RequestView,
    decision: &Decision,
    known: &BTreeSet<PersonId>,
    requirements: &Requirements,
    policy: &Policy,
) -> Option<String> {
    let people = policy.people();
    let person = people.maker(&decision.person);
    // A retired address says nothing of its other holder.
    if known.iter().any(|address| !people.is_retired(address) && people.is_disabled(address)) {
        return Some(format!("`{person}` has been disabled"));
    }
    if people.is_unlisted(person) {
        return Some(format!("`{person}` is not listed in {}", people::FILE));
    }
    if known.iter().any(|address| people.is_non_human(address)) {
        return Some(format!("`{person}` is no human"));
    }
    let groups = decision.groups.iter().map(String::as_str);
    let mut approver = Principal::assumed(person.clone(), PrincipalKind::Human, decision.channel, groups);
    approver.addresses.extend(known.iter().cloned());
    approver.source_ip = decision.source_ip;
    if approver.kind != PrincipalKind::Human {
        return Some(format!("`{person}` is no human"));
    }
    if let Some(restored_at) = policy.lapsed_by_restore(decision.at) {
        return Some(format!("`{person}` approved before the store was restored at {restored_at}"));
    }
    if policy.has_conflict_of_interest(&approver, request) {
        return Some(format!("the request is one of `{person}`'s own"));
    }
    if requirements.digest_required && !decision.digest_presented {
        return Some(format!(
            "`{person}` did not name the digest of what they were shown, which policy requires"
        ));
    }
    // With the groups and at the time of the approval: a later change of groups does not matter,
    // and office hours are those of the approval. What they were shown then, they were shown.
    match policy.may(Action::Approve, &approver, request, decision.at) {
        AccessDecision::Permitted => None,
        AccessDecision::Denied(reasons) => {
            Some(format!("policy no longer lets `{person}` approve: {}", reasons.join("; ")))
        }
    }
}
