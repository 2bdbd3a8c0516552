//! What policy demands of a request, and how demands from several sides become one: the strictest
//! of each dimension holds.

use crate::risk::{Cost, Environment, RiskLevel};
use crate::slots::Slots;
use std::collections::BTreeSet;
use strum::{Display, EnumIter, IntoStaticStr};

/// A field that a request may leave out unless policy demands it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, Display, EnumIter, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RequiredField {
    /// The name of a ticket in another system.
    Ticket,
    /// How to go back.
    RollbackPlan,
    /// What it is expected to cost.
    EstimatedCost,
    /// How long it is expected to take.
    EstimatedDuration,
}

/// What policy demands of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirements {
    /// The effective risk.
    pub risk_level: RiskLevel,
    /// The effective environment.
    pub environment: Environment,
    /// How many distinct people must agree, those in `slots` included.
    pub approvals_required: u8,
    /// Which groups some of them must come from.
    pub slots: Slots,
    /// How long it may stay pending, in seconds.
    pub pending_seconds: u32,
    /// How long it may stay approved without being started, in seconds.
    pub execute_within_seconds: u32,
    /// How long a permit for its execution lasts, in seconds.
    pub permit_seconds: u32,
    /// How long its execution may be silent, in seconds.
    pub lease_seconds: u32,
    /// Whether an approver must name the digest of what they were shown.
    pub digest_required: bool,
    /// The most it may be expected to cost.
    pub cost_limit: Option<Cost>,
    /// How long its justification must be, in characters that can be read; 0 if any will do.
    pub justification_min: u16,
    /// What its requester must not leave out.
    pub required_fields: BTreeSet<RequiredField>,
    /// How many pending requests its requester may have, this one included.
    pub pending_limit: u16,
    /// How many approved requests that were not started its requester may have, this one included, if
    /// policy approves it at once.
    pub approved_limit: u16,
}

impl Requirements {
    /// The stricter of both in each dimension. Commutative, associative and idempotent: the order
    /// and the number of times that demands are put together do not matter.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        let slots = self.slots.join(&other.slots);
        Self {
            risk_level: self.risk_level.max(other.risk_level),
            environment: self.environment.max(other.environment),
            approvals_required: self.approvals_required.max(other.approvals_required).max(slots.total()),
            slots,
            pending_seconds: self.pending_seconds.min(other.pending_seconds),
            execute_within_seconds: self.execute_within_seconds.min(other.execute_within_seconds),
            permit_seconds: self.permit_seconds.min(other.permit_seconds),
            lease_seconds: self.lease_seconds.min(other.lease_seconds),
            digest_required: self.digest_required || other.digest_required,
            cost_limit: lower(self.cost_limit, other.cost_limit),
            justification_min: self.justification_min.max(other.justification_min),
            required_fields: self.required_fields.union(&other.required_fields).copied().collect(),
            pending_limit: self.pending_limit.min(other.pending_limit),
            approved_limit: self.approved_limit.min(other.approved_limit),
        }
    }

    /// Whether these requirements are nowhere easier than others.
    pub fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        self.stricter(other) == *self
    }
}

/// The name of the justification in requests.
pub(crate) const JUSTIFICATION: &str = "justification";

/// What a request says of itself, as far as policy may demand that it be said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatedFields {
    /// How long its justification is, see [`crate::text::FreeText::length`].
    pub justification_length: usize,
    /// Whether it names a ticket.
    pub ticket: bool,
    /// Whether it says how to go back.
    pub rollback_plan: bool,
    /// What it is expected to cost.
    pub estimated_cost: Option<Cost>,
    /// Whether it says how long it is expected to take.
    pub estimated_duration: bool,
}

/// A field that does not meet a demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field's name in requests.
    pub field: &'static str,
    /// What policy demands of it.
    pub rule: String,
}

impl Requirements {
    /// The demands that a request does not meet.
    pub fn violations(&self, stated: StatedFields) -> Vec<Violation> {
        let is_missing = |field: &RequiredField| match field {
            RequiredField::Ticket => !stated.ticket,
            RequiredField::RollbackPlan => !stated.rollback_plan,
            RequiredField::EstimatedCost => stated.estimated_cost.is_none(),
            RequiredField::EstimatedDuration => !stated.estimated_duration,
        };
        let missing = self.required_fields.iter().filter(|field| is_missing(field));
        let mut violations: Vec<_> = missing
            .map(|field| Violation { field: field.into(), rule: "is required by policy".to_owned() })
            .collect();
        let shortest = usize::from(self.justification_min);
        if stated.justification_length < shortest {
            let length = stated.justification_length;
            let rule = format!("must be at least {shortest} characters by policy, not {length}");
            violations.push(Violation { field: JUSTIFICATION, rule });
        }
        if let Some(limit) = self.cost_limit {
            let field = RequiredField::EstimatedCost.into();
            match stated.estimated_cost {
                // A cost that the requester left out is above every amount.
                None if self.required_fields.contains(&RequiredField::EstimatedCost) => {}
                None => {
                    let rule = format!("is required: policy allows a cost of at most {limit}");
                    violations.push(Violation { field, rule });
                }
                Some(cost) if cost > limit => {
                    violations.push(Violation { field, rule: format!("must be at most {limit} by policy") });
                }
                Some(_) => {}
            }
        }
        violations
    }
}

/// The lower of two limits; none is no limit.
pub(crate) fn lower(one: Option<Cost>, other: Option<Cost>) -> Option<Cost> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other < one { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// The most pending requests that a policy may let one requester have: the count reads them all.
pub const MAX_PENDING_LIMIT: u16 = 1000;
/// The most of them that a policy may let one requester have: the count reads them all.
pub const MAX_APPROVED_LIMIT: u16 = 10_000;

/// A part of a policy that matched a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedRule {
    /// Its place in `operations.toml`, such as `rules.expensive`; or `declared`, for what the
    /// requester said.
    pub name: String,
    /// What it demanded, in words.
    pub demands: Vec<String>,
}
