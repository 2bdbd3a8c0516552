//! Demands that nobody could meet.

use super::{Lint, Severity, in_words, is_too_expensive, tried};
use crate::access::{Action, Target};
use crate::actor::{AGENT_GROUP, Actor, Channel, Kind};
use crate::person::PersonId;
use crate::policy::Policy;
use crate::rules::representatives::Space;
use crate::rules::{Assessment, MAX_APPROVALS, Proposal, Rule};
use crate::slots::{Groups, Slots};
use crate::terms::Terms;
use crate::timestamp::Timestamp;
use std::collections::BTreeSet;

/// The most different demands for which people are looked for.
const MAX_DEMANDS: usize = 2_000;
/// The most questions that are put to policy in search of one person. Whether there is somebody cannot
/// be told after that, and what cannot be told is no error.
const MAX_QUESTIONS: usize = 100_000;
/// A week, for policies that ask for the time of day or the day of the week.
const HOURS: u32 = 7 * 24;
/// How far apart hours are that are asked about in turn: every hour of the day soon has its turn, and in
/// the end every hour of the week.
const STRIDE: u32 = 7 + 24;

/// Requests that could never be approved: one example of each reason.
pub(super) fn lint(policy: &Policy, space: &Space, now: Timestamp) -> Vec<Lint> {
    let tells_apart =
        policy.tells_requests_apart(Action::Approve) || policy.tells_requests_apart(Action::View);
    let space = match tells_apart {
        // Access policies may name operations that no rule tells apart.
        true => Space { operations: every_operation(policy, space), ..space.clone() },
        false => space.clone(),
    };
    let search = Search { policy, asker: somebody(), now };
    let mut asked = BTreeSet::new();
    let mut reasons = BTreeSet::new();
    let mut lints = Vec::new();
    for (proposal, assessment) in tried(policy, &space) {
        let terms = &assessment.terms;
        if terms.approvals_required == 0 || is_too_expensive(terms, proposal.estimated_cost) {
            continue;
        }
        let what = in_words(&proposal, terms);
        let demands = terms.slots.to_string();
        let is_new = asked.insert((
            demands,
            terms.approvals_required,
            if tells_apart { what.clone() } else { String::new() },
        ));
        if !is_new {
            continue;
        }
        if asked.len() > MAX_DEMANDS {
            let message = format!(
                "only the first {MAX_DEMANDS} different demands were tried for people who could meet them"
            );
            lints.push(Lint::new(Severity::Warning, &["rules"], message));
            break;
        }
        for (path, reason) in search.reasons_against(&proposal, &assessment) {
            if reasons.insert((path.clone(), reason.clone())) {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                lints.push(Lint::new(Severity::Error, &path, format!("{reason}; for example {what}")));
            }
        }
    }
    lints
}

fn every_operation(policy: &Policy, space: &Space) -> Vec<String> {
    let unlisted =
        space.operations.iter().filter(|name| !policy.rules().operations().any(|known| known == *name));
    policy.rules().operations().map(str::to_owned).chain(unlisted.cloned()).collect()
}

fn somebody() -> Actor {
    Actor::new(PersonId::somebody(), Kind::Human, Channel::Api, [])
}

/// The search for people who could approve.
struct Search<'a> {
    policy: &'a Policy,
    asker: Actor,
    now: Timestamp,
}

impl Search<'_> {
    /// Why a request could never be approved, and the place in the policy that says so.
    fn reasons_against(
        &self,
        proposal: &Proposal<'_>,
        assessment: &Assessment,
    ) -> Vec<(Vec<String>, String)> {
        let terms = &assessment.terms;
        let rules = self.policy.rules().rules();
        let holding: Vec<&Rule> =
            rules.iter().filter(|rule| self.policy.rules().concerns(rule, proposal)).collect();
        let operation = || vec!["operations".to_owned(), proposal.operation_type.to_owned()];
        let place = |rule: Option<&&Rule>| match rule {
            Some(rule) => vec!["rules".to_owned(), rule.name().to_owned()],
            None => operation(),
        };
        if terms.approvals_required > MAX_APPROVALS {
            let with_slots: Vec<&&Rule> = holding.iter().filter(|rule| !rule.slots().is_empty()).collect();
            let names: Vec<_> = with_slots.iter().map(|rule| rule.place()).collect();
            let reason = format!(
                "could never be approved: {} together demand {} approvals, and a request holds at most {MAX_APPROVALS}",
                names.join(", "),
                terms.approvals_required
            );
            return vec![(place(with_slots.first().copied()), reason)];
        }
        if self.could_be_met(proposal, terms) {
            return Vec::new();
        }
        let mut reasons = Vec::new();
        for (groups, people) in terms.slots.iter() {
            let slot = Slots::new([(groups.clone(), 1)]);
            let alone = Terms { slots: slot.clone(), approvals_required: 1, ..terms.clone() };
            if !self.could_be_met(proposal, &alone) {
                let rule = holding.iter().find(|rule| rule.slots().iter().any(|(own, _)| own == groups));
                let demand = Slots::new([(groups.clone(), people)]);
                reasons.push((place(rule), nobody_could_give(&demand, groups)));
            }
        }
        if reasons.is_empty() {
            let reason =
                "nobody could approve it: access.cedar lets nobody, whichever two groups they are in";
            reasons.push((operation(), reason.to_owned()));
        }
        reasons
    }

    /// Whether people could be found who fill the slots, and then give what is left to anybody: at some
    /// hour of a week, from nowhere in particular or from an address that policy itself names.
    fn could_be_met(&self, proposal: &Proposal<'_>, terms: &Terms) -> bool {
        let target = Target {
            operation_type: proposal.operation_type,
            instance_id: proposal.instance_id,
            environment: terms.environment,
            risk_level: terms.risk_level,
            estimated_cost: proposal.estimated_cost,
            requested_by: &self.asker.person,
        };
        let left_to_anybody = terms.approvals_required > terms.slots.total();
        terms.slots.iter().all(|(groups, _)| self.somebody_could(&target, groups))
            && (!left_to_anybody || self.somebody_could(&target, self.policy.people().groups()))
    }

    /// Whether somebody in one of these groups, and perhaps in another one, could approve.
    fn somebody_could(&self, target: &Target<'_>, wanted: &Groups) -> bool {
        // Whoever is an agent does not decide, whatever policy says.
        let wanted: Vec<&String> = wanted.iter().filter(|group| *group != AGENT_GROUP).collect();
        // A group that access policies do not name makes no difference to them.
        let named = self.policy.people().groups().iter().filter(|group| self.policy.names_group(group));
        let others: Vec<&String> = named.filter(|group| *group != AGENT_GROUP).collect();
        let pairs: BTreeSet<Groups> = wanted
            .iter()
            .flat_map(|group| {
                let pair = |other: &&String| Groups::from([(*group).clone(), (**other).clone()]);
                others.iter().map(pair).chain([Groups::from([(*group).clone()])]).collect::<Vec<_>>()
            })
            .collect();
        let mut sources = vec![None];
        sources.extend(self.policy.addresses().into_iter().map(Some));
        let mut questions = 0;
        for step in 0..HOURS {
            let now = self.now.plus_seconds(step * STRIDE % HOURS * 60 * 60);
            for source_ip in &sources {
                for groups in &pairs {
                    questions += 1;
                    let actor = Actor { groups: groups.clone(), source_ip: *source_ip, ..self.asker.clone() };
                    let may = |action| self.policy.ask(action, &actor, *target, false, now).is_permitted();
                    // Nobody approves what they may not see.
                    if (may(Action::Approve) && may(Action::View)) || questions > MAX_QUESTIONS {
                        return true;
                    }
                }
            }
        }
        false
    }
}

fn nobody_could_give(demand: &Slots, groups: &Groups) -> String {
    let groups: Vec<_> = groups.iter().map(String::as_str).collect();
    format!(
        "nobody could give {demand}: access.cedar lets nobody approve who is in {}, alone or with one other group",
        groups.join(" or ")
    )
}
