//! A delivery as an item: where it stands, by the names of its members, the message, and the keys of the index of what is due.

use crate::error::unreadable;
use crate::expression::Item;
use crate::keys::{
    DEAD_DELIVERIES, DESTINATION, DUE_SHARDS, EVENT_ID, FORMAT, NEXT_ATTEMPT_AT, REVISION, SHARD,
};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::{DeliveryKey, NewDelivery, StoreError, StoredDelivery};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::Digest;
use countersign_core::ids::EventId;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::state::{Delivery, DeliveryState};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

/// Names the set of attributes. Another set gets another name.
pub(crate) const DELIVERY_FORMAT: &str = "countersign.delivery.v1";

/// The message that is delivered.
const MESSAGE: &str = "message";
/// What binds the message.
const SEAL: &str = "seal";

/// The attributes that are not members of a delivery.
const OTHERS: [&str; 5] = [FORMAT, MESSAGE, SEAL, REVISION, SHARD];

/// The partition of the index of what is due that an event's deliveries are in.
pub(crate) fn due_shard(event_id: EventId) -> String {
    event_id.shard(DUE_SHARDS).to_string()
}

/// The partition of the index that a delivery is in: of what waits, or of dead letters. What is closed otherwise is in none.
fn partition(delivery: &Delivery) -> Option<String> {
    match delivery.state {
        DeliveryState::Dead => Some(DEAD_DELIVERIES.to_owned()),
        DeliveryState::Waiting
        | DeliveryState::Delivered
        | DeliveryState::Skipped
        | DeliveryState::Superseded => delivery.next_attempt_at.map(|_| due_shard(delivery.event_id)),
    }
}

pub(crate) fn key_item(key: &DeliveryKey) -> Item {
    Item::from([
        (DESTINATION.to_owned(), AttributeValue::S(key.destination.as_str().to_owned())),
        (EVENT_ID.to_owned(), AttributeValue::S(key.event_id.to_string())),
    ])
}

/// The key of an item.
///
/// # Errors
/// If the item has none that is one of a delivery.
pub(crate) fn delivery_key(item: &Item) -> Result<DeliveryKey, StoreError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let destination = text(DESTINATION).and_then(|text| DestinationId::parse(text).ok());
    let event_id = text(EVENT_ID).and_then(|text| EventId::parse(text).ok());
    match destination.zip(event_id) {
        Some((destination, event_id)) => Ok(DeliveryKey { destination, event_id }),
        None => Err(unreadable("delivery", "its key is none")),
    }
}

/// The item of a delivery.
pub(crate) fn delivery_item(new: NewDelivery<'_>, revision: u64) -> Result<Item, StoreError> {
    let mut item: Item = to_item(new.delivery).map_err(|error| unreadable("delivery", error))?;
    let mut put = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    put(FORMAT, AttributeValue::S(DELIVERY_FORMAT.to_owned()));
    put(MESSAGE, AttributeValue::S(new.document.to_owned()));
    put(REVISION, AttributeValue::N(revision.to_string()));
    if let Some(seal) = new.seal {
        put(SEAL, AttributeValue::S(seal.to_string()));
    }
    if let Some(partition) = partition(new.delivery) {
        put(SHARD, AttributeValue::S(partition));
    }
    // In the index of what is due a dead letter has the time of its making: it is not attempted.
    if new.delivery.state == DeliveryState::Dead {
        put(NEXT_ATTEMPT_AT, AttributeValue::S(new.delivery.created_at.to_string()));
    }
    Ok(item)
}

/// The delivery of an item.
///
/// # Errors
/// If it is none. A message that cannot be read is no error of the delivery: the delivery says so.
pub(crate) fn stored_delivery(mut item: Item) -> Result<StoredDelivery, StoreError> {
    let damaged = |reason: &str| unreadable("delivery", reason);
    let mut others = OTHERS.map(|name| item.remove(name));
    let [format, message, seal, revision, shard] = &mut others;
    let text = |value: &mut Option<AttributeValue>| match value.take() {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    };
    if text(format).as_deref() != Some(DELIVERY_FORMAT) {
        return Err(damaged("its format is another"));
    }
    let document = text(message).ok_or_else(|| damaged("it has no message"))?;
    let seal = text(seal).and_then(|seal| Digest::parse(&seal).ok());
    let revision = match revision.take() {
        Some(AttributeValue::N(revision)) => revision.parse().ok(),
        _ => None,
    };
    let revision = revision.ok_or_else(|| damaged("it has no revision"))?;
    let shard = text(shard);
    if shard.as_deref() == Some(DEAD_DELIVERIES) {
        item.remove(NEXT_ATTEMPT_AT);
    }
    let delivery: Delivery = from_item(item).map_err(|_| damaged("an attribute is of another type"))?;
    // The index would show what does not wait, or leave out what does.
    let expected = partition(&delivery);
    // An earlier version had dead letters in no index.
    let is_earlier = shard.is_none() && delivery.state == DeliveryState::Dead;
    if shard != expected && !is_earlier {
        return Err(damaged(&format!("{NEXT_ATTEMPT_AT} and {SHARD} do not agree")));
    }
    let event = CloudEvent::read(&document).and_then(|event| {
        let is_its_own = event.notice.event_id() == delivery.event_id;
        if is_its_own { Ok(event) } else { Err("the message is of another event".to_owned()) }
    });
    Ok(StoredDelivery { delivery, event, document, seal, revision })
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::event::EventType;
    use countersign_core::ids::RequestId;
    use countersign_core::timestamp::Timestamp;

    fn delivery() -> Delivery {
        Delivery::new(
            DestinationId::webhook("wh_019cd2f0-0000-7000-8000-000000000009").unwrap(),
            EventId::parse("019cd2f0-0000-7000-8000-000000000002").unwrap(),
            RequestId::parse("019cd2f0-0000-7000-8000-000000000001").unwrap(),
            Some(3),
            EventType::ApprovalGranted,
            Timestamp::parse("2026-03-09T14:00:00.000Z").unwrap(),
        )
    }

    #[test]
    fn a_delivery_survives_its_item() {
        let seal = Some(Digest::of("seal"));
        let dead = Delivery { state: DeliveryState::Dead, next_attempt_at: None, ..delivery() };
        let report = Delivery::of_report(delivery().destination, delivery().event_id, delivery().created_at);
        let (waits, late) = (due_shard(dead.event_id), due_shard(report.event_id));
        for (delivery, shard) in [
            (delivery(), Some(waits.as_str())),
            (delivery().skip(), None),
            (dead, Some(DEAD_DELIVERIES)),
            (report, Some(late.as_str())),
        ] {
            let new = NewDelivery { delivery: &delivery, document: "{}", seal };
            let item = delivery_item(new, 7).unwrap();
            assert_eq!(item.get(SHARD).map(|shard| shard.as_s().unwrap().as_str()), shard);
            assert_eq!(item.contains_key(NEXT_ATTEMPT_AT), shard.is_some());
            let stored = stored_delivery(item).unwrap();
            assert_eq!((&stored.delivery, stored.revision, stored.seal), (&delivery, 7, seal));
            assert!(stored.event.is_err());
        }
    }

    #[test]
    fn what_is_no_delivery_is_not_read_as_one() {
        let delivery = delivery();
        let new = NewDelivery { delivery: &delivery, document: "{}", seal: None };
        let item = delivery_item(new, 1).unwrap();
        for name in item
            .keys()
            .filter(|name| ![SEAL, "sequence", "request_id", "event_type"].contains(&name.as_str()))
        {
            let mut torn = item.clone();
            torn.remove(name);
            assert!(stored_delivery(torn).is_err(), "without {name}");
        }
        let mut another = item;
        another.insert("owner".to_owned(), AttributeValue::S("mallory".to_owned()));
        assert!(stored_delivery(another).is_err());
    }
}
