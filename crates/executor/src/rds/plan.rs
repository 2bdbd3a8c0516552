//! The one call that makes a change, and the states of a target in which it is not made.

use crate::planner::{Call, EXECUTION_ID, Fault, Plan};
use crate::rds::TAG;
use crate::rds::change::Change;
use crate::rds::instance::Instance;
use serde_json::{Value, json};

/// The calls to come.
///
/// # Errors
/// When the target is in no state for it.
pub fn plan(change: &Change, instance_id: &str, target: Option<&Instance>) -> Result<Plan, Vec<Fault>> {
    let faults = target.map_or_else(Vec::new, |target| faults(change, target));
    if !faults.is_empty() {
        return Err(faults);
    }
    if let (Change::Failover { to }, None) = (change, target) {
        return Ok(either_failover(to.as_deref(), instance_id));
    }
    Ok(Plan::of(call(change, instance_id, target)))
}

fn call(change: &Change, instance_id: &str, target: Option<&Instance>) -> Call {
    let on_instance = |action: &str| Call::new(action).with("DBInstanceIdentifier", instance_id);
    let modification = || on_instance("rds:ModifyDBInstance").with("ApplyImmediately", true);
    match change {
        Change::InstanceClass { class } => modification().with("DBInstanceClass", class.as_str()),
        Change::Storage { size_gib, kind, iops, throughput } => modification()
            .with_some("AllocatedStorage", *size_gib)
            .with_some("StorageType", kind.as_deref())
            .with_some("Iops", *iops)
            .with_some("StorageThroughput", *throughput),
        Change::Monitoring { interval } => {
            let mut call = modification().with("MonitoringInterval", *interval);
            call.configured.push("MonitoringRoleArn".to_owned());
            call
        }
        Change::Reboot { force_failover } => {
            on_instance("rds:RebootDBInstance").with("ForceFailover", *force_failover)
        }
        Change::Snapshot { name } => {
            let name = name.clone().unwrap_or_else(|| format!("countersign-{EXECUTION_ID}"));
            on_instance("rds:CreateDBSnapshot").with("DBSnapshotIdentifier", name).with("Tags", tags())
        }
        Change::Failover { to } => match target.and_then(|target| target.cluster.as_ref()) {
            Some(cluster) => cluster_failover(to.as_deref()).with("DBClusterIdentifier", cluster.id.as_str()),
            None => on_instance("rds:RebootDBInstance").with("ForceFailover", true),
        },
        Change::ParameterGroup { group } => modification().with("DBParameterGroupName", group.as_str()),
        Change::Parameters { group, values, is_pending_reboot } => {
            let method = if *is_pending_reboot { "pending-reboot" } else { "immediate" };
            let values: Vec<_> = values
                .iter()
                .map(|(name, value)| {
                    json!({ "ParameterName": name, "ParameterValue": value, "ApplyMethod": method })
                })
                .collect();
            Call::new("rds:ModifyDBParameterGroup")
                .with("DBParameterGroupName", group.as_str())
                .with("Parameters", values)
        }
        Change::Restore { snapshot, instance, class } => {
            let restore = Call::new("rds:RestoreDBInstanceFromDBSnapshot")
                .with("DBInstanceIdentifier", instance.as_str())
                .with("DBSnapshotIdentifier", snapshot.as_str())
                .with_some("DBInstanceClass", class.as_deref())
                .with("Tags", tags());
            match target {
                Some(target) => beside(restore, target),
                None => restore,
            }
        }
        Change::Delete { final_snapshot, is_without_backups } => on_instance("rds:DeleteDBInstance")
            .with("SkipFinalSnapshot", false)
            .with("FinalDBSnapshotIdentifier", format!("{final_snapshot}-{EXECUTION_ID}"))
            .with("DeleteAutomatedBackups", *is_without_backups),
    }
}

fn tags() -> Value {
    json!([{ "Key": TAG, "Value": EXECUTION_ID }])
}

/// A restored instance is as reachable as the one that the snapshot is of: RDS's defaults would put it into the default
/// network, with the default parameters.
fn beside(restore: Call, target: &Instance) -> Call {
    let groups = (!target.security_groups.is_empty()).then(|| json!(target.security_groups));
    restore
        .with_some("DBSubnetGroupName", target.subnet_group.as_deref())
        .with_some("VpcSecurityGroupIds", groups)
        .with_some("DBParameterGroupName", target.parameter_groups.first().map(|group| group.name.as_str()))
        .with("PubliclyAccessible", target.publicly_accessible)
        .with("DeletionProtection", target.deletion_protection)
}

fn cluster_failover(to: Option<&str>) -> Call {
    Call::new("rds:FailoverDBCluster").with_some("TargetDBInstanceIdentifier", to)
}

fn either_failover(to: Option<&str>, instance_id: &str) -> Plan {
    let mut of_cluster = cluster_failover(to);
    of_cluster.when = Some("the instance is a member of a cluster".to_owned());
    let mut calls = vec![of_cluster];
    if to.is_none() {
        let mut restart = Call::new("rds:RebootDBInstance")
            .with("DBInstanceIdentifier", instance_id)
            .with("ForceFailover", true);
        restart.when = Some("the instance has a standby and is in no cluster".to_owned());
        calls.push(restart);
    }
    Plan { calls }
}

/// Why a target is in no state for a change. RDS would refuse most of it as well; some of it RDS would do in another
/// way than was approved.
fn faults(change: &Change, target: &Instance) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |message: &str| faults.push(Fault::of_target(message));
    let is_member = target.cluster.is_some();
    match change {
        Change::InstanceClass { class } => {
            if target.instance_class == *class {
                fault("has this class already");
            }
        }
        Change::Storage { size_gib, kind, iops, throughput } => {
            let storage = &target.storage;
            if is_member {
                fault("is a member of a cluster, which has the storage");
            }
            if let Some(size) = size_gib
                && *size != storage.size_gib
            {
                if *size < storage.size_gib {
                    fault(&format!("has {} GiB, and storage never shrinks", storage.size_gib));
                } else if *size < least_growth(storage.size_gib) {
                    // RDS rounds up.
                    let least = least_growth(storage.size_gib);
                    fault(&format!(
                        "has {} GiB, and grows by a tenth at least: to {least}",
                        storage.size_gib
                    ));
                }
            }
            let is_as_it_is = size_gib.is_none_or(|size| size == storage.size_gib)
                && kind.as_ref().is_none_or(|kind| *kind == storage.kind)
                && iops.is_none_or(|iops| Some(iops) == storage.iops)
                && throughput.is_none_or(|throughput| Some(throughput) == storage.throughput);
            if is_as_it_is {
                fault("has this storage already");
            }
        }
        Change::Monitoring { interval } => {
            if target.monitoring_interval == *interval {
                fault("has this granularity already");
            }
        }
        Change::Reboot { force_failover } => {
            if *force_failover && !target.multi_az {
                fault("has no standby that could take over");
            }
        }
        Change::Snapshot { .. } => {
            if is_member {
                fault("is a member of a cluster, which has snapshots in place of its instances");
            }
        }
        Change::Failover { to } => match (&target.cluster, to) {
            (None, Some(_)) => fault("is in no cluster, so there is no instance to choose"),
            (None, None) if !target.multi_az => fault("has no standby, and is in no cluster"),
            (None, None) => {}
            (Some(cluster), Some(to)) => {
                if !cluster.members.contains(to) {
                    fault("is in another cluster than the instance that is to take over");
                } else if cluster.writer.as_ref() == Some(to) {
                    fault("is in a cluster whose writer is to take over from itself");
                }
            }
            (Some(cluster), None) => {
                if cluster.members.len() < 2 {
                    fault("is alone in its cluster");
                }
            }
        },
        Change::ParameterGroup { group } => {
            if target.parameter_groups.iter().any(|used| used.name == *group) {
                fault("has this parameter group already");
            }
        }
        Change::Parameters { group, values, .. } => {
            match target.parameter_groups.iter().find(|used| used.name == *group) {
                None => fault("has another parameter group"),
                Some(used) if used.values == *values => fault("has these values already"),
                Some(_) => {}
            }
        }
        Change::Restore { snapshot, instance, .. } => {
            if *instance == target.instance_id {
                fault("is there already: a restored instance needs a name of its own");
            }
            if is_member {
                fault("is a member of a cluster, which has snapshots in place of its instances");
            }
            match &target.snapshot {
                Some(shown) if shown.id == *snapshot && shown.instance_id == target.instance_id => {}
                _ => fault("is not what the snapshot is of"),
            }
        }
        Change::Delete { .. } => {
            if is_member {
                fault("is a member of a cluster, so no final snapshot can be taken");
            }
            if target.replica_of.is_some() {
                fault("is a read replica, so no final snapshot can be taken");
            }
            if target.deletion_protection {
                fault("is protected from deletion, which this executor never lifts");
            }
        }
    }
    faults
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>
fn least_growth(size_gib: u64) -> u64 {
    size_gib.saturating_add(size_gib.div_ceil(10))
}
