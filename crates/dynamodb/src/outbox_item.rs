//! An outbox entry as an item: where it is, how often it failed, and the CloudEvent as one JSON
//! document.

use crate::error::unreadable;
use crate::expression::Item;
use crate::keys::{DEAD, EVENT_ID, OUTBOX_SHARDS, SHARD};
use countersign_app::ports::{OutboxEntry, OutboxKey, StoreError};
use countersign_core::cloud_event::{CloudEvent, Message};
use countersign_core::digest::Digest;
use countersign_core::ids::EventId;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

/// Names the set of attributes. Another set gets another name.
const FORMAT: &str = "countersign.outbox.v1";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OutboxItem {
    shard: String,
    event_id: String,
    format: String,
    #[serde(default)]
    attempts: u32,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
    /// Whether it has been published, and waits for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<bool>,
    /// Whether its event is in the log, and it waits for its publication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logged: Option<bool>,
}

/// What an entry is marked with that is settled in one of two ways.
pub(crate) const PUBLISHED: &str = "published";
/// See [`PUBLISHED`].
pub(crate) const LOGGED: &str = "logged";

/// The outbox partition of an event.
pub(crate) fn shard(event_id: EventId) -> String {
    event_id.shard(OUTBOX_SHARDS).to_string()
}

/// The item of a fresh entry.
pub(crate) fn outbox_item(message: &Message) -> Result<Item, StoreError> {
    let item = OutboxItem {
        shard: shard(message.event_id),
        event_id: message.event_id.to_string(),
        format: FORMAT.to_owned(),
        attempts: 0,
        message: message.document.as_str().to_owned(),
        seal: Some(message.seal.to_string()),
        published: None,
        logged: None,
    };
    to_item(item).map_err(|error| unreadable("outbox entry", error))
}

/// The entry of an item.
///
/// # Errors
/// If the item has not even a key. A message that cannot be read is not an error of the outbox:
/// the entry says so.
pub(crate) fn outbox_entry(item: Item) -> Result<OutboxEntry, StoreError> {
    let key = outbox_key(&item)?;
    let is_published = item.contains_key(PUBLISHED);
    Ok(match from_item::<OutboxItem>(item) {
        Ok(entry) => {
            let event = match entry.format == FORMAT {
                true => CloudEvent::read(&entry.message).and_then(|event| of_key(&key, event)),
                false => Err(format!("its format is not {FORMAT}")),
            };
            let seal = entry.seal.and_then(|seal| Digest::parse(&seal).ok());
            OutboxEntry { key, attempts: entry.attempts, event, document: entry.message, seal, is_published }
        }
        Err(_) => {
            let event = Err("an attribute is missing or of another type".to_owned());
            OutboxEntry { key, attempts: 0, event, document: String::new(), seal: None, is_published }
        }
    })
}

/// The key of an item, or of the end of a page.
pub(crate) fn outbox_key(item: &Item) -> Result<OutboxKey, StoreError> {
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    match (string(SHARD), string(EVENT_ID)) {
        (Some(shard), Some(event_id)) => Ok(OutboxKey { shard, event_id }),
        _ => Err(StoreError::Corrupt("outbox entry without its keys".to_owned())),
    }
}

/// A message stands under the key of its own event.
fn of_key(key: &OutboxKey, event: CloudEvent) -> Result<CloudEvent, String> {
    let event_id = event.notice.event_id();
    if event_id.to_string() != key.event_id {
        return Err("the message is about another event".to_owned());
    }
    if key.shard != DEAD && key.shard != shard(event_id) {
        return Err("the message stands in another partition than its own".to_owned());
    }
    Ok(event)
}
