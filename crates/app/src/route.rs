//! Which places hear of an event, or of a time that has come: the plan of `countersign-notifications`, as deliveries.

use crate::held;
use crate::host::Clock;
use crate::known_preferences::{KnownPreferences, PreferencesOfPeople};
use crate::ports::{LoadHold, LoadRequest, ReadPreferences, StoreError, StoredHold};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::Digest;
use countersign_core::event::EventType;
use countersign_core::hold::Hold;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::notification::Notice;
use countersign_core::policy::Policy;
use countersign_core::request::Request;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::part::{Claim, Part, PartKind, Urgency};
use countersign_delivery::state::Delivery;
use countersign_notifications::audience::{Place, Recipient};
use countersign_notifications::configuration::Configuration;
use countersign_notifications::plan::{Happening, MessageKind, Plan, PlannedMessage, Planning, When};

/// How many names of those who should act are kept: a message shows fewer, and says how many more there are.
const MAX_NAMES: usize = 100;
/// What the name of a group's own mailbox or channel begins with: no address of a person does.
const GROUP: &str = "group:";
/// The longest recipient that is written out, in bytes.
const MAX_RECIPIENT: usize = 254;

/// What places are found by.
#[derive(Debug)]
pub struct Routing<'a, R> {
    /// Who hears of what.
    pub configuration: &'a Configuration,
    /// The policy in force.
    pub policy: &'a Policy,
    /// Where requests are read.
    pub requests: &'a R,
    /// What people have said of how they want to hear.
    pub preferences: &'a KnownPreferences,
}

impl<R> Clone for Routing<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Routing<'_, R> {}

/// Where no request is read, since nothing is routed by requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRequests;

impl LoadRequest for NoRequests {
    async fn load(&self, _id: RequestId) -> Result<Option<Request>, StoreError> {
        Ok(None)
    }
}

impl LoadHold for NoRequests {
    async fn load_hold(&self, _id: RequestId) -> Result<Option<StoredHold>, StoreError> {
        Ok(None)
    }
}

/// What plans are made by.
pub(crate) fn planning<'a>(
    configuration: &'a Configuration,
    policy: &'a Policy,
    preferences: &'a PreferencesOfPeople,
) -> Planning<'a> {
    Planning { configuration, policy, preferences }
}

impl<R: LoadRequest + LoadHold> Routing<'_, R> {
    /// The deliveries of an event. `store` has what people have said.
    ///
    /// # Errors
    /// When the request, or what people have said, cannot be read now.
    pub(crate) async fn of_event(
        &self,
        event: &CloudEvent,
        store: &impl ReadPreferences,
        clock: &(impl Clock + ?Sized),
    ) -> Result<Vec<Delivery>, StoreError> {
        let now = clock.now();
        let notice = &event.notice;
        let request = match self.requests.load(notice.request_id()).await {
            Ok(request) => request,
            // Operators hear of a damaged one.
            Err(StoreError::Damaged(_)) => None,
            Err(error) => return Err(error),
        };
        let occasion = Occasion {
            event_id: notice.event_id(),
            request_id: notice.request_id(),
            sequence: notice.sequence(),
            event_type: notice.event_type(),
            at: notice.timestamp(),
            urgency: None,
            priority: None,
            hold: None,
        };
        let Some(request) = request else { return Ok(self.without_request(&occasion, now)) };
        let preferences = self.preferences.read(store, self.configuration, clock).await?;
        let planning = planning(self.configuration, self.policy, &preferences);
        // What has expired by now is asked of no approver, whether that is written down or not; and quiet hours are those of now.
        let status = request.status_under(&self.policy.requirements_in_force(&request), now);
        let request = Request { status, ..request };
        let happening = Happening { at: now.max(notice.timestamp()), ..Happening::from(event) };
        let plan = planning.plan(&happening, &request);
        if plan.is_nobody_found && matches!(notice, Notice::Event(_)) {
            tracing::warn!(request_id = %request.id(), "no approver is found who could be asked");
        }
        let occasion = Occasion { priority: Some(planning.priority(&request).as_str()), ..occasion };
        let names_holder = plan.messages.iter().any(|message| names_holder(message.kind));
        let hold = if names_holder { held::hint(self.requests, request.id()).await } else { None };
        let hold = held::shown(hold.as_ref(), &request, self.policy, now);
        Ok(deliveries(self.configuration, &plan, &Occasion { hold, ..occasion }, now))
    }

    /// Of a request that cannot be read it is not known who should hear: those hear who do when nobody is found.
    fn without_request(&self, occasion: &Occasion<'_>, now: Timestamp) -> Vec<Delivery> {
        let shared = self.configuration.fallback.via.iter().filter(|name| {
            self.configuration.destination(name).is_some_and(|destination| !destination.reaches_people())
        });
        let message = |name: &String| PlannedMessage {
            place: Place { destination: name.clone(), recipient: Recipient::Shared },
            address: None,
            people: std::collections::BTreeSet::new(),
            kind: MessageKind::Information,
            when: When::AtOnce,
        };
        let plan = Plan { messages: shared.map(message).collect(), ..Plan::default() };
        deliveries(self.configuration, &plan, occasion, now)
    }
}

/// What messages are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    pub(crate) event_id: EventId,
    pub(crate) request_id: RequestId,
    pub(crate) sequence: Option<u64>,
    pub(crate) event_type: EventType,
    pub(crate) at: Timestamp,
    pub(crate) urgency: Option<Urgency>,
    /// The priority of the request.
    pub(crate) priority: Option<&'static str>,
    /// The approver who is looking at it.
    pub(crate) hold: Option<&'a Hold>,
}

impl Occasion<'_> {
    fn claim(&self) -> Option<Claim> {
        self.hold.map(|hold| Claim { by: hold.by.clone(), until: hold.until })
    }
}

/// The deliveries of a plan.
pub(crate) fn deliveries(
    configuration: &Configuration,
    plan: &Plan,
    occasion: &Occasion<'_>,
    now: Timestamp,
) -> Vec<Delivery> {
    let is_for_programs = |message: &&PlannedMessage| {
        let destination = configuration.destination(&message.place.destination);
        destination.is_some_and(|destination| destination.kind().is_for_programs())
    };
    // Time is no event: programs hear of none.
    let messages =
        plan.messages.iter().filter(|message| occasion.urgency.is_none() || !is_for_programs(message));
    messages
        .filter_map(|message| {
            let Place { destination, recipient } = &message.place;
            let recipient = recipient_text(recipient);
            let id = match DestinationId::named(destination, recipient.as_deref()) {
                Ok(id) => id,
                Err(error) => {
                    tracing::error!(destination, %error, "a destination cannot be delivered to");
                    return None;
                }
            };
            let Occasion { event_id, request_id, sequence, event_type, at, urgency, priority, .. } =
                *occasion;
            let outcome = plan.outcome.as_ref().filter(|_| message.kind == MessageKind::Outcome);
            let asks = message.kind == MessageKind::Act;
            let part = Part {
                address: message.address.clone(),
                who: message
                    .people
                    .iter()
                    .filter(|_| asks)
                    .take(MAX_NAMES)
                    .map(|person| person.as_str().to_owned())
                    .collect(),
                lines: outcome
                    .map(|outcome| vec![outcome.reason.clone(), outcome.next_step.clone()])
                    .unwrap_or_default(),
                urgency,
                priority: priority.filter(|_| asks).map(str::to_owned),
                claim: occasion.claim().filter(|_| names_holder(message.kind)),
                is_held: matches!(message.when, When::AfterQuietHours(_) | When::InDigest(_)),
                ..Part::new(part_kind(message.kind))
            };
            let delivery = Delivery::new(id, event_id, request_id, sequence, event_type, now);
            Some(delivery.with_part(part, message.when.not_before(at)))
        })
        .collect()
}

/// Whether a message says who is looking at the request: unless it says how that ended.
fn names_holder(kind: MessageKind) -> bool {
    matches!(kind, MessageKind::Act | MessageKind::Update | MessageKind::Information)
}

fn part_kind(kind: MessageKind) -> PartKind {
    match kind {
        MessageKind::Act => PartKind::Act,
        MessageKind::Closing => PartKind::Closing,
        MessageKind::Outcome => PartKind::Outcome,
        MessageKind::Update => PartKind::Update,
        MessageKind::Information => PartKind::Information,
    }
}

/// A recipient in the id of a destination: written out where that is possible, else by its digest.
pub(crate) fn recipient_text(recipient: &Recipient) -> Option<String> {
    let (text, is_plain) = match recipient {
        Recipient::Shared => return None,
        Recipient::Person(person) => (person.as_str().to_owned(), !person.as_str().starts_with(GROUP)),
        Recipient::Group(name) => (format!("{GROUP}{name}"), true),
    };
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic()) && text.len() <= MAX_RECIPIENT;
    if is_plain && is_visible { Some(text) } else { Some(format!("sha256:{}", Digest::of(text))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::person::PersonId;

    #[test]
    fn a_recipient_is_part_of_an_id_whatever_it_is_called() {
        let group = |name: &str| recipient_text(&Recipient::Group(name.to_owned())).unwrap();
        assert_eq!(group("dba"), "group:dba");
        assert_eq!(recipient_text(&Recipient::Shared), None);
        let ann = PersonId::from_stored("ann@example.com").unwrap();
        assert_eq!(recipient_text(&Recipient::Person(ann)).as_deref(), Some("ann@example.com"));
        for name in ["datenbänker", "two words", &"x".repeat(300)] {
            let text = group(name);
            assert!(text.starts_with("sha256:"), "{text}");
            DestinationId::named("mail", Some(&text)).unwrap();
        }
    }
}
