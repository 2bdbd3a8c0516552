//! Whom an addressing reaches: each place that a message goes to, and for which people it is there.

use crate::configuration::{Configuration, Group};
use crate::destination::{Destination, Kind, Target};
use crate::preferences::{Preferences, Settings};
use crate::recipients::Askers;
use crate::route::{Addressing, Audience};
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};

/// Who gets a message at a destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// All who look there: a topic, a channel, a service.
    Shared,
    /// One person.
    Person(PersonId),
    /// A group, by a mailbox or channel of its own.
    Group(String),
}

/// One place that a message goes to. Where they are equal, the message is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The name of the destination.
    pub destination: String,
    /// Who gets it there.
    pub recipient: Recipient,
}

/// For whom a message is at a place, and where that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The e-mail address, or the id or e-mail address of a person or the id of a channel in Slack.
    pub(crate) address: Option<String>,
    /// Whom the message is for.
    pub(crate) people: BTreeSet<PersonId>,
    /// Whether people are named by their group or address, and not for what they could do.
    pub(crate) is_named: bool,
}

/// All that decides whom an addressing reaches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) policy: &'a Policy,
    pub(crate) preferences: &'a BTreeMap<PersonId, Preferences>,
    pub(crate) approvers: &'a BTreeSet<PersonId>,
    pub(crate) askers: &'a Askers,
}

impl Reach<'_> {
    /// How a person hears.
    pub(crate) fn settings(&self, person: &PersonId) -> Settings {
        Settings::of(self.preferences.get(person), self.configuration)
    }

    /// Every place that an addressing leads to.
    pub(crate) fn places(&self, addressing: &Addressing) -> BTreeMap<Place, Reached> {
        let mut places = BTreeMap::new();
        let via =
            || addressing.via.iter().filter_map(|name| Some((name, self.configuration.destination(name)?)));
        for audience in &addressing.to {
            let people = self.people(audience);
            let group = match audience {
                Audience::Group(name) => self.configuration.groups.get(name).map(|group| (name, group)),
                Audience::Approvers | Audience::Requester | Audience::Owner | Audience::Person(_) => None,
            };
            let is_named = matches!(audience, Audience::Group(_) | Audience::Person(_));
            let mut personal = BTreeSet::new();
            for (name, destination) in via() {
                let own =
                    group.and_then(|(group_name, group)| own_place(name, destination, group_name, group));
                let (place, address) = match own {
                    Some(own) => own,
                    None if destination.reaches_people() => {
                        personal.insert(name.clone());
                        continue;
                    }
                    None => (shared(name), None),
                };
                add(&mut places, place, address, people.iter().cloned(), is_named);
            }
            if !personal.is_empty() || addressing.via.is_empty() {
                for person in &people {
                    self.add_person(&mut places, person, &personal, is_named);
                }
            }
        }
        if addressing.to.is_empty() {
            for (name, _) in via() {
                add(&mut places, shared(name), None, [], true);
            }
        }
        places
    }

    fn people(&self, audience: &Audience) -> BTreeSet<PersonId> {
        let people = self.policy.people();
        let may_be_told = |person: &PersonId| !people.is_disabled(person);
        match audience {
            Audience::Approvers => self.approvers.clone(),
            Audience::Requester => self.askers.requester.iter().cloned().collect(),
            Audience::Owner => self.askers.owner.iter().cloned().collect(),
            Audience::Person(person) => {
                std::iter::once(people.person(person).clone()).filter(may_be_told).collect()
            }
            Audience::Group(name) => {
                let group = self.configuration.groups.get(name);
                let members = group.into_iter().flat_map(|group| &group.members);
                members.map(|member| people.person(member).clone()).filter(may_be_told).collect()
            }
        }
    }

    /// By the destinations of the addressing that the person has chosen; else by those that they have chosen; else by those of
    /// the addressing.
    fn add_person(
        &self,
        places: &mut BTreeMap<Place, Reached>,
        person: &PersonId,
        via: &BTreeSet<String>,
        is_named: bool,
    ) {
        let Settings { channels: chosen, has_chosen_channels, .. } = self.settings(person);
        let of_both: BTreeSet<String> = via.intersection(&chosen).cloned().collect();
        let names = match (via.is_empty(), has_chosen_channels) {
            (true, _) => chosen,
            (false, false) => via.clone(),
            (false, true) if of_both.is_empty() => chosen,
            (false, true) => of_both,
        };
        for name in names {
            let Some(destination) = self.configuration.destination(&name) else { continue };
            let address = self.address(person, destination.kind());
            let place = Place { destination: name, recipient: Recipient::Person(person.clone()) };
            add(places, place, Some(address), [person.clone()], is_named);
        }
    }

    /// Where a person is reached by a kind of destination. By an e-mail address a bot of Slack finds them.
    fn address(&self, person: &PersonId, kind: Kind) -> String {
        let known = self.policy.people().addresses(person);
        let addresses = known.iter().find_map(|id| self.configuration.people.get(id));
        let email = addresses.and_then(|addresses| addresses.email.clone());
        let slack =
            addresses.and_then(|addresses| addresses.slack.clone()).filter(|_| kind == Kind::SlackBot);
        slack.or(email).unwrap_or_else(|| person.as_str().to_owned())
    }
}

fn shared(name: &str) -> Place {
    Place { destination: name.to_owned(), recipient: Recipient::Shared }
}

/// The place of its own that a group has in place of a destination.
fn own_place(
    name: &str,
    destination: &Destination,
    group_name: &str,
    group: &Group,
) -> Option<(Place, Option<String>)> {
    let of_group = |address: &String| {
        let recipient = Recipient::Group(group_name.to_owned());
        (Place { destination: name.to_owned(), recipient }, Some(address.clone()))
    };
    match &destination.target {
        Target::Email { .. } => group.email.as_ref().map(of_group),
        Target::SlackBot { .. } => group.slack.as_ref().map(of_group),
        Target::Teams { .. } => group.teams.as_deref().map(|own| (shared(own), None)),
        Target::PagerDuty { .. } => group.pagerduty.as_deref().map(|own| (shared(own), None)),
        Target::Sns { .. } | Target::EventBridge { .. } | Target::SlackWebhook { .. } | Target::Log => None,
    }
}

fn add(
    places: &mut BTreeMap<Place, Reached>,
    place: Place,
    address: Option<String>,
    people: impl IntoIterator<Item = PersonId>,
    is_named: bool,
) {
    let reached = places.entry(place).or_default();
    reached.address = reached.address.take().or(address);
    reached.people.extend(people);
    reached.is_named |= is_named;
}
