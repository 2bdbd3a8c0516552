//! The index of the log, beside the events: every call of the SDK for it.

use crate::audit_item::audit_event;
use crate::error::{commit_error, invalid, store_error, unreadable};
use crate::expression::{self, Expression, Item};
use crate::keys::{SEQUENCE, STREAM};
use crate::log_item::{self, head_item, head_key, is_leaf_partition, leaf_item, leaf_partition};
use crate::store::{DynamoStore, versioned_put};
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use countersign_app::log::{Leaf, LeafPage, LogHead, LogIndex, ScanLeaves, StreamEvents};
use countersign_app::ports::{CommitError, StoreError};
use countersign_core::audit::Stream;
use std::collections::BTreeSet;

/// How many items a page of a scan has: few enough that what is done with them fits into any time that there is.
const SCAN_PAGE: i32 = 200;

fn damaged(error: impl std::fmt::Display) -> StoreError {
    unreadable("the index of the log", error)
}

impl DynamoStore {
    /// Items of a partition of the audit table, from a place on, or the last one.
    async fn audit_items(
        &self,
        partition: String,
        from: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let mut condition = Expression::default();
            let stream_name = condition.name(STREAM);
            let stream = condition.string("stream", &partition);
            condition.text = format!("{stream_name} = {stream}");
            if let Some(from) = from {
                let sequence_name = condition.name(SEQUENCE);
                let sequence = condition.value("sequence", AttributeValue::N(from.to_string()));
                condition.text.push_str(&format!(" AND {sequence_name} >= {sequence}"));
            }
            let page = self
                .client
                .query()
                .table_name(&self.tables.audit)
                .consistent_read(true)
                .key_condition_expression(condition.text)
                .set_expression_attribute_names(Some(condition.names))
                .set_expression_attribute_values(Some(condition.values))
                .scan_index_forward(from.is_some())
                .limit(i32::try_from(limit - items.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(store_error)?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() || items.len() >= limit {
                return Ok(items);
            }
        }
    }

    /// The keys of a page of the audit table, and where the next one begins.
    async fn scan_audit(
        &self,
        cursor: Option<&str>,
        keys_only: bool,
    ) -> Result<(Vec<Item>, Option<String>), StoreError> {
        let start = cursor.and_then(|cursor| cursor.split_once('#')).map(|(sequence, stream)| {
            Item::from([
                (STREAM.to_owned(), AttributeValue::S(stream.to_owned())),
                (SEQUENCE.to_owned(), AttributeValue::N(sequence.to_owned())),
            ])
        });
        let mut keys = Expression::default();
        let projection = [keys.name(STREAM), keys.name(SEQUENCE)].join(", ");
        let page = self
            .client
            .scan()
            .table_name(&self.tables.audit)
            .consistent_read(true)
            .set_projection_expression(keys_only.then_some(projection))
            .set_expression_attribute_names(keys_only.then_some(keys.names))
            .set_exclusive_start_key(start)
            .limit(SCAN_PAGE)
            .send()
            .await
            .map_err(store_error)?;
        let next = page.last_evaluated_key.and_then(|key| {
            let sequence = key.get(SEQUENCE)?.as_n().ok()?;
            Some(format!("{sequence}#{}", key.get(STREAM)?.as_s().ok()?))
        });
        Ok((page.items.unwrap_or_default(), next))
    }
}

fn partition_of(item: &Item) -> Option<&str> {
    item.get(STREAM).and_then(|stream| stream.as_s().ok()).map(String::as_str)
}

impl LogIndex for DynamoStore {
    async fn log_head(&self) -> Result<Option<LogHead>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.outbox)
            .set_key(Some(head_key()))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        found.item.map(|item| log_item::head(&item).map_err(damaged)).transpose()
    }

    async fn last_leaf(&self, stream: &Stream) -> Result<Option<Leaf>, StoreError> {
        let items = self.audit_items(leaf_partition(stream), None, 1).await?;
        items.first().map(|item| log_item::leaf(item).map_err(damaged)).transpose()
    }

    async fn leaf(&self, stream: &Stream, sequence: u64) -> Result<Option<Leaf>, StoreError> {
        let items = self.audit_items(leaf_partition(stream), Some(sequence), 1).await?;
        let leaf = items.first().map(|item| log_item::leaf(item).map_err(damaged)).transpose()?;
        Ok(leaf.filter(|leaf| leaf.sequence == sequence))
    }

    async fn leaves(&self, stream: &Stream) -> Result<Vec<Leaf>, StoreError> {
        let items = self.audit_items(leaf_partition(stream), Some(1), usize::MAX).await?;
        items.iter().map(|item| log_item::leaf(item).map_err(damaged)).collect()
    }

    async fn stream_events(
        &self,
        stream: &Stream,
        from: u64,
        limit: usize,
    ) -> Result<StreamEvents, StoreError> {
        let items = self.audit_items(stream.to_string(), Some(from), limit).await?;
        Ok(items.into_iter().map(|item| audit_event(item).map_err(|error| error.to_string())).collect())
    }

    async fn commit_leaves(
        &self,
        before: Option<&LogHead>,
        head: &LogHead,
        leaves: &[Leaf],
    ) -> Result<(), CommitError> {
        let before = before.map(|before| before.version);
        let head = versioned_put(&self.tables.outbox, head_item(head), before)?;
        let mut transaction =
            self.client.transact_write_items().transact_items(TransactWriteItem::builder().put(head).build());
        for leaf in leaves {
            let put = Put::builder()
                .table_name(&self.tables.audit)
                .set_item(Some(leaf_item(leaf)))
                .condition_expression(expression::ABSENT)
                .expression_attribute_names("#key", SEQUENCE)
                .build()
                .map_err(invalid)?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        transaction.send().await.map(|_| ()).map_err(commit_error)
    }

    async fn scan_streams(
        &self,
        cursor: Option<String>,
    ) -> Result<(BTreeSet<String>, Option<String>), StoreError> {
        let (items, next) = self.scan_audit(cursor.as_deref(), true).await?;
        let streams = items.iter().filter_map(partition_of).filter(|stream| !is_leaf_partition(stream));
        Ok((streams.map(str::to_owned).collect(), next))
    }
}

impl ScanLeaves for DynamoStore {
    async fn scan_leaves(&self, cursor: Option<String>) -> Result<LeafPage, StoreError> {
        let (items, next) = self.scan_audit(cursor.as_deref(), false).await?;
        let leaves = items.iter().filter(|item| partition_of(item).is_some_and(is_leaf_partition));
        let read =
            |item: &Item| log_item::leaf(item).map_err(|_| partition_of(item).unwrap_or_default().to_owned());
        Ok((leaves.map(read).collect(), next))
    }
}
