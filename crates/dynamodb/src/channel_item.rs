//! What is remembered of configured destinations as items: of a destination, and of a request there.

use crate::error::unreadable;
use crate::expression::Item;
use crate::keys::{DESTINATION, DIGESTS, EVENT_ID, FIRED, FORMAT, PLACE, PLACE_RECORD, REVISION};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::{DigestRecord, MinuteCount, PlaceRecord, StoreError, Thread};
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::health::Health;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Names the set of members of the record of a destination. Another set gets another name.
const PLACE_FORMAT: &str = "countersign.place.v1";
/// The same of a request at a destination.
const THREAD_FORMAT: &str = "countersign.thread.v1";
/// The same of a timer that has fired.
const FIRED_FORMAT: &str = "countersign.fired.v1";
/// The same of the record of a report that is sent regularly.
const DIGEST_FORMAT: &str = "countersign.digest.v1";
/// The document of a record.
const DOCUMENT: &str = "document";

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PlaceDocument {
    health: Health,
    #[serde(skip_serializing_if = "Option::is_none")]
    minute: Option<MinuteDocument>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sent: Vec<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flood_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forgotten_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MinuteDocument {
    since: Timestamp,
    messages: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThreadDocument {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    is_asked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestDocument {
    done_until: Timestamp,
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn key(partition: String, sort: impl Into<String>) -> Item {
    Item::from([(DESTINATION.to_owned(), text(partition)), (EVENT_ID.to_owned(), text(sort))])
}

/// The key of the record of a destination.
pub(crate) fn place_key(destination: &DestinationId) -> Item {
    key(format!("{PLACE}{destination}"), PLACE_RECORD)
}

/// The key of the record of a request at a destination.
pub(crate) fn thread_key(destination: &DestinationId, request_id: RequestId) -> Item {
    key(format!("{PLACE}{destination}"), request_id.to_string())
}

/// The partition of the timers of a request that have fired.
pub(crate) fn fired_partition(request_id: RequestId) -> String {
    format!("{FIRED}{request_id}")
}

/// The item of a timer that has fired.
pub(crate) fn fired_item(request_id: RequestId, timer: &str) -> Item {
    let mut item = key(fired_partition(request_id), timer);
    item.insert(FORMAT.to_owned(), text(FIRED_FORMAT));
    item
}

/// The name of a timer that has fired.
///
/// # Errors
/// If the item is none.
pub(crate) fn fired_timer(item: &Item) -> Result<String, StoreError> {
    let name = item.get(EVENT_ID).and_then(|value| value.as_s().ok());
    name.cloned().ok_or_else(|| unreadable("timer", "it has no name"))
}

/// The item of a record of a destination, as the successor of the one that was read.
pub(crate) fn place_item(record: &PlaceRecord) -> Result<Item, StoreError> {
    let PlaceRecord { destination, health, minute, sent, flood_until, forgotten_at, revision } =
        record.clone();
    let minute = minute.map(|MinuteCount { since, messages }| MinuteDocument { since, messages });
    let document = PlaceDocument { health, minute, sent, flood_until, forgotten_at };
    item(place_key(&destination), PLACE_FORMAT, &document, revision)
}

/// The record of a destination.
///
/// # Errors
/// If the item is none.
pub(crate) fn place_record(destination: &DestinationId, item: &Item) -> Result<PlaceRecord, StoreError> {
    let (document, revision) = read(item, PLACE_FORMAT)?;
    let PlaceDocument { health, minute, sent, flood_until, forgotten_at } = document;
    let minute = minute.map(|MinuteDocument { since, messages }| MinuteCount { since, messages });
    Ok(PlaceRecord {
        destination: destination.clone(),
        health,
        minute,
        sent,
        flood_until,
        forgotten_at,
        revision,
    })
}

/// The item of a record of a request at a destination, as the successor of the one that was read.
pub(crate) fn thread_item(thread: &Thread) -> Result<Item, StoreError> {
    let Thread { destination, request_id, reference, is_asked, over_at, revision } = thread.clone();
    item(
        thread_key(&destination, request_id),
        THREAD_FORMAT,
        &ThreadDocument { reference, is_asked, over_at },
        revision,
    )
}

/// The record of a request at a destination.
///
/// # Errors
/// If the item is none.
pub(crate) fn thread(
    destination: &DestinationId,
    request_id: RequestId,
    item: &Item,
) -> Result<Thread, StoreError> {
    let (ThreadDocument { reference, is_asked, over_at }, revision) = read(item, THREAD_FORMAT)?;
    Ok(Thread { destination: destination.clone(), request_id, reference, is_asked, over_at, revision })
}

/// The key of the record of a report that is sent regularly.
pub(crate) fn digest_key(name: &str) -> Item {
    key(DIGESTS.to_owned(), name)
}

/// The item of a record of a report, as the successor of the one that was read.
pub(crate) fn digest_item(record: &DigestRecord) -> Result<Item, StoreError> {
    let document = DigestDocument { done_until: record.done_until };
    item(digest_key(&record.name), DIGEST_FORMAT, &document, record.revision)
}

/// The record of a report.
///
/// # Errors
/// If the item is none.
pub(crate) fn digest_record(name: &str, item: &Item) -> Result<DigestRecord, StoreError> {
    let (DigestDocument { done_until }, revision) = read(item, DIGEST_FORMAT)?;
    Ok(DigestRecord { name: name.to_owned(), done_until, revision })
}

fn item(mut item: Item, format: &str, document: &impl Serialize, revision: u64) -> Result<Item, StoreError> {
    let document = serde_json::to_string(document).map_err(|error| unreadable("destination", error))?;
    item.insert(FORMAT.to_owned(), text(format));
    item.insert(REVISION.to_owned(), AttributeValue::N((revision + 1).to_string()));
    item.insert(DOCUMENT.to_owned(), text(document));
    Ok(item)
}

fn read<T: DeserializeOwned>(item: &Item, format: &str) -> Result<(T, u64), StoreError> {
    let damaged = |reason: &str| unreadable("destination", reason);
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    if text(FORMAT).map(String::as_str) != Some(format) {
        return Err(damaged("its format is another"));
    }
    let revision = item.get(REVISION).and_then(|value| value.as_n().ok()?.parse().ok());
    let revision = revision.ok_or_else(|| damaged("it has no revision"))?;
    let document = text(DOCUMENT).and_then(|document| serde_json::from_str(document).ok());
    document.map(|document| (document, revision)).ok_or_else(|| damaged("its document cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_survives_its_item() {
        let destination = DestinationId::parse("mail#ann@example.com").unwrap();
        let now = Timestamp::parse("2026-03-09T14:00:00.000Z").unwrap();
        let record = PlaceRecord {
            minute: Some(MinuteCount { since: now, messages: 3 }),
            sent: vec![now],
            flood_until: Some(now),
            revision: 4,
            ..PlaceRecord::new(destination.clone())
        };
        let read = place_record(&destination, &place_item(&record).unwrap()).unwrap();
        assert_eq!(read, PlaceRecord { revision: 5, ..record });
        let request_id = RequestId::parse("019cd2f0-0000-7000-8000-000000000001").unwrap();
        let asked = Thread {
            reference: Some("C1/1.2".to_owned()),
            is_asked: true,
            over_at: Some(now),
            ..Thread::new(destination.clone(), request_id)
        };
        let read = thread(&destination, request_id, &thread_item(&asked).unwrap()).unwrap();
        assert_eq!(read, Thread { revision: 1, ..asked.clone() });
        assert!(place_record(&destination, &thread_item(&asked).unwrap()).is_err());
        let digest = DigestRecord { name: "morning".to_owned(), done_until: now, revision: 2 };
        let read = digest_record("morning", &digest_item(&digest).unwrap()).unwrap();
        assert_eq!(read, DigestRecord { revision: 3, ..digest });
        // No partition of these is one of deliveries.
        assert!(DestinationId::parse(DIGESTS).is_err());
        assert!(DestinationId::parse(&format!("{PLACE}{destination}")).is_err());
        assert!(DestinationId::parse(&fired_partition(request_id)).is_err());
    }
}
