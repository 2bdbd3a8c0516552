//! The incidents of a request are acknowledged while an approver is looking at it: once for each claim, and by no event.

use crate::ports::{ChannelStore, NewDelivery, PutDelivery, StoreError};
use crate::route::{Occasion, deliveries};
use countersign_core::cloud_event::Message;
use countersign_core::digest::DeploymentKey;
use countersign_core::event::EventType;
use countersign_core::hold::Hold;
use countersign_core::ids::EventId;
use countersign_core::notification::{Notice, Notification};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::part::{Part, PartKind};
use countersign_notifications::destination::Kind;
use countersign_notifications::plan::{Plan, Planning};
use countersign_notifications::timers::{Timed, Timer};

/// Puts an acknowledgement for each place of an escalation where an incident of the request is open. How many are new.
pub(crate) async fn acknowledge<D: PutDelivery + ChannelStore>(
    planning: &Planning<'_>,
    key: &DeploymentKey,
    store: &D,
    timed: &Timed<'_>,
    hold: &Hold,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let request = timed.request;
    let configuration = planning.configuration;
    let is_incident = |destination: &str| {
        let destination = configuration.destination(destination);
        destination.is_some_and(|destination| destination.kind() == Kind::PagerDuty)
    };
    let priority = planning.priority(request);
    let escalations = configuration.escalations.iter().filter(|escalation| {
        escalation.priority == priority && escalation.addressing.via.iter().any(|name| is_incident(name))
    });
    // The time of the request and the beginning of the claim: the same in each sweep.
    let (since, id) = (hold.since, request.id());
    let event_id = EventId::derived(request.content.requested_at, &format!("{id}/claim/{since}"));
    let notice = Notice::Event(Box::new(Notification::as_it_stands(event_id, now, request)));
    let message = Message::of(&notice, key);
    let occasion = Occasion {
        event_id,
        request_id: id,
        sequence: None,
        event_type: EventType::ApprovalRequestCreated,
        at: now,
        urgency: None,
        priority: None,
        hold: None,
    };
    let mut put = 0;
    for escalation in escalations {
        let timer = Timer::Escalation { name: escalation.name.clone() };
        let mut messages = timed.plan(planning, &timer, now).messages;
        messages.retain(|message| is_incident(&message.place.destination));
        let plan = Plan { messages, ..Plan::default() };
        for delivery in deliveries(configuration, &plan, &occasion, now) {
            if !store.thread(&delivery.destination, id).await?.is_asked {
                continue;
            }
            let delivery = delivery.with_part(Part::new(PartKind::Claimed), now);
            let document = message.document.as_str();
            let new = NewDelivery { delivery: &delivery, document, seal: Some(message.seal) };
            put += usize::from(store.put_new(new).await?);
        }
    }
    Ok(put)
}
