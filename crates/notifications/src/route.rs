//! Routes: which events of which requests are sent to whom. They are no rights.

use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use countersign_core::policy::access::Subject;
use countersign_core::policy::rules::Proposal;
use countersign_core::policy::rules::conditions::Conditions;
use countersign_core::priority::Priority;
use countersign_core::risk::RiskLevel;
use countersign_core::slots::Groups;
use countersign_core::status::Status;
use std::collections::BTreeSet;

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// `approvers`: those who could give an approval that is missing.
    Approvers,
    /// `requester`: the requester.
    Requester,
    /// `owner`: who answers for the agent or service that asks.
    Owner,
    /// `group:NAME`: a group of the file.
    Group(String),
    /// `person:ADDRESS`: one person.
    Person(PersonId),
}

/// Whom messages are for, and by which destinations they go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressing {
    /// Whom they are for. May be empty where the destinations are shared.
    pub to: BTreeSet<Audience>,
    /// The names of the destinations; those that a person has chosen if empty.
    pub via: BTreeSet<String>,
}

/// A route of `notifications.toml`.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Which requests it is for, as a rule of `operations.toml` says it.
    pub conditions: Conditions,
    /// The risks it is for; all if empty.
    pub risk: BTreeSet<RiskLevel>,
    /// The priorities it is for; all if empty.
    pub priority: BTreeSet<Priority>,
    /// The events it is for; all if empty.
    pub events: BTreeSet<EventType>,
    /// The statuses, after the event, that it is for; all if empty.
    pub statuses: Vec<Status>,
    /// Where it leads.
    pub addressing: Addressing,
}

/// What routes look at of a request.
#[derive(Debug, Clone, Copy)]
pub struct RoutedRequest<'a> {
    /// The request, as policy sees it now.
    pub subject: Subject<'a>,
    /// The groups of its requester when it was made.
    pub requester_groups: &'a Groups,
    /// Its priority.
    pub priority: Priority,
}

impl Route {
    /// Whether it is for a request, whatever happens to it.
    pub fn is_for_request(&self, request: &RoutedRequest<'_>) -> bool {
        let Subject { operation_type, instance_id, environment, risk_level, estimated_cost, .. } =
            request.subject;
        let proposal = Proposal {
            operation_type,
            instance_id,
            declared_risk: Some(risk_level),
            declared_environment: environment,
            estimated_cost,
            requester_groups: request.requester_groups,
        };
        self.conditions.hold(&proposal, environment)
            && is_among(&self.risk, &risk_level)
            && is_among(&self.priority, &request.priority)
    }

    /// Whether it is for an event that leaves a request in a status.
    pub fn is_for_event(&self, event_type: EventType, status: Status) -> bool {
        is_among(&self.events, &event_type) && (self.statuses.is_empty() || self.statuses.contains(&status))
    }

    /// Whether it names the events it is for. A route that does not is, for people, for those that change the status.
    pub fn names_events(&self) -> bool {
        !self.events.is_empty() || !self.statuses.is_empty()
    }
}

fn is_among<T: Ord>(named: &BTreeSet<T>, value: &T) -> bool {
    named.is_empty() || named.contains(value)
}

impl Route {
    /// A route of every event of every request.
    pub(crate) fn of_everything(name: &str, addressing: Addressing) -> Self {
        Self {
            name: name.to_owned(),
            conditions: Conditions::none(),
            risk: BTreeSet::new(),
            priority: BTreeSet::new(),
            events: BTreeSet::new(),
            statuses: Vec::new(),
            addressing,
        }
    }
}
