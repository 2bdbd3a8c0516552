//! `operations.toml` as it is written.

use super::catalogue::Operation;
use super::{DEFAULT_APPROVED_LIMIT, DEFAULT_LEASE_SECONDS, DEFAULT_PENDING_LIMIT, DEFAULT_PERMIT_SECONDS};
use crate::requirements::RequiredField;
use crate::risk::{Environment, RiskLevel};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperationsFile {
    #[serde(default = "utc")]
    pub(super) time_zone: String,
    pub(super) restored_at: Option<String>,
    pub(super) defaults: Defaults,
    pub(super) approvals: Approvals,
    pub(super) environments: Environments,
    pub(super) anomalies: Option<Anomalies>,
    #[serde(default)]
    pub(super) operations: BTreeMap<String, Operation>,
    #[serde(default)]
    pub(super) rules: BTreeMap<String, RuleTable>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn default_pending_limit() -> u16 {
    DEFAULT_PENDING_LIMIT
}

fn default_approved_limit() -> u16 {
    DEFAULT_APPROVED_LIMIT
}

fn default_permit_seconds() -> u32 {
    DEFAULT_PERMIT_SECONDS
}

fn default_lease_seconds() -> u32 {
    DEFAULT_LEASE_SECONDS
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Defaults {
    pub(super) pending_seconds: u32,
    pub(super) execute_within_seconds: u32,
    #[serde(default = "default_permit_seconds")]
    pub(super) permit_seconds: u32,
    #[serde(default = "default_lease_seconds")]
    pub(super) lease_seconds: u32,
    #[serde(default = "default_pending_limit")]
    pub(super) pending_limit: u16,
    #[serde(default = "default_approved_limit")]
    pub(super) approved_limit: u16,
    #[serde(default)]
    pub(super) justification_min: u16,
    #[serde(default)]
    pub(super) digest_required: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Anomalies {
    pub(super) raise_hours: u16,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approvals {
    pub(super) low: u8,
    pub(super) medium: u8,
    pub(super) high: u8,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Environments {
    #[serde(default)]
    pub(super) non_production_instances: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleTable {
    pub(super) operations: Option<Vec<String>>,
    pub(super) environment: Option<Environment>,
    pub(super) instances: Option<Vec<String>>,
    pub(super) cost_above: Option<f64>,
    pub(super) cost_at_most: Option<f64>,
    pub(super) cost_missing: Option<bool>,
    pub(super) requester_groups: Option<Vec<String>>,

    pub(super) risk: Option<RiskLevel>,
    pub(super) approvals: Option<u8>,
    #[serde(default)]
    pub(super) slots: BTreeMap<String, u8>,
    pub(super) pending_seconds: Option<u32>,
    pub(super) execute_within_seconds: Option<u32>,
    pub(super) pending_limit: Option<u16>,
    pub(super) approved_limit: Option<u16>,
    pub(super) cost_limit: Option<f64>,
    pub(super) justification_min: Option<u16>,
    #[serde(default)]
    pub(super) required_fields: BTreeSet<RequiredField>,
    #[serde(default)]
    pub(super) digest_required: bool,
}
