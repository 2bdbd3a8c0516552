//! `notifications.toml` as it is written.

use crate::destination::{Kind, Region, Tls};
use crate::quiet::WrittenSpan;
use crate::secret::WrittenSecret;
use countersign_core::period::Period;
use countersign_core::priority::Priority;
use countersign_core::risk::{Environment, RiskLevel};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotificationsFile {
    #[serde(default)]
    pub(crate) destinations: BTreeMap<String, DestinationTable>,
    #[serde(default)]
    pub(crate) groups: BTreeMap<String, GroupTable>,
    #[serde(default)]
    pub(crate) people: BTreeMap<Spanned<String>, PersonTable>,
    #[serde(default)]
    pub(crate) routes: BTreeMap<String, RouteTable>,
    #[serde(default)]
    pub(crate) fallback: AddressingTable,
    #[serde(default)]
    pub(crate) priority: BTreeMap<RiskLevel, PriorityTable>,
    #[serde(default)]
    pub(crate) reminders: BTreeMap<String, ReminderTable>,
    pub(crate) escalations: Option<BTreeMap<String, EscalationTable>>,
    #[serde(default)]
    pub(crate) defaults: DefaultsTable,
    #[serde(default)]
    pub(crate) digests: BTreeMap<String, DigestTable>,
    #[serde(default)]
    pub(crate) webhooks: WebhooksTable,
}

/// Of all kinds: which members belong to which kind is looked at later, so that what is wrong has its line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DestinationTable {
    pub(crate) kind: Kind,
    pub(crate) rate_per_minute: Option<u32>,
    pub(crate) topic_arn: Option<String>,
    pub(crate) bus: Option<String>,
    pub(crate) url: Option<WrittenSecret>,
    pub(crate) token: Option<WrittenSecret>,
    pub(crate) channel: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) transport: Option<TransportName>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<WrittenSecret>,
    pub(crate) tls: Option<Tls>,
    pub(crate) routing_key: Option<WrittenSecret>,
    pub(crate) region: Option<Region>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TransportName {
    Ses,
    Smtp,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupTable {
    #[serde(default)]
    pub(crate) members: Vec<Spanned<String>>,
    pub(crate) email: Option<String>,
    pub(crate) slack: Option<String>,
    pub(crate) teams: Option<String>,
    pub(crate) pagerduty: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonTable {
    pub(crate) email: Option<String>,
    pub(crate) slack: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteTable {
    pub(crate) operations: Option<Vec<String>>,
    pub(crate) environment: Option<Environment>,
    pub(crate) instances: Option<Vec<String>>,
    pub(crate) cost_above: Option<f64>,
    pub(crate) cost_at_most: Option<f64>,
    pub(crate) cost_missing: Option<bool>,
    pub(crate) requester_groups: Option<Vec<String>>,

    #[serde(default)]
    pub(crate) risk: BTreeSet<RiskLevel>,
    #[serde(default)]
    pub(crate) priority: BTreeSet<Priority>,
    #[serde(default)]
    pub(crate) events: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) statuses: Vec<Spanned<String>>,

    #[serde(default)]
    pub(crate) to: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) via: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressingTable {
    #[serde(default)]
    pub(crate) to: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) via: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriorityTable {
    pub(crate) production: Option<Priority>,
    pub(crate) non_production: Option<Priority>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReminderTable {
    pub(crate) before_expiry_seconds: Vec<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EscalationTable {
    pub(crate) priority: Priority,
    pub(crate) after_seconds: u32,
    #[serde(default)]
    pub(crate) to: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) via: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DefaultsTable {
    #[serde(default)]
    pub(crate) channels: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) quiet_hours: Vec<WrittenSpan>,
    #[serde(default)]
    pub(crate) muted_events: Vec<Spanned<String>>,
    pub(crate) digest: Option<WrittenRecurrence>,
}

/// When what is collected is sent, as it is written in files and preferences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenRecurrence {
    pub(crate) period: Period,
    pub(crate) at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) zone: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DigestTable {
    pub(crate) period: Period,
    pub(crate) at: String,
    pub(crate) zone: Option<String>,
    #[serde(default)]
    pub(crate) to: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) via: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhooksTable {
    #[serde(default)]
    pub(crate) allow_ports: Vec<u16>,
    #[serde(default)]
    pub(crate) allow_networks: Vec<Spanned<String>>,
    pub(crate) ca_bundle: Option<String>,
}
