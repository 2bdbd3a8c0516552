//! What is remembered of configured destinations: the calls of the SDK for it, in the table of deliveries.

use crate::channel_item::{
    digest_item, digest_key, digest_record, fired_item, fired_partition, fired_timer, place_item, place_key,
    place_record, thread, thread_item, thread_key,
};
use crate::deliveries::{DynamoDeliveries, revised};
use crate::error::store_error;
use crate::expression::Expression;
use crate::keys::DESTINATION;
use countersign_app::ports::{ChannelStore, DigestRecord, PlaceRecord, StoreError, Thread};
use countersign_core::ids::RequestId;
use countersign_delivery::destination::DestinationId;
use std::collections::BTreeSet;

impl ChannelStore for DynamoDeliveries {
    async fn place(&self, destination: &DestinationId) -> Result<PlaceRecord, StoreError> {
        match self.item(place_key(destination)).await? {
            Some(item) => place_record(destination, &item),
            None => Ok(PlaceRecord::new(destination.clone())),
        }
    }

    async fn put_place(&self, record: &PlaceRecord) -> Result<bool, StoreError> {
        self.put(place_item(record)?, revised(record.revision)).await
    }

    async fn thread(&self, destination: &DestinationId, request_id: RequestId) -> Result<Thread, StoreError> {
        match self.item(thread_key(destination, request_id)).await? {
            Some(item) => thread(destination, request_id, &item),
            None => Ok(Thread::new(destination.clone(), request_id)),
        }
    }

    async fn put_thread(&self, thread: &Thread) -> Result<bool, StoreError> {
        self.put(thread_item(thread)?, revised(thread.revision)).await
    }

    async fn fired(&self, request_id: RequestId) -> Result<BTreeSet<String>, StoreError> {
        // A request has fewer timers than a page has room for.
        let page = self.range(&fired_partition(request_id), "!", "~").send().await.map_err(store_error)?;
        page.items.unwrap_or_default().iter().map(fired_timer).collect()
    }

    async fn put_fired(&self, request_id: RequestId, timer: &str) -> Result<bool, StoreError> {
        let mut condition = Expression::default();
        let destination = condition.name(DESTINATION);
        condition.text = format!("attribute_not_exists({destination})");
        self.put(fired_item(request_id, timer), condition).await
    }

    async fn digest(&self, name: &str) -> Result<Option<DigestRecord>, StoreError> {
        self.item(digest_key(name)).await?.map(|item| digest_record(name, &item)).transpose()
    }

    async fn put_digest(&self, record: &DigestRecord) -> Result<bool, StoreError> {
        self.put(digest_item(record)?, revised(record.revision)).await
    }
}
