//! Deliveries and webhooks: every call of the SDK for them. A type of its own with one table, for those who deliver and those
//! who manage webhooks, and know no request.

use crate::delivery_item::{delivery_item, delivery_key, key_item, stored_delivery};
use crate::error::invalid;
use crate::error::{commit_error, store_error};
use crate::expression::{Expression, Item};
use crate::keys::{
    DEAD_DELIVERIES, DESTINATION, DUE_INDEX, DUE_SHARDS, EVENT_ID, NEXT_ATTEMPT_AT, REVISION, SHARD,
    WEBHOOKS, trail_key,
};
use crate::webhook_item::{
    count_item, count_key, is_count, trail_document, trail_item, trail_sort_key, webhook_count, webhook_id,
    webhook_item, webhook_key, webhook_record,
};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_types::SdkConfig;
use countersign_app::ports::{
    AllWebhooks, CommitError, DamagedWebhook, Deliveries, DeliveryBacklog, DeliveryKey, DeliveryPage,
    DeliveryQuery, NewDelivery, PutDelivery, ReadDeliveries, ReadWebhooks, StoreError, StoredDelivery,
    UNREADABLE, WebhookChange, WebhookCount, WebhookRecord, WriteWebhooks,
};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::state::{Delivery, DeliveryState};
use countersign_webhook::webhook::WebhookId;
use std::collections::BTreeMap;

/// The deliveries table.
#[derive(Debug, Clone)]
pub struct DynamoDeliveries {
    client: Client,
    table: String,
    has_transactions: bool,
}

/// How many deliveries one transaction writes: half of what it may, so that their documents stay below 4 MB.
const IN_A_TRANSACTION: usize = 50;

impl DynamoDeliveries {
    /// The deliveries in a table, through a client that the shell has built.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, has_transactions: false }
    }

    /// The same, which writes several deliveries in one transaction. That is one commit on a disk; in DynamoDB it would cost twice
    /// as much as single writes.
    #[must_use]
    pub fn with_transactions(self) -> Self {
        Self { has_transactions: true, ..self }
    }

    /// Puts all items on their conditions, or none. `false` if a condition does not hold.
    async fn put_together(&self, puts: Vec<(Item, Expression)>) -> Result<bool, StoreError> {
        let mut transaction = self.client.transact_write_items();
        for (item, condition) in puts {
            transaction = transaction.transact_items(self.conditional_put(item, condition)?);
        }
        match transaction.send().await.map_err(commit_error) {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// The same, with a client of its own.
    pub fn connect(aws: &SdkConfig, table: String) -> Self {
        Self::new(Client::new(aws), table)
    }

    pub(crate) async fn item(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let found = self.client.get_item().table_name(&self.table).consistent_read(true).set_key(Some(key));
        Ok(found.send().await.map_err(store_error)?.item)
    }

    /// The items of a partition between two sort keys, the bounds included.
    pub(crate) fn range(&self, partition: &str, first: &str, last: &str) -> QueryFluentBuilder {
        let mut condition = Expression::default();
        let (partition_name, sort_name) = (condition.name(DESTINATION), condition.name(EVENT_ID));
        let partition = condition.string("partition", partition);
        let (first, last) = (condition.string("first", first), condition.string("last", last));
        condition.text = format!("{partition_name} = {partition} AND {sort_name} BETWEEN {first} AND {last}");
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
    }

    /// What is in a partition of the index until a time.
    fn indexed(&self, shard: &str, until: Timestamp) -> QueryFluentBuilder {
        let mut condition = Expression::default();
        let (shard_name, at_name) = (condition.name(SHARD), condition.name(NEXT_ATTEMPT_AT));
        let shard = condition.string("shard", shard);
        let until = condition.string("until", until);
        condition.text = format!("{shard_name} = {shard} AND {at_name} <= {until}");
        self.client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
    }

    /// All of a partition of the index, and how many of it have a key that is none of a delivery.
    async fn all_indexed(&self, shard: &str) -> Result<(Vec<DeliveryKey>, usize), StoreError> {
        let (mut keys, mut unreadable, mut start) = (Vec::new(), 0, None);
        loop {
            let page = self.indexed(shard, Timestamp::LATEST).set_exclusive_start_key(start).send().await;
            let page = page.map_err(store_error)?;
            for item in page.items.unwrap_or_default() {
                match delivery_key(&item) {
                    Ok(key) => keys.push(key),
                    Err(_) => unreadable += 1,
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok((keys, unreadable));
            }
        }
    }

    /// Puts an item on a condition. `false` if it does not hold.
    pub(crate) async fn put(&self, item: Item, condition: Expression) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names).filter(|names| !names.is_empty()))
            .set_expression_attribute_values(Some(condition.values).filter(|values| !values.is_empty()))
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(store_error(error)),
        }
    }

    fn revised_put(&self, item: Item, before: u64) -> Result<TransactWriteItem, StoreError> {
        self.conditional_put(item, revised(before))
    }

    fn conditional_put(&self, item: Item, condition: Expression) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values).filter(|values| !values.is_empty()))
            .build()
            .map_err(invalid)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// There is no item with the key yet.
fn is_new() -> Expression {
    let mut condition = Expression::default();
    let destination = condition.name(DESTINATION);
    condition.text = format!("attribute_not_exists({destination})");
    condition
}

/// The item has the revision that was read; 0 if there was none.
pub(crate) fn revised(before: u64) -> Expression {
    let mut condition = Expression::default();
    let revision = condition.name(REVISION);
    condition.text = match before {
        0 => format!("attribute_not_exists({revision})"),
        before => {
            let before = condition.value("before", AttributeValue::N(before.to_string()));
            format!("{revision} = {before}")
        }
    };
    condition
}

/// The first id that an event of a time can have, and the last one (RFC 9562 section 5.7: the first 48 bits are the time in
/// milliseconds).
fn ids_at(time: Timestamp) -> (String, String) {
    let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or_default();
    let digits = format!("{milliseconds:012x}");
    let (high, low) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    (format!("{high}-{low}-"), format!("{high}-{low}-~"))
}

impl PutDelivery for DynamoDeliveries {
    async fn put_new(&self, new: NewDelivery<'_>) -> Result<bool, StoreError> {
        self.put(delivery_item(new, 1)?, is_new()).await
    }

    async fn put_all_new(&self, new: &[NewDelivery<'_>]) -> Result<usize, StoreError> {
        let mut put = 0;
        for some in new.chunks(IN_A_TRANSACTION) {
            if self.has_transactions && some.len() > 1 {
                let items = some.iter().map(|new| Ok((delivery_item(*new, 1)?, is_new())));
                if self.put_together(items.collect::<Result<_, StoreError>>()?).await? {
                    put += some.len();
                    continue;
                }
            }
            // Some are there already, from a pass that was cut off.
            for new in some {
                put += usize::from(self.put_new(*new).await?);
            }
        }
        Ok(put)
    }
}

impl ReadDeliveries for DynamoDeliveries {
    async fn delivery(&self, key: &DeliveryKey) -> Result<Option<StoredDelivery>, StoreError> {
        self.item(key_item(key)).await?.map(stored_delivery).transpose()
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<DeliveryPage, StoreError> {
        let (first, last) = (ids_at(query.from).0, ids_at(query.to).1);
        let start = query
            .after
            .map(|event_id| key_item(&DeliveryKey { destination: query.destination.clone(), event_id }));
        let page = self
            .range(query.destination.as_str(), &first, &last)
            .scan_index_forward(!query.is_newest_first)
            .limit(i32::try_from(query.limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(store_error)?;
        let next = page.last_evaluated_key.as_ref().map(delivery_key).transpose()?;
        let mut found =
            DeliveryPage { deliveries: Vec::new(), damaged: 0, next: next.map(|key| key.event_id) };
        for item in page.items.unwrap_or_default() {
            match stored_delivery(item) {
                Ok(stored) => found.deliveries.push(stored),
                Err(_) => found.damaged += 1,
            }
        }
        Ok(found)
    }
}

impl Deliveries for DynamoDeliveries {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DeliveryKey>, StoreError> {
        let mut due = Vec::new();
        for shard in 0..DUE_SHARDS {
            let until = self.indexed(&shard.to_string(), now);
            let page = until.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send();
            // What has no key of a delivery is measured, see below.
            let items = page.await.map_err(store_error)?.items.unwrap_or_default();
            due.extend(items.iter().filter_map(|item| delivery_key(item).ok()));
        }
        Ok(due)
    }

    async fn delivery_backlog(&self) -> Result<BTreeMap<String, DeliveryBacklog>, StoreError> {
        let mut backlogs: BTreeMap<String, DeliveryBacklog> = BTreeMap::new();
        for shard in 0..DUE_SHARDS {
            let (keys, unreadable) = self.all_indexed(&shard.to_string()).await?;
            if unreadable > 0 {
                backlogs.entry(UNREADABLE.to_owned()).or_default().waiting += unreadable;
            }
            for key in keys {
                let backlog = backlogs.entry(key.destination.without_recipient().to_owned()).or_default();
                let made_at = key.event_id.made_at();
                backlog.waiting += 1;
                backlog.oldest = Some(backlog.oldest.map_or(made_at, |oldest| oldest.min(made_at)));
            }
        }
        for key in self.dead_deliveries().await? {
            backlogs.entry(key.destination.without_recipient().to_owned()).or_default().dead += 1;
        }
        Ok(backlogs)
    }

    async fn dead_deliveries(&self) -> Result<Vec<DeliveryKey>, StoreError> {
        Ok(self.all_indexed(DEAD_DELIVERIES).await?.0)
    }

    async fn replace(&self, before: &StoredDelivery, after: &Delivery) -> Result<bool, StoreError> {
        let new = NewDelivery { delivery: after, document: &before.document, seal: before.seal };
        self.put(delivery_item(new, before.revision + 1)?, revised(before.revision)).await
    }

    async fn replace_all(&self, changes: &[(StoredDelivery, Delivery)]) -> Result<Vec<bool>, StoreError> {
        let mut replaced = Vec::with_capacity(changes.len());
        for some in changes.chunks(IN_A_TRANSACTION) {
            if self.has_transactions && some.len() > 1 {
                let items = some.iter().map(|(before, after)| {
                    let new = NewDelivery { delivery: after, document: &before.document, seal: before.seal };
                    Ok((delivery_item(new, before.revision + 1)?, revised(before.revision)))
                });
                if self.put_together(items.collect::<Result<_, StoreError>>()?).await? {
                    replaced.extend(some.iter().map(|_| true));
                    continue;
                }
            }
            for (before, after) in some {
                replaced.push(self.replace(before, after).await?);
            }
        }
        Ok(replaced)
    }

    async fn forget(
        &self,
        destination: &DestinationId,
        until: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let (first, last) = (ids_at(Timestamp::EARLIEST).0, ids_at(until).1);
        let page = self
            .range(destination.as_str(), &first, &last)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(store_error)?;
        let mut forgotten = 0;
        for item in page.items.unwrap_or_default() {
            let key: Item = item
                .iter()
                .filter(|(name, _)| [DESTINATION, EVENT_ID].contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let condition = match stored_delivery(item) {
                Ok(stored) if stored.delivery.state == DeliveryState::Waiting => continue,
                // Unless an operator has it delivered again meanwhile.
                Ok(stored) => revised(stored.revision),
                // No attempt is made of what cannot be read.
                Err(_) => Expression::default(),
            };
            let deleted = self
                .client
                .delete_item()
                .table_name(&self.table)
                .set_key(Some(key))
                .set_condition_expression(Some(condition.text).filter(|text| !text.is_empty()))
                .set_expression_attribute_names(Some(condition.names).filter(|names| !names.is_empty()))
                .set_expression_attribute_values(Some(condition.values).filter(|values| !values.is_empty()))
                .send()
                .await;
            match deleted {
                Ok(_) => forgotten += 1,
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|error| error.is_conditional_check_failed_exception()) => {}
                Err(error) => return Err(store_error(error)),
            }
        }
        Ok(forgotten)
    }
}

impl ReadWebhooks for DynamoDeliveries {
    async fn webhooks(&self) -> Result<AllWebhooks, StoreError> {
        let mut all = AllWebhooks::default();
        let mut start = None;
        loop {
            let page = self.range(WEBHOOKS, "!", "~").set_exclusive_start_key(start).send().await;
            let page = page.map_err(store_error)?;
            let items = page.items.unwrap_or_default().into_iter().filter(|item| !is_count(item));
            for item in items {
                match webhook_record(&item) {
                    Ok(record) => all.records.push(record),
                    Err(error) => {
                        all.damaged.push(DamagedWebhook { id: webhook_id(&item), reason: error.to_string() })
                    }
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(all);
            }
        }
    }

    async fn webhook(&self, id: WebhookId) -> Result<Option<WebhookRecord>, StoreError> {
        self.item(webhook_key(id)).await?.as_ref().map(webhook_record).transpose()
    }

    async fn webhook_count(&self) -> Result<WebhookCount, StoreError> {
        let found = self.item(count_key()).await?;
        found.as_ref().map_or(Ok(WebhookCount::default()), webhook_count)
    }

    async fn webhook_trail(
        &self,
        id: WebhookId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let page = self
            .range(&trail_key(id), &trail_sort_key(after.saturating_add(1)), "~")
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(store_error)?;
        page.items.unwrap_or_default().iter().map(trail_document).collect()
    }
}

impl WriteWebhooks for DynamoDeliveries {
    async fn commit_webhook(&self, change: WebhookChange<'_>) -> Result<(), CommitError> {
        let record = self.revised_put(webhook_item(change.record, change.seal())?, change.record.revision)?;
        let mut transaction = self.client.transact_write_items().transact_items(record);
        if let Some(event) = change.event {
            transaction = transaction.transact_items(self.conditional_put(trail_item(event), is_new())?);
        }
        if let Some(count) = change.count {
            transaction = transaction.transact_items(self.revised_put(count_item(count), count.revision)?);
        }
        transaction.send().await.map(|_| ()).map_err(commit_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::ids::EventId;

    #[test]
    fn ids_of_a_time_are_between_the_first_and_the_last() {
        let id = "019cd2f0-0000-7000-8000-000000000002";
        let time = EventId::parse(id).unwrap().made_at();
        let (first, last) = ids_at(time);
        assert!(first.as_str() <= id && id <= last.as_str(), "{first} {last}");
        let before = Timestamp::from_millisecond(time.as_millisecond() - 1);
        assert!(ids_at(before).1.as_str() < id);
        let after = Timestamp::from_millisecond(time.as_millisecond() + 1);
        assert!(ids_at(after).0.as_str() > id);
    }
}
