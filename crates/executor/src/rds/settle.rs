//! What an execution has come to, judged from what RDS shows now. The process that made the call may be gone, and the
//! call's answer may have been lost.

use crate::port::{Failure, Settled};
use crate::rds::change::Change;
use crate::rds::instance::{AVAILABLE, Instance};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How long after the claim a call may still take effect that shows nowhere. RDS takes a call or refuses it within
/// seconds; this is long enough for a call that was on its way when its executor stopped.
pub const GRACE_SECONDS: u64 = 300;

/// What RDS shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The target, if it is there.
    pub instance: Option<Instance>,
    /// What the operation makes: a snapshot, or a restored instance.
    pub made: Option<Made>,
    /// Whether RDS has an event of a restart or failover since the claim.
    pub has_event: bool,
    /// Values in the parameter group.
    pub values: BTreeMap<String, String>,
}

/// Something with the name that the operation gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its ARN.
    pub arn: String,
    /// Its status.
    pub status: String,
    /// Whether its name or tag holds the execution's id.
    pub is_ours: bool,
}

/// How an effect shows on the target itself.
enum Effect {
    /// It is there.
    Done,
    /// RDS is about to make it.
    Pending,
    /// There is no sign of it.
    Absent,
}

/// Judges. `is_accepted` is whether RDS has answered that it takes the call.
pub fn settle(
    change: &Change,
    recorded: &Instance,
    is_accepted: bool,
    seconds_since_claim: u64,
    evidence: &Evidence,
) -> Settled {
    let is_early = seconds_since_claim < GRACE_SECONDS;
    match change {
        Change::Snapshot { .. } | Change::Restore { .. } => made(evidence.made.as_ref(), is_early),
        Change::Delete { .. } => deleted(recorded, evidence, is_early),
        Change::Reboot { .. } | Change::Failover { .. } => {
            let Some(instance) = same(recorded, evidence) else { return Settled::Unknown };
            if instance.status != AVAILABLE {
                return broken(instance).unwrap_or(Settled::Running);
            }
            match (is_accepted || evidence.has_event, is_early) {
                (true, _) => Settled::Succeeded(summary(instance)),
                (false, true) => Settled::Running,
                // Nothing else shows whether an instance was restarted.
                (false, false) => Settled::Unknown,
            }
        }
        Change::InstanceClass { .. }
        | Change::Storage { .. }
        | Change::Monitoring { .. }
        | Change::ParameterGroup { .. }
        | Change::Parameters { .. } => {
            let Some(instance) = same(recorded, evidence) else { return Settled::Unknown };
            if let Some(broken) = broken(instance) {
                return broken;
            }
            let is_at_rest =
                [AVAILABLE, "storage-optimization", "stopped"].contains(&instance.status.as_str());
            match effect(change, instance, evidence) {
                Effect::Done if is_at_rest => Settled::Succeeded(summary(instance)),
                Effect::Done | Effect::Pending => Settled::Running,
                Effect::Absent if is_early || !is_at_rest => Settled::Running,
                Effect::Absent => not_applied(),
            }
        }
    }
}

fn effect(change: &Change, instance: &Instance, evidence: &Evidence) -> Effect {
    let of = |is_done: bool, names: &[&str]| match is_done {
        true => Effect::Done,
        false if names.iter().any(|name| instance.pending_changes.contains_key(*name)) => Effect::Pending,
        false => Effect::Absent,
    };
    match change {
        Change::InstanceClass { class } => {
            let is_done = instance.instance_class == *class;
            of(is_done, &["DBInstanceClass"])
        }
        Change::Storage { size_gib, kind, iops, throughput } => {
            let storage = &instance.storage;
            let is_done = size_gib.is_none_or(|size| size == storage.size_gib)
                && kind.as_ref().is_none_or(|kind| *kind == storage.kind)
                && iops.is_none_or(|iops| Some(iops) == storage.iops)
                && throughput.is_none_or(|throughput| Some(throughput) == storage.throughput);
            of(is_done, &["AllocatedStorage", "StorageType", "Iops", "StorageThroughput"])
        }
        Change::Monitoring { interval } => of(instance.monitoring_interval == *interval, &[]),
        Change::ParameterGroup { group } => {
            match instance.parameter_groups.iter().find(|used| used.name == *group) {
                Some(used) if used.status == "applying" => Effect::Pending,
                Some(_) => Effect::Done,
                None => Effect::Absent,
            }
        }
        Change::Parameters { values, .. } => {
            of(values.iter().all(|(name, value)| evidence.values.get(name) == Some(value)), &[])
        }
        Change::Reboot { .. }
        | Change::Snapshot { .. }
        | Change::Failover { .. }
        | Change::Restore { .. }
        | Change::Delete { .. } => Effect::Absent,
    }
}

/// The target, if what has its name now is still the same.
fn same<'a>(recorded: &Instance, evidence: &'a Evidence) -> Option<&'a Instance> {
    evidence.instance.as_ref().filter(|instance| instance.resource_id == recorded.resource_id)
}

/// Statuses from which an instance does not come back by itself.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
fn broken(instance: &Instance) -> Option<Settled> {
    let status = instance.status.as_str();
    let is_broken = matches!(status, "failed" | "storage-full" | "inaccessible-encryption-credentials")
        || status.starts_with("incompatible-");
    is_broken.then(|| Settled::Failed(Failure::new("target_failed", format!("the instance is `{status}`"))))
}

fn made(made: Option<&Made>, is_early: bool) -> Settled {
    match made {
        Some(made) if !made.is_ours => {
            Settled::Failed(Failure::new("name_taken", "the name is that of something else"))
        }
        Some(made) if made.status == AVAILABLE => {
            Settled::Succeeded(json!({ "arn": made.arn, "status": made.status }))
        }
        Some(made) if made.status == "failed" || made.status.starts_with("incompatible-") => {
            Settled::Failed(Failure::new("target_failed", format!("what was made is `{}`", made.status)))
        }
        Some(_) => Settled::Running,
        None if is_early => Settled::Running,
        None => not_applied(),
    }
}

/// An instance that is gone without our snapshot was deleted by another hand, or ours has lost its snapshot.
fn deleted(recorded: &Instance, evidence: &Evidence, is_early: bool) -> Settled {
    let snapshot = evidence.made.as_ref().filter(|made| made.is_ours);
    match (same(recorded, evidence), snapshot) {
        (None, Some(snapshot)) if snapshot.status == AVAILABLE => {
            Settled::Succeeded(json!({ "resource_id": recorded.resource_id, "final_snapshot": snapshot.arn }))
        }
        (None, Some(snapshot)) if snapshot.status == "failed" => {
            Settled::Failed(Failure::new("target_failed", "the final snapshot is `failed`"))
        }
        (None, Some(_)) => Settled::Running,
        (None, None) if is_early => Settled::Running,
        (None, None) => Settled::Unknown,
        // It is `deleting` from the call to its end.
        (Some(instance), _) if is_early || instance.status != AVAILABLE => Settled::Running,
        (Some(_), _) => not_applied(),
    }
}

fn not_applied() -> Settled {
    Settled::Failed(Failure::new("not_applied", "the target shows no effect of the call"))
}

/// The result that is recorded.
fn summary(instance: &Instance) -> Value {
    let groups: Vec<_> = instance
        .parameter_groups
        .iter()
        .map(|group| json!({ "name": group.name, "status": group.status }))
        .collect();
    let members = [
        ("resource_id", json!(instance.resource_id)),
        ("status", json!(instance.status)),
        ("instance_class", json!(instance.instance_class)),
        ("storage", json!(instance.storage)),
        ("monitoring_interval", json!(instance.monitoring_interval)),
        ("parameter_groups", json!(groups)),
    ];
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
