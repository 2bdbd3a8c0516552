//! A timer as an item of the outbox table: a partition of its own, ordered by time.

use crate::attribute::{InvalidAttribute, read};
use crate::expression::Item;
use crate::keys::{self, EVENT_ID, SHARD, TIMER};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::Timer;
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;

/// Names the set of attributes. Another set gets another name.
const FORMAT: &str = "countersign.timer.v1";

/// The item of a timer.
pub(crate) fn timer_item(timer: Timer) -> Item {
    let mut item = timer_key(timer);
    item.insert("format".to_owned(), AttributeValue::S(FORMAT.to_owned()));
    item
}

/// The key of a timer, which says all of it.
pub(crate) fn timer_key(timer: Timer) -> Item {
    Item::from([
        (SHARD.to_owned(), AttributeValue::S(TIMER.to_owned())),
        (EVENT_ID.to_owned(), AttributeValue::S(keys::sort_key(timer.at, timer.request_id))),
    ])
}

/// The timer of an item.
///
/// # Errors
/// When its key is none of a timer.
pub(crate) fn timer(item: &Item) -> Result<Timer, InvalidAttribute> {
    let key = item.get(EVENT_ID).and_then(|key| key.as_s().ok());
    let (at, id) = key.and_then(|key| key.split_once('#')).ok_or(InvalidAttribute::Value(EVENT_ID))?;
    Ok(Timer { at: read(EVENT_ID, at, Timestamp::parse)?, request_id: read(EVENT_ID, id, RequestId::parse)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_read_back_from_its_key() {
        let expected = Timer {
            at: Timestamp::parse("2026-11-26T15:00:00.000Z").unwrap(),
            request_id: RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap(),
        };
        assert_eq!(timer(&timer_item(expected)), Ok(expected));
        for key in ["", "x", "2026-11-26T15:00:00.000Z", "2026-11-26T15:00:00.000Z#x", "#"] {
            let item = Item::from([(EVENT_ID.to_owned(), AttributeValue::S(key.to_owned()))]);
            assert!(timer(&item).is_err(), "{key}");
        }
    }
}
