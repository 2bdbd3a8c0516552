//! Operations that run without a second pair of eyes.

use super::{Lint, MAX_PROPOSALS, Name, Severity, is_too_expensive, subject};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::Action;
use countersign_core::policy::rules::Proposal;
use countersign_core::policy::rules::samples::SampleSpace;
use countersign_core::policy::search::{AccessCheck, Search, SearchResult, kind_of};
use countersign_core::principal::Principal;
use countersign_core::requirements::Requirements;
use countersign_core::risk::Environment;
use countersign_core::slots::Groups;
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator;

/// Who may ask for something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Anybody,
    Group(String),
    Agents,
    Services,
    Named(PersonId),
}

impl Who {
    /// The groups that they are in.
    fn groups(&self) -> Groups {
        match self {
            Self::Group(group) => Groups::from([group.clone()]),
            Self::Anybody | Self::Agents | Self::Services | Self::Named(_) => Groups::new(),
        }
    }

    /// People, agents and services who are that.
    fn actors(&self, policy: &Policy) -> Vec<Principal> {
        let actor = |person: PersonId, kind: PrincipalKind| {
            let groups = self.groups();
            Principal::assumed(person, kind, Channel::Api, groups.iter().map(String::as_str))
        };
        match self {
            Self::Anybody => vec![actor(PersonId::somebody(), PrincipalKind::Human)],
            Self::Group(_) => PrincipalKind::iter().map(|kind| actor(PersonId::somebody(), kind)).collect(),
            Self::Agents => vec![actor(PersonId::somebody(), PrincipalKind::Agent)],
            Self::Services => vec![actor(PersonId::somebody(), PrincipalKind::Service)],
            Self::Named(person) => vec![actor(person.clone(), kind_of(policy, person))],
        }
    }
}

/// In which environments who may have it run at once.
type Unwatched = BTreeMap<Who, BTreeSet<Environment>>;

/// What needs no approval, and who may ask for it.
pub(super) fn lint(policy: &Policy, space: &SampleSpace, search: &mut Search<'_>) -> Vec<Lint> {
    let known = policy.people().groups();
    let single = known.iter().map(|group| Groups::from([group.clone()]));
    let groups: Vec<Groups> = std::iter::once(Groups::new()).chain(single).collect();
    let mut lints = Vec::new();
    // What is not listed is high, and high takes two people.
    for operation in policy.rules().operations() {
        let space =
            SampleSpace { operations: vec![operation.to_owned()], groups: groups.clone(), ..space.clone() };
        let mut unwatched = Unwatched::new();
        for proposal in space.proposals().take(MAX_PROPOSALS) {
            let requirements = policy.assess(&proposal).requirements;
            if requirements.approvals_required > 0 || is_too_expensive(&requirements, proposal.estimated_cost)
            {
                continue;
            }
            for who in who_may_ask(policy, search, &proposal, &requirements) {
                unwatched.entry(who).or_default().insert(requirements.environment);
            }
        }
        let takes_somebody = |proposal: Proposal<'_>| {
            let requirements = policy.assess(&proposal).requirements;
            let is_unwatched = |(who, environments): (&Who, &BTreeSet<Environment>)| {
                who.groups() == *proposal.requester_groups && environments.contains(&requirements.environment)
            };
            requirements.approvals_required > 0 && unwatched.iter().any(is_unwatched)
        };
        if !unwatched.is_empty() {
            let depends = space.proposals().take(MAX_PROPOSALS).any(takes_somebody);
            lints.push(told(operation, &unwatched, known, depends));
        }
    }
    lints
}

/// Who in the proposal's groups may ask for it. If every person may, no group is of interest.
fn who_may_ask(
    policy: &Policy,
    search: &mut Search<'_>,
    proposal: &Proposal<'_>,
    requirements: &Requirements,
) -> Vec<Who> {
    let named: Vec<Who> = search.people().iter().cloned().map(Who::Named).collect();
    let mut may = |who: &Who| {
        who.actors(policy).into_iter().any(|actor| {
            let subject = subject(&actor.person, proposal, requirements);
            let check = AccessCheck { actions: &[Action::Create], subject, is_own: true };
            search.ever(&check, std::slice::from_ref(&actor)) == SearchResult::Somebody
        })
    };
    let candidates = match proposal.requester_groups.first() {
        Some(group) => vec![Who::Group(group.clone())],
        None if may(&Who::Anybody) => return vec![Who::Anybody],
        None => [Who::Agents, Who::Services].into_iter().chain(named).collect(),
    };
    candidates.into_iter().filter(|who| may(who)).collect()
}

fn told(operation: &str, unwatched: &Unwatched, known: &Groups, depends: bool) -> Lint {
    let environments: BTreeSet<Environment> = unwatched.values().flatten().copied().collect();
    let environments: Vec<_> = environments.iter().rev().map(|environment| environment.as_str()).collect();
    let at_times = if depends { ", for some instances or costs" } else { "" };
    let what = format!("needs no approval in {}{at_times}", environments.join(" and "));
    let path = ["operations", operation];
    if unwatched.contains_key(&Who::Anybody) {
        let message = format!("{what}, and anybody may ask for it: even somebody in no group");
        return Lint::new(Severity::Warning, Name::AnybodyUnapproved, &path, message);
    }
    let groups: Groups = unwatched.keys().flat_map(Who::groups).collect();
    if groups == *known {
        let message = format!("{what}, and anybody may ask for it who is in any group");
        return Lint::new(Severity::Warning, Name::AnybodyUnapproved, &path, message);
    }
    let in_groups = (!groups.is_empty()).then(|| format!("whoever is in {}", one_of(groups)));
    let others = unwatched.keys().filter_map(|who| match who {
        Who::Anybody | Who::Group(_) => None,
        Who::Agents => Some("any agent".to_owned()),
        Who::Services => Some("any service".to_owned()),
        Who::Named(person) => Some(format!("`{person}`")),
    });
    let who = one_of(in_groups.into_iter().chain(others));
    let message = format!("{what}: {who} starts it without a second pair of eyes");
    Lint::new(Severity::Note, Name::NoApprovalNeeded, &path, message)
}

/// `a, b or c`.
fn one_of(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.join(""),
    }
}
