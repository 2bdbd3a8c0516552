//! What people have said of how they want to hear: the calls of the SDK for it, in the table of deliveries.

use crate::deliveries::{DynamoDeliveries, revised};
use crate::error::store_error;
use crate::keys::PREFERENCES;
use crate::preferences_item::{preferences_item, preferences_key, preferences_record};
use countersign_app::ports::{
    AllPreferences, PreferencesRecord, ReadPreferences, StoreError, WritePreferences,
};
use countersign_core::person::PersonId;

/// The first and the last text that the id of a person can be.
const ALL_IDS: (&str, &str) = ("!", "\u{10ffff}");

impl ReadPreferences for DynamoDeliveries {
    async fn preferences_of(&self, person: &PersonId) -> Result<Option<PreferencesRecord>, StoreError> {
        self.item(preferences_key(person)).await?.as_ref().map(preferences_record).transpose()
    }

    async fn all_preferences(&self) -> Result<AllPreferences, StoreError> {
        let mut all = AllPreferences::default();
        let mut start = None;
        loop {
            let (first, last) = ALL_IDS;
            let page = self.range(PREFERENCES, first, last).set_exclusive_start_key(start).send().await;
            let page = page.map_err(store_error)?;
            for item in page.items.unwrap_or_default() {
                match preferences_record(&item) {
                    Ok(record) => all.records.push(record),
                    Err(_) => all.damaged += 1,
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(all);
            }
        }
    }
}

impl WritePreferences for DynamoDeliveries {
    async fn put_preferences(
        &self,
        person: &PersonId,
        document: &str,
        before: u64,
    ) -> Result<bool, StoreError> {
        self.put(preferences_item(person, document, before), revised(before)).await
    }
}
