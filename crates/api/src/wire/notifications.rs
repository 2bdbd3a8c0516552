//! The bodies about messages to people: how a person hears, and who would hear of a request.

use super::FieldError;
use countersign_app::notifies::{Occasion, Preview};
use countersign_app::preferences::MyNotifications;
use countersign_notifications::audience::Recipient;
use countersign_notifications::destination::Kind;
use countersign_notifications::local_time::{Day, Recurrence};
use countersign_notifications::plan::{MessageKind, Notifies, PlannedMessage, When};
use countersign_notifications::preferences::Preferences;
use countersign_notifications::quiet::WrittenSpan;
use countersign_notifications::timers::Timer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the caller hears of requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NotificationsBody {
    /// Counts how often they have said it: what a change names. 0 if they have said nothing.
    pub version: u64,
    /// What they have said.
    pub said: PreferencesBody,
    /// What holds: that, and the defaults of `notifications.toml`.
    pub in_force: SettingsBody,
    /// The destinations that they can choose.
    pub available_channels: Vec<ChannelBody>,
    /// What of that which they have said does not hold, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<FieldError>,
}

/// What a person has said. What is absent is as `notifications.toml` has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PreferencesBody {
    /// The names of the destinations by which they want to hear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// When they want to be left in peace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<Vec<QuietHoursBody>>,
    /// The events that they do not want to hear of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_events: Option<Vec<String>>,
    /// When they want what is for their information only: `"off"`, or an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Value>,
}

/// What holds for a person.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SettingsBody {
    /// The names of the destinations by which they hear.
    pub channels: Vec<String>,
    /// Whether they have chosen these themselves.
    pub channels_chosen: bool,
    /// When they are left in peace.
    pub quiet_hours: Vec<QuietHoursBody>,
    /// The events that they do not hear of.
    pub muted_events: Vec<String>,
    /// When they get what is for their information only; at once if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestBody>,
}

/// A span of the week without messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHoursBody {
    /// The days on which it begins; all, if they are absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<String>>,
    /// The time at which it begins.
    pub from: String,
    /// The time at which it ends: on the next day, if that is no later.
    pub to: String,
    /// The time zone of both; UTC, if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// When a digest is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestBody {
    /// `daily`, `weekly` or `monthly`.
    pub period: String,
    /// The time of the day.
    pub at: String,
    /// The time zone; UTC, if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// A destination that a person can choose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelBody {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
}

/// How many hear of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiesBody {
    /// How many people.
    pub people: usize,
    /// How many destinations.
    pub destinations: usize,
}

/// Who would hear of a request, and when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PreviewBody {
    /// The request.
    pub request_id: String,
    /// Where it is in its life.
    pub status: String,
    /// Its priority.
    pub priority: String,
    /// SHA-256 of `notifications.toml`.
    pub notifications_version: String,
    /// Whether it waits for an approver and none is found.
    pub no_approver_found: bool,
    /// What is sent: of the request as it stands, and then each reminder and escalation to come.
    pub occasions: Vec<OccasionBody>,
}

/// What messages are sent for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OccasionBody {
    /// `now`, `reminder` or `escalation`.
    pub occasion: String,
    /// The name of its table in `notifications.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The time.
    pub at: String,
    /// The messages.
    pub messages: Vec<PlannedMessageBody>,
}

/// A message that would be sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlannedMessageBody {
    /// The name of the destination.
    pub destination: String,
    /// Its kind.
    pub kind: String,
    /// Who gets it there: `shared`, `person` or `group`.
    pub recipient: String,
    /// The group that gets it, by a mailbox or channel of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// For whom it is.
    pub people: Vec<String>,
    /// What it is for: `asks`, `closes`, `outcome`, `updates` or `informs`.
    pub why: String,
    /// `at_once`, `after_quiet_hours` or `in_digest`.
    pub when: String,
    /// The time before which it is not sent.
    pub not_before: String,
}

fn names<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

impl From<&WrittenSpan> for QuietHoursBody {
    fn from(span: &WrittenSpan) -> Self {
        let WrittenSpan { days, from, to, zone } = span.clone();
        let days = days.map(|days| names(days.iter().map(Day::to_string)));
        Self { days, from, to, zone }
    }
}

impl From<&Recurrence> for DigestBody {
    fn from(recurrence: &Recurrence) -> Self {
        let Recurrence { period, at, zone } = recurrence;
        Self { period: period.to_string(), at: at.to_string(), zone: Some(zone.name().to_owned()) }
    }
}

impl From<&Preferences> for PreferencesBody {
    fn from(said: &Preferences) -> Self {
        Self {
            channels: said.channels.as_ref().map(names),
            quiet_hours: said.quiet_hours.as_ref().map(|spans| spans.iter().map(Into::into).collect()),
            muted_events: said.muted_events.as_ref().map(|events| names(events.iter().map(|it| it.as_str()))),
            digest: said.digest(),
        }
    }
}

impl From<&MyNotifications> for NotificationsBody {
    fn from(mine: &MyNotifications) -> Self {
        let MyNotifications { said, in_force, channels, ignored } = mine;
        let ignored = ignored.iter().map(|wrong| FieldError::new(&wrong.pointer, &wrong.rule));
        let channel =
            |(name, kind): &(String, Kind)| ChannelBody { name: name.clone(), kind: kind.to_string() };
        Self {
            version: said.version,
            said: said.into(),
            in_force: SettingsBody {
                channels: names(&in_force.channels),
                channels_chosen: in_force.has_chosen_channels,
                quiet_hours: in_force.quiet_hours.written().iter().map(Into::into).collect(),
                muted_events: names(in_force.muted_events.iter().map(|event| event.as_str())),
                digest: in_force.digest.as_ref().map(Into::into),
            },
            available_channels: channels.iter().map(channel).collect(),
            ignored: ignored.collect(),
        }
    }
}

impl From<Notifies> for NotifiesBody {
    fn from(notifies: Notifies) -> Self {
        let Notifies { people, destinations } = notifies;
        Self { people, destinations }
    }
}

impl From<&Preview> for PreviewBody {
    fn from(preview: &Preview) -> Self {
        Self {
            request_id: preview.request_id.to_string(),
            status: preview.status.to_string(),
            priority: preview.priority.as_str().to_owned(),
            notifications_version: preview
                .notifications_version
                .map(|version| version.to_string())
                .unwrap_or_default(),
            no_approver_found: preview.is_nobody_found,
            occasions: preview.occasions.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Occasion> for OccasionBody {
    fn from(occasion: &Occasion) -> Self {
        let Occasion { timer, at, messages } = occasion;
        let (occasion, name) = match timer {
            None => ("now", None),
            Some(Timer::Reminder { name, .. }) => ("reminder", Some(name.clone())),
            Some(Timer::Escalation { name }) => ("escalation", Some(name.clone())),
        };
        let message = |(kind, message): &(Kind, PlannedMessage)| {
            let (recipient, group) = match &message.place.recipient {
                Recipient::Shared => ("shared", None),
                Recipient::Person(_) => ("person", None),
                Recipient::Group(name) => ("group", Some(name.clone())),
            };
            PlannedMessageBody {
                destination: message.place.destination.clone(),
                kind: kind.to_string(),
                recipient: recipient.to_owned(),
                group,
                people: names(&message.people),
                why: why(message.kind).to_owned(),
                when: when(message.when).to_owned(),
                not_before: message.when.not_before(*at).to_string(),
            }
        };
        Self {
            occasion: occasion.to_owned(),
            name,
            at: at.to_string(),
            messages: messages.iter().map(message).collect(),
        }
    }
}

const fn why(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Act => "asks",
        MessageKind::Closing => "closes",
        MessageKind::Outcome => "outcome",
        MessageKind::Update => "updates",
        MessageKind::Information => "informs",
    }
}

/// What settles for some seconds is sent at once, as people see it.
const fn when(when: When) -> &'static str {
    match when {
        When::AtOnce | When::Settled(_) => "at_once",
        When::AfterQuietHours(_) => "after_quiet_hours",
        When::InDigest(_) => "in_digest",
    }
}
