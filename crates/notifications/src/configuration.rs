//! The checked configuration: destinations, groups, routes, and what is told when. Read from `notifications.toml`, or made of
//! the one channel of a deployment without that file.

use crate::destination::{Destination, Kind};
use crate::local_time::Recurrence;
use crate::priority::Priorities;
use crate::quiet::QuietHours;
use crate::route::{Addressing, Audience, Route};
use countersign_core::digest::Digest;
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use countersign_core::priority::Priority;
use std::collections::{BTreeMap, BTreeSet};

/// The name of the file, in messages.
pub const FILE: &str = "notifications.toml";

/// The most destinations: each of them may get a delivery for every event.
pub const MAX_DESTINATIONS: usize = 50;
/// The most routes, reminders, escalations and digests, of each.
pub const MAX_TABLES: usize = 200;
/// The most members of a group.
pub const MAX_MEMBERS: usize = 1000;
/// The most times that one table of reminders may have.
pub const MAX_REMINDERS: usize = 10;

/// A group, as far as notifications know it. Its members have no right by it: who is in which group is said by tokens, and
/// those say it only when a member calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Its members.
    pub members: BTreeSet<PersonId>,
    /// The address of its mailbox, which then gets the e-mail instead of each member.
    pub email: Option<String>,
    /// The id of its channel, which a bot of Slack then posts to.
    pub slack: Option<String>,
    /// The destination of its own that stands in the place of any other of kind `teams`.
    pub teams: Option<String>,
    /// The destination of its own that stands in the place of any other of kind `pagerduty`.
    pub pagerduty: Option<String>,
}

/// Where one person is reached, if not by the address that is their id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonAddresses {
    /// Their e-mail address.
    pub email: Option<String>,
    /// Their id in Slack.
    pub slack: Option<String>,
}

/// Reminders of requests that are about to expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminder {
    /// The name of the table.
    pub name: String,
    /// How long before the expiry, in seconds.
    pub before_expiry_seconds: BTreeSet<u32>,
}

/// What is told when a request stays pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The name of the table.
    pub name: String,
    /// Of which requests.
    pub priority: Priority,
    /// How long after they were made, in seconds.
    pub after_seconds: u32,
    /// To whom, and by which way.
    pub addressing: Addressing,
}

/// A report that is sent every day, week or month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportDigest {
    /// The name of the table.
    pub name: String,
    /// When.
    pub recurrence: Recurrence,
    /// To whom, and by which way.
    pub addressing: Addressing,
}

/// What holds for people who have said nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The names of the destinations by which they hear.
    pub channels: BTreeSet<String>,
    /// When they are left in peace.
    pub quiet_hours: QuietHours,
    /// The events that they do not hear of.
    pub muted_events: BTreeSet<EventType>,
    /// When they get what is for their information only; at once if there is none.
    pub digest: Option<Recurrence>,
}

/// Which internal addresses webhooks may have. Checked for their shape alone: what may be called is the business of those
/// who call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Ports besides 443.
    pub allow_ports: BTreeSet<u16>,
    /// Networks besides the public ones, such as `10.0.0.0/8`.
    pub allow_networks: Vec<String>,
    /// The path of the roots that the certificates of those networks are held against.
    pub ca_bundle: Option<String>,
}

/// Who hears of what, when and by which way.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Names the text that it was read from.
    pub(crate) version: Option<Digest>,
    /// The destinations, by name.
    pub destinations: BTreeMap<String, Destination>,
    /// The groups, by name.
    pub groups: BTreeMap<String, Group>,
    /// Addresses of people, by the address that the file knows them by.
    pub people: BTreeMap<PersonId, PersonAddresses>,
    /// The routes.
    pub routes: Vec<Route>,
    /// Who is told when no approver is found.
    pub fallback: Addressing,
    /// The priorities of requests that name none.
    pub priorities: Priorities,
    /// The reminders.
    pub reminders: Vec<Reminder>,
    /// The escalations.
    pub escalations: Vec<Escalation>,
    /// What holds for people who have said nothing else.
    pub defaults: Defaults,
    /// The reports.
    pub digests: Vec<ReportDigest>,
    /// Which internal addresses webhooks may have.
    pub webhooks: WebhookSettings,
}

impl Configuration {
    /// Of a deployment without the file: every event goes to its one destination, and nothing else is sent.
    pub fn of_one_channel(destination: Destination) -> Self {
        let name = destination.kind().as_str().to_owned();
        let via = BTreeSet::from([name.clone()]);
        let route = Route::of_everything(&name, Addressing { to: BTreeSet::new(), via });
        Self {
            version: None,
            destinations: BTreeMap::from([(name, destination)]),
            groups: BTreeMap::new(),
            people: BTreeMap::new(),
            routes: vec![route],
            fallback: Addressing::default(),
            priorities: Priorities::default(),
            reminders: Vec::new(),
            escalations: Vec::new(),
            defaults: Defaults::default(),
            digests: Vec::new(),
            webhooks: WebhookSettings::default(),
        }
    }

    /// Names this configuration: what `sha256sum notifications.toml` prints. None where there is no file.
    pub fn version(&self) -> Option<Digest> {
        self.version
    }

    /// A destination by its name.
    pub fn destination(&self, name: &str) -> Option<&Destination> {
        self.destinations.get(name)
    }

    /// The destinations that a person can choose: each writes to people one by one.
    pub fn channels_of_people(&self) -> impl Iterator<Item = (&str, Kind)> {
        let of_people = self.destinations.iter().filter(|(_, destination)| destination.reaches_people());
        of_people.map(|(name, destination)| (name.as_str(), destination.kind()))
    }

    /// Every place that messages are sent by, with its name in the file.
    pub(crate) fn addressings(&self) -> impl Iterator<Item = (String, &Addressing)> {
        let routes = self.routes.iter().map(|route| (format!("routes.{}", route.name), &route.addressing));
        let escalations = self.escalations.iter();
        let escalations = escalations
            .map(|escalation| (format!("escalations.{}", escalation.name), &escalation.addressing));
        let digests =
            self.digests.iter().map(|digest| (format!("digests.{}", digest.name), &digest.addressing));
        let fallback = std::iter::once(("fallback".to_owned(), &self.fallback));
        routes.chain(escalations).chain(digests).chain(fallback)
    }
}

/// The escalations of a file that says nothing of them: emergencies at once, what is urgent after an hour, what is of the day
/// after four. To those who could approve and those whom the file names for the case that there are none; by `PagerDuty`, by the ways that people have by
/// default, and by those of the fallback.
pub(crate) fn bundled_escalations(
    destinations: &BTreeMap<String, Destination>,
    defaults: &Defaults,
    fallback: &Addressing,
) -> Vec<Escalation> {
    let is_pagerduty = |kind: Kind| kind == Kind::PagerDuty;
    let pagerduty = destinations.iter().filter(|(_, destination)| is_pagerduty(destination.kind()));
    let mut via: BTreeSet<String> = pagerduty.map(|(name, _)| name.clone()).collect();
    via.extend(defaults.channels.iter().chain(&fallback.via).cloned());
    if via.is_empty() {
        return Vec::new();
    }
    let to = fallback.to.iter().cloned().chain([Audience::Approvers]).collect();
    let addressing = Addressing { to, via };
    let times = [(Priority::P1, 0), (Priority::P2, 60 * 60), (Priority::P3, 4 * 60 * 60)];
    let escalation = |(priority, after_seconds): (Priority, u32)| Escalation {
        name: priority.as_str().to_owned(),
        priority,
        after_seconds,
        addressing: addressing.clone(),
    };
    times.map(escalation).into()
}
