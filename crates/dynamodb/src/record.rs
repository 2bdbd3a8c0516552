//! Events that change no request, and the counts that some of them stand for.
//!
//! Each event leaves an item in the outbox table that names it, so that what becomes of all events becomes of it.

use crate::audit_item::audit_event;
use crate::counted_item::{self, counted_attempts};
use crate::error::{commit_error, invalid, store_error, unreadable};
use crate::expression::{Expression, Item};
use crate::keys::{COUNTED, EVENT_ID, FORMAT, RECORDED, SEQUENCE, SHARD, STREAM};
use crate::outbox_item::outbox_key;
use crate::store::DynamoStore;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use countersign_app::ports::{
    CommitError, CountAttempts, CountedAttempts, CountedAttemptsStore, LastEvent, RecordEvent, RecordedEntry,
    Sequel, StoreError,
};
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::notification::EventPlace;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;

/// Names the set of attributes of an item that names an event.
const RECORDED_FORMAT: &str = "countersign.recorded.v1";

/// The item that names an event which is not published.
fn recorded_item(event: &AuditEvent) -> Item {
    let text = |text: String| AttributeValue::S(text);
    Item::from([
        (SHARD.to_owned(), text(RECORDED.to_owned())),
        (EVENT_ID.to_owned(), text(event.event_id.to_string())),
        (FORMAT.to_owned(), text(RECORDED_FORMAT.to_owned())),
        (STREAM.to_owned(), text(event.stream.to_string())),
        (SEQUENCE.to_owned(), AttributeValue::N(event.sequence.to_string())),
    ])
}

/// The entry of such an item.
///
/// # Errors
/// If the item has not even a key.
pub(crate) fn recorded_entry(item: &Item) -> Result<RecordedEntry, StoreError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let is_read = text(FORMAT).is_some_and(|format| format == RECORDED_FORMAT);
    let stream = text(STREAM).filter(|_| is_read).and_then(|stream| Stream::parse(stream).ok());
    let sequence = item.get(SEQUENCE).and_then(|sequence| sequence.as_n().ok()?.parse().ok());
    let place = stream.zip(sequence).map(|(stream, sequence)| EventPlace { stream, sequence, hash: None });
    Ok(RecordedEntry { key: outbox_key(item)?, place })
}

impl LastEvent for DynamoStore {
    async fn last_event(&self, stream: &Stream) -> Result<Option<AuditEvent>, StoreError> {
        let page = self.events_of(stream, false).limit(1).send().await.map_err(store_error)?;
        page.items.unwrap_or_default().pop().map(audit_event).transpose()
    }
}

impl RecordEvent for DynamoStore {
    async fn record_event(&self, event: &AuditEvent, sequel: Sequel<'_>) -> Result<bool, StoreError> {
        let mut transaction = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(self.put_event(event)?).build());
        let waiting = match sequel {
            Sequel::Publish(message) => self.put_message(message)?,
            Sequel::Keep | Sequel::Settle(_) => self.put_outbox(recorded_item(event))?,
        };
        transaction = transaction.transact_items(TransactWriteItem::builder().put(waiting).build());
        if let Sequel::Settle(counted) = sequel {
            // Unless more has been counted meanwhile.
            let mut condition = Expression::default();
            let total = condition.name(counted_item::TOTAL);
            let read = condition.value("total", AttributeValue::N(counted.total.to_string()));
            let delete = Delete::builder()
                .table_name(&self.tables.outbox)
                .set_key(Some(counted_item::key(&counted.key)))
                .condition_expression(format!("{total} = {read}"))
                .set_expression_attribute_names(Some(condition.names))
                .set_expression_attribute_values(Some(condition.values))
                .build()
                .map_err(invalid)?;
            transaction = transaction.transact_items(TransactWriteItem::builder().delete(delete).build());
        }
        match transaction.send().await.map_err(commit_error) {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

impl CountAttempts for DynamoStore {
    async fn count_attempts(
        &self,
        actor: &Principal,
        code: &'static str,
        attempts: u64,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = counted_item::update(actor, code, attempts, at);
        let updated = self
            .client
            .update_item()
            .table_name(&self.tables.outbox)
            .set_key(Some(counted_item::key(&counted_item::sort_key(actor, at))))
            .update_expression(update.text)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .send()
            .await;
        updated.map(|_| ()).map_err(store_error)
    }
}

impl CountedAttemptsStore for DynamoStore {
    async fn counted_attempts(&self) -> Result<Vec<CountedAttempts>, StoreError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let mut condition = Expression::default();
            let name = condition.name(SHARD);
            let value = condition.string("shard", COUNTED);
            let page = self
                .client
                .query()
                .table_name(&self.tables.outbox)
                .consistent_read(true)
                .key_condition_expression(format!("{name} = {value}"))
                .set_expression_attribute_names(Some(condition.names))
                .set_expression_attribute_values(Some(condition.values))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(store_error)?;
            for item in page.items.iter().flatten() {
                found.push(
                    counted_attempts(item).ok_or_else(|| {
                        unreadable("count of refused attempts", "it is none of this format")
                    })?,
                );
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }
}
