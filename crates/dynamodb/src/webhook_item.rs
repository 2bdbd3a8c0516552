//! A webhook, the number of webhooks and the trail of one as items.

use crate::error::unreadable;
use crate::expression::Item;
use crate::keys::{DESTINATION, EVENT_ID, FORMAT, REVISION, WEBHOOK_COUNT, WEBHOOKS, trail_key};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::{StoreError, WebhookCount, WebhookRecord};
use countersign_core::digest::Digest;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::health::Health;
use countersign_webhook::secret::{SealedSecret, Secrets};
use countersign_webhook::trail::{TrailEvent, TrailHead};
use countersign_webhook::webhook::{Webhook, WebhookId};
use serde::{Deserialize, Serialize};

/// Names the set of attributes of a webhook. Another set gets another name.
const WEBHOOK_FORMAT: &str = "countersign.webhook.v1";

/// The document of a webhook or of an event of its trail.
const DOCUMENT: &str = "document";
/// What binds the webhook of a document.
const SEAL: &str = "seal";
/// How many webhooks there are.
const WEBHOOKS_NUMBER: &str = "webhooks";

/// The digits of the place of an event in its trail, so that keys are in the order of numbers.
const SEQUENCE_DIGITS: usize = 10;

/// What the document of a webhook says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookDocument {
    webhook: Webhook,
    secrets: Secrets<SealedSecret>,
    #[serde(default)]
    health: Health,
    trail: TrailHead,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn key(partition: impl Into<String>, sort: impl Into<String>) -> Item {
    Item::from([(DESTINATION.to_owned(), text(partition)), (EVENT_ID.to_owned(), text(sort))])
}

/// The key of a webhook.
pub(crate) fn webhook_key(id: WebhookId) -> Item {
    key(WEBHOOKS, id.to_string())
}

/// The key of the number of webhooks.
pub(crate) fn count_key() -> Item {
    key(WEBHOOKS, WEBHOOK_COUNT)
}

/// The sort key of an event of a trail.
pub(crate) fn trail_sort_key(sequence: u64) -> String {
    format!("{sequence:0>SEQUENCE_DIGITS$}")
}

/// The item of a webhook, as the successor of the one that was read.
pub(crate) fn webhook_item(record: &WebhookRecord, seal: Digest) -> Result<Item, StoreError> {
    let WebhookRecord { webhook, secrets, health, trail, deleted_at, seal: _, revision } = record.clone();
    let id = webhook.id;
    let document = WebhookDocument { webhook, secrets, health, trail, deleted_at };
    let document = serde_json::to_string(&document).map_err(|error| unreadable("webhook", error))?;
    let mut item = webhook_key(id);
    item.insert(FORMAT.to_owned(), text(WEBHOOK_FORMAT));
    item.insert(REVISION.to_owned(), AttributeValue::N((revision + 1).to_string()));
    item.insert(DOCUMENT.to_owned(), text(document));
    item.insert(SEAL.to_owned(), text(seal.to_string()));
    Ok(item)
}

/// The webhook of an item.
///
/// # Errors
/// If it is none, or that of another id.
pub(crate) fn webhook_record(item: &Item) -> Result<WebhookRecord, StoreError> {
    let damaged = |reason: &str| unreadable("webhook", reason);
    if text_of(item, FORMAT) != Some(WEBHOOK_FORMAT) {
        return Err(damaged("its format is another"));
    }
    let document = text_of(item, DOCUMENT).ok_or_else(|| damaged("it has no document"))?;
    let document: WebhookDocument =
        serde_json::from_str(document).map_err(|_| damaged("a member of its document is impossible"))?;
    let WebhookDocument { webhook, secrets, health, trail, deleted_at } = document;
    if text_of(item, EVENT_ID) != Some(webhook.id.to_string().as_str()) {
        return Err(damaged("another webhook stands under its id"));
    }
    let revision = number_of(item, REVISION).ok_or_else(|| damaged("it has no revision"))?;
    let seal = text_of(item, SEAL).and_then(|seal| Digest::parse(seal).ok());
    Ok(WebhookRecord { webhook, secrets, health, trail, deleted_at, seal, revision })
}

/// The id of the webhook that an item stands for, whatever else is in it.
pub(crate) fn webhook_id(item: &Item) -> Option<WebhookId> {
    text_of(item, EVENT_ID).and_then(|id| WebhookId::parse(id).ok())
}

/// Whether an item of the partition is the number of webhooks.
pub(crate) fn is_count(item: &Item) -> bool {
    text_of(item, EVENT_ID) == Some(WEBHOOK_COUNT)
}

/// The item of the number of webhooks, as the successor of the one that was read.
pub(crate) fn count_item(count: WebhookCount) -> Item {
    let mut item = count_key();
    item.insert(WEBHOOKS_NUMBER.to_owned(), AttributeValue::N(count.webhooks.to_string()));
    item.insert(REVISION.to_owned(), AttributeValue::N((count.revision + 1).to_string()));
    item
}

/// The number of webhooks.
///
/// # Errors
/// If it is none.
pub(crate) fn webhook_count(item: &Item) -> Result<WebhookCount, StoreError> {
    let webhooks = number_of(item, WEBHOOKS_NUMBER).and_then(|number| u32::try_from(number).ok());
    match webhooks.zip(number_of(item, REVISION)) {
        Some((webhooks, revision)) => Ok(WebhookCount { webhooks, revision }),
        None => Err(unreadable("number of webhooks", "it has none, or no revision")),
    }
}

/// The item of an event of a trail.
pub(crate) fn trail_item(event: &TrailEvent) -> Item {
    let mut item = key(trail_key(event.webhook_id), trail_sort_key(event.sequence));
    item.insert(DOCUMENT.to_owned(), text(event.document().as_str()));
    item
}

/// The document of an event of a trail.
///
/// # Errors
/// If the item has none.
pub(crate) fn trail_document(item: &Item) -> Result<String, StoreError> {
    let document = text_of(item, DOCUMENT).map(str::to_owned);
    document.ok_or_else(|| unreadable("event of a webhook", "it has no document"))
}

fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

fn number_of(item: &Item, name: &str) -> Option<u64> {
    item.get(name).and_then(|value| value.as_n().ok()).and_then(|number| number.parse().ok())
}
