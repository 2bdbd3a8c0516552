//! Tables: parameters and what is wrong with them, plans and their calls, targets that refuse, effects and verdicts.

use super::*;
use crate::port::Settled;
use instance::{Cluster, FORMAT, ParameterGroup, Snapshot, Storage, changes};
use serde_json::json;
use settle::{Evidence, GRACE_SECONDS, Made, settle};
use strum::IntoEnumIterator as _;

fn instance() -> Instance {
    Instance {
        format: FORMAT.to_owned(),
        arn: "arn:aws:rds:eu-central-1:123456789012:db:prod-1".to_owned(),
        resource_id: "db-A".to_owned(),
        instance_id: "prod-1".to_owned(),
        status: "available".to_owned(),
        instance_class: "db.r6g.large".to_owned(),
        engine: "postgres".to_owned(),
        engine_version: "17.2".to_owned(),
        storage: Storage { size_gib: 100, kind: "gp3".to_owned(), iops: Some(3_000), throughput: Some(125) },
        multi_az: true,
        security_groups: vec!["sg-1".to_owned()],
        subnet_group: Some("private".to_owned()),
        parameter_groups: vec![ParameterGroup {
            name: "tuned".to_owned(),
            status: "in-sync".to_owned(),
            other_users: vec!["prod-2".to_owned()],
            other_user_count: 1,
            values: [("work_mem".to_owned(), "4".to_owned())].into(),
            pending_parameters: [("work_mem".to_owned(), "64".to_owned())].into(),
        }],
        snapshot: Some(Snapshot {
            arn: "arn:aws:rds:eu-central-1:123456789012:snapshot:before".to_owned(),
            id: "before".to_owned(),
            status: "available".to_owned(),
            instance_id: "prod-1".to_owned(),
            created_at: "2026-01-01T00:00:00Z".to_owned(),
            size_gib: 100,
            engine_version: "17.2".to_owned(),
            encrypted: true,
        }),
        ..Instance::default()
    }
}

fn member() -> Instance {
    let members = vec!["prod-1".to_owned(), "prod-2".to_owned()];
    let cluster = Cluster { id: "aurora".to_owned(), writer: Some("prod-1".to_owned()), members };
    Instance { cluster: Some(cluster), ..instance() }
}

#[test]
fn parameters_are_read_in_every_spelling() {
    let size =
        |size_gib| Change::Storage { size_gib: Some(size_gib), kind: None, iops: None, throughput: None };
    let class = || Change::InstanceClass { class: "db.r6g.xlarge".to_owned() };
    let monitoring = || Change::Monitoring { interval: 60 };
    let group = || Change::ParameterGroup { group: "tuned".to_owned() };
    for (operation, parameters, change) in [
        ("modify_instance_class", json!({ "new_class": "db.r6g.xlarge" }), class()),
        ("modify_instance_class", json!({ "new_instance_class": "db.r6g.xlarge" }), class()),
        ("modify_instance_class", json!({ "instance_class": "db.r6g.xlarge" }), class()),
        (
            "modify_instance_class",
            json!({ "target_instance_class": "db.r6g.xlarge", "apply_immediately": true }),
            class(),
        ),
        ("modify_storage", json!({ "new_size": 200 }), size(200)),
        ("modify_storage", json!({ "allocated_storage": 200 }), size(200)),
        (
            "modify_storage",
            json!({ "storage_type": "gp3", "iops": 12_000, "storage_throughput": 500 }),
            Change::Storage {
                size_gib: None,
                kind: Some("gp3".to_owned()),
                iops: Some(12_000),
                throughput: Some(500),
            },
        ),
        ("enable_enhanced_monitoring", json!({ "granularity": 60 }), monitoring()),
        ("enable_enhanced_monitoring", json!({ "monitoring_interval": 60 }), monitoring()),
        ("reboot", json!({}), Change::Reboot { force_failover: false }),
        ("reboot", json!({ "force_failover": true }), Change::Reboot { force_failover: true }),
        ("create_snapshot", json!({}), Change::Snapshot { name: None }),
        (
            "create_snapshot",
            json!({ "snapshot_id": "a-1" }),
            Change::Snapshot { name: Some("a-1".to_owned()) },
        ),
        ("failover", json!({}), Change::Failover { to: None }),
        ("failover", json!({ "target_instance_id": "b" }), Change::Failover { to: Some("b".to_owned()) }),
        ("modify_parameter_group", json!({ "parameter_group": "tuned" }), group()),
        ("modify_parameter_group", json!({ "parameter_group_name": "tuned" }), group()),
        (
            "modify_parameter_group",
            json!({ "parameter_group": "tuned", "parameters": { "a": 1, "b": "x", "c": true } }),
            Change::Parameters {
                group: "tuned".to_owned(),
                values: [("a", "1"), ("b", "x"), ("c", "1")]
                    .map(|(a, b)| (a.to_owned(), b.to_owned()))
                    .into(),
                is_pending_reboot: false,
            },
        ),
        (
            "restore_from_snapshot",
            json!({ "snapshot_id": "rds:prod-1-2026", "new_instance_id": "copy" }),
            Change::Restore {
                snapshot: "rds:prod-1-2026".to_owned(),
                instance: "copy".to_owned(),
                class: None,
            },
        ),
        (
            "delete_instance",
            json!({ "skip_final_snapshot": false }),
            Change::Delete { final_snapshot: "countersign".to_owned(), is_without_backups: false },
        ),
    ] {
        assert_eq!(Change::read(operation, &parameters), Ok(change), "{operation} {parameters}");
    }
}

#[test]
fn all_that_is_wrong_with_parameters_is_found_at_once() {
    for (operation, parameters, pointers) in [
        ("modify_instance_class", json!({}), vec!["/target_instance_class"]),
        ("modify_instance_class", json!([]), vec!["", "/target_instance_class"]),
        ("modify_instance_class", json!(null), vec!["", "/target_instance_class"]),
        (
            "modify_instance_class",
            json!({ "new_class": "db.r6g.xlarge", "instance_class": "db.r6g.xlarge" }),
            vec!["/instance_class"],
        ),
        (
            "modify_instance_class",
            json!({ "new_class": "r6g", "apply_immediately": false, "engine/x~": 1 }),
            vec!["/apply_immediately", "/new_class", "/engine~1x~0"],
        ),
        ("modify_storage", json!({}), vec!["/new_size"]),
        ("modify_storage", json!({ "new_size": "200" }), vec!["/new_size"]),
        ("modify_storage", json!({ "new_size": -1 }), vec!["/new_size"]),
        ("modify_storage", json!({ "new_size": 1.5 }), vec!["/new_size"]),
        ("modify_storage", json!({ "new_size": 262_145 }), vec!["/new_size"]),
        ("modify_storage", json!({ "storage_type": "gp9", "iops": 0 }), vec!["/storage_type", "/iops"]),
        ("enable_enhanced_monitoring", json!({}), vec!["/granularity"]),
        ("enable_enhanced_monitoring", json!({ "granularity": 0 }), vec!["/granularity"]),
        ("enable_enhanced_monitoring", json!({ "granularity": 2 }), vec!["/granularity"]),
        (
            "enable_enhanced_monitoring",
            json!({ "granularity": 60, "monitoring_role_arn": "arn:aws:iam::1:role/admin" }),
            vec!["/monitoring_role_arn"],
        ),
        ("reboot", json!({ "force_failover": "yes" }), vec!["/force_failover"]),
        ("create_snapshot", json!({ "snapshot_id": "a--b" }), vec!["/snapshot_id"]),
        ("create_snapshot", json!({ "snapshot_id": "${execution_id}" }), vec!["/snapshot_id"]),
        ("failover", json!({ "target_instance_id": "1b" }), vec!["/target_instance_id"]),
        ("modify_parameter_group", json!({}), vec!["/parameter_group"]),
        (
            "modify_parameter_group",
            json!({ "parameter_group": "a", "apply_method": "x" }),
            vec!["/apply_method"],
        ),
        (
            "modify_parameter_group",
            json!({ "parameter_group": "default.postgres17", "parameters": { "a": 1 } }),
            vec!["/parameter_group"],
        ),
        ("modify_parameter_group", json!({ "parameter_group": "a", "parameters": {} }), vec!["/parameters"]),
        (
            "modify_parameter_group",
            json!({ "parameter_group": "a", "parameters": { "a": null, "b c": 1 } }),
            vec!["/parameters", "/parameters"],
        ),
        ("restore_from_snapshot", json!({ "snapshot_id": "a" }), vec!["/new_instance_id"]),
        ("restore_from_snapshot", json!({ "new_instance_id": "a" }), vec!["/snapshot_id"]),
        ("delete_instance", json!({ "skip_final_snapshot": true }), vec!["/skip_final_snapshot"]),
        ("delete_instance", json!({ "skip_final_snapshot": "false" }), vec!["/skip_final_snapshot"]),
        ("delete_instance", json!({ "final_snapshot_id": "x".repeat(219) }), vec!["/final_snapshot_id"]),
        ("delete_instance", json!({ "deletion_protection": false }), vec!["/deletion_protection"]),
    ] {
        let faults = Change::read(operation, &parameters).unwrap_err();
        let found: Vec<_> =
            faults.iter().map(|fault| fault.pointer.strip_prefix("/parameters").unwrap()).collect();
        assert_eq!(found, pointers, "{operation} {parameters}: {faults:?}");
        assert!(faults.iter().all(|fault| !fault.message.is_empty() && !fault.message.ends_with('.')));
    }
    assert_eq!(Change::read("execute_bash", &json!({})).unwrap_err()[0].pointer, "/operation_type");
}

/// One of each operation, that the instance of these tests lets through.
fn examples() -> Vec<(Operation, Value)> {
    let example = |operation| match operation {
        Operation::ModifyInstanceClass => json!({ "target_instance_class": "db.r6g.xlarge" }),
        Operation::ModifyStorage => json!({ "new_size": 200 }),
        Operation::EnableEnhancedMonitoring => json!({ "granularity": 60 }),
        Operation::Reboot | Operation::CreateSnapshot | Operation::Failover => json!({}),
        Operation::ModifyParameterGroup => {
            json!({ "parameter_group": "tuned", "parameters": { "work_mem": 64 } })
        }
        Operation::RestoreFromSnapshot => json!({ "snapshot_id": "before", "new_instance_id": "copy" }),
        Operation::DeleteInstance => json!({ "final_snapshot_id": "last" }),
    };
    Operation::iter().map(|operation| (operation, example(operation))).collect()
}

#[test]
fn each_operation_is_one_call() {
    let calls = examples().into_iter().map(|(operation, parameters)| {
        let target = instance().to_target().unwrap();
        let plan =
            Rds.plan(operation.into(), "prod-1", &parameters, Some(&target)).unwrap().of_execution("E");
        let [call] = plan.calls.try_into().unwrap();
        json!([call.action, call.parameters, call.configured])
    });
    let tags = json!([{ "Key": TAG, "Value": "E" }]);
    let expected = [
        json!(["rds:ModifyDBInstance",
            { "DBInstanceIdentifier": "prod-1", "ApplyImmediately": true, "DBInstanceClass": "db.r6g.xlarge" }, []]),
        json!(["rds:ModifyDBInstance",
            { "DBInstanceIdentifier": "prod-1", "ApplyImmediately": true, "AllocatedStorage": 200 }, []]),
        json!(["rds:ModifyDBInstance",
            { "DBInstanceIdentifier": "prod-1", "ApplyImmediately": true, "MonitoringInterval": 60 },
            ["MonitoringRoleArn"]]),
        json!(["rds:RebootDBInstance", { "DBInstanceIdentifier": "prod-1", "ForceFailover": false }, []]),
        json!(["rds:CreateDBSnapshot",
            { "DBInstanceIdentifier": "prod-1", "DBSnapshotIdentifier": "countersign-E", "Tags": tags }, []]),
        json!(["rds:RebootDBInstance", { "DBInstanceIdentifier": "prod-1", "ForceFailover": true }, []]),
        json!(["rds:ModifyDBParameterGroup", { "DBParameterGroupName": "tuned", "Parameters": [
            { "ParameterName": "work_mem", "ParameterValue": "64", "ApplyMethod": "immediate" }] }, []]),
        json!(["rds:RestoreDBInstanceFromDBSnapshot", {
            "DBInstanceIdentifier": "copy", "DBSnapshotIdentifier": "before", "Tags": tags,
            "DBSubnetGroupName": "private", "VpcSecurityGroupIds": ["sg-1"], "DBParameterGroupName": "tuned",
            "PubliclyAccessible": false, "DeletionProtection": false }, []]),
        json!(["rds:DeleteDBInstance", { "DBInstanceIdentifier": "prod-1", "SkipFinalSnapshot": false,
            "FinalDBSnapshotIdentifier": "last-E", "DeleteAutomatedBackups": false }, []]),
    ];
    assert_eq!(calls.collect::<Vec<_>>(), expected);
}

#[test]
fn a_failover_depends_on_the_target() {
    let plan = |parameters, target: Option<Instance>| {
        let target = target.map(|target| target.to_target().unwrap());
        Rds.plan("failover", "prod-1", &parameters, target.as_ref()).map(|plan| json!(plan.calls))
    };
    let of_cluster = plan(json!({ "target_instance_id": "prod-2" }), Some(member())).unwrap();
    assert_eq!(
        of_cluster,
        json!([{ "action": "rds:FailoverDBCluster",
            "parameters": { "DBClusterIdentifier": "aurora", "TargetDBInstanceIdentifier": "prod-2" } }])
    );
    let either = plan(json!({}), None).unwrap();
    assert_eq!(either[0]["action"], "rds:FailoverDBCluster");
    assert_eq!(either[1]["action"], "rds:RebootDBInstance");
    assert!(either[0]["when"].is_string() && either[1]["when"].is_string());
    assert_eq!(plan(json!({ "target_instance_id": "prod-2" }), None).unwrap().as_array().unwrap().len(), 1);
}

#[test]
fn a_target_in_no_state_for_it_is_refused() {
    let single = || Instance { multi_az: false, ..instance() };
    let protected = || Instance { deletion_protection: true, ..instance() };
    let replica = || Instance { replica_of: Some("prod-0".to_owned()), ..instance() };
    let without_snapshot = || Instance { snapshot: None, ..instance() };
    let restore = |name: &str| json!({ "snapshot_id": "before", "new_instance_id": name });
    for (operation, parameters, target, reason) in [
        ("modify_instance_class", json!({ "new_class": "db.r6g.large" }), instance(), "already"),
        ("modify_storage", json!({ "new_size": 50 }), instance(), "never shrinks"),
        ("modify_storage", json!({ "new_size": 105 }), instance(), "110"),
        ("modify_storage", json!({ "new_size": 100 }), instance(), "already"),
        ("modify_storage", json!({ "new_size": 200 }), member(), "cluster"),
        ("reboot", json!({ "force_failover": true }), single(), "no standby"),
        ("create_snapshot", json!({}), member(), "cluster"),
        ("failover", json!({}), single(), "no standby"),
        ("failover", json!({ "target_instance_id": "prod-2" }), instance(), "no cluster"),
        ("failover", json!({ "target_instance_id": "prod-3" }), member(), "another cluster"),
        ("failover", json!({ "target_instance_id": "prod-1" }), member(), "itself"),
        ("modify_parameter_group", json!({ "parameter_group": "tuned" }), instance(), "already"),
        (
            "modify_parameter_group",
            json!({ "parameter_group": "other", "parameters": { "a": 1 } }),
            instance(),
            "another parameter group",
        ),
        (
            "modify_parameter_group",
            json!({ "parameter_group": "tuned", "parameters": { "work_mem": 4 } }),
            instance(),
            "already",
        ),
        ("restore_from_snapshot", restore("prod-1"), instance(), "already"),
        ("restore_from_snapshot", restore("copy"), without_snapshot(), "not what the snapshot is of"),
        ("delete_instance", json!({}), member(), "no final snapshot"),
        ("delete_instance", json!({}), replica(), "no final snapshot"),
        ("delete_instance", json!({}), protected(), "never lifts"),
    ] {
        let target = target.to_target().unwrap();
        let faults = Rds.plan(operation, "prod-1", &parameters, Some(&target)).unwrap_err();
        assert!(faults[0].message.contains(reason), "{operation}: {faults:?}");
        assert_eq!(faults[0].pointer, "/instance_id");
    }
    let foreign = Target::new(json!({ "format": "other" })).unwrap();
    assert!(Rds.plan("reboot", "prod-1", &json!({}), Some(&foreign)).is_err());
}

#[test]
fn what_differs_matters_but_for_a_status_that_has_become_available() {
    let target = |instance: Instance| instance.to_target().unwrap();
    let busy = |status: &str| Instance { status: status.to_owned(), ..instance() };
    let check = |recorded, now, expected: &[&str]| {
        assert_eq!(changes(&target(recorded), &target(now)), expected);
    };
    check(instance(), instance(), &[]);
    check(busy("backing-up"), instance(), &[]);
    check(instance(), busy("backing-up"), &["status"]);
    check(busy("stopped"), busy("stopped"), &[]);
    let pending = [("DBInstanceClass".to_owned(), "db.r6g.8xlarge".to_owned())];
    check(instance(), Instance { pending_changes: pending.into(), ..instance() }, &["pending_changes"]);
    check(instance(), Instance { resource_id: "db-B".to_owned(), ..instance() }, &["resource_id"]);
    let mut shared = instance();
    shared.parameter_groups[0].other_users.push("prod-3".to_owned());
    check(instance(), shared, &["parameter_groups"]);
    assert_eq!(Instance::read(&target(member())), Ok(member()));
}

fn verdict(settled: &Settled) -> String {
    match settled {
        Settled::Running => "running".to_owned(),
        Settled::Succeeded(_) => "succeeded".to_owned(),
        Settled::Failed(failure) => failure.code.clone(),
        Settled::Unknown => "unknown".to_owned(),
    }
}

/// For each operation: its effect, and the verdicts without it, while it is under way and with it.
#[test]
fn an_effect_is_known_by_what_the_target_shows() {
    let sees = |instance: Option<Instance>| Evidence { instance, ..Evidence::default() };
    let with_made = |instance: Option<Instance>, status: &str, is_ours| Evidence {
        made: Some(Made { arn: "arn".to_owned(), status: status.to_owned(), is_ours }),
        ..sees(instance)
    };
    let busy = |instance: Instance, status: &str| Instance { status: status.to_owned(), ..instance };
    let classy = || Instance { instance_class: "db.r6g.xlarge".to_owned(), ..instance() };
    let pending = || Instance {
        pending_changes: [("DBInstanceClass".to_owned(), "db.r6g.xlarge".to_owned())].into(),
        ..instance()
    };
    let mut larger = instance();
    larger.storage.size_gib = 200;
    let watched = || Instance { monitoring_interval: 60, ..instance() };
    let other = || Some(Instance { resource_id: "db-B".to_owned(), ..classy() });
    let values =
        Evidence { values: [("work_mem".to_owned(), "64".to_owned())].into(), ..sees(Some(instance())) };
    let restarted = Evidence { has_event: true, ..sees(Some(instance())) };
    let examples: std::collections::HashMap<_, _> = examples().into_iter().collect();
    use Operation::*;
    for (operation, evidence, early, late) in [
        (ModifyInstanceClass, sees(Some(instance())), "running", "not_applied"),
        (ModifyInstanceClass, sees(Some(busy(instance(), "modifying"))), "running", "running"),
        (ModifyInstanceClass, sees(Some(pending())), "running", "running"),
        (ModifyInstanceClass, sees(Some(busy(classy(), "modifying"))), "running", "running"),
        (ModifyInstanceClass, sees(Some(classy())), "succeeded", "succeeded"),
        (
            ModifyInstanceClass,
            sees(Some(busy(instance(), "incompatible-network"))),
            "target_failed",
            "target_failed",
        ),
        (ModifyInstanceClass, sees(other()), "unknown", "unknown"),
        (ModifyInstanceClass, sees(None), "unknown", "unknown"),
        (ModifyStorage, sees(Some(instance())), "running", "not_applied"),
        (ModifyStorage, sees(Some(busy(larger, "storage-optimization"))), "succeeded", "succeeded"),
        (EnableEnhancedMonitoring, sees(Some(instance())), "running", "not_applied"),
        (EnableEnhancedMonitoring, sees(Some(watched())), "succeeded", "succeeded"),
        (ModifyParameterGroup, sees(Some(instance())), "running", "not_applied"),
        (ModifyParameterGroup, values, "succeeded", "succeeded"),
        (Reboot, sees(Some(instance())), "running", "unknown"),
        (Reboot, sees(Some(busy(instance(), "rebooting"))), "running", "running"),
        (Reboot, restarted.clone(), "succeeded", "succeeded"),
        (Failover, sees(Some(instance())), "running", "unknown"),
        (Failover, restarted, "succeeded", "succeeded"),
        (CreateSnapshot, sees(Some(instance())), "running", "not_applied"),
        (CreateSnapshot, with_made(Some(instance()), "creating", true), "running", "running"),
        (CreateSnapshot, with_made(Some(instance()), "available", true), "succeeded", "succeeded"),
        (CreateSnapshot, with_made(Some(instance()), "available", false), "name_taken", "name_taken"),
        (CreateSnapshot, with_made(Some(instance()), "failed", true), "target_failed", "target_failed"),
        (RestoreFromSnapshot, sees(Some(instance())), "running", "not_applied"),
        (RestoreFromSnapshot, with_made(Some(instance()), "creating", true), "running", "running"),
        (RestoreFromSnapshot, with_made(Some(instance()), "available", true), "succeeded", "succeeded"),
        (RestoreFromSnapshot, with_made(Some(instance()), "available", false), "name_taken", "name_taken"),
        (DeleteInstance, sees(Some(instance())), "running", "not_applied"),
        (DeleteInstance, sees(Some(busy(instance(), "deleting"))), "running", "running"),
        (
            DeleteInstance,
            with_made(Some(busy(instance(), "deleting")), "creating", true),
            "running",
            "running",
        ),
        (DeleteInstance, with_made(Some(instance()), "available", true), "running", "not_applied"),
        (DeleteInstance, with_made(None, "creating", true), "running", "running"),
        (DeleteInstance, with_made(None, "available", true), "succeeded", "succeeded"),
        (DeleteInstance, with_made(other(), "available", true), "succeeded", "succeeded"),
        (DeleteInstance, with_made(None, "available", false), "running", "unknown"),
        (DeleteInstance, sees(None), "running", "unknown"),
    ] {
        let change = Change::read(operation.into(), &examples[&operation]).unwrap();
        for (seconds, expected) in [(GRACE_SECONDS - 1, early), (GRACE_SECONDS, late)] {
            let settled = settle(&change, &instance(), false, seconds, &evidence);
            assert_eq!(verdict(&settled), expected, "{operation} after {seconds} s: {evidence:?}");
        }
    }
}

#[test]
fn a_restart_that_rds_has_taken_needs_no_event() {
    let change = Change::Reboot { force_failover: false };
    let evidence = |status: &str| Evidence {
        instance: Some(Instance { status: status.to_owned(), ..instance() }),
        ..Evidence::default()
    };
    assert_eq!(verdict(&settle(&change, &instance(), true, 9, &evidence("rebooting"))), "running");
    assert_eq!(verdict(&settle(&change, &instance(), true, 9, &evidence("available"))), "succeeded");
}

#[test]
fn another_group_is_attached_when_it_is_not_applying_any_more() {
    let change = Change::ParameterGroup { group: "tuned".to_owned() };
    let with_status = |status: &str| {
        let mut instance = instance();
        instance.parameter_groups[0].status = status.to_owned();
        let evidence = Evidence { instance: Some(instance.clone()), ..Evidence::default() };
        verdict(&settle(&change, &instance, false, 9, &evidence))
    };
    assert_eq!(with_status("applying"), "running");
    assert_eq!(with_status("pending-reboot"), "succeeded");
}

#[test]
fn arns_of_other_resources_are_in_the_same_account_and_region() {
    let arn = instance().sibling_arn("cluster", "aurora");
    assert_eq!(arn.as_deref(), Some("arn:aws:rds:eu-central-1:123456789012:cluster:aurora"));
    assert_eq!(Instance { arn: "x".to_owned(), ..instance() }.sibling_arn("db", "a"), None);
}
