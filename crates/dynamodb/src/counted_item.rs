//! Refused attempts that are counted, as an item: whose and of which day, how many of each code, and since when.

use crate::expression::{Expression, Item};
use crate::keys::{COUNTED, EVENT_ID, FORMAT, SHARD};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::CountedAttempts;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;

/// Names the set of attributes.
const COUNTED_FORMAT: &str = "countersign.counted.v1";
/// How many there are.
pub(crate) const TOTAL: &str = "total";
const SINCE: &str = "since";
const KIND: &str = "kind";
const CHANNEL: &str = "channel";
/// What stands before the code in the name of an attribute that counts.
const OF_CODE: &str = "of_";

/// The sort key: day and person.
pub(crate) fn sort_key(actor: &Principal, at: Timestamp) -> String {
    format!("{}/{}", at.day(), actor.person)
}

/// The key of a count.
pub(crate) fn key(sort_key: &str) -> Item {
    Item::from([
        (SHARD.to_owned(), AttributeValue::S(COUNTED.to_owned())),
        (EVENT_ID.to_owned(), AttributeValue::S(sort_key.to_owned())),
    ])
}

/// Adds to a count.
pub(crate) fn update(actor: &Principal, code: &str, attempts: u64, at: Timestamp) -> Expression {
    let mut update = Expression::default();
    let total = update.name(TOTAL);
    let of_code = update.name(&format!("{OF_CODE}{code}"));
    let added = update.value("added", AttributeValue::N(attempts.to_string()));
    let assignments = [
        (FORMAT, COUNTED_FORMAT.to_owned()),
        (KIND, actor.kind.as_str().to_owned()),
        (CHANNEL, actor.channel.as_str().to_owned()),
    ];
    let mut set: Vec<String> = assignments
        .into_iter()
        .map(|(name, value)| format!("{} = {}", update.name(name), update.string(name, value)))
        .collect();
    let since = update.name(SINCE);
    let now = update.string("now", at);
    set.push(format!("{since} = if_not_exists({since}, {now})"));
    update.text = format!("ADD {total} {added}, {of_code} {added} SET {}", set.join(", "));
    update
}

/// The count of an item; `None` of one that is none.
pub(crate) fn counted_attempts(item: &Item) -> Option<CountedAttempts> {
    let text = |name: &str| item.get(name)?.as_s().ok();
    let number = |value: &AttributeValue| value.as_n().ok()?.parse().ok();
    if text(FORMAT)? != COUNTED_FORMAT {
        return None;
    }
    let key = text(EVENT_ID)?.clone();
    let (_, person) = key.split_once('/')?;
    let by_code = item.iter().filter_map(|(name, value)| {
        let code = name.strip_prefix(OF_CODE)?;
        Some(number(value).map(|count: u64| (code.to_owned(), count)))
    });
    Some(CountedAttempts {
        person: PersonId::from_stored(person).ok()?,
        kind: text(KIND)?.parse().ok()?,
        channel: text(CHANNEL)?.parse().ok()?,
        by_code: by_code.collect::<Option<_>>()?,
        since: Timestamp::parse(text(SINCE)?).ok()?,
        total: number(item.get(TOTAL)?)?,
        key,
    })
}
