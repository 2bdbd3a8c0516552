//! How a person wants to hear: what they have said, what holds with the defaults of `notifications.toml`, and saying it anew. A
//! person reads and writes their own alone.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::known_preferences::parsed;
use crate::ports::{PreferencesRecord, ReadPreferences, StoreError, WritePreferences};
use countersign_core::caller::PrincipalKind;
use countersign_core::principal::Principal;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::destination::Kind;
use countersign_notifications::preferences::{InvalidMember, Preferences, Settings};
use serde_json::Value;

/// A store that has what people have said as well.
pub trait PreferencesStore: Send + Sync {
    /// What keeps it.
    type Preferences: ReadPreferences + WritePreferences;

    /// What keeps it.
    fn preferences(&self) -> &Self::Preferences;
}

/// How a person hears.
#[derive(Debug, Clone, PartialEq)]
pub struct MyNotifications {
    /// What they have said; its version is 0 if that is nothing.
    pub said: Preferences,
    /// What holds, with the defaults.
    pub in_force: Settings,
    /// The destinations that they can choose.
    pub channels: Vec<(String, Kind)>,
    /// What of that which they have said does not hold.
    pub ignored: Vec<InvalidMember>,
}

/// The file, for a human.
///
/// # Errors
/// [`AppError::PeopleOnly`] for an agent or a service; [`AppError::NotConfigured`] without `notifications.toml`.
pub fn configuration_for<'a, S>(
    dependencies: &'a Dependencies<S>,
    actor: &Principal,
) -> Result<&'a Configuration, AppError> {
    if actor.kind != PrincipalKind::Human {
        return Err(AppError::PeopleOnly);
    }
    dependencies.notifications.as_deref().ok_or(AppError::NotConfigured)
}

/// What a person sends, checked.
///
/// # Errors
/// Each rule that is broken, with the place where.
pub fn checked(
    document: &Value,
    configuration: &Configuration,
) -> Result<Preferences, Vec<(String, String)>> {
    let pair = |InvalidMember { pointer, rule }| (pointer, rule);
    Preferences::read(document, configuration).map_err(|wrong| wrong.into_iter().map(pair).collect())
}

/// What the caller has said, and what holds.
///
/// # Errors
/// As for [`configuration_for`]; [`AppError::Unavailable`].
pub async fn get<S: PreferencesStore>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
) -> Result<MyNotifications, AppError> {
    let configuration = configuration_for(dependencies, actor)?;
    let record = dependencies.store.preferences().preferences_of(&actor.person).await.map_err(unreadable)?;
    Ok(of_record(record.as_ref(), configuration))
}

/// Replaces what the caller has said. `said.version` is the version that is replaced. What is sent again after a lost answer is
/// answered like the first time.
///
/// # Errors
/// As for [`get`]; [`AppError::PreferencesChanged`] for another version.
pub async fn put<S: PreferencesStore>(
    dependencies: &Dependencies<S>,
    said: Preferences,
    actor: &Principal,
) -> Result<MyNotifications, AppError> {
    let configuration = configuration_for(dependencies, actor)?;
    let store = dependencies.store.preferences();
    let before = said.version;
    let said = said.at_version(before.saturating_add(1));
    let document = serde_json::to_string(&said).map_err(|error| AppError::Corrupt(error.to_string()))?;
    let is_written = store.put_preferences(&actor.person, &document, before).await?;
    let stored = match is_written {
        true => {
            PreferencesRecord { person: actor.person.clone(), version: said.version, document: Ok(document) }
        }
        false => {
            let stored = store.preferences_of(&actor.person).await.map_err(unreadable)?;
            let version = stored.as_ref().map_or(0, |record| record.version);
            let is_same = |record: &PreferencesRecord| record.document.as_ref() == Ok(&document);
            stored.filter(is_same).ok_or(AppError::PreferencesChanged { version })?
        }
    };
    Ok(of_record(Some(&stored), configuration))
}

/// What is damaged is no request, as callers would be answered otherwise.
fn unreadable(error: StoreError) -> StoreError {
    if let StoreError::Damaged(reason) = error { StoreError::Corrupt(reason) } else { error }
}

fn of_record(record: Option<&PreferencesRecord>, configuration: &Configuration) -> MyNotifications {
    let read = record.map(|record| record.document.clone().and_then(|document| parsed(&document)));
    let version = record.map_or(0, |record| record.version);
    let (said, ignored) = match read {
        Some(Ok(said)) => {
            let ignored = said.ignored(configuration);
            (said, ignored)
        }
        Some(Err(reason)) => {
            let rule = format!("what you have said cannot be read: {reason}");
            (Preferences::default(), vec![InvalidMember { pointer: String::new(), rule }])
        }
        None => (Preferences::default(), Vec::new()),
    };
    shown(said.at_version(version), ignored, configuration)
}

/// How a person hears who has said this.
pub fn shown(
    said: Preferences,
    ignored: Vec<InvalidMember>,
    configuration: &Configuration,
) -> MyNotifications {
    let channels = configuration.channels_of_people().map(|(name, kind)| (name.to_owned(), kind));
    MyNotifications {
        in_force: Settings::of(Some(&said), configuration),
        channels: channels.collect(),
        ignored,
        said,
    }
}
