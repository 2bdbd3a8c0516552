//! What people have said of how they want to hear: one document for each person.

use super::StoreError;
use super::deliveries::NoSubscribers;
use countersign_core::person::PersonId;
use std::future::Future;

/// What a person has said, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferencesRecord {
    /// The person, by the one id that policy has for them.
    pub person: PersonId,
    /// The document, or why there is none that can be read.
    pub document: Result<String, String>,
    /// Counts how often it was written. 0 has not been stored.
    pub version: u64,
}

/// What all people have said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllPreferences {
    /// The documents.
    pub records: Vec<PreferencesRecord>,
    /// How many items there are of which it is not even known whose they are, or which version.
    pub damaged: usize,
}

/// Reads what people have said.
pub trait ReadPreferences: Send + Sync {
    /// What one person has said, strongly consistent.
    fn preferences_of(
        &self,
        person: &PersonId,
    ) -> impl Future<Output = Result<Option<PreferencesRecord>, StoreError>> + Send;

    /// What all people have said, strongly consistent. An item that is damaged is no error.
    fn all_preferences(&self) -> impl Future<Output = Result<AllPreferences, StoreError>> + Send;
}

/// Writes what people have said.
pub trait WritePreferences: Send + Sync {
    /// Writes a document as the version after `before`; 0 is that of a person who has said nothing. `false` if another version
    /// is stored.
    fn put_preferences(
        &self,
        person: &PersonId,
        document: &str,
        before: u64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

impl ReadPreferences for NoSubscribers {
    async fn preferences_of(&self, _person: &PersonId) -> Result<Option<PreferencesRecord>, StoreError> {
        Ok(None)
    }

    async fn all_preferences(&self) -> Result<AllPreferences, StoreError> {
        Ok(AllPreferences::default())
    }
}

impl<T: ReadPreferences> ReadPreferences for Option<T> {
    async fn preferences_of(&self, person: &PersonId) -> Result<Option<PreferencesRecord>, StoreError> {
        match self {
            Some(preferences) => preferences.preferences_of(person).await,
            None => NoSubscribers.preferences_of(person).await,
        }
    }

    async fn all_preferences(&self) -> Result<AllPreferences, StoreError> {
        match self {
            Some(preferences) => preferences.all_preferences().await,
            None => NoSubscribers.all_preferences().await,
        }
    }
}
