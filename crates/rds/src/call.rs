//! A call of a plan as a call of the SDK. What is called with is what the plan shows and no more: a parameter that is not
//! understood is a plan that is not carried out.

use crate::answer::Answer;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, Parameter, Tag};
use countersign_executor::planner::Call;
use serde_json::{Map, Value};

/// Makes it, once.
pub(crate) async fn make(client: &Client, call: &Call) -> Answer {
    let mut members = Members { left: call.parameters.clone(), is_odd: false };
    let m = &mut members;
    let answer = match call.action.as_str() {
        "rds:ModifyDBInstance" => {
            let call = client
                .modify_db_instance()
                .set_db_instance_identifier(m.text("DBInstanceIdentifier"))
                .set_apply_immediately(m.flag("ApplyImmediately"))
                .set_db_instance_class(m.text("DBInstanceClass"))
                .set_allocated_storage(m.number("AllocatedStorage"))
                .set_storage_type(m.text("StorageType"))
                .set_iops(m.number("Iops"))
                .set_storage_throughput(m.number("StorageThroughput"))
                .set_monitoring_interval(m.number("MonitoringInterval"))
                .set_monitoring_role_arn(m.text("MonitoringRoleArn"))
                .set_db_parameter_group_name(m.text("DBParameterGroupName"));
            if m.are_read() { Some(Answer::of(call.send().await)) } else { None }
        }
        "rds:RebootDBInstance" => {
            let call = client
                .reboot_db_instance()
                .set_db_instance_identifier(m.text("DBInstanceIdentifier"))
                .set_force_failover(m.flag("ForceFailover").filter(|is_forced| *is_forced));
            if m.are_read() { Some(Answer::of(call.send().await)) } else { None }
        }
        "rds:FailoverDBCluster" => {
            let call = client
                .failover_db_cluster()
                .set_db_cluster_identifier(m.text("DBClusterIdentifier"))
                .set_target_db_instance_identifier(m.text("TargetDBInstanceIdentifier"));
            if m.are_read() { Some(Answer::of(call.send().await)) } else { None }
        }
        "rds:CreateDBSnapshot" => {
            let call = client
                .create_db_snapshot()
                .set_db_instance_identifier(m.text("DBInstanceIdentifier"))
                .set_db_snapshot_identifier(m.text("DBSnapshotIdentifier"))
                .set_tags(m.tags());
            if m.are_read() { Some(Answer::of(call.send().await)) } else { None }
        }
        "rds:ModifyDBParameterGroup" => {
            let call = client
                .modify_db_parameter_group()
                .set_db_parameter_group_name(m.text("DBParameterGroupName"))
                .set_parameters(m.parameters());
            if m.are_read() { Some(Answer::of(call.send().await)) } else { None }
        }
        "rds:RestoreDBInstanceFromDBSnapshot" => {
            let call = client
                .restore_db_instance_from_db_snapshot()
                .set_db_instance_identifier(m.text("DBInstanceIdentifier"))
                .set_db_snapshot_identifier(m.text("DBSnapshotIdentifier"))
                .set_db_instance_class(m.text("DBInstanceClass"))
                .set_db_subnet_group_name(m.text("DBSubnetGroupName"))
                .set_vpc_security_group_ids(m.texts("VpcSecurityGroupIds"))
                .set_db_parameter_group_name(m.text("DBParameterGroupName"))
                .set_publicly_accessible(m.flag("PubliclyAccessible"))
                .set_deletion_protection(m.flag("DeletionProtection"))
                .set_tags(m.tags());
            if m.are_read() { Some(Answer::of(call.send().await)) } else { None }
        }
        "rds:DeleteDBInstance" => {
            let call = client
                .delete_db_instance()
                .set_db_instance_identifier(m.text("DBInstanceIdentifier"))
                .set_skip_final_snapshot(m.flag("SkipFinalSnapshot"))
                .set_final_db_snapshot_identifier(m.text("FinalDBSnapshotIdentifier"))
                .set_delete_automated_backups(m.flag("DeleteAutomatedBackups"));
            if m.are_read() { Some(Answer::of(call.send().await)) } else { None }
        }
        _ => None,
    };
    answer.unwrap_or_else(|| Answer::Unbuildable(format!("`{}` cannot be called as planned", call.action)))
}

/// The parameters that are not read yet.
struct Members {
    left: Map<String, Value>,
    is_odd: bool,
}

impl Members {
    fn are_read(&self) -> bool {
        self.left.is_empty() && !self.is_odd
    }

    fn read<T>(&mut self, name: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.left.remove(name)?;
        let read = read(&value);
        self.is_odd |= read.is_none();
        read
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, |value| value.as_str().map(str::to_owned))
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, Value::as_bool)
    }

    fn number(&mut self, name: &str) -> Option<i32> {
        self.read(name, |value| value.as_i64().and_then(|number| number.try_into().ok()))
    }

    fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        self.read(name, |value| {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }

    fn tags(&mut self) -> Option<Vec<Tag>> {
        let tag = |tag: &Value| {
            let [key, value] = ["Key", "Value"].map(|name| tag.get(name).and_then(Value::as_str));
            Some(Tag::builder().key(key?).value(value?).build())
        };
        self.read("Tags", |value| value.as_array()?.iter().map(tag).collect())
    }

    fn parameters(&mut self) -> Option<Vec<Parameter>> {
        let parameter = |parameter: &Value| {
            let text = |name: &str| parameter.get(name).and_then(Value::as_str);
            let parameter = Parameter::builder()
                .parameter_name(text("ParameterName")?)
                .parameter_value(text("ParameterValue")?)
                .apply_method(ApplyMethod::from(text("ApplyMethod")?));
            Some(parameter.build())
        };
        self.read("Parameters", |value| value.as_array()?.iter().map(parameter).collect())
    }
}
