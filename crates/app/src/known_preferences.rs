//! What people have said of how they want to hear, as those who route messages know it: read at once for all people, and kept
//! for some seconds.

use crate::host::Clock;
use crate::ports::{AllPreferences, ReadPreferences, StoreError};
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::preferences::Preferences;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// For how long what was read is used, in seconds: a change counts within ten.
const FRESH_SECONDS: u32 = 5;

/// What each person has said, by their id.
pub type PreferencesOfPeople = BTreeMap<PersonId, Preferences>;

/// What people have said, as it was read last. One for each process.
#[derive(Debug, Default)]
pub struct KnownPreferences(Mutex<Known>);

#[derive(Debug, Clone, Default)]
struct Known {
    read_at: Option<Timestamp>,
    preferences: Arc<PreferencesOfPeople>,
    /// How many documents could not be read: said once, until there are others.
    damaged: usize,
}

impl KnownPreferences {
    /// What people have said, by one query unless it was read within the last seconds. Whose document cannot be read hears by
    /// the defaults. Nothing is read where the file has no destination that a person could choose.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn read<P: ReadPreferences>(
        &self,
        store: &P,
        configuration: &Configuration,
        clock: &(impl Clock + ?Sized),
    ) -> Result<Arc<PreferencesOfPeople>, StoreError> {
        if configuration.channels_of_people().next().is_none() {
            return Ok(Arc::default());
        }
        let now = clock.now();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A clock that was put back makes nothing fresh.
        let is_fresh = |read_at: Timestamp| read_at <= now && now < read_at.plus_seconds(FRESH_SECONDS);
        if known.read_at.is_some_and(is_fresh) {
            return Ok(known.preferences);
        }
        let (preferences, damaged) = all(store.all_preferences().await?);
        if damaged > 0 && damaged != known.damaged {
            tracing::warn!(people = damaged, "preferences cannot be read: these people hear by the defaults");
        }
        let preferences = Arc::new(preferences);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Known { read_at: Some(now), preferences: Arc::clone(&preferences), damaged };
        Ok(preferences)
    }
}

/// The documents that can be read, and how many cannot.
pub(crate) fn all(read: AllPreferences) -> (PreferencesOfPeople, usize) {
    let mut damaged = read.damaged;
    let mut preferences = BTreeMap::new();
    for record in read.records {
        match record.document.and_then(|document| parsed(&document)) {
            Ok(said) => drop(preferences.insert(record.person, said)),
            Err(_) => damaged += 1,
        }
    }
    (preferences, damaged)
}

/// A document as it is stored.
pub(crate) fn parsed(document: &str) -> Result<Preferences, String> {
    serde_json::from_str(document).map_err(|_| "it is no document of this version of the program".to_owned())
}
