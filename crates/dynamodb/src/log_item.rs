//! Items of the log: its head, in the outbox table; and a leaf for each event that has a place in it, in the audit table.

use crate::attribute::{
    InvalidAttribute, check_format, number_value, read, read_number, read_text, text_value,
};
use crate::expression::Item;
use crate::keys::{EVENT_ID, FORMAT, LOG, LOG_HEAD, SEQUENCE, SHARD, STREAM, VERSION};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::log::{Leaf, LogHead, Scan};
use countersign_core::audit::Stream;
use countersign_core::digest::Digest;

/// Names the set of attributes of a head. Another set gets another name.
const HEAD_FORMAT: &str = "countersign.log.v1";
/// The same of a leaf.
const LEAF_FORMAT: &str = "countersign.leaf.v1";
/// How the partitions of leaves begin; the stream follows.
const LEAF: &str = "leaf/";

const SIZE: &str = "size";
const BATCH: &str = "batch";
const SCAN: &str = "scan";
const INDEX: &str = "leaf";
const HASH: &str = "hash";

/// How a search that has ended is written; no cursor is this.
const SCAN_DONE: &str = "done";

/// The key of the head.
pub(crate) fn head_key() -> Item {
    Item::from([(SHARD.to_owned(), text_value(LOG)), (EVENT_ID.to_owned(), text_value(LOG_HEAD))])
}

/// The item of the head.
pub(crate) fn head_item(head: &LogHead) -> Item {
    let mut item = head_key();
    let batch = head.batch.iter().map(|(stream, sequence)| text_value(format!("{stream}#{sequence}")));
    item.insert(FORMAT.to_owned(), text_value(HEAD_FORMAT));
    item.insert(VERSION.to_owned(), number_value(head.version));
    item.insert(SIZE.to_owned(), number_value(head.size));
    item.insert(BATCH.to_owned(), AttributeValue::L(batch.collect()));
    let scan = match &head.scan {
        Scan::Due => None,
        Scan::After(cursor) => Some(cursor.as_str()),
        Scan::Done => Some(SCAN_DONE),
    };
    if let Some(scan) = scan {
        item.insert(SCAN.to_owned(), text_value(scan));
    }
    item
}

/// The head of an item.
///
/// # Errors
/// When an attribute is missing or impossible.
pub(crate) fn head(item: &Item) -> Result<LogHead, InvalidAttribute> {
    check_format(item, HEAD_FORMAT)?;
    let batch = item.get(BATCH).and_then(|batch| batch.as_l().ok()).ok_or(InvalidAttribute::Value(BATCH))?;
    let batch: Option<Vec<_>> = batch.iter().map(|place| place_of(place.as_s().ok()?)).collect();
    Ok(LogHead {
        version: read_number(item, VERSION)?,
        size: read_number(item, SIZE)?,
        batch: batch.ok_or(InvalidAttribute::Value(BATCH))?,
        scan: match item.get(SCAN).map(AttributeValue::as_s) {
            None => Scan::Due,
            Some(Ok(cursor)) if cursor == SCAN_DONE => Scan::Done,
            Some(Ok(cursor)) => Scan::After(cursor.clone()),
            Some(Err(_)) => return Err(InvalidAttribute::Value(SCAN)),
        },
    })
}

fn place_of(place: &str) -> Option<(Stream, u64)> {
    let (stream, sequence) = place.rsplit_once('#')?;
    Some((Stream::parse(stream).ok()?, sequence.parse().ok()?))
}

/// The partition of the leaves of a stream.
pub(crate) fn leaf_partition(stream: &Stream) -> String {
    format!("{LEAF}{stream}")
}

/// Whether a partition of the audit table holds leaves, and no events.
pub(crate) fn is_leaf_partition(partition: &str) -> bool {
    partition.starts_with(LEAF)
}

/// The item of a leaf.
pub(crate) fn leaf_item(leaf: &Leaf) -> Item {
    Item::from([
        (STREAM.to_owned(), text_value(leaf_partition(&leaf.stream))),
        (SEQUENCE.to_owned(), number_value(leaf.sequence)),
        (FORMAT.to_owned(), text_value(LEAF_FORMAT)),
        (INDEX.to_owned(), number_value(leaf.index)),
        (HASH.to_owned(), text_value(leaf.hash.to_string())),
    ])
}

/// The leaf of an item.
///
/// # Errors
/// When an attribute is missing or impossible.
pub(crate) fn leaf(item: &Item) -> Result<Leaf, InvalidAttribute> {
    check_format(item, LEAF_FORMAT)?;
    let partition = read_text(item, STREAM)?;
    let stream = partition.strip_prefix(LEAF).ok_or(InvalidAttribute::Value(STREAM))?;
    Ok(Leaf {
        stream: read(STREAM, stream, Stream::parse)?,
        sequence: read_number(item, SEQUENCE)?,
        index: read_number(item, INDEX)?,
        hash: read(HASH, read_text(item, HASH)?, Digest::parse)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::ids::RequestId;

    fn stream() -> Stream {
        Stream::integrity(RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap())
    }

    #[test]
    fn a_head_is_read_back_and_no_other_item_is() {
        for scan in [Scan::Due, Scan::After("cursor".to_owned()), Scan::Done] {
            let expected = LogHead { version: 3, size: 7, batch: vec![(stream(), 2), (stream(), 3)], scan };
            assert_eq!(head(&head_item(&expected)), Ok(expected.clone()));
            for attribute in [FORMAT, VERSION, SIZE, BATCH] {
                let mut item = head_item(&expected);
                item.insert(attribute.to_owned(), AttributeValue::Bool(true));
                assert!(head(&item).is_err(), "{attribute}");
            }
        }
    }

    #[test]
    fn a_leaf_is_read_back_and_no_other_item_is() {
        let expected = Leaf { stream: stream(), sequence: 2, index: 9, hash: Digest::of("x") };
        let item = leaf_item(&expected);
        assert_eq!(leaf(&item), Ok(expected));
        assert!(is_leaf_partition(item[STREAM].as_s().unwrap()) && !is_leaf_partition("request/leaf/"));
        for attribute in [FORMAT, STREAM, SEQUENCE, INDEX, HASH] {
            let mut item = item.clone();
            item.insert(attribute.to_owned(), text_value("request/x"));
            assert!(leaf(&item).is_err(), "{attribute}");
        }
    }
}
