//! What a person has said of how they want to hear: the document of `GET` and `PUT /v1/me/notifications`, and what it comes to
//! with the defaults of the file.

use crate::configuration::{Configuration, Defaults};
use crate::destination::Destination;
use crate::file::WrittenRecurrence;
use crate::local_time::Recurrence;
use crate::quiet::{QuietHours, WrittenSpan};
use crate::reading::read_recurrence;
use countersign_core::event::EventType;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a person has said. What they have left out is as the file has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// How often the document was written: a `PUT` names the version that it replaces.
    #[serde(default)]
    pub version: u64,
    /// The names of the destinations by which they want to hear. Empty: by none, and the dashboard alone shows them what waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<BTreeSet<String>>,
    /// When they want to be left in peace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<Vec<WrittenSpan>>,
    /// The events that they do not want to hear of. What became of their own requests they hear all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_events: Option<BTreeSet<EventType>>,
    /// When they want what is for their information only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<WrittenDigest>,
}

/// `"off"`, or when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenDigest {
    Off(Off),
    On(WrittenRecurrence),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Off {
    Off,
}

/// A member of the document that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer} {rule}")]
pub struct InvalidMember {
    /// Where it is: a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// The rule.
    pub rule: String,
}

impl Preferences {
    /// Reads and checks what a person sends. A member that is left out or `null` is as the file has it.
    ///
    /// # Errors
    /// Every member that breaks a rule: an unknown one, one of another type, a destination that writes to no person, quiet hours
    /// without an end, a time or zone that is none.
    pub fn read(document: &Value, configuration: &Configuration) -> Result<Self, Vec<InvalidMember>> {
        let invalid =
            |pointer: &str, rule: &str| InvalidMember { pointer: pointer.to_owned(), rule: rule.to_owned() };
        let Value::Object(members) = document else {
            return Err(vec![invalid("", "must be an object")]);
        };
        let mut preferences = Self::default();
        let mut wrong = Vec::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            // RFC 6901, section 3.
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let checked = match name.as_str() {
                "version" => {
                    member(value, "must be a whole number").map(|version| preferences.version = version)
                }
                "channels" => {
                    channels(value, configuration).map(|channels| preferences.channels = Some(channels))
                }
                "quiet_hours" => quiet_hours(value).map(|spans| preferences.quiet_hours = Some(spans)),
                "muted_events" => member(value, "must be a list of events, such as COMMENT_ADDED")
                    .map(|events| preferences.muted_events = Some(events)),
                "digest" => digest(value).map(|digest| preferences.digest = Some(digest)),
                _ => Err("is no member of this document".to_owned()),
            };
            wrong.extend(checked.err().map(|rule| invalid(&pointer, &rule)));
        }
        // In one order, however the members are kept.
        wrong.sort_by(|one, other| one.pointer.cmp(&other.pointer));
        if wrong.is_empty() { Ok(preferences) } else { Err(wrong) }
    }

    /// The same in another version.
    #[must_use]
    pub fn at_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// What they have said of a digest: `"off"`, or an object of `period`, `at` and `zone`.
    pub fn digest(&self) -> Option<Value> {
        self.digest.as_ref().and_then(|digest| serde_json::to_value(digest).ok())
    }

    /// What of this does not hold, with the reason: it was said when the file had other destinations, or the program other zones.
    pub fn ignored(&self, configuration: &Configuration) -> Vec<InvalidMember> {
        let mut ignored = Vec::new();
        let mut ignore =
            |pointer: &str, rule: String| ignored.push(InvalidMember { pointer: pointer.to_owned(), rule });
        let gone = self.channels.iter().flatten().filter(|name| !reaches_people(configuration, name));
        let gone: Vec<&str> = gone.map(String::as_str).collect();
        if !gone.is_empty() {
            ignore(
                "/channels",
                format!("names what is no destination that writes to people: {}", gone.join(", ")),
            );
        }
        if let Some(Err(error)) = self.quiet_hours.as_deref().map(QuietHours::new) {
            ignore("/quiet_hours", error.to_string());
        }
        if let Some(WrittenDigest::On(written)) = &self.digest
            && let Err((key, rule)) = read_recurrence(written)
        {
            ignore("/digest", format!("has a `{key}` that {rule}"));
        }
        ignored
    }
}

fn reaches_people(configuration: &Configuration, name: &str) -> bool {
    configuration.destination(name).is_some_and(Destination::reaches_people)
}

fn member<T: DeserializeOwned>(value: &Value, rule: &str) -> Result<T, String> {
    T::deserialize(value).map_err(|_| rule.to_owned())
}

fn channels(value: &Value, configuration: &Configuration) -> Result<BTreeSet<String>, String> {
    let channels: BTreeSet<String> = member(value, "must be a list of names of destinations")?;
    if channels.iter().all(|name| reaches_people(configuration, name)) {
        return Ok(channels);
    }
    let possible: Vec<&str> = configuration.channels_of_people().map(|(name, _)| name).collect();
    let possible = if possible.is_empty() { "there are none".to_owned() } else { possible.join(", ") };
    Err(format!("must name destinations that write to people: {possible}"))
}

fn quiet_hours(value: &Value) -> Result<Vec<WrittenSpan>, String> {
    let spans: Vec<WrittenSpan> = member(
        value,
        "must be a list of spans, such as {\"from\": \"18:00\", \"to\": \"08:00\", \"zone\": \"Europe/Vienna\"}",
    )?;
    QuietHours::new(&spans).map_err(|error| error.to_string())?;
    Ok(spans)
}

fn digest(value: &Value) -> Result<WrittenDigest, String> {
    let digest = member(
        value,
        "must be \"off\", or such as {\"period\": \"daily\", \"at\": \"08:00\", \"zone\": \"Europe/Vienna\"}",
    )?;
    if let WrittenDigest::On(written) = &digest {
        read_recurrence(written).map_err(|(key, rule)| format!("has a `{key}` that {rule}"))?;
    }
    Ok(digest)
}

/// How a person hears: what they have said, and the defaults where they have said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The names of the destinations by which they hear.
    pub channels: BTreeSet<String>,
    /// Whether they have chosen these themselves: then a route does not lead past their choice.
    pub has_chosen_channels: bool,
    /// When they are left in peace.
    pub quiet_hours: QuietHours,
    /// The events that they do not hear of.
    pub muted_events: BTreeSet<EventType>,
    /// When they get what is for their information only; at once if there is none.
    pub digest: Option<Recurrence>,
}

impl Settings {
    /// What holds for a person. What they have said and cannot hold any more, such as a destination that the file has no
    /// more, is as if they had not said it.
    pub fn of(preferences: Option<&Preferences>, configuration: &Configuration) -> Self {
        let Defaults { channels, quiet_hours, muted_events, digest } = configuration.defaults.clone();
        let mut settings = Self { channels, has_chosen_channels: false, quiet_hours, muted_events, digest };
        let Some(said) = preferences else { return settings };
        if let Some(chosen) = &said.channels {
            let left = chosen.iter().filter(|name| reaches_people(configuration, name));
            let left: BTreeSet<String> = left.cloned().collect();
            if chosen.is_empty() || !left.is_empty() {
                settings.channels = left;
                settings.has_chosen_channels = true;
            }
        }
        if let Some(Ok(quiet_hours)) = said.quiet_hours.as_deref().map(QuietHours::new) {
            settings.quiet_hours = quiet_hours;
        }
        if let Some(events) = &said.muted_events {
            settings.muted_events.clone_from(events);
        }
        match &said.digest {
            Some(WrittenDigest::Off(Off::Off)) => settings.digest = None,
            Some(WrittenDigest::On(written)) => {
                settings.digest = read_recurrence(written).ok().or(settings.digest);
            }
            None => {}
        }
        settings
    }
}
