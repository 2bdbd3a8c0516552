//! What a rule demands: how it is added to what others demand, and how it is put in words. When it holds is not
//! known here.

use crate::requirements::{RequiredField, Requirements, lower};
use crate::risk::{Cost, RiskLevel};
use crate::slots::Slots;
use std::collections::BTreeSet;

/// What a rule adds; what is not said adds nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Effects {
    pub(super) risk: Option<RiskLevel>,
    pub(super) approvals: Option<u8>,
    pub(super) slots: Slots,
    pub(super) pending_seconds: Option<u32>,
    pub(super) execute_within_seconds: Option<u32>,
    pub(super) pending_limit: Option<u16>,
    pub(super) approved_limit: Option<u16>,
    pub(super) cost_limit: Option<Cost>,
    /// In characters; 0 demands nothing.
    pub(super) justification_min: u16,
    pub(super) required_fields: BTreeSet<RequiredField>,
    pub(super) digest_required: bool,
}

impl Effects {
    pub(super) fn add_to(&self, requirements: Requirements) -> Requirements {
        Requirements {
            risk_level: self.risk.map_or(requirements.risk_level, |risk| risk.max(requirements.risk_level)),
            environment: requirements.environment,
            approvals_required: requirements.approvals_required.max(self.approvals.unwrap_or(0)),
            slots: requirements.slots.join(&self.slots),
            pending_seconds: self
                .pending_seconds
                .map_or(requirements.pending_seconds, |s| s.min(requirements.pending_seconds)),
            execute_within_seconds: self
                .execute_within_seconds
                .map_or(requirements.execute_within_seconds, |s| s.min(requirements.execute_within_seconds)),
            permit_seconds: requirements.permit_seconds,
            lease_seconds: requirements.lease_seconds,
            digest_required: requirements.digest_required || self.digest_required,
            cost_limit: lower(requirements.cost_limit, self.cost_limit),
            justification_min: requirements.justification_min.max(self.justification_min),
            required_fields: requirements.required_fields.union(&self.required_fields).copied().collect(),
            pending_limit: self
                .pending_limit
                .map_or(requirements.pending_limit, |limit| limit.min(requirements.pending_limit)),
            approved_limit: self
                .approved_limit
                .map_or(requirements.approved_limit, |limit| limit.min(requirements.approved_limit)),
        }
    }

    pub(super) fn in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(self.risk.map(|risk| format!("risk {}", risk.as_str())));
        words.extend(self.approvals.map(approvals_in_words));
        if !self.slots.is_empty() {
            words.push(self.slots.to_string());
        }
        words.extend(lifetimes_in_words(self.pending_seconds, self.execute_within_seconds));
        words.extend(
            self.pending_limit.map(|limit| format!("at most {limit} pending requests of one requester")),
        );
        words.extend(
            self.approved_limit
                .map(|limit| format!("at most {limit} approved requests of one requester not started")),
        );
        words.extend(self.cost_limit.map(|limit| format!("a cost of at most {limit}")));
        words.extend(justification_in_words(self.justification_min));
        words.extend(self.required_fields.iter().map(|field| format!("a {field}")));
        if self.digest_required {
            words.push("approvers name the digest they were shown".to_owned());
        }
        words
    }
}

pub(super) fn approvals_in_words(approvals: u8) -> String {
    match approvals {
        1 => "1 approval".to_owned(),
        approvals => format!("{approvals} approvals"),
    }
}

pub(super) fn justification_in_words(characters: u16) -> Option<String> {
    (characters > 0).then(|| format!("a justification of at least {characters} characters"))
}

pub(super) fn lifetimes_in_words(
    pending: Option<u32>,
    execute_within: Option<u32>,
) -> impl Iterator<Item = String> {
    let pending = pending.map(|seconds| format!("expires after {seconds} seconds"));
    let start = execute_within.map(|seconds| format!("must be started within {seconds} seconds"));
    pending.into_iter().chain(start)
}
