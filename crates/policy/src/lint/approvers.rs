//! Requirements that no approver could meet.

use super::{Lint, Name, Severity, in_words, is_too_expensive, subject, tried};
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::TO_APPROVE;
use countersign_core::policy::inspection;
use countersign_core::policy::rules::samples::SampleSpace;
use countersign_core::policy::rules::{Assessment, MAX_APPROVALS, Proposal, Rule};
use countersign_core::policy::search::{Search, SearchResult};
use countersign_core::requirements::Requirements;
use countersign_core::risk::Cost;
use countersign_core::slots::{Groups, Slots};
use std::collections::BTreeSet;

/// The most different demands for which people are looked for.
const MAX_DEMANDS: usize = 2_000;

/// Something about a request that is asked for, at its place in the policy.
type Reason = (Severity, Name, Vec<String>, String);

/// Requests that could never be approved, and those that take people in groups that the demand does not
/// name: one example of each.
pub(super) fn lint(policy: &Policy, space: &SampleSpace, search: &mut Search<'_>) -> Vec<Lint> {
    let tells_apart = TO_APPROVE.into_iter().any(|action| policy.tells_requests_apart(action));
    let space = match tells_apart {
        // Authorizer policies may name operations that no rule tells apart.
        true => SampleSpace {
            operations: every_operation(policy, space),
            costs: every_cost(policy, space),
            ..space.clone()
        },
        false => space.clone(),
    };
    let mut demands = Effects { policy, search, requester: PersonId::expiry() };
    let mut asked = BTreeSet::new();
    let mut reasons = BTreeSet::new();
    let mut lints = Vec::new();
    for (proposal, assessment) in tried(policy, &space) {
        let requirements = &assessment.requirements;
        if requirements.approvals_required == 0 || is_too_expensive(requirements, proposal.estimated_cost) {
            continue;
        }
        let what = in_words(&proposal, requirements);
        let is_new = asked.insert((
            requirements.slots.to_string(),
            requirements.approvals_required,
            if tells_apart { what.clone() } else { String::new() },
        ));
        if !is_new {
            continue;
        }
        if asked.len() > MAX_DEMANDS {
            let message = format!(
                "only the first {MAX_DEMANDS} different demands were tried for people who could meet them"
            );
            lints.push(Lint::new(Severity::Warning, Name::TooManyDemands, &["rules"], message));
            break;
        }
        for (severity, name, path, reason) in demands.reasons_against(&proposal, &assessment) {
            if reasons.insert((path.clone(), reason.clone())) {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                lints.push(Lint::new(severity, name, &path, format!("{reason}; for example {what}")));
            }
        }
    }
    lints
}

fn every_operation(policy: &Policy, space: &SampleSpace) -> Vec<String> {
    let unlisted =
        space.operations.iter().filter(|name| !policy.rules().operations().any(|known| known == *name));
    policy.rules().operations().map(str::to_owned).chain(unlisted.cloned()).collect()
}

/// Authorizer policies may tell costs apart that no rule does.
fn every_cost(policy: &Policy, space: &SampleSpace) -> Vec<Option<Cost>> {
    let mut costs = space.costs.clone();
    for cost in inspection::costs(policy).into_iter().map(Some) {
        if !costs.contains(&cost) {
            costs.push(cost);
        }
    }
    costs
}

/// What is demanded, held against who could meet it.
struct Effects<'a, 'b> {
    policy: &'a Policy,
    search: &'a mut Search<'b>,
    /// Another person than the approver. Any id will do that no policy names.
    requester: PersonId,
}

impl Effects<'_, '_> {
    /// What keeps people from approving a request, and the place in the policy that says so.
    fn reasons_against(&mut self, proposal: &Proposal<'_>, assessment: &Assessment) -> Vec<Reason> {
        let requirements = &assessment.requirements;
        let rules = self.policy.rules();
        let holding: Vec<&Rule> =
            rules.rules().iter().filter(|rule| rules.concerns(rule, proposal)).collect();
        let place = |rule: Option<&&Rule>| match rule {
            Some(rule) => vec!["rules".to_owned(), rule.name().to_owned()],
            None if rules.operations().any(|known| known == proposal.operation_type) => {
                vec!["operations".to_owned(), proposal.operation_type.to_owned()]
            }
            // Whatever is not listed has one place.
            None => vec!["operations".to_owned()],
        };
        if requirements.approvals_required > MAX_APPROVALS {
            let with_slots: Vec<&&Rule> = holding.iter().filter(|rule| !rule.slots().is_empty()).collect();
            let names: Vec<_> = with_slots.iter().map(|rule| rule.place()).collect();
            let reason = format!(
                "could never be approved: {} together demand {} approvals, and a request holds at most {MAX_APPROVALS}",
                names.join(", "),
                requirements.approvals_required
            );
            return vec![(
                Severity::Error,
                Name::TooManyApprovals,
                place(with_slots.first().copied()),
                reason,
            )];
        }
        let of_slots = requirements.slots.iter().filter_map(|(groups, people)| {
            let (severity, name, reason) =
                self.reason_against_slot(proposal, requirements, groups, people)?;
            let rule = holding.iter().find(|rule| rule.slots().iter().any(|(own, _)| own == groups));
            Some((severity, name, place(rule), reason))
        });
        let mut reasons: Vec<Reason> = of_slots.collect();
        let is_hopeless = reasons.iter().any(|(severity, ..)| *severity == Severity::Error);
        if !is_hopeless && !self.could_be_met(proposal, requirements) {
            let reason =
                "nobody could approve it: access.cedar lets nobody, whichever two groups they are in";
            reasons.push((Severity::Error, Name::NobodyApproves, place(None), reason.to_owned()));
        }
        reasons
    }

    fn could_be_met(&mut self, proposal: &Proposal<'_>, requirements: &Requirements) -> bool {
        self.search.could_meet(subject(&self.requester, proposal, requirements), requirements)
    }

    fn reason_against_slot(
        &mut self,
        proposal: &Proposal<'_>,
        requirements: &Requirements,
        groups: &Groups,
        people: u8,
    ) -> Option<(Severity, Name, String)> {
        let subject = subject(&self.requester, proposal, requirements);
        if self.search.alone(subject, groups) != SearchResult::Nobody {
            return None;
        }
        let demand = Slots::new([(groups.clone(), people)]);
        let groups_in_words = listed(groups.iter());
        match self.search.somebody(subject, groups) {
            SearchResult::Nobody => Some((
                Severity::Error,
                Name::SlotNeverFilled,
                format!(
                    "nobody could give {demand}: access.cedar lets nobody approve who is in {groups_in_words}, alone or with one other group"
                ),
            )),
            SearchResult::Somebody => {
                let helping = self.search.helping(subject, groups);
                Some((
                    Severity::Warning,
                    Name::SlotNeedsAnotherGroup,
                    format!(
                        "whoever is in {groups_in_words} alone could not give {demand}: access.cedar lets them approve only if they are in {} as well",
                        listed(helping.iter())
                    ),
                ))
            }
            SearchResult::CannotTell => None,
        }
    }
}

fn listed<'a>(groups: impl Iterator<Item = &'a String>) -> String {
    groups.map(String::as_str).collect::<Vec<_>>().join(" or ")
}
