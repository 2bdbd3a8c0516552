//! The tables: the one definition that the embedded mode creates and that the
//! infrastructure template is checked against.

use crate::error::store_error;
use crate::keys::{
    AT, DESTINATION, DUE_INDEX, EVENT_ID, EVENT_TYPE, EVENT_TYPE_INDEX, EVENT_TYPE_MONTH,
    INSTANCE_EVENTS_INDEX, INSTANCE_ID, INSTANCE_INDEX, LISTING, MADE_AT, MONTH, MONTH_INDEX,
    NEXT_ATTEMPT_AT, OPEN_INDEX, OPEN_KEY, REQUEST_ID, REQUESTED_BY, REQUESTER_INDEX, SEQUENCE, SHARD,
    STATUS_AT, STATUS_INDEX, STATUS_KEY, STREAM, USER, USER_INDEX,
};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableDescription,
};
use countersign_app::ports::StoreError;
use std::collections::BTreeMap;

/// A key attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a number; else it is a string.
    pub is_number: bool,
}

const fn string(name: &'static str) -> Key {
    Key { name, is_number: false }
}

const fn number(name: &'static str) -> Key {
    Key { name, is_number: true }
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableDefinition {
    /// The environment variable that holds its name.
    pub name_variable: &'static str,
    /// Its partition key.
    pub partition_key: Key,
    /// Its sort key.
    pub sort_key: Option<Key>,
    /// Its global secondary indexes.
    pub indexes: &'static [IndexDefinition],
}

/// A global secondary index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexDefinition {
    /// Its name.
    pub name: &'static str,
    /// Its partition key.
    pub partition_key: Key,
    /// Its sort key.
    pub sort_key: Key,
    /// The attributes it holds besides keys; `None` for all.
    pub include: Option<&'static [&'static str]>,
}

/// What a list shows or filters by: neither parameters nor free text. `DynamoDB` allows 20 attributes
/// an index, and 100 over all indexes of a table.
const LISTED: &[&str] = &[
    "operation_type",
    INSTANCE_ID,
    REQUESTED_BY,
    "requested_at",
    "requester_addresses",
    "filed_by",
    "owner",
    "owner_addresses",
    "risk_level",
    "environment",
    "estimated_cost",
    "status",
    "approvals_required",
    "approved_by",
    "expires_at",
    "execute_by",
    "execution_started_at",
    "executed_at",
    LISTING,
    STATUS_AT,
];

/// The requests.
pub const APPROVALS: TableDefinition = TableDefinition {
    name_variable: "APPROVALS_TABLE",
    partition_key: string(REQUEST_ID),
    sort_key: None,
    indexes: &[
        IndexDefinition {
            name: STATUS_INDEX,
            partition_key: string(STATUS_KEY),
            sort_key: string(STATUS_AT),
            include: Some(LISTED),
        },
        IndexDefinition {
            name: OPEN_INDEX,
            partition_key: string(OPEN_KEY),
            sort_key: string(STATUS_AT),
            include: Some(LISTED),
        },
        IndexDefinition {
            name: REQUESTER_INDEX,
            partition_key: string(REQUESTED_BY),
            sort_key: string(MADE_AT),
            include: Some(LISTED),
        },
        IndexDefinition {
            name: INSTANCE_INDEX,
            partition_key: string(INSTANCE_ID),
            sort_key: string(MADE_AT),
            include: Some(LISTED),
        },
    ],
};

/// What a query of events filters by. The events themselves are read from the table, so an index stays small and
/// shows nothing but which events there are.
const FILTERED: &[&str] = &[USER, EVENT_TYPE, INSTANCE_ID];

/// The audit trail.
pub const AUDIT: TableDefinition = TableDefinition {
    name_variable: "AUDIT_LOG_TABLE",
    partition_key: string(STREAM),
    sort_key: Some(number(SEQUENCE)),
    indexes: &[
        IndexDefinition {
            name: USER_INDEX,
            partition_key: string(USER),
            sort_key: string(AT),
            include: Some(FILTERED),
        },
        IndexDefinition {
            name: EVENT_TYPE_INDEX,
            partition_key: string(EVENT_TYPE_MONTH),
            sort_key: string(AT),
            include: Some(FILTERED),
        },
        IndexDefinition {
            name: INSTANCE_EVENTS_INDEX,
            partition_key: string(INSTANCE_ID),
            sort_key: string(AT),
            include: Some(FILTERED),
        },
        IndexDefinition {
            name: MONTH_INDEX,
            partition_key: string(MONTH),
            sort_key: string(AT),
            include: Some(FILTERED),
        },
    ],
};

/// The messages that wait for delivery.
pub const OUTBOX: TableDefinition = TableDefinition {
    name_variable: "OUTBOX_TABLE",
    partition_key: string(SHARD),
    sort_key: Some(string(EVENT_ID)),
    indexes: &[],
};

/// What is delivered to destinations of their own, and the webhooks that are such.
pub const DELIVERIES: TableDefinition = TableDefinition {
    name_variable: "DELIVERIES_TABLE",
    partition_key: string(DESTINATION),
    sort_key: Some(string(EVENT_ID)),
    indexes: &[IndexDefinition {
        name: DUE_INDEX,
        partition_key: string(SHARD),
        sort_key: string(NEXT_ATTEMPT_AT),
        include: Some(&[]),
    }],
};

impl IndexDefinition {
    /// The attributes it holds besides its own keys and the table's.
    pub fn non_key_attributes(&self) -> Vec<&'static str> {
        // The keys of all tables: an index names none of another table.
        let keys = [REQUEST_ID, STREAM, SEQUENCE, self.partition_key.name, self.sort_key.name];
        self.include.unwrap_or_default().iter().copied().filter(|name| !keys.contains(name)).collect()
    }
}

/// What the tables are called in a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNames {
    /// [`APPROVALS`].
    pub approvals: String,
    /// [`AUDIT`].
    pub audit: String,
    /// [`OUTBOX`].
    pub outbox: String,
    /// [`DELIVERIES`]; `None` for a program that knows of none.
    pub deliveries: Option<String>,
}

impl TableNames {
    /// The names that the variables of the definitions hold. Only programs that deliver need [`DELIVERIES`].
    ///
    /// # Errors
    /// What `value_of` says of a variable that it cannot give.
    pub fn read<E>(value_of: impl Fn(&str) -> Result<String, E>) -> Result<Self, E> {
        Ok(Self {
            approvals: value_of(APPROVALS.name_variable)?,
            audit: value_of(AUDIT.name_variable)?,
            outbox: value_of(OUTBOX.name_variable)?,
            deliveries: value_of(DELIVERIES.name_variable).ok(),
        })
    }

    /// The default names of an environment such as `prod`.
    pub fn of_environment(environment: &str) -> Self {
        Self {
            approvals: format!("rds-approvals-{environment}"),
            audit: format!("audit-log-{environment}"),
            outbox: format!("approvals-outbox-{environment}"),
            deliveries: Some(format!("approvals-deliveries-{environment}")),
        }
    }
}

/// Creates the tables that are not there yet.
///
/// # Errors
/// What the database says.
pub async fn create_missing(client: &Client, names: &TableNames) -> Result<(), StoreError> {
    let tables = [(APPROVALS, &names.approvals), (AUDIT, &names.audit), (OUTBOX, &names.outbox)];
    let deliveries = names.deliveries.iter().map(|name| (DELIVERIES, name));
    for (definition, name) in tables.into_iter().chain(deliveries) {
        match client.describe_table().table_name(name).send().await {
            Ok(described) => {
                check_indexes(&definition, name, described.table)?;
                continue;
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {}
            Err(error) => return Err(store_error(error)),
        }
        create(client, &definition, name).await?;
    }
    Ok(())
}

/// # Errors
/// [`StoreError::Corrupt`] of a table that an earlier version made, with other indexes.
fn check_indexes(
    definition: &TableDefinition,
    name: &str,
    table: Option<TableDescription>,
) -> Result<(), StoreError> {
    let indexes = table.and_then(|table| table.global_secondary_indexes).unwrap_or_default();
    let is_there = |wanted: &str| indexes.iter().any(|index| index.index_name.as_deref() == Some(wanted));
    match definition.indexes.iter().find(|index| !is_there(index.name)) {
        None => Ok(()),
        Some(missing) => Err(StoreError::Corrupt(format!(
            "table {name} has no index {}: an earlier version made it; begin with a new directory",
            missing.name
        ))),
    }
}

async fn create(client: &Client, definition: &TableDefinition, name: &str) -> Result<(), StoreError> {
    let invalid = |error: BuildError| StoreError::Corrupt(error.to_string());
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(key_schema(definition.partition_key, definition.sort_key).map_err(invalid)?))
        .set_attribute_definitions(Some(attribute_definitions(definition).map_err(invalid)?));
    for index in definition.indexes {
        request = request.global_secondary_indexes(secondary_index(index).map_err(invalid)?);
    }
    request.send().await.map(|_| ()).map_err(store_error)
}

fn key_schema(partition: Key, sort: Option<Key>) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element =
        |key: Key, key_type| KeySchemaElement::builder().attribute_name(key.name).key_type(key_type).build();
    let mut schema = vec![element(partition, KeyType::Hash)?];
    if let Some(sort) = sort {
        schema.push(element(sort, KeyType::Range)?);
    }
    Ok(schema)
}

fn attribute_definitions(definition: &TableDefinition) -> Result<Vec<AttributeDefinition>, BuildError> {
    let own = [Some(definition.partition_key), definition.sort_key];
    let of_indexes = definition.indexes.iter().flat_map(|index| [index.partition_key, index.sort_key]);
    let keys: BTreeMap<&str, Key> =
        own.into_iter().flatten().chain(of_indexes).map(|key| (key.name, key)).collect();
    keys.into_values()
        .map(|key| {
            let kind = if key.is_number { ScalarAttributeType::N } else { ScalarAttributeType::S };
            AttributeDefinition::builder().attribute_name(key.name).attribute_type(kind).build()
        })
        .collect()
}

fn secondary_index(index: &IndexDefinition) -> Result<GlobalSecondaryIndex, BuildError> {
    let projection = match index.include {
        None => Projection::builder().projection_type(ProjectionType::All),
        Some([]) => Projection::builder().projection_type(ProjectionType::KeysOnly),
        Some(_) => Projection::builder().projection_type(ProjectionType::Include).set_non_key_attributes(
            Some(index.non_key_attributes().into_iter().map(str::to_owned).collect()),
        ),
    };
    GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .set_key_schema(Some(key_schema(index.partition_key, Some(index.sort_key))?))
        .projection(projection.build())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_includes_at_most_twenty_attributes_and_no_free_text() {
        let all: usize = APPROVALS.indexes.iter().map(|index| index.non_key_attributes().len()).sum();
        assert!(all <= 100, "{all}");
        for index in APPROVALS.indexes {
            let attributes = index.non_key_attributes();
            assert!(attributes.len() <= 20, "{}: {}", index.name, attributes.len());
            for secret in ["parameters", "justification", "comments", "execution_result", "decision_comments"]
            {
                assert!(!attributes.contains(&secret), "{}: {secret}", index.name);
            }
        }
    }
}
