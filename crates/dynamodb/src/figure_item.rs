//! Items of figures, in the outbox table: the cursor, a document for each day, and what is remembered of each request of which
//! more can become.

use crate::attribute::{
    InvalidAttribute, check_format, number_value, read, read_number, read_text, text_value,
};
use crate::expression::Item;
use crate::keys::{EVENT_ID, FIGURE_CURSOR, FIGURE_REQUESTS, FIGURES, FORMAT, SHARD, VERSION};
use countersign_app::figure_store::FoldCursor;
use countersign_core::ids::RequestId;
use countersign_figures::day::DayFigures;
use countersign_figures::fold::RequestProgress;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Names the set of attributes of a cursor. Another set gets another name.
const CURSOR_FORMAT: &str = "countersign.figures.cursor.v1";
/// The same of a document.
const DOCUMENT_FORMAT: &str = "countersign.figures.v1";

const SIZE: &str = "size";
const GENERATION: &str = "generation";
const REVISION: &str = "revision";
const DOCUMENT: &str = "document";

/// How many digits a generation has in a sort key.
const DIGITS: usize = 10;

fn key(shard: &str, event_id: impl Into<String>) -> Item {
    Item::from([(SHARD.to_owned(), text_value(shard)), (EVENT_ID.to_owned(), text_value(event_id))])
}

/// A sort key of figures or requests of one generation.
pub(crate) fn sort_key(generation: u64, name: &str) -> String {
    format!("{generation:0DIGITS$}/{name}")
}

/// The key of the cursor.
pub(crate) fn cursor_key() -> Item {
    key(FIGURES, FIGURE_CURSOR)
}

/// The key of a day.
pub(crate) fn day_key(generation: u64, day: &str) -> Item {
    key(FIGURES, sort_key(generation, day))
}

/// The key of a request.
pub(crate) fn request_key(generation: u64, id: RequestId) -> Item {
    key(FIGURE_REQUESTS, sort_key(generation, &id.to_string()))
}

/// The item of the cursor.
pub(crate) fn cursor_item(cursor: &FoldCursor) -> Item {
    let mut item = cursor_key();
    item.insert(FORMAT.to_owned(), text_value(CURSOR_FORMAT));
    item.insert(VERSION.to_owned(), number_value(cursor.version));
    item.insert(SIZE.to_owned(), number_value(cursor.size));
    item.insert(GENERATION.to_owned(), number_value(cursor.generation));
    item.insert(REVISION.to_owned(), number_value(cursor.revision));
    item
}

/// The cursor of an item.
///
/// # Errors
/// When an attribute is missing or impossible.
pub(crate) fn cursor(item: &Item) -> Result<FoldCursor, InvalidAttribute> {
    check_format(item, CURSOR_FORMAT)?;
    Ok(FoldCursor {
        version: read_number(item, VERSION)?,
        size: read_number(item, SIZE)?,
        generation: read_number(item, GENERATION)?,
        // The first had none.
        revision: if item.contains_key(REVISION) { read_number(item, REVISION)? } else { 1 },
    })
}

/// The item of a day.
///
/// # Errors
/// When the document cannot be written.
pub(crate) fn day_item(generation: u64, day: &str, figures: &DayFigures) -> Result<Item, InvalidAttribute> {
    with_document(day_key(generation, day), figures)
}

/// The item of a request.
///
/// # Errors
/// When the document cannot be written.
pub(crate) fn request_item(
    generation: u64,
    id: RequestId,
    progress: &RequestProgress,
) -> Result<Item, InvalidAttribute> {
    with_document(request_key(generation, id), progress)
}

fn with_document<T: Serialize>(mut item: Item, document: &T) -> Result<Item, InvalidAttribute> {
    let document = serde_json::to_string(document).map_err(|_| InvalidAttribute::Value(DOCUMENT))?;
    item.insert(FORMAT.to_owned(), text_value(DOCUMENT_FORMAT));
    item.insert(DOCUMENT.to_owned(), text_value(document));
    Ok(item)
}

/// What an item holds.
pub(crate) enum Figure {
    /// The figures of a day.
    Day(String, Box<DayFigures>),
    /// What is remembered of a request.
    Request(RequestId, RequestProgress),
}

/// The day or the request of an item.
///
/// # Errors
/// When an attribute is missing or impossible.
pub(crate) fn figure(item: &Item) -> Result<Figure, InvalidAttribute> {
    check_format(item, DOCUMENT_FORMAT)?;
    let (_, name) = read_text(item, EVENT_ID)?.split_once('/').ok_or(InvalidAttribute::Value(EVENT_ID))?;
    match read_text(item, SHARD)? {
        FIGURES => Ok(Figure::Day(name.to_owned(), Box::new(document(item)?))),
        FIGURE_REQUESTS => Ok(Figure::Request(read(EVENT_ID, name, RequestId::parse)?, document(item)?)),
        _ => Err(InvalidAttribute::Value(SHARD)),
    }
}

fn document<T: DeserializeOwned>(item: &Item) -> Result<T, InvalidAttribute> {
    read(DOCUMENT, read_text(item, DOCUMENT)?, |text| serde_json::from_str(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;

    #[test]
    fn items_are_read_back_and_no_others_are() {
        let expected = FoldCursor { version: 3, size: 700, generation: 2, revision: 2 };
        let mut item = cursor_item(&expected);
        assert_eq!(cursor(&item), Ok(expected));
        for attribute in [FORMAT, VERSION, SIZE, GENERATION, REVISION] {
            let mut item = item.clone();
            item.insert(attribute.to_owned(), AttributeValue::Bool(true));
            assert!(cursor(&item).is_err(), "{attribute}");
        }
        item.remove(REVISION);
        assert_eq!(cursor(&item).map(|cursor| cursor.revision), Ok(1));
        let id = RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap();
        let progress = RequestProgress { requested_at: 7, is_decided: true, was_unknown: false };
        let items = [
            day_item(2, "2026-01-31", &DayFigures::default()).unwrap(),
            request_item(2, id, &progress).unwrap(),
        ];
        assert!(matches!(figure(&items[0]), Ok(Figure::Day(day, _)) if day == "2026-01-31"));
        assert!(
            matches!(figure(&items[1]), Ok(Figure::Request(found, read)) if found == id && read == progress)
        );
        for item in items {
            for attribute in [FORMAT, SHARD, EVENT_ID, DOCUMENT] {
                let mut item = item.clone();
                item.insert(attribute.to_owned(), text_value("x"));
                assert!(figure(&item).is_err(), "{attribute}");
            }
        }
    }
}
