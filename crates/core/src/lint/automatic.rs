//! Operations that run without a second pair of eyes.

use super::{Lint, MAX_PROPOSALS, Severity, is_too_expensive};
use crate::access::{Action, Target};
use crate::actor::{Actor, Channel, Kind};
use crate::person::PersonId;
use crate::policy::Policy;
use crate::risk::Environment;
use crate::rules::Proposal;
use crate::rules::representatives::Space;
use crate::slots::Groups;
use crate::terms::Terms;
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Hours of a week at which is asked who may ask for an operation: every hour of the day is among them.
const EVERY_HOURS: u32 = 7;

/// What needs no approval, and who may ask for it.
pub(super) fn lint(policy: &Policy, space: &Space, now: Timestamp) -> Vec<Lint> {
    let known = policy.people().groups();
    let single = known.iter().map(|group| Groups::from([group.clone()]));
    let groups: Vec<Groups> = std::iter::once(Groups::new()).chain(single).collect();
    let mut askers = Askers { policy, now, known: BTreeMap::new() };
    let mut lints = Vec::new();
    // What is not listed is high, and high takes two people.
    for operation in policy.rules().operations() {
        let space = Space { operations: vec![operation.to_owned()], groups: groups.clone(), ..space.clone() };
        let mut by_who: BTreeMap<Option<String>, BTreeSet<Environment>> = BTreeMap::new();
        let mut depends = false;
        for proposal in space.proposals().take(MAX_PROPOSALS) {
            let terms = policy.assess(&proposal).terms;
            if terms.approvals_required > 0 || is_too_expensive(&terms, proposal.estimated_cost) {
                continue;
            }
            if askers.may_ask(&proposal, &terms) {
                let who = proposal.requester_groups.first().cloned();
                by_who.entry(who).or_default().insert(terms.environment);
            }
        }
        for proposal in space.proposals().take(MAX_PROPOSALS) {
            let terms = policy.assess(&proposal).terms;
            let who = proposal.requester_groups.first().cloned();
            let is_automatic = by_who.get(&who).is_some_and(|all| all.contains(&terms.environment));
            depends |= is_automatic && terms.approvals_required > 0;
        }
        if !by_who.is_empty() {
            lints.push(told(operation, &by_who, known, depends));
        }
    }
    lints
}

fn told(
    operation: &str,
    by_who: &BTreeMap<Option<String>, BTreeSet<Environment>>,
    known: &Groups,
    depends: bool,
) -> Lint {
    let environments: BTreeSet<Environment> = by_who.values().flatten().copied().collect();
    let environments: Vec<_> = environments.iter().rev().map(|environment| environment.as_str()).collect();
    let at_times = if depends { ", for some instances or costs" } else { "" };
    let what = format!("needs no approval in {}{at_times}", environments.join(" and "));
    let path = ["operations", operation];
    if by_who.contains_key(&None) {
        let message = format!("{what}, and anybody may ask for it: even somebody in no group");
        return Lint::new(Severity::Warning, &path, message);
    }
    let groups: Groups = by_who.keys().flatten().cloned().collect();
    if groups == *known {
        let message = format!("{what}, and anybody may ask for it who is in any group");
        return Lint::new(Severity::Warning, &path, message);
    }
    let groups: Vec<_> = groups.into_iter().collect();
    let groups = match groups.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => groups.join(""),
    };
    let message = format!("{what}: whoever is in {groups} starts it without a second pair of eyes");
    Lint::new(Severity::Note, &path, message)
}

/// Who may ask for what, with the answers that are known.
struct Askers<'a> {
    policy: &'a Policy,
    now: Timestamp,
    known: BTreeMap<(Option<String>, String), bool>,
}

impl Askers<'_> {
    /// Whether somebody in the proposal's groups may ask for it: at some hour of a week, from
    /// nowhere in particular or from an address that policy itself names.
    fn may_ask(&mut self, proposal: &Proposal<'_>, terms: &Terms) -> bool {
        let what = match self.policy.tells_requests_apart(Action::Create) {
            true => super::in_words(proposal, terms),
            false => String::new(),
        };
        let question = (proposal.requester_groups.first().cloned(), what);
        if let Some(known) = self.known.get(&question) {
            return *known;
        }
        let answer = self.find(proposal, terms);
        self.known.insert(question, answer);
        answer
    }

    fn find(&self, proposal: &Proposal<'_>, terms: &Terms) -> bool {
        let groups = proposal.requester_groups.iter().map(String::as_str);
        let mut actor = Actor::new(PersonId::somebody(), Kind::Human, Channel::Api, groups);
        let target = Target {
            operation_type: proposal.operation_type,
            instance_id: proposal.instance_id,
            environment: terms.environment,
            risk_level: terms.risk_level,
            estimated_cost: proposal.estimated_cost,
            requested_by: &PersonId::somebody(),
        };
        let sources = std::iter::once(None).chain(self.policy.addresses().into_iter().map(Some));
        for source_ip in sources {
            actor.source_ip = source_ip;
            for hour in 0..24 {
                let now = self.now.plus_seconds(hour * EVERY_HOURS * 60 * 60);
                if self.policy.ask(Action::Create, &actor, target, true, now).is_permitted() {
                    return true;
                }
            }
        }
        false
    }
}
