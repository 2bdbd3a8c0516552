//! When a rule holds. What it then demands is not known here.

use super::Proposal;
use crate::policy::mistake::Mistake;
use crate::policy::source::Source;
use crate::risk::{Cost, Environment};
use crate::slots::Groups;
use std::fmt;
use wildmatch::WildMatch;

/// The conditions of a rule as they are written: in `operations.toml`, and in other files whose tables hold for the same
/// requests.
#[derive(Debug, Clone, Default)]
pub struct ConditionsTable {
    /// Patterns of types of operation.
    pub operations: Option<Vec<String>>,
    /// The environment.
    pub environment: Option<Environment>,
    /// Patterns of instances.
    pub instances: Option<Vec<String>>,
    /// The amount that the cost must be above.
    pub cost_above: Option<f64>,
    /// The amount that the cost must not be above.
    pub cost_at_most: Option<f64>,
    /// Whether a cost must be missing, or be there.
    pub cost_missing: Option<bool>,
    /// Groups of which the requester must be in one.
    pub requester_groups: Option<Vec<String>>,
}

/// All of them hold together; what is not said holds always.
#[derive(Debug, Clone)]
pub struct Conditions {
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
    /// Reads and checks the conditions of the table at `path`. `known` are the groups that mean anything.
    ///
    /// # Errors
    /// An empty list or pattern, a group that is not known, an amount that is none, and conditions that exclude each other.
    pub fn read(
        source: Source<'_>,
        path: &[&str],
        table: ConditionsTable,
        known: &Groups,
    ) -> Result<Self, Mistake> {
        const EMPTY: &str = "must not be empty: leave it out if the rule is about all";
        let refused = |key: &'static str, rule: &dyn fmt::Display| {
            let path: Vec<&str> = path.iter().copied().chain([key]).collect();
            source.refused(&path, rule)
        };
        let globs = |key, globs: Option<Vec<String>>| -> Result<Option<Vec<WildMatch>>, Mistake> {
            let Some(globs) = globs else { return Ok(None) };
            if globs.is_empty() || globs.iter().any(String::is_empty) {
                return Err(refused(key, &EMPTY));
            }
            // A rule only raises: where a requester writes a name in another way it is to hold.
            Ok(Some(globs.iter().map(|glob| WildMatch::new_case_insensitive(glob)).collect()))
        };
        let cost = |key, amount: Option<f64>| -> Result<Option<Cost>, Mistake> {
            amount.map(Cost::new).transpose().map_err(|error| refused(key, &error))
        };
        let key = "requester_groups";
        let requester_groups = table.requester_groups.map(|groups| groups.into_iter().collect::<Groups>());
        if requester_groups.as_ref().is_some_and(Groups::is_empty) {
            return Err(refused(key, &EMPTY));
        }
        if let Some(group) = requester_groups.iter().flatten().find(|group| !known.contains(*group)) {
            let rule = format!("names `{group}`, which is not one of the groups in people.toml");
            return Err(refused(key, &rule));
        }
        let conditions = Self {
            operations: globs("operations", table.operations)?,
            environment: table.environment,
            instances: globs("instances", table.instances)?,
            cost_above: cost("cost_above", table.cost_above)?,
            cost_at_most: cost("cost_at_most", table.cost_at_most)?,
            cost_missing: table.cost_missing,
            requester_groups,
        };
        match conditions.contradiction() {
            Some((key, rule)) => Err(refused(key, &rule)),
            None => Ok(conditions),
        }
    }

    /// Those that hold for every proposal.
    pub fn none() -> Self {
        Self {
            operations: None,
            environment: None,
            instances: None,
            cost_above: None,
            cost_at_most: None,
            cost_missing: None,
            requester_groups: None,
        }
    }

    /// Whether they may hold for a type of operation.
    pub fn hold_for_operation(&self, operation_type: &str) -> bool {
        self.operations.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.matches(operation_type)))
    }

    /// Whether they hold for a proposal, on an instance that policy says is in this environment.
    pub fn hold(&self, proposal: &Proposal<'_>, environment: Environment) -> bool {
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
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
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
