//! The messages of one event: one for each place, however many routes lead there; of which kind, and when.

use crate::audience::{Place, Reach, Reached, Recipient};
use crate::configuration::{Configuration, Escalation};
use crate::destination::{Destination, Kind};
use crate::outcome::{OutcomeText, outcome};
use crate::preferences::{Preferences, Settings};
use crate::quiet::SETTLE_SECONDS;
use crate::recipients::{Askers, approvers, approvers_before};
use crate::route::{Addressing, Audience, RoutedRequest};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::event::EventType;
use countersign_core::ids::EventId;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::priority::Priority;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What a message is for. Of several reasons for one message the first in this order is its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// It asks for an approval.
    Act,
    /// The approval that it had asked for is wanted no more. Of use only where the other message was sent, which the sender knows.
    Closing,
    /// It says what became of a request, to those whose request it is.
    Outcome,
    /// A message that is there already changes.
    Update,
    /// It informs.
    Information,
}

/// When a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once.
    AtOnce,
    /// Then, together with what changes until then.
    Settled(Timestamp),
    /// Then, at the end of the quiet hours of its recipient.
    AfterQuietHours(Timestamp),
    /// Then, in the digest of its recipient.
    InDigest(Timestamp),
}

impl When {
    /// The time, for an event at some time.
    pub fn not_before(self, event_at: Timestamp) -> Timestamp {
        match self {
            Self::AtOnce => event_at,
            Self::Settled(at) | Self::AfterQuietHours(at) | Self::InDigest(at) => at,
        }
    }
}

/// A message that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedMessage {
    /// Where it goes.
    pub place: Place,
    /// The e-mail address; or the id of a channel or person in Slack, or the e-mail address to find them by. None where the destination has one of its own.
    pub address: Option<String>,
    /// Whom it is for there.
    pub people: BTreeSet<PersonId>,
    /// What it is for.
    pub kind: MessageKind,
    /// When it is sent.
    pub when: When,
}

/// All messages of an event, or of a reminder or escalation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The messages, by place.
    pub messages: Vec<PlannedMessage>,
    /// What became of the request, if the event says that.
    pub outcome: Option<OutcomeText>,
    /// Whether the request waits for an approver and none was found: a warning for operators. The fallback is told.
    pub is_nobody_found: bool,
}

/// How many hear of something, as `POST /v1/approvals` and simulations answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notifies {
    /// How many people.
    pub people: usize,
    /// How many destinations.
    pub destinations: usize,
}

impl Notifies {
    /// No person and no destination.
    pub const NONE: Self = Self { people: 0, destinations: 0 };
}

impl Plan {
    /// How many hear of it.
    pub fn notifies(&self) -> Notifies {
        let people: BTreeSet<&PersonId> = self.messages.iter().flat_map(|message| &message.people).collect();
        let destinations: BTreeSet<&String> =
            self.messages.iter().map(|message| &message.place.destination).collect();
        Notifies { people: people.len(), destinations: destinations.len() }
    }
}

/// What happened to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happening {
    /// The event.
    pub event_id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// Its time.
    pub at: Timestamp,
}

impl From<&CloudEvent> for Happening {
    fn from(event: &CloudEvent) -> Self {
        let notice = &event.notice;
        Self { event_id: notice.event_id(), event_type: notice.event_type(), at: notice.timestamp() }
    }
}

/// What plans are made by.
#[derive(Debug, Clone, Copy)]
pub struct Planning<'a> {
    /// Who hears of what.
    pub configuration: &'a Configuration,
    /// The policy in force.
    pub policy: &'a Policy,
    /// What people have said, by their one id.
    pub preferences: &'a BTreeMap<PersonId, Preferences>,
}

impl Planning<'_> {
    /// The priority of a request: what its requester has named, or what the file says.
    pub fn priority(&self, request: &Request) -> Priority {
        let subject = self.policy.subject(request);
        self.configuration.priorities.of(request.content.priority, subject.risk_level, subject.environment)
    }

    /// The messages of an event. `after` is the request after it: or later, so that nobody is asked for what is wanted no more.
    ///
    /// For what a request would bring about that is not made yet: its creation, and the request that it would create.
    pub fn plan(&self, happening: &Happening, after: &Request) -> Plan {
        let Self { configuration, policy, .. } = *self;
        let Happening { event_id, event_type, at } = *happening;
        let priority = self.priority(after);
        let askers = Askers::of(after, policy);
        let now_asked = approvers(after, policy, configuration, at.max(after.updated_at));
        let before = approvers_before(event_type, event_id, after, policy, configuration);
        let all: BTreeSet<PersonId> = before.union(&now_asked).cloned().collect();
        let reach =
            Reach { configuration, policy, preferences: self.preferences, approvers: &all, askers: &askers };
        let event = PlannedEvent {
            event_type: Some(event_type),
            at,
            priority,
            deadline: deadline(after, policy),
            before: &before,
            after: &now_asked,
            askers: askers.people(),
            outcome: outcome(event_type, after),
        };
        let mut messages = Messages { reach, event: &event, planned: BTreeMap::new() };
        let routed = RoutedRequest {
            subject: policy.subject(after),
            requester_groups: &after.content.requester_groups,
            priority,
        };
        for route in configuration.routes.iter().filter(|route| route.is_for_request(&routed)) {
            let is_for_event = route.is_for_event(event_type, after.status);
            let informs = is_for_event && (route.names_events() || changes_status(event_type, after));
            let names_events = route.names_events();
            messages.add(&route.addressing, Part { is_for_event, informs, names_events });
        }
        let has_left_pending = after.status != Status::Pending && ends_waiting(event_type, after);
        if has_left_pending {
            let is_over = |seconds: u32| after.content.requested_at.plus_seconds(seconds) <= at;
            let escalations = configuration.escalations.iter();
            let escalated = escalations
                .filter(|escalation| escalation.priority == priority && is_over(escalation.after_seconds));
            for escalation in escalated {
                messages.close_escalation(&escalation.addressing);
            }
        }
        if event.outcome.is_some() {
            messages.tell_askers();
        }
        let waits = after.status == Status::Pending
            && matches!(
                event_type,
                EventType::ApprovalRequestCreated | EventType::ApprovalGranted | EventType::ApprovalWithdrawn
            );
        let is_nobody_found = waits && now_asked.is_empty();
        if is_nobody_found {
            messages.add(
                &configuration.fallback,
                Part { informs: true, is_for_event: true, names_events: false },
            );
        }
        let messages = messages.planned.into_values().collect();
        Plan { messages, outcome: event.outcome, is_nobody_found }
    }

    /// The messages of a reminder: to those who could still approve, by the ways of the routes that ask approvers, and to the
    /// requester.
    pub(crate) fn remind(&self, request: &Request, now: Timestamp) -> Plan {
        let routed = RoutedRequest {
            subject: self.policy.subject(request),
            requester_groups: &request.content.requester_groups,
            priority: self.priority(request),
        };
        let asks = |addressing: &&Addressing| addressing.to.contains(&Audience::Approvers);
        let routes = self.configuration.routes.iter().filter(|route| route.is_for_request(&routed));
        let approvers = BTreeSet::from([Audience::Approvers]);
        let to_approvers = routes
            .map(|route| &route.addressing)
            .filter(asks)
            .map(|addressing| Addressing { to: approvers.clone(), via: addressing.via.clone() });
        let requester = Addressing { to: BTreeSet::from([Audience::Requester]), via: BTreeSet::new() };
        self.plan_time(request, now, to_approvers.chain([requester]))
    }

    /// The messages of an escalation.
    pub(crate) fn escalate(&self, request: &Request, now: Timestamp, escalation: &Escalation) -> Plan {
        let mut plan = self.plan_time(request, now, [escalation.addressing.clone()]);
        // Whom a route has asked at once is not asked at once again by the same way.
        if escalation.after_seconds == 0 {
            let asked = self.remind(request, now).messages;
            let is_asked = |place: &Place| {
                asked.iter().any(|other| other.kind == MessageKind::Act && other.place == *place)
            };
            plan.messages.retain(|message| !is_asked(&message.place));
        }
        plan
    }

    /// The messages of a time that has come, and of no event.
    fn plan_time(
        &self,
        request: &Request,
        now: Timestamp,
        addressings: impl IntoIterator<Item = Addressing>,
    ) -> Plan {
        let Self { configuration, policy, preferences } = *self;
        let askers = Askers::of(request, policy);
        let asked = approvers(request, policy, configuration, now.max(request.updated_at));
        let reach = Reach { configuration, policy, preferences, approvers: &asked, askers: &askers };
        let nobody = BTreeSet::new();
        let event = PlannedEvent {
            event_type: None,
            at: now,
            priority: self.priority(request),
            deadline: deadline(request, policy),
            before: &nobody,
            after: &asked,
            askers: BTreeSet::new(),
            outcome: None,
        };
        let mut messages = Messages { reach, event: &event, planned: BTreeMap::new() };
        for addressing in addressings {
            messages.remind(&addressing);
        }
        let messages = messages.planned.into_values().collect();
        Plan { messages, outcome: None, is_nobody_found: asked.is_empty() }
    }
}

/// By when something must happen to a request as it stands, under the policy of now.
fn deadline(request: &Request, policy: &Policy) -> Option<Timestamp> {
    let (expires_at, execute_by) = request.deadlines_under(&policy.requirements_in_force(request));
    match request.status {
        Status::Pending => Some(expires_at),
        Status::Approved => execute_by,
        Status::Executing
        | Status::Rejected
        | Status::Expired
        | Status::Cancelled
        | Status::Executed
        | Status::Failed => None,
    }
}

/// Whether an event has changed the status, or made the request.
fn changes_status(event_type: EventType, after: &Request) -> bool {
    match event_type {
        EventType::ApprovalRequestCreated
        | EventType::ApprovalRejected
        | EventType::ApprovalCancelled
        | EventType::ApprovalExpired
        | EventType::ExecutionStarted
        | EventType::ExecutionUnknown
        | EventType::ExecutionSucceeded
        | EventType::ExecutionFailed
        | EventType::AnomalyDetected => true,
        EventType::ApprovalGranted => after.status == Status::Approved,
        EventType::ApprovalWithdrawn => after.status != Status::Approved,
        EventType::TargetObserved
        | EventType::ExecutionClaimed
        | EventType::ExecutionRenewed
        | EventType::CommentAdded
        | EventType::ParametersErased
        | EventType::AttemptRefused
        | EventType::AuditRead => false,
    }
}

/// Whether a request that is pending no more was pending until this event.
fn ends_waiting(event_type: EventType, after: &Request) -> bool {
    match event_type {
        EventType::ApprovalGranted | EventType::ApprovalRejected => true,
        EventType::ApprovalCancelled | EventType::ApprovalExpired => after.approved_at.is_none(),
        EventType::ApprovalRequestCreated
        | EventType::ApprovalWithdrawn
        | EventType::ExecutionStarted
        | EventType::TargetObserved
        | EventType::ExecutionClaimed
        | EventType::ExecutionRenewed
        | EventType::ExecutionUnknown
        | EventType::ExecutionSucceeded
        | EventType::ExecutionFailed
        | EventType::CommentAdded
        | EventType::ParametersErased
        | EventType::AnomalyDetected
        | EventType::AttemptRefused
        | EventType::AuditRead => false,
    }
}

/// What all messages of one event follow from.
struct PlannedEvent<'a> {
    /// None of a time that has come.
    event_type: Option<EventType>,
    at: Timestamp,
    priority: Priority,
    deadline: Option<Timestamp>,
    before: &'a BTreeSet<PersonId>,
    after: &'a BTreeSet<PersonId>,
    askers: BTreeSet<PersonId>,
    outcome: Option<OutcomeText>,
}

/// What a route has to do with an event.
#[derive(Clone, Copy)]
struct Part {
    /// Whether the event is one of its own: else it takes back alone what it has asked.
    is_for_event: bool,
    /// Whether it informs people of it.
    informs: bool,
    /// Whether it names events: then it informs those as well whom it names for what they could do.
    names_events: bool,
}

struct Messages<'a> {
    reach: Reach<'a>,
    event: &'a PlannedEvent<'a>,
    planned: BTreeMap<Place, PlannedMessage>,
}

impl Messages<'_> {
    fn add(&mut self, addressing: &Addressing, part: Part) {
        for (place, reached) in self.reach.places(addressing) {
            let Some(destination) = self.reach.configuration.destination(&place.destination) else {
                continue;
            };
            if let Some((kind, people)) = self.kind(destination, &reached, part) {
                self.put(place, reached.address, people, kind);
            }
        }
    }

    /// What a message at a place would be for, and whom; none if there is nothing to say.
    fn kind(
        &self,
        destination: &Destination,
        reached: &Reached,
        part: Part,
    ) -> Option<(MessageKind, BTreeSet<PersonId>)> {
        let PlannedEvent { before, after, askers, outcome, .. } = self.event;
        let people = &reached.people;
        let common = |others: &BTreeSet<PersonId>| -> BTreeSet<PersonId> {
            people.intersection(others).cloned().collect()
        };
        if destination.kind().is_for_programs() {
            return part.is_for_event.then(|| (MessageKind::Information, people.clone()));
        }
        let (asked_before, asked) = (common(before), common(after));
        let is_asked_anew = asked.iter().any(|person| !before.contains(person));
        let is_theirs = outcome.is_some() && !people.is_disjoint(askers);
        if is_asked_anew && part.is_for_event {
            Some((MessageKind::Act, asked))
        } else if asked.is_empty() && !asked_before.is_empty() {
            Some((MessageKind::Closing, asked_before))
        } else if is_theirs {
            Some((MessageKind::Outcome, common(askers)))
        } else if !asked.is_empty() && destination.changes_messages() {
            Some((MessageKind::Update, asked))
        } else if part.informs && (reached.is_named || part.names_events) {
            Some((MessageKind::Information, people.clone()))
        } else {
            None
        }
    }

    /// What an escalation has triggered or asked is over.
    fn close_escalation(&mut self, addressing: &Addressing) {
        let no_part = Part { is_for_event: false, informs: false, names_events: false };
        for (place, reached) in self.reach.places(addressing) {
            let Some(destination) = self.reach.configuration.destination(&place.destination) else {
                continue;
            };
            if destination.kind() == Kind::PagerDuty {
                self.put(place, reached.address, reached.people, MessageKind::Closing);
            } else if let Some((kind, people)) = self.kind(destination, &reached, no_part) {
                self.put(place, reached.address, people, kind);
            }
        }
    }

    fn remind(&mut self, addressing: &Addressing) {
        for (place, reached) in self.reach.places(addressing) {
            let asked: BTreeSet<PersonId> = reached.people.intersection(self.event.after).cloned().collect();
            let (kind, people) = match asked.is_empty() {
                true => (MessageKind::Information, reached.people),
                false => (MessageKind::Act, asked),
            };
            self.put(place, reached.address, people, kind);
        }
    }

    /// The requester, and who answers for them, hear what became of the request, whether a route says so or not.
    fn tell_askers(&mut self) {
        let is_told = |person: &PersonId| {
            let recipient = Recipient::Person(person.clone());
            self.planned.values().any(|message| message.place.recipient == recipient)
        };
        let left: BTreeSet<Audience> = self
            .event
            .askers
            .iter()
            .filter(|person| !is_told(person))
            .cloned()
            .map(Audience::Person)
            .collect();
        let part = Part { is_for_event: true, informs: false, names_events: false };
        self.add(&Addressing { to: left, via: BTreeSet::new() }, part);
    }

    fn put(&mut self, place: Place, address: Option<String>, people: BTreeSet<PersonId>, kind: MessageKind) {
        let Some(when) = self.when(&place, kind) else { return };
        let new = PlannedMessage { place, address, people, kind, when };
        match self.planned.get_mut(&new.place) {
            Some(planned) if planned.kind == kind => planned.people.extend(new.people),
            Some(planned) if planned.kind < kind => {}
            Some(planned) => *planned = new,
            None => {
                self.planned.insert(new.place.clone(), new);
            }
        }
    }

    /// When a message is sent; none if its recipient does not want it.
    fn when(&self, place: &Place, kind: MessageKind) -> Option<When> {
        let PlannedEvent { event_type, at, priority, deadline, .. } = *self.event;
        let destination = self.reach.configuration.destination(&place.destination)?;
        if matches!(destination.kind(), Kind::PagerDuty) || destination.kind().is_for_programs() {
            return Some(When::AtOnce);
        }
        let settled = at.plus_seconds(SETTLE_SECONDS);
        let Recipient::Person(person) = &place.recipient else { return Some(When::Settled(settled)) };
        let Settings { quiet_hours, muted_events, digest, .. } = self.reach.settings(person);
        let is_time = event_type.is_none();
        let informs = kind == MessageKind::Information;
        // Who hears what became of their own request has not muted it, and what was never asked is not taken back.
        let may_be_muted = informs || matches!(kind, MessageKind::Act | MessageKind::Update);
        if may_be_muted && event_type.is_some_and(|event_type| muted_events.contains(&event_type)) {
            return None;
        }
        // It makes no sound that a message changes.
        if kind == MessageKind::Update {
            return Some(When::Settled(settled));
        }
        if let Some(digest) = digest.filter(|_| informs && !is_time) {
            return Some(When::InDigest(digest.next(at)));
        }
        // What asks for nothing may wait beyond the deadline.
        let asks = matches!(kind, MessageKind::Act | MessageKind::Outcome);
        let deadline = deadline.filter(|_| asks || is_time);
        Some(match quiet_hours.holds_until(priority, deadline, settled) {
            Some(end) => When::AfterQuietHours(end),
            None => When::Settled(settled),
        })
    }
}
