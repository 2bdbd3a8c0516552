//! What RDS shows of a target, and of what an operation makes. Only calls that read.

use aws_sdk_rds::Client;
use aws_sdk_rds::config::http::HttpResponse;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rds::types::{DbInstance, DbSnapshot, Parameter, PendingModifiedValues, SourceType, Tag};
use aws_smithy_types::DateTime;
use countersign_executor::planner::EXECUTION_ID;
use countersign_executor::port::{Execution, ObserveError};
use countersign_executor::rds::TAG;
use countersign_executor::rds::change::Change;
use countersign_executor::rds::instance::{
    Cluster, FORMAT, Instance, MAX_OTHER_USERS, ParameterGroup, Snapshot, Storage,
};
use countersign_executor::rds::settle::{Evidence, Made};
use std::collections::BTreeMap;

/// What is not there, or why it is not known.
fn absent<T, E: ProvideErrorMetadata>(
    result: Result<T, SdkError<E, HttpResponse>>,
    codes: &[&str],
) -> Result<Option<T>, ObserveError> {
    let error = match result {
        Ok(found) => return Ok(Some(found)),
        Err(error) => error,
    };
    let Some(service) = error.as_service_error() else {
        return Err(ObserveError::Unavailable("RDS does not answer".to_owned()));
    };
    let code = service.code().unwrap_or("an error without a code");
    match code {
        code if codes.contains(&code) => Ok(None),
        "AccessDenied" | "AccessDeniedException" => {
            Err(ObserveError::Refused("the role of this executor may not describe it".to_owned()))
        }
        code => Err(ObserveError::Unavailable(format!("RDS answered {code}"))),
    }
}

/// An instance; with a change, what else the change depends on.
pub(crate) async fn instance(
    client: &Client,
    instance_id: &str,
    change: Option<&Change>,
) -> Result<Option<Instance>, ObserveError> {
    let Some(described) = raw(client, instance_id).await? else { return Ok(None) };
    let mut instance = shown(&described);
    for group in &mut instance.parameter_groups {
        let changed = match change {
            Some(Change::Parameters { group: name, values, .. }) if *name == group.name => Some(values),
            _ => None,
        };
        let is_pending = group.status == "pending-reboot";
        if changed.is_none() && !is_pending {
            continue;
        }
        let parameters = parameters(client, &group.name).await?;
        if is_pending {
            let waits = |parameter: &&Parameter| {
                parameter.apply_method().is_some_and(|method| method.as_str() == "pending-reboot")
                    && parameter.source() == Some("user")
            };
            group.pending_parameters = values(parameters.iter().filter(waits));
        }
        if let Some(changed) = changed {
            group.values = values(parameters.iter().filter(|parameter| {
                parameter.parameter_name().is_some_and(|name| changed.contains_key(name))
            }));
            let users = users(client, &group.name, instance_id).await?;
            group.other_user_count = u64::try_from(users.len()).unwrap_or(u64::MAX);
            group.other_users = users.into_iter().take(MAX_OTHER_USERS).collect();
        }
    }
    match (change, &mut instance.cluster) {
        (Some(Change::Failover { .. }), Some(cluster)) => members(client, cluster).await?,
        (Some(Change::Restore { snapshot, .. }), _) => {
            instance.snapshot = snapshot_of(client, snapshot).await?.map(|found| shown_snapshot(&found));
        }
        _ => {}
    }
    Ok(Some(instance))
}

async fn raw(client: &Client, instance_id: &str) -> Result<Option<DbInstance>, ObserveError> {
    let described = client.describe_db_instances().db_instance_identifier(instance_id).send().await;
    let found = absent(described, &["DBInstanceNotFound", "DBInstanceNotFoundFault"])?;
    Ok(found.and_then(|found| found.db_instances.unwrap_or_default().into_iter().next()))
}

/// The parameters of a group that differ from the engine's.
async fn parameters(client: &Client, group: &str) -> Result<Vec<Parameter>, ObserveError> {
    let mut all = Vec::new();
    let mut pages = client.describe_db_parameters().db_parameter_group_name(group).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = absent(page, &["DBParameterGroupNotFound"])?;
        all.extend(page.and_then(|page| page.parameters).unwrap_or_default());
    }
    Ok(all)
}

fn values<'a>(parameters: impl Iterator<Item = &'a Parameter>) -> BTreeMap<String, String> {
    parameters
        .filter_map(|parameter| {
            let value = parameter.parameter_value()?;
            Some((parameter.parameter_name()?.to_owned(), value.to_owned()))
        })
        .collect()
}

/// The other instances that have a parameter group.
async fn users(client: &Client, group: &str, instance_id: &str) -> Result<Vec<String>, ObserveError> {
    let mut users = Vec::new();
    let mut pages = client.describe_db_instances().into_paginator().send();
    while let Some(page) = pages.next().await {
        for instance in absent(page, &[])?.and_then(|page| page.db_instances).unwrap_or_default() {
            let has_group = instance
                .db_parameter_groups()
                .iter()
                .any(|used| used.db_parameter_group_name() == Some(group));
            users.extend(
                instance
                    .db_instance_identifier()
                    .filter(|id| has_group && *id != instance_id)
                    .map(str::to_owned),
            );
        }
    }
    users.sort();
    Ok(users)
}

async fn members(client: &Client, cluster: &mut Cluster) -> Result<(), ObserveError> {
    let described = client.describe_db_clusters().db_cluster_identifier(&cluster.id).send().await;
    let found = absent(described, &["DBClusterNotFoundFault"])?;
    for found in found.and_then(|found| found.db_clusters).unwrap_or_default() {
        for member in found.db_cluster_members() {
            let Some(id) = member.db_instance_identifier() else { continue };
            cluster.members.push(id.to_owned());
            if member.is_cluster_writer() == Some(true) {
                cluster.writer = Some(id.to_owned());
            }
        }
    }
    cluster.members.sort();
    Ok(())
}

async fn snapshot_of(client: &Client, name: &str) -> Result<Option<DbSnapshot>, ObserveError> {
    let described = client.describe_db_snapshots().db_snapshot_identifier(name).send().await;
    let found = absent(described, &["DBSnapshotNotFound", "DBSnapshotNotFoundFault"])?;
    Ok(found.and_then(|found| found.db_snapshots.unwrap_or_default().into_iter().next()))
}

/// What is to be seen of an execution.
pub(crate) async fn evidence(
    client: &Client,
    execution: &Execution,
    change: &Change,
    recorded: &Instance,
) -> Result<Evidence, ObserveError> {
    let instance_id = &execution.task.instance_id;
    let mut evidence =
        Evidence { instance: instance(client, instance_id, None).await?, ..Evidence::default() };
    let is_tagged = |tags: &[Tag]| {
        tags.iter().any(|tag| tag.key() == Some(TAG) && tag.value() == Some(&execution.execution_id))
    };
    match change {
        Change::Snapshot { name } => {
            let own = format!("countersign-{}", execution.execution_id);
            let found = snapshot_of(client, name.as_ref().unwrap_or(&own)).await?;
            evidence.made =
                found.map(|found| made_snapshot(&found, name.is_none() || is_tagged(found.tag_list())));
        }
        Change::Delete { final_snapshot, .. } => {
            let name =
                format!("{final_snapshot}-{EXECUTION_ID}").replace(EXECUTION_ID, &execution.execution_id);
            let found = snapshot_of(client, &name).await?;
            evidence.made = found.map(|found| made_snapshot(&found, true));
        }
        Change::Restore { instance, .. } => {
            let found = raw(client, instance).await?;
            evidence.made = found.map(|found| Made {
                arn: text(found.db_instance_arn()),
                status: text(found.db_instance_status()),
                is_ours: is_tagged(found.tag_list()),
            });
        }
        Change::Parameters { group, values: changed, .. } => {
            let all = parameters(client, group).await?;
            let is_changed = |parameter: &&Parameter| {
                parameter.parameter_name().is_some_and(|name| changed.contains_key(name))
            };
            evidence.values = values(all.iter().filter(is_changed));
        }
        // An answer is better than an event.
        Change::Reboot { .. } | Change::Failover { .. } if execution.is_accepted => {}
        Change::Reboot { force_failover } => {
            let category = if *force_failover { "failover" } else { "availability" };
            evidence.has_event =
                has_event(client, SourceType::DbInstance, instance_id, category, execution).await?;
        }
        Change::Failover { .. } => {
            let (kind, source) = match &recorded.cluster {
                Some(cluster) => (SourceType::DbCluster, &cluster.id),
                None => (SourceType::DbInstance, instance_id),
            };
            evidence.has_event = has_event(client, kind, source, "failover", execution).await?;
        }
        Change::InstanceClass { .. }
        | Change::Storage { .. }
        | Change::Monitoring { .. }
        | Change::ParameterGroup { .. } => {}
    }
    Ok(evidence)
}

fn made_snapshot(found: &DbSnapshot, is_ours: bool) -> Made {
    Made { arn: text(found.db_snapshot_arn()), status: text(found.status()), is_ours }
}

/// Whether something of a category has happened to a source since the claim.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html>
async fn has_event(
    client: &Client,
    kind: SourceType,
    source: &str,
    category: &str,
    execution: &Execution,
) -> Result<bool, ObserveError> {
    let since = execution.claimed_at.as_millisecond();
    let described = client
        .describe_events()
        .source_type(kind)
        .source_identifier(source)
        .event_categories(category)
        .start_time(DateTime::from_millis(since))
        .send()
        .await;
    let events = absent(described, &[])?.and_then(|found| found.events).unwrap_or_default();
    Ok(events.iter().any(|event| {
        let is_since = event.date().and_then(|date| date.to_millis().ok()).is_some_and(|date| date >= since);
        is_since && event.event_categories().iter().any(|of| of == category)
    }))
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn number(value: Option<i32>) -> u64 {
    value.and_then(|value| value.try_into().ok()).unwrap_or(0)
}

fn shown(described: &DbInstance) -> Instance {
    let mut security_groups: Vec<_> = described
        .vpc_security_groups()
        .iter()
        .filter_map(|group| group.vpc_security_group_id().map(str::to_owned))
        .collect();
    security_groups.sort();
    let groups = described.db_parameter_groups().iter().map(|group| ParameterGroup {
        name: text(group.db_parameter_group_name()),
        status: text(group.parameter_apply_status()),
        other_users: Vec::new(),
        other_user_count: 0,
        values: BTreeMap::new(),
        pending_parameters: BTreeMap::new(),
    });
    Instance {
        format: FORMAT.to_owned(),
        arn: text(described.db_instance_arn()),
        resource_id: text(described.dbi_resource_id()),
        instance_id: text(described.db_instance_identifier()),
        status: text(described.db_instance_status()),
        instance_class: text(described.db_instance_class()),
        engine: text(described.engine()),
        engine_version: text(described.engine_version()),
        storage: Storage {
            size_gib: number(described.allocated_storage()),
            kind: text(described.storage_type()),
            iops: described.iops().map(|iops| number(Some(iops))),
            throughput: described.storage_throughput().map(|throughput| number(Some(throughput))),
        },
        multi_az: described.multi_az() == Some(true),
        deletion_protection: described.deletion_protection() == Some(true),
        cluster: described.db_cluster_identifier().map(|id| Cluster {
            id: id.to_owned(),
            writer: None,
            members: Vec::new(),
        }),
        replica_of: described
            .read_replica_source_db_instance_identifier()
            .or(described.read_replica_source_db_cluster_identifier())
            .map(str::to_owned),
        monitoring_interval: number(described.monitoring_interval()),
        subnet_group: described
            .db_subnet_group()
            .and_then(|group| group.db_subnet_group_name())
            .map(str::to_owned),
        security_groups,
        publicly_accessible: described.publicly_accessible() == Some(true),
        pending_changes: described.pending_modified_values().map(pending).unwrap_or_default(),
        parameter_groups: groups.collect(),
        snapshot: None,
    }
}

/// Each member of RDS's own list. A password is not there as text, and is named alone.
fn pending(values: &PendingModifiedValues) -> BTreeMap<String, String> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let number = |value: Option<i32>| value.map(|value| value.to_string());
    let flag = |value: Option<bool>| value.map(|value| value.to_string());
    let list = |is_empty: bool| (!is_empty).then(|| "changed".to_owned());
    let members = [
        ("DBInstanceClass", text(values.db_instance_class())),
        ("AllocatedStorage", number(values.allocated_storage())),
        ("MasterUserPassword", values.master_user_password().map(|_| "changed".to_owned())),
        ("Port", number(values.port())),
        ("BackupRetentionPeriod", number(values.backup_retention_period())),
        ("MultiAZ", flag(values.multi_az())),
        ("Engine", text(values.engine())),
        ("EngineVersion", text(values.engine_version())),
        ("LicenseModel", text(values.license_model())),
        ("Iops", number(values.iops())),
        ("StorageThroughput", number(values.storage_throughput())),
        ("DBInstanceIdentifier", text(values.db_instance_identifier())),
        ("StorageType", text(values.storage_type())),
        ("CACertificateIdentifier", text(values.ca_certificate_identifier())),
        ("DBSubnetGroupName", text(values.db_subnet_group_name())),
        (
            "PendingCloudwatchLogsExports",
            values.pending_cloudwatch_logs_exports().map(|_| "changed".to_owned()),
        ),
        ("ProcessorFeatures", list(values.processor_features().is_empty())),
        ("MultiTenant", flag(values.multi_tenant())),
        ("IAMDatabaseAuthenticationEnabled", flag(values.iam_database_authentication_enabled())),
        ("DedicatedLogVolume", flag(values.dedicated_log_volume())),
        ("AdditionalStorageVolumes", list(values.additional_storage_volumes().is_empty())),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn shown_snapshot(found: &DbSnapshot) -> Snapshot {
    Snapshot {
        arn: text(found.db_snapshot_arn()),
        id: text(found.db_snapshot_identifier()),
        status: text(found.status()),
        instance_id: text(found.db_instance_identifier()),
        created_at: found.snapshot_create_time().map(ToString::to_string).unwrap_or_default(),
        size_gib: number(found.allocated_storage()),
        engine_version: text(found.engine_version()),
        encrypted: found.encrypted() == Some(true),
    }
}
