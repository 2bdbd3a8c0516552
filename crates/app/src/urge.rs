//! Reminders and escalations: what time brings about while a request waits. Each is sent once, and none gives anybody a right.
//!
//! A timer has fired once its deliveries are put and it is written down. In between it may be put again, with the same id, so
//! that no place hears twice.

use crate::acknowledge::acknowledge;
use crate::damage;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::held;
use crate::known_preferences::{KnownPreferences, PreferencesOfPeople};
use crate::ports::{
    ChannelStore, FindDue, ListHolds, LoadHold, LoadRequest, NewDelivery, PutDelivery, ReadPreferences,
    StoreError,
};
use crate::route::{Occasion, deliveries, planning};
use countersign_core::cloud_event::Message;
use countersign_core::event::EventType;
use countersign_core::hold::Hold;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::notification::{Notice, Notification};
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::part::Urgency;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::plan::Planning;
use countersign_notifications::timers::{Due, Timed, Timer, TimerKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many requests are read at once.
const PAGE: usize = 100;
/// After how long a request is looked at again at the latest, in seconds: by then policy or its decisions may be others.
const LOOK_SECONDS: u32 = 60;

/// What a sweep of reminders and escalations did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UrgeReport {
    /// Timers that fired.
    pub fired: usize,
    /// Deliveries that were put for them.
    pub routed: usize,
    /// Requests that could not be read; the next sweep looks at them again.
    pub failed: usize,
    /// Whether time ran out before the end.
    pub cut_short: bool,
}

/// When which request is looked at next, so that not all are read in each sweep. One for each process.
#[derive(Debug, Default)]
pub struct NextLooks(Mutex<BTreeMap<RequestId, Timestamp>>);

impl NextLooks {
    fn is_due(&self, id: RequestId, now: Timestamp) -> bool {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(&id).is_none_or(|at| *at <= now)
    }

    fn note(&self, id: RequestId, at: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, at);
    }

    fn keep(&self, seen: &BTreeSet<RequestId>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| seen.contains(id));
    }
}

/// Fires the timers that are due of all requests that wait, for at most `budget`. Nothing is fired by a clock that is not
/// vouched for: `since` is the time from which on it is.
///
/// # Errors
/// [`AppError::Unavailable`] when what waits cannot be read.
pub async fn urge<S, D>(
    dependencies: &Dependencies<S>,
    store: &D,
    looks: &NextLooks,
    since: Timestamp,
    budget: Duration,
) -> Result<UrgeReport, AppError>
where
    S: FindDue + LoadRequest + LoadHold + ListHolds,
    D: PutDelivery + ChannelStore + ReadPreferences,
{
    let mut report = UrgeReport::default();
    let host = dependencies.host.as_ref();
    let Some(configuration) = &dependencies.notifications else { return Ok(report) };
    let has_timers = !configuration.reminders.is_empty() || !configuration.escalations.is_empty();
    if !has_timers || host.now() < since {
        return Ok(report);
    }
    let began = host.elapsed();
    let holds = held::hints(&dependencies.store, host.now()).await;
    let mut seen = BTreeSet::new();
    let mut cursor = None;
    // Read with the first timer that fires, and anew in a sweep that takes long.
    let known = KnownPreferences::default();
    loop {
        let span = (host.now(), Timestamp::LATEST);
        let page = dependencies.store.find_due(Status::Pending, span, PAGE, cursor).await?;
        damage::report(host, &page.damaged);
        for id in page.ids {
            if host.elapsed().saturating_sub(began) >= budget {
                return Ok(UrgeReport { cut_short: true, ..report });
            }
            seen.insert(id);
            let now = host.now();
            if !looks.is_due(id, now) {
                continue;
            }
            let hold = holds.get(&id);
            match look(dependencies, configuration, store, &known, (id, hold), &mut report).await {
                Ok(next) => {
                    let latest = now.plus_seconds(LOOK_SECONDS);
                    looks.note(id, next.map_or(latest, |next| next.min(latest)));
                }
                Err(StoreError::Unavailable(error)) => return Err(StoreError::Unavailable(error).into()),
                Err(error) => {
                    tracing::warn!(request_id = %id, %error, "no reminder is sent");
                    report.failed += 1;
                }
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            looks.keep(&seen);
            return Ok(report);
        }
    }
}

/// Fires what is due of one request. When it is to be looked at again, if it is.
async fn look<S: LoadRequest + LoadHold, D: PutDelivery + ChannelStore + ReadPreferences>(
    dependencies: &Dependencies<S>,
    configuration: &Configuration,
    store: &D,
    known: &KnownPreferences,
    (id, listed): (RequestId, Option<&Hold>),
    report: &mut UrgeReport,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(request) = dependencies.store.load(id).await? else { return Ok(None) };
    let host = dependencies.host.as_ref();
    let (now, policy) = (host.now(), &dependencies.policy);
    // Who hears how has no part in when.
    let nothing = PreferencesOfPeople::new();
    let timers = planning(configuration, policy, &nothing);
    let timed = Timed { request: &request, claimed_until: None };
    let is_due = !timed.due(&timers, &BTreeSet::new(), now).is_empty();
    // The list may lag behind, and before others are urged it matters.
    let read = if is_due { held::hint(&dependencies.store, id).await } else { listed.cloned() };
    let hold = held::shown(read.as_ref(), &request, policy, now);
    let timed = Timed { claimed_until: hold.map(|hold| hold.until), ..timed };
    if let Some(hold) = hold {
        let key = &dependencies.deployment_key;
        // A claim keeps no reminder from being sent.
        match acknowledge(&timers, key, store, &timed, hold, now).await {
            Ok(put) => report.routed += put,
            Err(error) => tracing::warn!(request_id = %id, %error, "its incidents are not acknowledged"),
        }
    }
    let due = timed.due(&timers, &BTreeSet::new(), now);
    if !due.is_empty() {
        let fired = store.fired(id).await?;
        let is_new = |due: &Due| !fired.contains(&name(&due.key));
        for due in due.into_iter().filter(is_new) {
            let preferences = known.read(store, configuration, host).await?;
            let planning = planning(configuration, policy, &preferences);
            report.routed += fire(dependencies, &planning, store, &timed, (&due, hold), now).await?;
            store.put_fired(id, &name(&due.key)).await?;
            report.fired += 1;
        }
    }
    Ok(timed.next(&timers, now))
}

async fn fire<S, D: PutDelivery>(
    dependencies: &Dependencies<S>,
    planning: &Planning<'_>,
    store: &D,
    timed: &Timed<'_>,
    (due, hold): (&Due, Option<&Hold>),
    now: Timestamp,
) -> Result<usize, StoreError> {
    let request = timed.request;
    let plan = timed.plan(planning, &due.key.timer, now);
    // The time of the request: the same whatever has moved the timer since.
    let event_id = EventId::derived(request.content.requested_at, &due.key.to_string());
    let notice = Notice::Event(Box::new(Notification::as_it_stands(event_id, now, request)));
    let message = Message::of(&notice, &dependencies.deployment_key);
    let occasion = Occasion {
        event_id,
        request_id: request.id(),
        sequence: None,
        event_type: EventType::ApprovalRequestCreated,
        at: now,
        urgency: Some(urgency(planning, request, &due.key.timer, now)),
        priority: Some(planning.priority(request).as_str()),
        hold,
    };
    let mut put = 0;
    for delivery in deliveries(planning.configuration, &plan, &occasion, now) {
        let document = message.document.as_str();
        let new = NewDelivery { delivery: &delivery, document, seal: Some(message.seal) };
        put += usize::from(store.put_new(new).await?);
    }
    Ok(put)
}

fn urgency(planning: &Planning<'_>, request: &Request, timer: &Timer, now: Timestamp) -> Urgency {
    let seconds = |from: Timestamp, to: Timestamp| {
        let milliseconds = to.as_millisecond().saturating_sub(from.as_millisecond()).max(0);
        u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX)
    };
    match timer {
        Timer::Reminder { .. } => {
            let requirements = planning.policy.requirements_in_force(request);
            Urgency::ExpiresIn(seconds(now, request.deadlines_under(&requirements).0))
        }
        Timer::Escalation { name } => {
            let escalations = planning.configuration.escalations.iter();
            let after = escalations.filter(|it| it.name == *name).map(|it| it.after_seconds).next();
            Urgency::EscalatedAfter(after.unwrap_or_default())
        }
    }
}

/// The name of a timer among those of its request.
fn name(key: &TimerKey) -> String {
    key.to_string()
}
