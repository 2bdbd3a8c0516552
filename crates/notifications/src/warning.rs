//! What is odd about a configuration that can be used: for `policy check`. Nothing depends on it.

use crate::configuration::{Configuration, FILE};
use crate::route::{Audience, Route};
use countersign_core::event::EventType;
use countersign_core::policy::Policy;
use countersign_core::policy::finding::{Name, Severity};
use countersign_core::policy::rules::Rules;
use countersign_core::policy::source::Source;
use countersign_core::slots::Groups;
use countersign_core::status::Status;
use std::collections::BTreeSet;
use strum::IntoEnumIterator;

/// Something that is odd about `notifications.toml`, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub name: Name,
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The table.
    pub place: String,
    /// What is odd, and what to do about it.
    pub message: String,
}

/// All that is odd about a configuration, read from `text`, beside a policy.
pub fn warnings(configuration: &Configuration, text: &str, policy: &Policy) -> Vec<Warning> {
    let source = Source { file: FILE, text };
    let warning = |name, severity, path: &[&str], message: String| Warning {
        name,
        severity,
        line: source.line_of(path),
        place: path.join("."),
        message,
    };
    let mut found = Vec::new();
    for name in unused_destinations(configuration) {
        let message = "nothing sends to it: name it in a `via`, or in `channels` of [defaults]".to_owned();
        found.push(warning(Name::DestinationUnused, Severity::Warning, &["destinations", name], message));
    }
    for route in &configuration.routes {
        if let Some(message) = never_holds(route, policy.rules()) {
            found.push(warning(Name::RouteNeverHolds, Severity::Warning, &["routes", &route.name], message));
        }
    }
    for groups in slots_without_members(configuration, policy) {
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        let names = names.join(" or ");
        let message =
            format!("list the members of {names}: a slot of theirs waits, and no approver hears of it");
        found.push(warning(Name::SlotWithoutMembers, Severity::Warning, &["groups"], message));
    }
    let named: BTreeSet<&String> =
        configuration.addressings().flat_map(|(_, addressing)| &addressing.to).filter_map(group).collect();
    let is_known = |name: &&String| policy.people().groups().contains(*name) || named.contains(name);
    for name in configuration.groups.keys().filter(|name| !is_known(name)) {
        let message =
            "it is neither a group of people.toml nor named in a `to`: its members hear of nothing by it"
                .to_owned();
        found.push(warning(Name::GroupWithoutMeaning, Severity::Note, &["groups", name], message));
    }
    found
}

fn group(audience: &Audience) -> Option<&String> {
    match audience {
        Audience::Group(name) => Some(name),
        Audience::Approvers | Audience::Requester | Audience::Owner | Audience::Person(_) => None,
    }
}

fn unused_destinations(configuration: &Configuration) -> Vec<&str> {
    let via = configuration.addressings().flat_map(|(_, addressing)| &addressing.via);
    let own = configuration.groups.values().flat_map(|group| group.teams.iter().chain(&group.pagerduty));
    let used: BTreeSet<&String> = via.chain(own).chain(&configuration.defaults.channels).collect();
    configuration.destinations.keys().filter(|name| !used.contains(name)).map(String::as_str).collect()
}

/// Why a route can match no event, if so.
fn never_holds(route: &Route, rules: &Rules) -> Option<String> {
    let events: Vec<EventType> =
        EventType::iter().filter(|event| route.events.is_empty() || route.events.contains(event)).collect();
    let is_possible =
        |event: &EventType| statuses_after(*event).iter().any(|status| route.is_for_event(*event, *status));
    if !events.iter().any(is_possible) {
        return Some("none of its `events` leaves a request in one of its `statuses`".to_owned());
    }
    let listed = rules.catalogue().filter(|(operation, ..)| route.conditions.hold_for_operation(operation));
    // A requester may declare a higher risk, and no lower one.
    let lowest = listed.map(|(_, _, risk_level, _)| risk_level).min();
    let names_operations = !route.conditions.hold_for_operation("");
    match lowest {
        None if names_operations => {
            Some("its `operations` match no operation of the catalogue in operations.toml".to_owned())
        }
        Some(lowest)
            if names_operations
                && route.risk.iter().all(|risk_level| *risk_level < lowest)
                && !route.risk.is_empty() =>
        {
            Some(format!("its `operations` are of {lowest} risk or more, and its `risk` is below"))
        }
        None | Some(_) => None,
    }
}

/// The statuses that a request may have after an event.
fn statuses_after(event_type: EventType) -> &'static [Status] {
    use Status::{Approved, Cancelled, Executed, Executing, Expired, Failed, Pending, Rejected};
    match event_type {
        EventType::ApprovalRequestCreated | EventType::ApprovalGranted | EventType::TargetObserved => {
            &[Pending, Approved]
        }
        EventType::ApprovalRejected => &[Rejected],
        EventType::ApprovalWithdrawn => &[Pending, Approved, Expired],
        EventType::ApprovalCancelled => &[Cancelled],
        EventType::ApprovalExpired => &[Expired],
        EventType::ExecutionStarted | EventType::ExecutionRenewed | EventType::ExecutionUnknown => {
            &[Executing]
        }
        EventType::ExecutionClaimed => &[Executing, Executed, Failed],
        EventType::ExecutionSucceeded => &[Executed],
        EventType::ExecutionFailed => &[Failed],
        EventType::ParametersErased => &Status::CLOSED,
        EventType::CommentAdded
        | EventType::AnomalyDetected
        | EventType::AttemptRefused
        | EventType::AuditRead => {
            &[Pending, Approved, Executing, Rejected, Expired, Cancelled, Executed, Failed]
        }
    }
}

/// The slots of rules for whose groups no member is listed, where routes tell approvers at all.
fn slots_without_members<'a>(configuration: &Configuration, policy: &'a Policy) -> BTreeSet<&'a Groups> {
    let tells = |route: &Route| route.addressing.to.contains(&Audience::Approvers);
    if !configuration.routes.iter().any(tells) {
        return BTreeSet::new();
    }
    let has_members =
        |name: &String| configuration.groups.get(name).is_some_and(|group| !group.members.is_empty());
    let slots = policy.rules().rules().iter().flat_map(|rule| rule.slots().iter());
    slots.map(|(groups, _)| groups).filter(|groups| !groups.iter().any(has_members)).collect()
}
