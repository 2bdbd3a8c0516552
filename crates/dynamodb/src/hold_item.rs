//! The item of a hold: beside its request, under a key that no request has. A partition of an index lists those that last.

use crate::attribute::{
    InvalidAttribute, check_format, number_value, read, read_number, read_text, text_value,
};
use crate::error::unreadable;
use crate::expression::Item;
use crate::keys::{FORMAT, HOLD, HOLDS, LISTING, REQUEST_ID, REVISION, STATUS_AT, STATUS_KEY, sort_key};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::{StoreError, StoredHold};
use countersign_core::hold::Hold;
use countersign_core::ids::RequestId;
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;

/// Names the set of attributes. Another set gets another name.
const HOLD_FORMAT: &str = "countersign.hold.v1";
/// Within [`LISTING`], the holder.
const BY: &str = "by";
/// Within [`LISTING`], when the holder began.
const SINCE: &str = "since";

/// The key of the hold of a request.
pub(crate) fn hold_key(id: RequestId) -> Item {
    Item::from([(REQUEST_ID.to_owned(), text_value(format!("{HOLD}{id}")))])
}

/// Whether an item of the table of requests is the hold of one, and no request.
pub(crate) fn is_hold(item: &Item) -> bool {
    read_hold(item).is_ok() && check_format(item, HOLD_FORMAT).is_ok()
}

/// The item of a hold.
pub(crate) fn hold_item(hold: &Hold, revision: u64) -> Item {
    let Hold { request_id, by, since, until } = hold;
    let listing = [(BY, by.to_string()), (SINCE, since.to_string())];
    let listing = listing.into_iter().map(|(name, value)| (name.to_owned(), text_value(value))).collect();
    let mut item = hold_key(*request_id);
    item.extend([
        (FORMAT.to_owned(), text_value(HOLD_FORMAT)),
        (REVISION.to_owned(), number_value(revision)),
        (STATUS_KEY.to_owned(), text_value(HOLDS)),
        (STATUS_AT.to_owned(), text_value(sort_key(*until, *request_id))),
        (LISTING.to_owned(), AttributeValue::M(listing)),
    ]);
    item
}

/// The hold of a request.
///
/// # Errors
/// When the item is none, or that of another request.
pub(crate) fn stored_hold(id: RequestId, item: &Item) -> Result<StoredHold, StoreError> {
    let stored = || {
        check_format(item, HOLD_FORMAT)?;
        Ok(StoredHold { hold: read_hold(item)?, revision: read_number(item, REVISION)? })
    };
    let stored: StoredHold =
        stored().map_err(|error: InvalidAttribute| unreadable("claim of a request", error.name()))?;
    if stored.hold.request_id != id {
        return Err(unreadable("claim of a request", "that of another request stands under this id"));
    }
    Ok(stored)
}

/// A hold, as far as the index projects its item: all but format and revision.
pub(crate) fn read_hold(item: &Item) -> Result<Hold, InvalidAttribute> {
    let request_id = read(REQUEST_ID, read_text(item, REQUEST_ID)?, |text| {
        text.strip_prefix(HOLD).and_then(|id| RequestId::parse(id).ok()).ok_or(())
    })?;
    let until = read(STATUS_AT, read_text(item, STATUS_AT)?, |text| {
        let time = text.split_once('#').and_then(|(time, _)| Timestamp::parse(time).ok()).ok_or(())?;
        if sort_key(time, request_id) == text { Ok(time) } else { Err(()) }
    })?;
    let listing = item.get(LISTING).and_then(|listing| listing.as_m().ok());
    let listing = listing.ok_or(InvalidAttribute::Value(LISTING))?;
    Ok(Hold {
        request_id,
        by: read(BY, read_text(listing, BY)?, PersonId::from_stored)?,
        since: read(SINCE, read_text(listing, SINCE)?, Timestamp::parse)?,
        until,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> Hold {
        let at = |text| Timestamp::parse(text).unwrap();
        Hold {
            request_id: RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap(),
            by: PersonId::from_email("bob@example.com").unwrap(),
            since: at("2026-01-31T10:00:00.000Z"),
            until: at("2026-01-31T10:15:00.000Z"),
        }
    }

    #[test]
    fn a_hold_is_read_back_and_one_of_another_request_is_refused() {
        let (hold, item) = (hold(), hold_item(&hold(), 3));
        assert!(is_hold(&item));
        let stored = StoredHold { hold: hold.clone(), revision: 3 };
        assert_eq!(stored_hold(hold.request_id, &item), Ok(stored));
        let other = RequestId::parse("01930000-0000-7000-8000-0000000000bb").unwrap();
        assert!(matches!(stored_hold(other, &item), Err(StoreError::Damaged(_) | StoreError::Corrupt(_))));
    }

    #[test]
    fn an_item_that_lacks_something_or_is_a_request_is_no_hold() {
        let whole = hold_item(&hold(), 1);
        for name in [REQUEST_ID, FORMAT, STATUS_AT, LISTING] {
            let mut item = whole.clone();
            item.remove(name);
            assert!(!is_hold(&item), "{name}");
        }
        for (name, value) in [
            (REQUEST_ID, "01930000-0000-7000-8000-0000000000aa"),
            (FORMAT, "countersign.hold.v2"),
            (STATUS_AT, "2026-01-31T10:15:00.000Z#01930000-0000-7000-8000-0000000000bb"),
        ] {
            let mut item = whole.clone();
            item.insert(name.to_owned(), text_value(value));
            assert!(!is_hold(&item), "{name}");
        }
    }
}
