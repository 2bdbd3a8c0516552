//! The outbox port on the outbox table.

use crate::error::{commit_error, store_error};
use crate::expression::{Expression, Item};
use crate::keys::{DEAD, EVENT_ID, OUTBOX_SHARDS, SHARD, first_event_id_at};
use crate::outbox_item::{self, outbox_entry, outbox_key};
use crate::store::{DynamoStore, invalid};
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use countersign_app::ports::{CommitError, Outbox, OutboxKey, OutboxPage, StoreError};
use countersign_core::ids::EventId;
use countersign_core::timestamp::Timestamp;

/// How many entries are read at once.
const PAGE: i32 = 100;

fn key_item(key: &OutboxKey) -> Item {
    Item::from([
        (SHARD.to_owned(), AttributeValue::S(key.shard.clone())),
        (EVENT_ID.to_owned(), AttributeValue::S(key.event_id.clone())),
    ])
}

impl DynamoStore {
    async fn query_outbox(
        &self,
        shard: &str,
        before: Option<Timestamp>,
        after: Option<&OutboxKey>,
    ) -> Result<OutboxPage, StoreError> {
        let mut condition = Expression::default();
        let name = condition.name(SHARD);
        let value = condition.string("shard", shard);
        condition.text = format!("{name} = {value}");
        if let Some(before) = before {
            let event_id = condition.name(EVENT_ID);
            let bound = condition.string("before", first_event_id_at(before));
            condition.text.push_str(&format!(" AND {event_id} < {bound}"));
        }
        let page = self
            .client
            .query()
            .table_name(&self.tables.outbox)
            .consistent_read(true)
            .key_condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .limit(PAGE)
            .set_exclusive_start_key(after.map(key_item))
            .send()
            .await
            .map_err(store_error)?;
        let entries: Vec<_> =
            page.items.unwrap_or_default().into_iter().map(outbox_entry).collect::<Result<_, _>>()?;
        let next = page.last_evaluated_key.as_ref().map(outbox_key).transpose()?;
        Ok(OutboxPage { entries, next })
    }

    /// Moves an entry to another partition. `false` if it is not there.
    async fn move_entry(
        &self,
        key: &OutboxKey,
        to_shard: String,
        forgets_failures: bool,
    ) -> Result<bool, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.outbox)
            .consistent_read(true)
            .set_key(Some(key_item(key)))
            .send()
            .await
            .map_err(store_error)?;
        let Some(mut item) = found.item else { return Ok(false) };
        item.insert(SHARD.to_owned(), AttributeValue::S(to_shard));
        if forgets_failures {
            item.insert("attempts".to_owned(), AttributeValue::N("0".to_owned()));
        }
        let put =
            Put::builder().table_name(&self.tables.outbox).set_item(Some(item)).build().map_err(invalid)?;
        let delete = Delete::builder()
            .table_name(&self.tables.outbox)
            .set_key(Some(key_item(key)))
            .condition_expression(format!("attribute_exists({EVENT_ID})"))
            .build()
            .map_err(invalid)?;
        let moved = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().delete(delete).build())
            .send()
            .await;
        match moved.map_err(commit_error) {
            Ok(_) => Ok(true),
            // Somebody else is at it, or was: looking again tells.
            Err(CommitError::Conflict) => Err(StoreError::Unavailable("conflict".to_owned())),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

impl Outbox for DynamoStore {
    fn shards(&self) -> Vec<String> {
        (0..OUTBOX_SHARDS).map(|shard| shard.to_string()).collect()
    }

    async fn undelivered(
        &self,
        shard: &str,
        before: Timestamp,
        after: Option<&OutboxKey>,
    ) -> Result<OutboxPage, StoreError> {
        self.query_outbox(shard, Some(before), after).await
    }

    async fn remove(&self, key: &OutboxKey) -> Result<(), StoreError> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.tables.outbox)
            .set_key(Some(key_item(key)))
            .send()
            .await;
        deleted.map(|_| ()).map_err(store_error)
    }

    async fn count_failure(&self, key: &OutboxKey) -> Result<(), StoreError> {
        let counted = self
            .client
            .update_item()
            .table_name(&self.tables.outbox)
            .set_key(Some(key_item(key)))
            .update_expression("ADD attempts :one")
            .condition_expression(format!("attribute_exists({EVENT_ID})"))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .send()
            .await;
        match counted {
            Ok(_) => Ok(()),
            // Delivered by somebody else in the meantime.
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(store_error(error)),
        }
    }

    async fn bury(&self, key: &OutboxKey) -> Result<(), StoreError> {
        self.move_entry(key, DEAD.to_owned(), false).await.map(|_| ())
    }

    async fn dead(&self, after: Option<&OutboxKey>) -> Result<OutboxPage, StoreError> {
        self.query_outbox(DEAD, None, after).await
    }

    async fn replay(&self, event_id: EventId) -> Result<bool, StoreError> {
        let key = OutboxKey { shard: DEAD.to_owned(), event_id: event_id.to_string() };
        self.move_entry(&key, outbox_item::shard(event_id), true).await
    }
}
