//! What erasure needs of the store: what has closed and is not erased, and how far it has come.

use crate::attribute::{check_format, read, read_text, text_value};
use crate::error::{store_error, unreadable};
use crate::expression::Item;
use crate::keys::{ERASED_UNTIL, ERASURE, EVENT_ID, FORMAT, LISTING, SHARD};
use crate::listing;
use crate::store::DynamoStore;
use countersign_app::ports::{DuePage, StoreError};
use countersign_app::retention::{ErasureMark, FindClosed};
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;

/// Names the set of attributes of a mark. Another set gets another name.
const MARK_FORMAT: &str = "countersign.erasure.v1";
/// The time of a mark.
const UNTIL: &str = "until";
/// Within [`LISTING`], on what is erased.
const ERASED_AT: &str = "erased_at";

fn mark_key() -> Item {
    Item::from([(SHARD.to_owned(), text_value(ERASURE)), (EVENT_ID.to_owned(), text_value(ERASED_UNTIL))])
}

impl FindClosed for DynamoStore {
    async fn find_closed(
        &self,
        status: Status,
        closed: (Timestamp, Timestamp),
        limit: usize,
        cursor: Option<String>,
    ) -> Result<DuePage, StoreError> {
        let stage = listing::closed_between(status, closed);
        self.ids_of(stage, limit, cursor, |_, filter| {
            let (listing, erased_at) = (filter.name(LISTING), filter.name(ERASED_AT));
            Some(format!("attribute_not_exists({listing}.{erased_at})"))
        })
        .await
    }
}

impl ErasureMark for DynamoStore {
    async fn erased_until(&self) -> Result<Option<Timestamp>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.outbox)
            .set_key(Some(mark_key()))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        let mark = |item: &Item| {
            check_format(item, MARK_FORMAT)?;
            read(UNTIL, read_text(item, UNTIL)?, Timestamp::parse)
        };
        found.item.map(|item| mark(&item).map_err(|error| unreadable("erasure", error))).transpose()
    }

    async fn mark_erased_until(&self, until: Timestamp) -> Result<(), StoreError> {
        let mut item = mark_key();
        item.insert(FORMAT.to_owned(), text_value(MARK_FORMAT));
        item.insert(UNTIL.to_owned(), text_value(until.to_string()));
        let put = self.client.put_item().table_name(&self.tables.outbox).set_item(Some(item));
        put.send().await.map_err(store_error)?;
        Ok(())
    }
}
