//! Figures, beside the head of the audit log: every call of the SDK for them.

use crate::error::{commit_error, invalid, store_error, unreadable};
use crate::expression::{Expression, Item};
use crate::figure_item::{
    self, Figure, cursor_item, cursor_key, day_item, day_key, figure, request_item, request_key, sort_key,
};
use crate::keys::{EVENT_ID, FIGURE_REQUESTS, FIGURES, SHARD};
use crate::store::{DynamoStore, versioned_put};
use aws_sdk_dynamodb::types::{AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem};
use countersign_app::figure_store::{
    FigureChanges, FigureStore, FoldCursor, ReadFigures, ReplaceFigures, StoredFigures,
};
use countersign_app::ports::{CommitError, StoreError};
use countersign_figures::fold::{FigureState, Touched};
use std::collections::HashMap;

/// How often what a read of several items has left out is asked for again, or figures that were replaced.
const MAX_BATCH_ATTEMPTS: usize = 8;

fn damaged(error: impl std::fmt::Display) -> StoreError {
    unreadable("figures", error)
}

/// Adds an item to figures.
fn insert(state: &mut FigureState, item: &Item) -> Result<(), StoreError> {
    match figure(item).map_err(damaged)? {
        Figure::Day(day, figures) => {
            state.days.insert(day, *figures);
        }
        Figure::Request(id, progress) => {
            state.requests.insert(id, progress);
        }
    }
    Ok(())
}

impl DynamoStore {
    /// The items of a partition between two sort keys.
    async fn figure_items(&self, shard: &str, first: &str, last: &str) -> Result<Vec<Item>, StoreError> {
        let mut condition = Expression::default();
        let (shard_name, sort_name) = (condition.name(SHARD), condition.name(EVENT_ID));
        let shard = condition.string("shard", shard);
        let (first, last) = (condition.string("first", first), condition.string("last", last));
        condition.text = format!("{shard_name} = {shard} AND {sort_name} BETWEEN {first} AND {last}");
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.tables.outbox)
                .consistent_read(true)
                .key_condition_expression(&condition.text)
                .set_expression_attribute_names(Some(condition.names.clone()))
                .set_expression_attribute_values(Some(condition.values.clone()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(store_error)?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// Those of the items of the outbox table that there are, by their keys, strongly consistent.
    pub(crate) async fn outbox_items(&self, mut wanted: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        for _ in 0..MAX_BATCH_ATTEMPTS {
            if wanted.is_empty() {
                return Ok(items);
            }
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(std::mem::take(&mut wanted)))
                .consistent_read(true)
                .build()
                .map_err(invalid)?;
            let answer = self.client.batch_get_item().request_items(&self.tables.outbox, keys).send().await;
            let answer = answer.map_err(store_error)?;
            items.extend(answer.responses.unwrap_or_default().into_values().flatten());
            let left_out = answer.unprocessed_keys.unwrap_or_default().into_values();
            wanted = left_out.flat_map(|left_out| left_out.keys).collect();
        }
        match wanted.as_slice() {
            [] => Ok(items),
            _ => Err(StoreError::Unavailable("items are read too slowly".to_owned())),
        }
    }

    /// All items of a generation.
    async fn generation_items(&self, generation: u64) -> Result<Vec<Item>, StoreError> {
        let (first, last) = (sort_key(generation, ""), sort_key(generation, "~"));
        let mut items = self.figure_items(FIGURES, &first, &last).await?;
        items.extend(self.figure_items(FIGURE_REQUESTS, &first, &last).await?);
        Ok(items)
    }
}

impl FigureStore for DynamoStore {
    async fn fold_cursor(&self) -> Result<Option<FoldCursor>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.outbox)
            .set_key(Some(cursor_key()))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        found.item.map(|item| figure_item::cursor(&item).map_err(damaged)).transpose()
    }

    async fn load_figures(&self, generation: u64, touched: &Touched) -> Result<FigureState, StoreError> {
        let days = touched.days.iter().map(|day| day_key(generation, day));
        let requests = touched.requests.iter().map(|id| request_key(generation, *id));
        let mut state = FigureState::default();
        for item in self.outbox_items(days.chain(requests).collect()).await? {
            insert(&mut state, &item)?;
        }
        Ok(state)
    }

    async fn commit_figures(
        &self,
        before: Option<&FoldCursor>,
        after: &FoldCursor,
        changes: &FigureChanges,
    ) -> Result<(), CommitError> {
        let before = before.map(|before| before.version);
        let cursor = versioned_put(&self.tables.outbox, cursor_item(after), before)?;
        let mut transaction = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(cursor).build());
        let days = changes.days.iter().map(|(day, figures)| day_item(after.generation, day, figures));
        let requests =
            changes.requests.iter().map(|(id, progress)| request_item(after.generation, *id, progress));
        for item in days.chain(requests) {
            let put = Put::builder()
                .table_name(&self.tables.outbox)
                .set_item(Some(item.map_err(damaged)?))
                .build()
                .map_err(invalid)?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        for id in &changes.forgotten {
            let delete = Delete::builder()
                .table_name(&self.tables.outbox)
                .set_key(Some(request_key(after.generation, *id)))
                .build()
                .map_err(invalid)?;
            transaction = transaction.transact_items(TransactWriteItem::builder().delete(delete).build());
        }
        transaction.send().await.map(|_| ()).map_err(commit_error)
    }

    async fn remove_figures(&self, generation: u64) -> Result<(), StoreError> {
        for item in self.generation_items(generation).await? {
            let is_key = |(name, _): &(String, AttributeValue)| name == SHARD || name == EVENT_ID;
            let key: HashMap<_, _> = item.into_iter().filter(is_key).collect();
            let delete = self.client.delete_item().table_name(&self.tables.outbox).set_key(Some(key));
            delete.send().await.map_err(store_error)?;
        }
        Ok(())
    }
}

impl ReadFigures for DynamoStore {
    async fn read_figures(&self, from: &str, to: &str) -> Result<StoredFigures, StoreError> {
        for _ in 0..MAX_BATCH_ATTEMPTS {
            let cursor = self.fold_cursor().await?.unwrap_or_default();
            let (first, last) = (sort_key(cursor.generation, from), sort_key(cursor.generation, to));
            let mut state = FigureState::default();
            for item in self.figure_items(FIGURES, &first, &last).await? {
                insert(&mut state, &item)?;
            }
            // Figures that have been replaced meanwhile may be half removed.
            let generation = self.fold_cursor().await?.unwrap_or_default().generation;
            if generation == cursor.generation {
                return Ok(StoredFigures { size: cursor.size, days: state.days });
            }
        }
        Err(StoreError::Unavailable("figures are replaced again and again".to_owned()))
    }
}

impl ReplaceFigures for DynamoStore {
    async fn all_figures(&self, generation: u64) -> Result<FigureState, StoreError> {
        let mut state = FigureState::default();
        for item in self.generation_items(generation).await? {
            insert(&mut state, &item)?;
        }
        Ok(state)
    }
}
