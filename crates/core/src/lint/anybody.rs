//! Who may approve: where anybody may, two approvals are two tokens.

use super::names::ACCESS_FILE;
use super::{Lint, Name, Severity, in_words, is_too_expensive, tried};
use crate::access::{Action, Target};
use crate::actor::{Actor, Channel, Kind};
use crate::explain::search::{Deed, Found, Search};
use crate::person::PersonId;
use crate::policy::Policy;
use crate::rules::representatives::Space;
use crate::terms::Terms;

/// One example of a request that anybody may approve, even in no group or in whichever group.
pub(super) fn lint(policy: &Policy, space: &Space, search: &mut Search<'_>) -> Option<Lint> {
    let requester = PersonId::expiry();
    let mut terms_seen: Vec<Terms> = Vec::new();
    for (proposal, assessment) in tried(policy, space) {
        let terms = &assessment.terms;
        // An approval that fills a slot is one of a group that the slot names.
        let in_slots: u32 = terms.slots.iter().map(|(_, people)| u32::from(people)).sum();
        let is_approved = u32::from(terms.approvals_required) > in_slots
            && !is_too_expensive(terms, proposal.estimated_cost);
        if !is_approved || terms_seen.contains(terms) || terms_seen.len() >= MAX_TERMS {
            continue;
        }
        let target = Target {
            operation_type: proposal.operation_type,
            instance_id: proposal.instance_id,
            environment: terms.environment,
            risk_level: terms.risk_level,
            estimated_cost: proposal.estimated_cost,
            requested_by: &requester,
        };
        let deed = Deed { actions: &[Action::Approve], target, is_own: false };
        let mut may = |groups: &[&str]| {
            let groups = groups.iter().copied();
            let actor = Actor::new(PersonId::somebody(), Kind::Human, Channel::Api, groups);
            search.ever(&deed, std::slice::from_ref(&actor)) == Found::Somebody
        };
        let mut groups = policy.people().groups().iter().filter(|group| !crate::actor::is_agent_group(group));
        let who = if may(&[]) {
            "anybody with a token may approve, even a person in no group"
        } else if policy.people().groups().len() > 1 && groups.all(|group| may(&[group])) {
            "anybody may approve who is in any group"
        } else {
            terms_seen.push(terms.clone());
            continue;
        };
        let what = in_words(&proposal, terms);
        let message = format!("{who}; for example {what}");
        return Some(Lint {
            severity: Severity::Warning,
            name: Name::AnybodyApproves,
            file: ACCESS_FILE,
            path: Vec::new(),
            message,
        });
    }
    None
}

/// The most different terms that are tried.
const MAX_TERMS: usize = 50;
