//! The target as RDS describes it: what approvers are shown, and what is compared before anything is done.

use crate::target::{InvalidTarget, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format of the document.
pub const FORMAT: &str = "countersign.rds-target.v1";

/// The only status in which something may be done to an instance that had another one before.
pub const AVAILABLE: &str = "available";

/// How many of the instances that share a parameter group are named.
pub const MAX_OTHER_USERS: usize = 100;

/// An instance, as far as the operations depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// [`FORMAT`].
    pub format: String,
    /// Its ARN.
    pub arn: String,
    /// The id that no other instance ever has: a name can be given again.
    pub resource_id: String,
    /// Its name.
    pub instance_id: String,
    /// Such as `available`.
    pub status: String,
    /// Such as `db.r6g.large`.
    pub instance_class: String,
    /// Such as `postgres`.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// Its storage.
    pub storage: Storage,
    /// Whether it has a standby.
    pub multi_az: bool,
    /// Whether RDS refuses to delete it.
    pub deletion_protection: bool,
    /// The cluster that it is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
    /// The instance that it is a read replica of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_of: Option<String>,
    /// The seconds between two measurements of Enhanced Monitoring; 0 is off.
    pub monitoring_interval: u64,
    /// Whose subnets it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_group: Option<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Whether it has a public address.
    pub publicly_accessible: bool,
    /// Changes that wait, and that the next call with `ApplyImmediately` makes too. Values as text.
    pub pending_changes: BTreeMap<String, String>,
    /// Its parameter groups.
    pub parameter_groups: Vec<ParameterGroup>,
    /// The snapshot that is to be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
}

/// The storage of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// In GiB.
    pub size_gib: u64,
    /// Such as `gp3`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Operations in a second, where they are provisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iops: Option<u64>,
    /// In MiB in a second, where it is provisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<u64>,
}

/// The cluster of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its name.
    pub id: String,
    /// The instance that writes, if the operation depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<String>,
    /// All its instances, if the operation depends on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
}

/// A parameter group that is in force for an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// Its name.
    pub name: String,
    /// `in-sync`, `applying` or `pending-reboot`.
    pub status: String,
    /// Other instances that have it, if the operation depends on them; [`MAX_OTHER_USERS`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_users: Vec<String>,
    /// How many there are of them.
    #[serde(default)]
    pub other_user_count: u64,
    /// The values that the operation changes, as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Values that wait for a restart, so that the next one brings them into force.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pending_parameters: BTreeMap<String, String>,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub id: String,
    /// Such as `available`.
    pub status: String,
    /// The instance that it is of.
    pub instance_id: String,
    /// When it was made, as RDS writes it.
    pub created_at: String,
    /// In GiB.
    pub size_gib: u64,
    /// The version of the engine.
    pub engine_version: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// A recorded target is not what this executor records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not of the format `{FORMAT}`")]
pub struct NotAnInstance;

impl Instance {
    /// Reads a recorded target.
    ///
    /// # Errors
    /// When it is of another format.
    pub fn read(target: &Target) -> Result<Self, NotAnInstance> {
        let instance = Self::deserialize(target.to_value()).map_err(|_| NotAnInstance)?;
        if instance.format == FORMAT { Ok(instance) } else { Err(NotAnInstance) }
    }

    /// The document.
    ///
    /// # Errors
    /// When it is too long to be recorded.
    pub fn to_target(&self) -> Result<Target, InvalidTarget> {
        Target::new(serde_json::to_value(self).unwrap_or_default())
    }

    /// The ARN of another resource in its account and region.
    pub fn sibling_arn(&self, kind: &str, name: &str) -> Option<String> {
        let mut parts = self.arn.splitn(6, ':');
        let prefix: Vec<_> = parts.by_ref().take(5).collect();
        parts.next().is_some().then(|| format!("{}:{kind}:{name}", prefix.join(":")))
    }
}

/// What differs between two states of a target, so that nothing may be done. A status that has become `available`
/// is no difference: a backup has ended meanwhile.
pub fn changes(recorded: &Target, now: &Target) -> Vec<String> {
    let mut names = recorded.differences(now);
    let is_available = now.members().get("status").is_some_and(|status| status == AVAILABLE);
    names.retain(|name| name != "status" || !is_available);
    names
}
