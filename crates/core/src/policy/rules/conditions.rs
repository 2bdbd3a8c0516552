//! When a rule holds. What it then demands is not known here.

use super::Proposal;
use crate::risk::{Cost, Environment};
use crate::slots::Groups;
use wildmatch::WildMatch;

/// All of them hold together; what is not said holds always.
#[derive(Debug, Clone)]
pub(super) struct Conditions {
    pub(super) operations: Option<Vec<WildMatch>>,
    pub(super) environment: Option<Environment>,
    pub(super) instances: Option<Vec<WildMatch>>,
    pub(super) cost_above: Option<Cost>,
    pub(super) cost_at_most: Option<Cost>,
    /// Whether a cost was not given.
    pub(super) cost_missing: Option<bool>,
    pub(super) requester_groups: Option<Groups>,
}

impl Conditions {
    /// Whether they hold for a proposal, on an instance that policy says is in this environment.
    pub(super) fn hold(&self, proposal: &Proposal<'_>, environment: Environment) -> bool {
        let matches = |globs: &Option<Vec<WildMatch>>, name: &str| {
            globs.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.matches(name)))
        };
        // A cost that the requester left out is above every amount.
        let is_above = |limit: Cost| proposal.estimated_cost.is_none_or(|cost| cost > limit);
        // A requester who declares production is held to what is demanded there, and gets rid of nothing that
        // is demanded where the instance is.
        let environments = [environment, environment.max(proposal.declared_environment)];
        matches(&self.operations, proposal.operation_type)
            && matches(&self.instances, proposal.instance_id)
            && self.environment.is_none_or(|wanted| environments.contains(&wanted))
            && self.cost_above.is_none_or(is_above)
            && self.cost_at_most.is_none_or(|limit| !is_above(limit))
            && self.cost_missing.is_none_or(|missing| missing == proposal.estimated_cost.is_none())
            && self
                .requester_groups
                .as_ref()
                .is_none_or(|groups| !groups.is_disjoint(proposal.requester_groups))
    }

    /// Why costs cannot be looked at in this way: the key and the rule.
    pub(super) fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        match (self.cost_above, self.cost_at_most, self.cost_missing) {
            (Some(above), Some(at_most), _) if at_most <= above => {
                Some(("cost_at_most", "must be more than cost_above"))
            }
            (Some(_), _, Some(true)) | (_, Some(_), Some(true)) => Some((
                "cost_missing",
                "must not be true beside cost_above or cost_at_most: a cost that is missing is in no range",
            )),
            _ => None,
        }
    }
}
