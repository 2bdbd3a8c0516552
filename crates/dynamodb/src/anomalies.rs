//! What is remembered to find anomalies, in the outbox table: a document for each person and each open request, one of the
//! deployment, and how far the log has been looked at.

use crate::attribute::{
    InvalidAttribute, check_format, number_value, read, read_number, read_text, text_value,
};
use crate::error::{commit_error, invalid, store_error, unreadable};
use crate::expression::Item;
use crate::keys::{ANOMALIES, ANOMALY_CURSOR, EVENT_ID, FORMAT, SHARD, VERSION};
use crate::store::{DynamoStore, versioned_put};
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use countersign_anomalies::document::DocumentKey;
use countersign_app::anomalies::{AnomalyCursor, AnomalyStore, DocumentChange};
use countersign_app::ports::{CommitError, StoreError};
use std::collections::BTreeSet;

/// Names the set of attributes of a cursor. Another set gets another name.
const CURSOR_FORMAT: &str = "countersign.anomalies.cursor.v1";
/// The same of the item of a document, which has a format of its own.
const DOCUMENT_FORMAT: &str = "countersign.anomalies.item.v1";
const SIZE: &str = "size";
const DOCUMENT: &str = "document";

fn item_key(sort_key: &str) -> Item {
    Item::from([(SHARD.to_owned(), text_value(ANOMALIES)), (EVENT_ID.to_owned(), text_value(sort_key))])
}

fn cursor_item(cursor: &AnomalyCursor) -> Item {
    let mut item = item_key(ANOMALY_CURSOR);
    item.insert(FORMAT.to_owned(), text_value(CURSOR_FORMAT));
    item.insert(VERSION.to_owned(), number_value(cursor.version));
    item.insert(SIZE.to_owned(), number_value(cursor.size));
    item
}

fn cursor(item: &Item) -> Result<AnomalyCursor, InvalidAttribute> {
    check_format(item, CURSOR_FORMAT)?;
    Ok(AnomalyCursor { version: read_number(item, VERSION)?, size: read_number(item, SIZE)? })
}

fn document_item(key: &DocumentKey, document: &str) -> Item {
    let mut item = item_key(&key.to_string());
    item.insert(FORMAT.to_owned(), text_value(DOCUMENT_FORMAT));
    item.insert(DOCUMENT.to_owned(), text_value(document));
    item
}

fn document(item: &Item) -> Result<(DocumentKey, String), InvalidAttribute> {
    check_format(item, DOCUMENT_FORMAT)?;
    let key = read(EVENT_ID, read_text(item, EVENT_ID)?, str::parse)?;
    Ok((key, read_text(item, DOCUMENT)?.to_owned()))
}

fn damaged(error: impl std::fmt::Display) -> StoreError {
    unreadable("anomalies", error)
}

impl AnomalyStore for DynamoStore {
    async fn anomaly_cursor(&self) -> Result<Option<AnomalyCursor>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.outbox)
            .set_key(Some(item_key(ANOMALY_CURSOR)))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        found.item.map(|item| cursor(&item).map_err(damaged)).transpose()
    }

    async fn load_documents(
        &self,
        keys: &BTreeSet<DocumentKey>,
    ) -> Result<Vec<(DocumentKey, String)>, StoreError> {
        let wanted = keys.iter().map(|key| item_key(&key.to_string())).collect();
        let items = self.outbox_items(wanted).await?;
        items.iter().map(|item| document(item).map_err(damaged)).collect()
    }

    async fn commit_documents(
        &self,
        before: Option<&AnomalyCursor>,
        after: &AnomalyCursor,
        changes: &[DocumentChange],
    ) -> Result<(), CommitError> {
        let before = before.map(|before| before.version);
        let cursor = versioned_put(&self.tables.outbox, cursor_item(after), before)?;
        let mut transaction = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(cursor).build());
        for (key, document) in changes {
            let change = match document {
                Some(document) => {
                    let put = Put::builder()
                        .table_name(&self.tables.outbox)
                        .set_item(Some(document_item(key, document)))
                        .build()
                        .map_err(invalid)?;
                    TransactWriteItem::builder().put(put)
                }
                None => {
                    let delete = Delete::builder()
                        .table_name(&self.tables.outbox)
                        .set_key(Some(item_key(&key.to_string())))
                        .build()
                        .map_err(invalid)?;
                    TransactWriteItem::builder().delete(delete)
                }
            };
            transaction = transaction.transact_items(change.build());
        }
        transaction.send().await.map(|_| ()).map_err(commit_error)
    }
}
