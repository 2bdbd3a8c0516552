//! The outbox: what is committed and not yet delivered.

use crate::continuation_item::{self, continuation_key, released_item};
use crate::counting::{count, partition};
use crate::error::invalid;
use crate::error::{commit_error, refused_actions, store_error};
use crate::expression::{Expression, Item};
use crate::keys::{DEAD, EVENT_ID, OUTBOX_SHARDS, RECORDED, RELEASED, SHARD, WAITING, first_event_id_at};
use crate::outbox_item::{self, LOGGED, PUBLISHED, outbox_entry, outbox_key};
use crate::record::recorded_entry;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use aws_types::SdkConfig;
use countersign_app::continuations::{Continuations, Released};
use countersign_app::ports::{
    Backlog, CommitError, Outbox, OutboxEntry, OutboxKey, OutboxPage, RecordedPage, Settled, StoreError,
};
use countersign_core::ids::{EventId, RequestId};
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;

/// How many entries are read at once.
const PAGE: i32 = 100;

/// The most actions of a transaction.
const MAX_ACTIONS: usize = 100;

/// How often the delivery of an entry has failed.
const ATTEMPTS: &str = "attempts";

/// The condition on an entry that is there, and not settled in the other way.
const UNSETTLED: &str = "attribute_exists(event_id) AND attribute_not_exists(#other)";
/// The condition on one that is settled in the other way.
const SETTLED_OTHERWISE: &str = "attribute_exists(#other)";

/// What becomes of the failures that are counted when an entry moves.
#[derive(Debug, Clone, Copy)]
enum Failures {
    /// This one is counted too.
    OneMore,
    /// It begins anew.
    Forgotten,
}

fn key_item(key: &OutboxKey) -> Item {
    Item::from([
        (SHARD.to_owned(), AttributeValue::S(key.shard.clone())),
        (EVENT_ID.to_owned(), AttributeValue::S(key.event_id.clone())),
    ])
}

/// The outbox table, for those who deliver from it. Entries are written by the store, in the
/// transaction of the event.
#[derive(Debug, Clone)]
pub struct DynamoOutbox {
    client: Client,
    table: String,
    /// How many entries are settled together.
    together: usize,
}

impl DynamoOutbox {
    /// The outbox in a table, through a client that the shell has built.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, together: 1 }
    }

    /// The same outbox, where entries are settled by transactions of many: an engine that waits for its disk at each commit
    /// is done sooner. `DynamoDB` itself is not, and charges twice for what is in a transaction.
    pub fn with_transactions(self) -> Self {
        Self { together: MAX_ACTIONS, ..self }
    }

    /// The same, with a client of its own.
    pub fn connect(aws: &SdkConfig, table: String) -> Self {
        Self::new(Client::new(aws), table)
    }

    async fn get(&self, key: &OutboxKey) -> Result<Option<Item>, StoreError> {
        self.get_item(key_item(key)).await
    }

    async fn get_item(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .set_key(Some(key))
            .send()
            .await
            .map_err(store_error)?;
        Ok(found.item)
    }

    /// When the first entry of a partition without a mark was made, if its id says so; and how many there are on the page that
    /// it is on.
    async fn oldest(&self, shard: &str, mark: &str) -> Result<(Option<Timestamp>, usize), StoreError> {
        let mut after = None;
        loop {
            let page = self.query_outbox(shard, None, Some(mark), after.as_ref()).await?;
            if let Some(first) = page.entries.first() {
                // An entry whose id is none has no age; it must not look like an empty outbox.
                let made_at =
                    EventId::parse(&first.key.event_id).map_or(Timestamp::EARLIEST, |id| id.made_at());
                return Ok((Some(made_at), page.entries.len()));
            }
            after = page.next;
            if after.is_none() {
                return Ok((None, 0));
            }
        }
    }

    /// The oldest over some partitions, and how many there are, as far as they are counted.
    async fn oldest_of(
        &self,
        shards: &[String],
        mark: &str,
    ) -> Result<(Option<Timestamp>, usize), StoreError> {
        let mut oldest: Option<Timestamp> = None;
        let mut waiting = 0;
        for shard in shards {
            let (first, count) = self.oldest(shard, mark).await?;
            oldest = oldest.into_iter().chain(first).min();
            waiting += count;
        }
        Ok((oldest, waiting))
    }

    async fn query_outbox(
        &self,
        shard: &str,
        before: Option<Timestamp>,
        without: Option<&str>,
        after: Option<&OutboxKey>,
    ) -> Result<OutboxPage, StoreError> {
        let (items, next) = self.query_items(shard, before, without, after).await?;
        Ok(OutboxPage { entries: items.into_iter().map(outbox_entry).collect::<Result<_, _>>()?, next })
    }

    async fn query_items(
        &self,
        shard: &str,
        before: Option<Timestamp>,
        without: Option<&str>,
        after: Option<&OutboxKey>,
    ) -> Result<(Vec<Item>, Option<OutboxKey>), StoreError> {
        let mut condition = partition(shard);
        let filter = without.map(|mark| format!("attribute_not_exists({})", condition.name(mark)));
        if let Some(before) = before {
            let event_id = condition.name(EVENT_ID);
            let bound = condition.string("before", first_event_id_at(before));
            condition.text.push_str(&format!(" AND {event_id} < {bound}"));
        }
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .set_filter_expression(filter)
            .limit(PAGE)
            .set_exclusive_start_key(after.map(key_item))
            .send()
            .await
            .map_err(store_error)?;
        let next = page.last_evaluated_key.as_ref().map(outbox_key).transpose()?;
        Ok((page.items.unwrap_or_default(), next))
    }

    /// Moves an entry to another partition. `false` if it is not there.
    async fn move_entry(
        &self,
        key: &OutboxKey,
        to_shard: String,
        failures: Failures,
    ) -> Result<bool, StoreError> {
        let Some(mut item) = self.get(key).await? else { return Ok(false) };
        // Settled meanwhile in one way, it must not move without the mark of that.
        let mut condition = Expression::default();
        let marks = [PUBLISHED, LOGGED].map(|mark| match item.contains_key(mark) {
            true => format!("attribute_exists({})", condition.name(mark)),
            false => format!("attribute_not_exists({})", condition.name(mark)),
        });
        condition.text = marks.join(" AND ");
        item.insert(SHARD.to_owned(), AttributeValue::S(to_shard));
        let counted =
            item.get(ATTEMPTS).and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok());
        let attempts: u32 = match failures {
            Failures::OneMore => counted.unwrap_or(0_u32).saturating_add(1),
            Failures::Forgotten => 0,
        };
        item.insert(ATTEMPTS.to_owned(), AttributeValue::N(attempts.to_string()));
        self.replace(key_item(key), Some(condition), item).await?;
        Ok(true)
    }

    /// Settles entries in one transaction, as most of them are to be: what is published for the first time, and what is logged
    /// after that. Gives back those that are not so, if there are any; then nothing has changed.
    async fn settle_together(
        &self,
        keys: &[OutboxKey],
        settled: Settled,
    ) -> Result<Vec<OutboxKey>, StoreError> {
        let mut transaction = self.client.transact_write_items();
        for key in keys {
            transaction = transaction.transact_items(self.settling(key, settled)?);
        }
        let Err(error) = transaction.send().await else { return Ok(Vec::new()) };
        let codes = error.as_service_error().map(refused_actions).unwrap_or_default();
        let refused: Vec<_> = keys
            .iter()
            .zip(codes)
            .filter(|(_, is_refused)| *is_refused)
            .map(|(key, _)| key.clone())
            .collect();
        match commit_error(error) {
            CommitError::Conflict if !refused.is_empty() => Ok(refused),
            CommitError::Conflict => Err(StoreError::Unavailable("conflict".to_owned())),
            CommitError::Store(error) => Err(error),
        }
    }

    fn settling(&self, key: &OutboxKey, settled: Settled) -> Result<TransactWriteItem, StoreError> {
        let action = TransactWriteItem::builder();
        let delete = || Delete::builder().table_name(&self.table).set_key(Some(key_item(key)));
        Ok(match settled {
            _ if key.shard == RECORDED => action.delete(delete().build().map_err(invalid)?),
            Settled::Published => action.update(
                Update::builder()
                    .table_name(&self.table)
                    .set_key(Some(key_item(key)))
                    .update_expression("SET #mark = :yes")
                    .condition_expression(UNSETTLED)
                    .expression_attribute_names("#mark", PUBLISHED)
                    .expression_attribute_names("#other", LOGGED)
                    .expression_attribute_values(":yes", AttributeValue::Bool(true))
                    .build()
                    .map_err(invalid)?,
            ),
            Settled::Logged => action.delete(
                delete()
                    .condition_expression(SETTLED_OTHERWISE)
                    .expression_attribute_names("#other", PUBLISHED)
                    .build()
                    .map_err(invalid)?,
            ),
        }
        .build())
    }

    /// Puts an item in the place of another, which is there and as a further condition says.
    async fn replace(&self, key: Item, condition: Option<Expression>, item: Item) -> Result<(), StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build().map_err(invalid)?;
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key))
            .condition_expression(match &condition {
                Some(condition) => format!("attribute_exists({EVENT_ID}) AND {}", condition.text),
                None => format!("attribute_exists({EVENT_ID})"),
            })
            .set_expression_attribute_names(condition.map(|condition| condition.names))
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
            Ok(_) => Ok(()),
            // Another sweep is at it, or was: looking again shows which.
            Err(CommitError::Conflict) => Err(StoreError::Unavailable("conflict".to_owned())),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

impl Outbox for DynamoOutbox {
    fn shards(&self) -> Vec<String> {
        (0..OUTBOX_SHARDS).map(|shard| shard.to_string()).collect()
    }

    async fn undelivered(
        &self,
        shard: &str,
        before: Timestamp,
        after: Option<&OutboxKey>,
    ) -> Result<OutboxPage, StoreError> {
        self.query_outbox(shard, Some(before), Some(PUBLISHED), after).await
    }

    fn dead_shard(&self) -> String {
        DEAD.to_owned()
    }

    async fn unlogged(&self, shard: &str, after: Option<&OutboxKey>) -> Result<OutboxPage, StoreError> {
        self.query_outbox(shard, None, Some(LOGGED), after).await
    }

    async fn recorded(&self, after: Option<&OutboxKey>) -> Result<RecordedPage, StoreError> {
        let (items, next) = self.query_items(RECORDED, None, None, after).await?;
        Ok(RecordedPage { entries: items.iter().map(recorded_entry).collect::<Result<_, _>>()?, next })
    }

    async fn entry(&self, key: &OutboxKey) -> Result<Option<OutboxEntry>, StoreError> {
        self.get(key).await?.map(outbox_entry).transpose()
    }

    async fn settle(&self, key: &OutboxKey, settled: Settled) -> Result<(), StoreError> {
        if key.shard == RECORDED {
            let deleted =
                self.client.delete_item().table_name(&self.table).set_key(Some(key_item(key))).send().await;
            return deleted.map(|_| ()).map_err(store_error);
        }
        let (mark, other) = match settled {
            Settled::Published => (PUBLISHED, LOGGED),
            Settled::Logged => (LOGGED, PUBLISHED),
        };
        let marked = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key_item(key)))
            .update_expression("SET #mark = :yes")
            .condition_expression(UNSETTLED)
            .expression_attribute_names("#mark", mark)
            .expression_attribute_names("#other", other)
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .send()
            .await;
        match marked {
            Ok(_) => return Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {}
            Err(error) => return Err(store_error(error)),
        }
        // It is settled in the other way already, or it is gone. INVARIANT: a mark is never taken away.
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key_item(key)))
            .condition_expression(SETTLED_OTHERWISE)
            .expression_attribute_names("#other", other)
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(store_error(error)),
        }
    }

    async fn settle_all(&self, keys: &[OutboxKey], settled: Settled) -> Result<(), StoreError> {
        for keys in keys.chunks(self.together) {
            let mut keys = keys.to_vec();
            while keys.len() > 1 {
                let refused = self.settle_together(&keys, settled).await?;
                for key in &refused {
                    self.settle(key, settled).await?;
                }
                // INVARIANT: if there are none, all are settled; if there are some, they are fewer from now on.
                keys.retain(|key| !refused.is_empty() && !refused.contains(key));
            }
            for key in keys {
                self.settle(&key, settled).await?;
            }
        }
        Ok(())
    }

    fn together(&self) -> usize {
        self.together
    }

    async fn count_failure(&self, key: &OutboxKey) -> Result<(), StoreError> {
        let counted = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key_item(key)))
            .update_expression(format!("ADD {ATTEMPTS} :one"))
            .condition_expression(format!("attribute_exists({EVENT_ID})"))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .send()
            .await;
        match counted {
            Ok(_) => Ok(()),
            // Another sweep has delivered it in the meantime.
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(store_error(error)),
        }
    }

    async fn dead_letter(&self, key: &OutboxKey) -> Result<(), StoreError> {
        self.move_entry(key, DEAD.to_owned(), Failures::OneMore).await.map(|_| ())
    }

    async fn dead(&self, after: Option<&OutboxKey>) -> Result<OutboxPage, StoreError> {
        self.query_outbox(DEAD, None, None, after).await
    }

    async fn redrive(&self, event_id: EventId) -> Result<bool, StoreError> {
        let key = OutboxKey { shard: DEAD.to_owned(), event_id: event_id.to_string() };
        self.move_entry(&key, outbox_item::shard(event_id), Failures::Forgotten).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let mut shards = self.shards();
        let (oldest, waiting) = self.oldest_of(&shards, PUBLISHED).await?;
        shards.extend([DEAD.to_owned(), RECORDED.to_owned()]);
        let unlogged = self.oldest_of(&shards, LOGGED).await?.0;
        Ok(Backlog { oldest, waiting, dead: count(&self.client, &self.table, None, DEAD).await?, unlogged })
    }
}

impl Continuations for DynamoOutbox {
    fn released_shard(&self) -> &'static str {
        RELEASED
    }

    async fn release(&self, request_id: RequestId, status: Status, now: Timestamp) -> Result<(), StoreError> {
        let key = continuation_key(WAITING, request_id);
        let Some(item) = self.get_item(key.clone()).await? else { return Ok(()) };
        if !continuation_item::waits_for(&item, status)? {
            return Ok(());
        }
        self.replace(key, None, released_item(item, RELEASED, status, now)).await
    }

    async fn released(
        &self,
        after: Option<RequestId>,
    ) -> Result<Vec<Result<Released, RequestId>>, StoreError> {
        let condition = partition(RELEASED);
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .limit(PAGE)
            .set_exclusive_start_key(after.map(|id| continuation_key(RELEASED, id)))
            .send()
            .await
            .map_err(store_error)?;
        page.items.unwrap_or_default().iter().map(continuation_item::released).collect()
    }

    async fn released_for(
        &self,
        request_id: RequestId,
    ) -> Result<Option<Result<Released, RequestId>>, StoreError> {
        let item = self.get_item(continuation_key(RELEASED, request_id)).await?;
        item.as_ref().map(continuation_item::released).transpose()
    }

    async fn erase(&self, request_id: RequestId) -> Result<(), StoreError> {
        let key = continuation_key(RELEASED, request_id);
        let deleted = self.client.delete_item().table_name(&self.table).set_key(Some(key)).send().await;
        deleted.map(|_| ()).map_err(store_error)
    }
}
