//! What is to be changed, read from the parameters of a request.

use crate::fields::Fields;
use crate::planner::Fault;
use crate::rds::Operation;
use serde_json::Value;
use std::collections::BTreeMap;

/// The granularities of Enhanced Monitoring, in seconds. RDS also has 0, which switches it off.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>
const INTERVALS: [u64; 6] = [1, 5, 10, 15, 30, 60];

/// The sizes of storage in GiB, over all engines and types: RDS itself knows the range of each.
const SIZES: std::ops::RangeInclusive<u64> = 5..=262_144;

/// The most parameters that one call changes.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html>
const MAX_PARAMETERS: usize = 20;

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The class of the instance.
    InstanceClass {
        /// Such as `db.r6g.xlarge`.
        class: String,
    },
    /// Its storage; one of them at least.
    Storage {
        /// In GiB.
        size_gib: Option<u64>,
        /// Such as `gp3`.
        kind: Option<String>,
        /// Operations in a second.
        iops: Option<u64>,
        /// In MiB in a second.
        throughput: Option<u64>,
    },
    /// Enhanced Monitoring.
    Monitoring {
        /// Seconds between two measurements.
        interval: u64,
    },
    /// A restart.
    Reboot {
        /// Whether the standby takes over.
        force_failover: bool,
    },
    /// A snapshot.
    Snapshot {
        /// Its name, if the requester gives one.
        name: Option<String>,
    },
    /// Another instance of the cluster, or the standby, takes over.
    Failover {
        /// Which instance of the cluster, if that is asked for.
        to: Option<String>,
    },
    /// Another parameter group for the instance.
    ParameterGroup {
        /// Its name.
        group: String,
    },
    /// Other values in the instance's parameter group.
    Parameters {
        /// Its name.
        group: String,
        /// The values.
        values: BTreeMap<String, String>,
        /// Whether they wait for a restart.
        is_pending_reboot: bool,
    },
    /// A new instance from a snapshot of this one.
    Restore {
        /// The snapshot.
        snapshot: String,
        /// The name of the new instance.
        instance: String,
        /// Its class, if it is not that of the snapshot.
        class: Option<String>,
    },
    /// The end of the instance.
    Delete {
        /// How the name of the final snapshot begins.
        final_snapshot: String,
        /// Whether its automated backups go as well.
        is_without_backups: bool,
    },
}

impl Change {
    /// Reads the parameters of an operation.
    ///
    /// # Errors
    /// All rules that they break.
    pub fn read(operation_type: &str, parameters: &Value) -> Result<Self, Vec<Fault>> {
        let Ok(operation) = operation_type.parse::<Operation>() else {
            let message = "is no operation on RDS".to_owned();
            return Err(vec![Fault { pointer: "/operation_type".to_owned(), message }]);
        };
        let mut fields = Fields::read(parameters);
        let change = read(operation, &mut fields);
        let faults = fields.finish();
        match change {
            Some(change) if faults.is_empty() => Ok(change),
            _ => Err(faults),
        }
    }
}

/// `None` only with a fault.
fn read(operation: Operation, fields: &mut Fields) -> Option<Change> {
    match operation {
        Operation::ModifyInstanceClass => {
            applies_immediately(fields);
            let names = ["target_instance_class", "new_instance_class", "new_class", "instance_class"];
            let class = fields.take_required(&names);
            Some(Change::InstanceClass { class: fields.text(class, instance_class)? })
        }
        Operation::ModifyStorage => storage(fields),
        Operation::EnableEnhancedMonitoring => {
            applies_immediately(fields);
            fields.refuse(
                &["monitoring_role_arn", "monitoring_role"],
                "comes from the executor's configuration, never from a request",
            );
            let (name, value) = fields.take_required(&["granularity", "monitoring_interval"])?;
            let interval = value.as_u64().filter(|interval| INTERVALS.contains(interval));
            if interval.is_none() {
                fields.fault(name, "must be 1, 5, 10, 15, 30 or 60 (seconds)");
            }
            Some(Change::Monitoring { interval: interval? })
        }
        Operation::Reboot => {
            let force_failover = fields.flag("force_failover");
            Some(Change::Reboot { force_failover: force_failover.unwrap_or(false) })
        }
        Operation::CreateSnapshot => {
            let given = fields.take(&["snapshot_id", "snapshot_identifier", "db_snapshot_identifier"]);
            let is_given = given.is_some();
            let name = fields.text(given, snapshot_name);
            (name.is_some() == is_given).then_some(Change::Snapshot { name })
        }
        Operation::Failover => {
            let given =
                fields.take(&["target_instance_id", "target_instance", "target_db_instance_identifier"]);
            let is_given = given.is_some();
            let to = fields.text(given, identifier);
            (to.is_some() == is_given).then_some(Change::Failover { to })
        }
        Operation::ModifyParameterGroup => parameter_group(fields),
        Operation::RestoreFromSnapshot => {
            let snapshot =
                fields.take_required(&["snapshot_id", "snapshot_identifier", "db_snapshot_identifier"]);
            let snapshot = fields.text(snapshot, source_snapshot);
            let instance =
                fields.take_required(&["new_instance_id", "new_instance_identifier", "target_instance_id"]);
            let instance = fields.text(instance, identifier);
            let class = fields.take(&["instance_class", "new_instance_class", "target_instance_class"]);
            let class = fields.text(class, instance_class);
            Some(Change::Restore { snapshot: snapshot?, instance: instance?, class })
        }
        Operation::DeleteInstance => {
            fields.fixed("skip_final_snapshot", false, "must be false: a final snapshot is always taken");
            let name = fields.take(&[
                "final_snapshot_id",
                "final_snapshot_identifier",
                "final_db_snapshot_identifier",
            ]);
            let name = fields.text(name, final_snapshot_name);
            let is_without_backups = fields.flag("delete_automated_backups").unwrap_or(false);
            let final_snapshot = name.unwrap_or_else(|| "countersign".to_owned());
            Some(Change::Delete { final_snapshot, is_without_backups })
        }
    }
}

/// A change that waits for the maintenance window could neither be said to have happened nor to have failed.
fn applies_immediately(fields: &mut Fields) {
    fields.fixed("apply_immediately", true, "must be true: an approved change is made when it is started");
}

fn storage(fields: &mut Fields) -> Option<Change> {
    applies_immediately(fields);
    let size = fields.take(&["new_size", "allocated_storage", "new_allocated_storage", "size_gib"]);
    let kind = fields.take(&["storage_type", "new_storage_type"]);
    let iops = fields.take(&["iops", "new_iops"]);
    let throughput = fields.take(&["storage_throughput", "throughput"]);
    if [&size, &kind, &iops, &throughput].into_iter().all(Option::is_none) {
        fields.fault("new_size", "is required, or one of `storage_type`, `iops` and `storage_throughput`");
        return None;
    }
    Some(Change::Storage {
        size_gib: fields.whole(size, SIZES),
        kind: fields.text(kind, storage_type),
        iops: fields.whole(iops, 1_000..=256_000),
        throughput: fields.whole(throughput, 125..=16_000),
    })
}

fn parameter_group(fields: &mut Fields) -> Option<Change> {
    let group = fields.take_required(&["parameter_group", "parameter_group_name", "db_parameter_group_name"]);
    let group_name = group.as_ref().map(|(name, _)| *name);
    let group = fields.text(group, parameter_group_name);
    let method = fields.take(&["apply_method"]);
    let Some((name, value)) = fields.take(&["parameters"]) else {
        if let Some((name, _)) = method {
            fields.fault(name, "is for `parameters` alone");
        }
        applies_immediately(fields);
        return Some(Change::ParameterGroup { group: group? });
    };
    let is_pending_reboot = match &method {
        None => Some(false),
        Some((_, Value::String(method))) if method == "immediate" => Some(false),
        Some((_, Value::String(method))) if method == "pending-reboot" => Some(true),
        Some((name, _)) => {
            fields.fault(name, "must be `immediate` or `pending-reboot`");
            None
        }
    };
    if let (Some(group), Some(name)) = (&group, group_name)
        && group.starts_with("default.")
    {
        fields.fault(name, "is a default group of AWS, which nothing can change");
    }
    let values = parameter_values(fields, name, &value);
    Some(Change::Parameters { group: group?, values: values?, is_pending_reboot: is_pending_reboot? })
}

/// RDS takes every value as text.
fn parameter_values(fields: &mut Fields, name: &str, value: &Value) -> Option<BTreeMap<String, String>> {
    let members = value.as_object().filter(|members| (1..=MAX_PARAMETERS).contains(&members.len()));
    let Some(members) = members else {
        fields.fault(name, format!("must be an object of 1 to {MAX_PARAMETERS} names and values"));
        return None;
    };
    let mut values = BTreeMap::new();
    for (parameter, value) in members {
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(u8::from(*flag).to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        let is_name = !parameter.is_empty()
            && parameter.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        match text {
            Some(text) if is_name => drop(values.insert(parameter.clone(), text)),
            Some(_) => fields.fault(name, "must have names of letters, digits, `_`, `.` and `-`"),
            None => fields.fault(name, format!("must have a text, number, true or false as `{parameter}`")),
        }
    }
    (values.len() == members.len()).then_some(values)
}

fn instance_class(text: &str) -> Result<(), &'static str> {
    let mut parts = text.split('.');
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let is_class = parts.next() == Some("db") && text.len() <= 63 && {
        let rest: Vec<_> = parts.collect();
        !rest.is_empty() && rest.into_iter().all(is_part)
    };
    if is_class { Ok(()) } else { Err("must be a class such as `db.r6g.xlarge`") }
}

fn storage_type(text: &str) -> Result<(), &'static str> {
    let is_known = ["gp2", "gp3", "io1", "io2"].contains(&text);
    if is_known { Ok(()) } else { Err("must be `gp2`, `gp3`, `io1` or `io2`") }
}

/// The rule of RDS for its identifiers.
fn is_identifier(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.contains("--")
        && !text.ends_with('-')
}

fn identifier(text: &str) -> Result<(), &'static str> {
    if is_identifier(text, 63) {
        Ok(())
    } else {
        Err("must be 1 to 63 letters, digits and single hyphens, with a letter first and no hyphen last")
    }
}

fn snapshot_name(text: &str) -> Result<(), &'static str> {
    if is_identifier(text, 255) {
        Ok(())
    } else {
        Err("must be 1 to 255 letters, digits and single hyphens, with a letter first and no hyphen last")
    }
}

/// A hyphen and the execution's id, 37 characters, follow.
fn final_snapshot_name(text: &str) -> Result<(), &'static str> {
    if is_identifier(text, 255 - 37) {
        Ok(())
    } else {
        Err("must be 1 to 218 letters, digits and single hyphens, with a letter first and no hyphen last")
    }
}

/// The name of a snapshot of one's own, automated ones (`rds:…`) included.
fn source_snapshot(text: &str) -> Result<(), &'static str> {
    snapshot_name(text.strip_prefix("rds:").unwrap_or(text))
}

fn parameter_group_name(text: &str) -> Result<(), &'static str> {
    let bare = text.strip_prefix("default.").map(|rest| rest.replace('.', "-"));
    if is_identifier(bare.as_deref().unwrap_or(text), 255) {
        Ok(())
    } else {
        Err("must be the name of a parameter group")
    }
}
