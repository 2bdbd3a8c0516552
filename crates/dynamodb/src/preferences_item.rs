//! What a person has said of how they want to hear, as an item: one for each person, in a partition of their own.

use crate::error::unreadable;
use crate::expression::Item;
use crate::keys::{DESTINATION, EVENT_ID, FORMAT, PREFERENCES, REVISION};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::{PreferencesRecord, StoreError};
use countersign_core::person::PersonId;

/// Names the set of members of the document. Another set gets another name.
const PREFERENCES_FORMAT: &str = "countersign.preferences.v1";
/// The document.
const DOCUMENT: &str = "document";

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// The key of what a person has said.
pub(crate) fn preferences_key(person: &PersonId) -> Item {
    Item::from([(DESTINATION.to_owned(), text(PREFERENCES)), (EVENT_ID.to_owned(), text(person.as_str()))])
}

/// The item of a document, as the version after `before`.
pub(crate) fn preferences_item(person: &PersonId, document: &str, before: u64) -> Item {
    let mut item = preferences_key(person);
    item.insert(FORMAT.to_owned(), text(PREFERENCES_FORMAT));
    item.insert(REVISION.to_owned(), AttributeValue::N(before.saturating_add(1).to_string()));
    item.insert(DOCUMENT.to_owned(), text(document));
    item
}

/// What an item says. One whose document cannot be read can be replaced by its person.
///
/// # Errors
/// If it is not known whose it is, or which version.
pub(crate) fn preferences_record(item: &Item) -> Result<PreferencesRecord, StoreError> {
    let damaged = |reason: &str| unreadable("preferences", reason);
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let person = text(EVENT_ID).and_then(|person| PersonId::from_stored(person).ok());
    let person = person.ok_or_else(|| damaged("it is not known whose they are"))?;
    let version = item.get(REVISION).and_then(|value| value.as_n().ok()?.parse().ok());
    let version = version.ok_or_else(|| damaged("they have no revision"))?;
    let document = match (text(FORMAT).map(String::as_str), text(DOCUMENT)) {
        (Some(PREFERENCES_FORMAT), Some(document)) => Ok(document.clone()),
        (Some(PREFERENCES_FORMAT), None) => Err("it has no document".to_owned()),
        (_, _) => Err("its format is another".to_owned()),
    };
    Ok(PreferencesRecord { person, document, version })
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_delivery::destination::DestinationId;

    #[test]
    fn what_a_person_has_said_survives_its_item() {
        let person = PersonId::from_stored("ann@example.com").unwrap();
        let mut item = preferences_item(&person, "{}", 6);
        let record = preferences_record(&item).unwrap();
        assert_eq!(record, PreferencesRecord { person, document: Ok("{}".to_owned()), version: 7 });
        item.insert(FORMAT.to_owned(), text("countersign.preferences.v2"));
        let other = preferences_record(&item).unwrap();
        assert!(other.document.is_err() && other.version == 7, "{other:?}");
        item.remove(REVISION);
        assert!(preferences_record(&item).is_err());
        // No partition of deliveries is called so.
        assert!(DestinationId::parse(PREFERENCES).is_err());
    }
}
