//! Requests that every caller may approve: two approvals are then two tokens.

use super::names::ACCESS_FILE;
use super::{Lint, Name, Severity, in_words, is_too_expensive, subject, tried};
use countersign_core::caller::{Channel, PrincipalKind, is_agent_group};
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::Action;
use countersign_core::policy::rules::samples::SampleSpace;
use countersign_core::policy::search::{AccessCheck, Search, SearchResult};
use countersign_core::principal::Principal;
use countersign_core::requirements::Requirements;

/// The most different requirements that are tried.
const MAX_TERMS: usize = 50;

/// One example of a request that people in no group may approve, or those in whichever group.
pub(super) fn lint(policy: &Policy, space: &SampleSpace, search: &mut Search<'_>) -> Option<Lint> {
    let requester = PersonId::expiry();
    let mut tried_terms: Vec<Requirements> = Vec::new();
    for (proposal, assessment) in tried(policy, space) {
        let requirements = &assessment.requirements;
        // An approval that fills a slot is one of a group that the slot names.
        let has_open_approvals = requirements.approvals_required > requirements.slots.total();
        let is_refused = is_too_expensive(requirements, proposal.estimated_cost);
        if !has_open_approvals || is_refused || tried_terms.contains(requirements) {
            continue;
        }
        if tried_terms.len() == MAX_TERMS {
            break;
        }
        tried_terms.push(requirements.clone());
        let subject = subject(&requester, &proposal, requirements);
        let check = AccessCheck { actions: &[Action::Approve], subject, is_own: false };
        let mut may = |group: Option<&str>| {
            let actor = Principal::assumed(PersonId::somebody(), PrincipalKind::Human, Channel::Api, group);
            search.ever(&check, std::slice::from_ref(&actor)) == SearchResult::Somebody
        };
        let mut groups = policy.people().groups().iter().filter(|group| !is_agent_group(group)).peekable();
        let who = if may(None) {
            "a person with a token may approve, even in no group"
        } else if groups.peek().is_some() && groups.all(|group| may(Some(group))) {
            "a person may approve who is in any group"
        } else {
            continue;
        };
        return Some(Lint {
            severity: Severity::Warning,
            name: Name::AnybodyApproves,
            file: ACCESS_FILE,
            path: Vec::new(),
            message: format!("{who}; for example {}", in_words(&proposal, requirements)),
        });
    }
    None
}
