//! Sending what waits for a destination that the operator has configured: merged as `countersign-notifications` has it, claimed,
//! attempted and marked.
//!
//! Programs get each event by itself. People get one message for what waits together about a request, and one summary of what
//! waited for the end of quiet hours, for a digest or for the end of a flood. A report is a message by itself.

use crate::channel_parts::{asks, is_report, kind_of, made, minute, next_minute, part_of};
use crate::channel_threads::{is_over, note_over, note_threads};
use crate::host::Host;
use crate::ports::{
    ChannelMessage, ChannelStore, Deliveries, DeliveryKey, DeliveryQuery, DestinationSender, Matter,
    MinuteCount, Outgoing, PlaceRecord, ReadWebhooks, StoreError, StoredDelivery, Thread,
};
use crate::sending::{
    CLAIM_SECONDS, CourierReport, FORGOTTEN_AT_ONCE, KEPT_SECONDS, LastAnswer, REREADS, REST_SECONDS,
    health_after, last_success, log, mark, readable, readable_thread, unusable, verdict, whole,
};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::outcome::{Failure, Outcome};
use countersign_delivery::part::PartKind;
use countersign_delivery::schedule::Schedule;
use countersign_delivery::state::{Attempt, Delivery, DeliveryState};
use countersign_delivery::sweep::{Network, Sweep, Verdict};
use countersign_figures::report_message::ReportMessage;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::destination::{Destination, Kind};
use countersign_notifications::merge::{
    MAX_MESSAGES_PER_HOUR, SETTLE_SECONDS, Waiting, flood_until, standing,
};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many deliveries to programs are attempted at once.
const AT_ONCE: usize = 4;
/// How many deliveries of one destination are looked at together.
const TOGETHER: usize = 200;
/// How long before now what has not settled yet was made at the earliest, in seconds.
const UNSETTLED_SECONDS: u32 = 60;
/// How often old deliveries of a destination are forgotten, in seconds.
const FORGET_SECONDS: u32 = 24 * 60 * 60;
/// How long a delivery to a destination that the file does not have waits for one that has it, in seconds.
const KEPT_FOR_A_NEWER_FILE: u32 = 60 * 60;
/// How many messages one summary stands for at most.
const MAX_SUMMARISED: usize = 100;

/// All that sending to configured destinations works with.
#[derive(Debug)]
pub(crate) struct Channels<'a, D> {
    pub(crate) deliveries: &'a D,
    pub(crate) configuration: &'a Configuration,
    pub(crate) sender: &'a dyn DestinationSender,
    pub(crate) deployment_key: &'a DeploymentKey,
    pub(crate) dashboard_url: Option<&'a str>,
    pub(crate) host: &'a dyn Host,
    pub(crate) schedule: Schedule,
    pub(crate) last_answer: &'a LastAnswer,
}

/// A walk over what is due for one destination.
struct Walk<'a> {
    destination: &'a DestinationId,
    configured: &'a Destination,
    report: CourierReport,
    in_a_row: Sweep,
}

impl Walk<'_> {
    fn note(&mut self, attempted: &[(Delivery, Outcome)]) {
        for (delivery, outcome) in attempted {
            self.in_a_row.observe(self.destination, Network::Public, outcome);
            match outcome {
                Outcome::Delivered { .. } => self.report.delivered += 1,
                Outcome::Failed(_) if delivery.next_attempt_at.is_none() => self.report.dead += 1,
                Outcome::Failed(_) => self.report.failed += 1,
            }
        }
    }
}

impl<D: Deliveries + ReadWebhooks + ChannelStore> Channels<'_, D> {
    /// Attempts deliveries of one destination, for at most `budget`.
    pub(crate) async fn deliver(
        &self,
        destination: &DestinationId,
        keys: Vec<DeliveryKey>,
        budget: Duration,
    ) -> Result<CourierReport, StoreError> {
        let began = self.host.elapsed();
        let mut keys = keys.into_iter();
        let report = CourierReport::default();
        let Some(configured) = self.configuration.destination(destination.name()) else {
            // The file has it no more; or not yet, where another process that routes has a newer one.
            let now = self.host.now();
            let old = |it: &Delivery| it.created_at <= now.minus_seconds(KEPT_FOR_A_NEWER_FILE);
            let change = |it: Delivery| if old(&it) { it.skip() } else { it.postponed(next_minute(now)) };
            let skipped = self.change_all(keys.collect(), change).await?;
            return Ok(CourierReport { skipped, ..report });
        };
        let mut walk = Walk { destination, configured, report, in_a_row: Sweep::new() };
        self.forget(destination).await?;
        loop {
            let some: Vec<_> = keys.by_ref().take(TOGETHER).collect();
            if some.is_empty() {
                return Ok(walk.report);
            }
            if self.host.elapsed().saturating_sub(began) >= budget {
                return Ok(CourierReport { cut_short: true, ..walk.report });
            }
            if let Some(until) = self.pause(&walk).await? {
                walk.report.postponed += self.change_all(some, |it| it.postponed(until)).await?;
                continue;
            }
            let mut due = Vec::with_capacity(some.len());
            for key in &some {
                due.extend(self.due_delivery(key).await?);
            }
            // A report is about no request: it is merged with nothing.
            let (reports, due) = due.into_iter().partition(is_report);
            self.each_by_itself(&mut walk, reports, (began, budget)).await?;
            if due.is_empty() {
                continue;
            }
            let kind = configured.kind();
            if kind.is_for_programs() || kind == Kind::PagerDuty {
                self.each_by_itself(&mut walk, due, (began, budget)).await?;
            } else {
                self.merged(&mut walk, due, (began, budget)).await?;
            }
        }
    }

    /// Until when nothing is attempted at the destination.
    async fn pause(&self, walk: &Walk<'_>) -> Result<Option<Timestamp>, StoreError> {
        let now = self.host.now();
        let rest = walk.in_a_row.is_given_up(walk.destination).then(|| now.plus_seconds(REST_SECONDS));
        let place = self.deliveries.place(&whole(walk.destination.name())?).await?;
        Ok(place.health.pause_at(now).max(rest))
    }

    /// Sends each delivery as a message of its own: to programs a few at once, elsewhere in the order of their making.
    async fn each_by_itself(
        &self,
        walk: &mut Walk<'_>,
        mut due: Vec<StoredDelivery>,
        (began, budget): (Duration, Duration),
    ) -> Result<(), StoreError> {
        due.sort_by_key(made);
        let is_for_programs = walk.configured.kind().is_for_programs();
        let at_once = if is_for_programs { AT_ONCE } else { 1 };
        let mut rest = due.into_iter();
        loop {
            let batch: Vec<_> = rest.by_ref().take(at_once).collect();
            if batch.is_empty() {
                return Ok(());
            }
            if self.host.elapsed().saturating_sub(began) >= budget {
                walk.report.cut_short = true;
                return Ok(());
            }
            if let Some(until) = self.pause(walk).await? {
                let all = batch.into_iter().chain(rest);
                walk.report.postponed += self.postpone(all, until).await?;
                return Ok(());
            }
            let granted = self.granted(walk, batch.len()).await?;
            let mut batch = batch.into_iter();
            let attempts: FuturesUnordered<_> =
                batch.by_ref().take(granted).map(|stored| self.one(walk.destination, stored)).collect();
            let attempted: Vec<_> = attempts.collect().await;
            for attempted in attempted {
                walk.note(&attempted?);
            }
            let over: Vec<_> = batch.collect();
            if !over.is_empty() {
                let until = next_minute(self.host.now());
                walk.report.postponed += self.postpone(over.into_iter().chain(rest), until).await?;
                return Ok(());
            }
        }
    }

    /// Sends one delivery, unless it takes back what was never said.
    async fn one(
        &self,
        destination: &DestinationId,
        stored: StoredDelivery,
    ) -> Result<Vec<(Delivery, Outcome)>, StoreError> {
        let kind = part_of(&stored).kind;
        let knows_threads = kind != PartKind::Information || !self.is_for_programs(destination);
        let thread = match stored.delivery.request_id.filter(|_| knows_threads) {
            Some(request_id) => match readable_thread(self.deliveries, destination, request_id).await? {
                Some(thread) => Some(thread),
                None => {
                    self.postpone(std::iter::once(stored), self.rest_end()).await?;
                    return Ok(Vec::new());
                }
            },
            None => None,
        };
        let was_asked = thread.as_ref().is_some_and(|thread| thread.is_asked);
        let is_about_earlier = matches!(kind, PartKind::Closing | PartKind::Claimed);
        if is_about_earlier && !was_asked {
            if kind == PartKind::Closing {
                note_over(self.deliveries, &stored).await?;
            }
            self.deliveries.replace(&stored, &stored.delivery.clone().supersede()).await?;
            return Ok(Vec::new());
        }
        if is_over(&stored, thread.as_ref()) {
            self.deliveries.replace(&stored, &stored.delivery.clone().supersede()).await?;
            return Ok(Vec::new());
        }
        self.send(destination, vec![stored], thread).await
    }

    fn rest_end(&self) -> Timestamp {
        self.host.now().plus_seconds(REST_SECONDS)
    }

    fn is_for_programs(&self, destination: &DestinationId) -> bool {
        let configured = self.configuration.destination(destination.name());
        configured.is_some_and(|configured| configured.kind().is_for_programs())
    }

    /// Sends what stands of what waits for people.
    async fn merged(
        &self,
        walk: &mut Walk<'_>,
        due: Vec<StoredDelivery>,
        (began, budget): (Duration, Duration),
    ) -> Result<(), StoreError> {
        let destination = walk.destination;
        let mut waiting = self.with_unsettled(destination, due).await?;
        waiting.sort_by_key(made);
        waiting.retain(|it| it.delivery.request_id.is_some());
        let requests: BTreeSet<RequestId> = waiting.iter().filter_map(|it| it.delivery.request_id).collect();
        let mut threads = BTreeMap::new();
        for request_id in requests {
            if let Some(thread) = readable_thread(self.deliveries, destination, request_id).await? {
                threads.insert(request_id, thread);
                continue;
            }
            let (put_off, rest): (Vec<_>, _) =
                waiting.into_iter().partition(|it| it.delivery.request_id == Some(request_id));
            waiting = rest;
            walk.report.postponed += self.postpone(put_off.into_iter(), self.rest_end()).await?;
        }
        let was_asked = |request_id| threads.get(&request_id).is_some_and(|thread| thread.is_asked);
        let listed: Vec<Waiting> = waiting
            .iter()
            .filter_map(|it| {
                Some(Waiting { request_id: it.delivery.request_id?, kind: kind_of(part_of(it).kind) })
            })
            .collect();
        let places: BTreeSet<usize> = standing(&listed, was_asked).into_iter().collect();
        let changes_messages = walk.configured.changes_messages();
        let (mut silent, mut loud) = (Vec::new(), Vec::new());
        for (place, stored) in waiting.into_iter().enumerate() {
            let thread = stored.delivery.request_id.and_then(|request_id| threads.get(&request_id));
            let is_there = changes_messages && thread.is_some_and(|thread| thread.reference.is_some());
            let part = part_of(&stored);
            let has_nothing_to_change = part.kind == PartKind::Update && !is_there;
            if part.kind == PartKind::Closing && !thread.is_some_and(|thread| thread.is_asked) {
                note_over(self.deliveries, &stored).await?;
            }
            if !places.contains(&place) || has_nothing_to_change || is_over(&stored, thread) {
                self.deliveries.replace(&stored, &stored.delivery.clone().supersede()).await?;
            } else if is_there && part.urgency.is_none() {
                silent.push(stored);
            } else {
                loud.push(stored);
            }
        }
        let own = self.deliveries.place(destination).await?;
        let now = self.host.now();
        if own.flood_until.is_some_and(|until| until > now) {
            let until = own.flood_until.unwrap_or(now);
            walk.report.postponed += self.postpone(loud.drain(..), until).await?;
        }
        let is_together =
            own.flood_until.is_some_and(|until| until <= now) || loud.iter().any(|it| part_of(it).is_held);
        let mut messages: Vec<Vec<StoredDelivery>> = silent.into_iter().map(|stored| vec![stored]).collect();
        let silent = messages.len();
        if is_together && loud.len() > 1 {
            loud.truncate(MAX_SUMMARISED);
            messages.push(loud);
        } else {
            messages.extend(loud.into_iter().map(|stored| vec![stored]));
        }
        let mut rest = messages.into_iter().enumerate();
        while let Some((place, message)) = rest.next() {
            let mut until = self.pause(walk).await?;
            if until.is_none() && place >= silent {
                until = self.flood(destination).await?;
            }
            if until.is_none() && self.granted(walk, 1).await? == 0 {
                until = Some(next_minute(self.host.now()));
            }
            let is_over = self.host.elapsed().saturating_sub(began) >= budget;
            if let Some(until) = until {
                let left = rest.flat_map(|(_, message)| message);
                walk.report.postponed += self.postpone(message.into_iter().chain(left), until).await?;
                return Ok(());
            }
            if is_over {
                walk.report.cut_short = true;
                return Ok(());
            }
            let thread = match message.as_slice() {
                [one] => one.delivery.request_id.and_then(|request_id| threads.get(&request_id).cloned()),
                _ => None,
            };
            let attempted = self.send(destination, message, thread).await?;
            if place >= silent && attempted.iter().any(|(_, outcome)| outcome.is_delivered()) {
                self.note_sent(destination).await?;
            }
            walk.note(&attempted);
        }
        Ok(())
    }

    /// What is due, and what has been made in the last seconds and settles with it.
    async fn with_unsettled(
        &self,
        destination: &DestinationId,
        due: Vec<StoredDelivery>,
    ) -> Result<Vec<StoredDelivery>, StoreError> {
        let now = self.host.now();
        let requests: BTreeSet<_> = due.iter().filter_map(|stored| stored.delivery.request_id).collect();
        let known: BTreeSet<_> = due.iter().map(|stored| stored.delivery.event_id).collect();
        let query = DeliveryQuery {
            destination: destination.clone(),
            from: now.minus_seconds(UNSETTLED_SECONDS),
            to: now,
            is_newest_first: true,
            after: None,
            limit: TOGETHER,
        };
        let page = self.deliveries.deliveries(&query).await?;
        let settles = |delivery: &Delivery| {
            delivery.state == DeliveryState::Waiting
                && delivery.attempts == 0
                && delivery.request_id.is_some_and(|request_id| requests.contains(&request_id))
                && delivery.next_attempt_at.is_some_and(|at| at <= now.plus_seconds(SETTLE_SECONDS))
        };
        let others = page.deliveries.into_iter();
        let others =
            others.filter(|stored| !known.contains(&stored.delivery.event_id) && settles(&stored.delivery));
        Ok(due.into_iter().chain(others).collect())
    }

    /// Until when loud messages wait, if there were too many; written down, so that they become one then.
    async fn flood(&self, destination: &DestinationId) -> Result<Option<Timestamp>, StoreError> {
        let now = self.host.now();
        let mut found = None;
        self.change_place(destination, |place| {
            // What has waited for the end of a flood is one message, and that is sent.
            found = match place.flood_until {
                Some(until) if until <= now => None,
                Some(until) => Some(until),
                None => flood_until(&place.sent, now),
            };
            let is_new = found.is_some() && place.flood_until != found;
            is_new.then_some(PlaceRecord { flood_until: found, ..place })
        })
        .await?;
        Ok(found)
    }

    async fn note_sent(&self, destination: &DestinationId) -> Result<(), StoreError> {
        let now = self.host.now();
        self.change_place(destination, |mut place| {
            place.sent.push(now);
            let over = place.sent.len().saturating_sub(MAX_MESSAGES_PER_HOUR);
            place.sent.drain(..over);
            Some(PlaceRecord { flood_until: None, ..place })
        })
        .await
    }

    /// How many of `wanted` messages the destination takes in this minute.
    async fn granted(&self, walk: &Walk<'_>, wanted: usize) -> Result<usize, StoreError> {
        let Some(rate) = walk.configured.rate_per_minute else { return Ok(wanted) };
        let since = minute(self.host.now());
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let mut granted = 0;
        self.change_place(&whole(walk.destination.name())?, |place| {
            let before = place.minute.filter(|minute| minute.since == since).map_or(0, |it| it.messages);
            granted = rate.saturating_sub(before).min(wanted);
            let messages = before.saturating_add(granted);
            (granted > 0).then_some(PlaceRecord { minute: Some(MinuteCount { since, messages }), ..place })
        })
        .await?;
        Ok(usize::try_from(granted).unwrap_or_default())
    }

    async fn change_place(
        &self,
        destination: &DestinationId,
        mut change: impl FnMut(PlaceRecord) -> Option<PlaceRecord> + Send,
    ) -> Result<(), StoreError> {
        for _ in 0..REREADS * 2 {
            let Some(changed) = change(self.deliveries.place(destination).await?) else { return Ok(()) };
            if self.deliveries.put_place(&changed).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("what is remembered of a destination changes all the time".to_owned()))
    }

    /// Claims deliveries, sends them as one message, and marks what came of it. Of several the last is the one that is
    /// delivered; it says all that the others would have said.
    async fn send(
        &self,
        destination: &DestinationId,
        group: Vec<StoredDelivery>,
        thread: Option<Thread>,
    ) -> Result<Vec<(Delivery, Outcome)>, StoreError> {
        let now = self.host.now();
        let mut claimed = Vec::with_capacity(group.len());
        let mut may_be_there = false;
        for stored in group {
            let after = stored.delivery.clone().claimed(now, CLAIM_SECONDS);
            if self.deliveries.replace(&stored, &after).await? {
                may_be_there |= stored.revision > 1;
                claimed.push(StoredDelivery { delivery: after, revision: stored.revision + 1, ..stored });
            }
        }
        let Some(last) = claimed.pop() else { return Ok(Vec::new()) };
        let attempt = self.attempt(destination, &last, &claimed, thread.as_ref(), may_be_there).await;
        let now = self.host.now();
        let verdict = match self.configuration.destination(destination.name()).map(Destination::kind) {
            Some(Kind::Log) | None => Verdict::Counts,
            Some(_) => {
                let earlier = last_success(self.deliveries, Some(self.configuration));
                verdict(self.last_answer, &attempt.outcome, now, earlier).await?
            }
        };
        let outcome = attempt.outcome.clone();
        if let Outcome::Delivered { reference, .. } = &outcome {
            let asked = claimed.iter().chain([&last]).filter(|stored| asks(part_of(stored)));
            let asked: BTreeSet<_> = asked.filter_map(|stored| stored.delivery.request_id).collect();
            let is_reminder = part_of(&last).urgency.is_some();
            let reference = reference.clone().filter(|_| claimed.is_empty() && !is_reminder);
            if let Some(request_id) = last.delivery.request_id
                && !self.is_for_programs(destination)
            {
                note_threads(self.deliveries, destination, request_id, reference, asked).await?;
            }
        }
        let delivery = mark(self.deliveries, &self.schedule, last, attempt.clone(), verdict, now).await?;
        for stored in claimed {
            let after = match (&outcome, delivery.next_attempt_at) {
                (Outcome::Delivered { .. }, _) => stored.delivery.clone().supersede(),
                // They are tried again together.
                (Outcome::Failed(_), Some(at)) => stored.delivery.clone().postponed(at),
                (Outcome::Failed(_), None) => {
                    stored.delivery.clone().attempted(attempt.clone(), &self.schedule, now, 0)
                }
            };
            self.deliveries.replace(&stored, &after).await?;
        }
        log(&delivery, &outcome);
        let mut is_new = false;
        self.change_place(&whole(destination.name())?, |place| {
            let health = health_after(&place.health, &outcome, verdict, now)?;
            is_new = health.disabled.is_some() && place.health.disabled.is_none();
            Some(PlaceRecord { health, ..place })
        })
        .await?;
        if is_new {
            tracing::error!(destination = destination.name(), "a destination of notifications.toml fails");
        }
        Ok(vec![(delivery, outcome)])
    }

    async fn attempt(
        &self,
        destination: &DestinationId,
        last: &StoredDelivery,
        others: &[StoredDelivery],
        thread: Option<&Thread>,
        may_be_there: bool,
    ) -> Attempt {
        let failed = |failure| Attempt { outcome: Outcome::Failed(failure), host: None };
        let (event, report);
        let matter = if is_report(last) {
            report = match self.report(last) {
                Ok(report) => report,
                Err(failure) => return failed(failure),
            };
            Matter::Report(&report)
        } else {
            event = match self.event(last) {
                Ok(event) => event,
                Err(failure) => return failed(failure),
            };
            Matter::Event(&event)
        };
        // One that cannot be read is left out, and fails by itself once it is alone.
        let others: Vec<_> =
            others.iter().filter_map(|stored| Some((self.event(stored).ok()?, part_of(stored)))).collect();
        let part = part_of(last);
        let outgoing = Outgoing {
            destination,
            message: ChannelMessage { matter, part: &part },
            others: others
                .iter()
                .map(|(event, part)| ChannelMessage { matter: Matter::Event(event), part })
                .collect(),
            earlier: thread.and_then(|thread| thread.reference.as_deref()),
            may_be_there,
            made_at: last.delivery.created_at,
            now: self.host.now(),
        };
        self.sender.send(outgoing).await
    }

    /// The report of a delivery, with its link.
    fn report(&self, stored: &StoredDelivery) -> Result<ReportMessage, Failure> {
        if !stored.is_sealed_under(self.deployment_key) {
            return Err(unusable("its seal does not fit: this deployment did not write it"));
        }
        let report = ReportMessage::read(&stored.document).map_err(|reason| unusable(&reason))?;
        Ok(match self.dashboard_url {
            Some(url) => report.with_link(url),
            None => report,
        })
    }

    /// The event of a delivery, with its link.
    fn event(&self, stored: &StoredDelivery) -> Result<CloudEvent, Failure> {
        let event = stored.event.as_ref().map_err(|reason| unusable(reason))?;
        if !stored.is_sealed_under(self.deployment_key) {
            return Err(unusable("its seal does not fit: this deployment did not write it"));
        }
        Ok(match self.dashboard_url {
            Some(url) => event.clone().with_link(url),
            None => event.clone(),
        })
    }

    async fn due_delivery(&self, key: &DeliveryKey) -> Result<Option<StoredDelivery>, StoreError> {
        let stored = readable(self.deliveries, key).await?;
        Ok(stored.filter(|stored| stored.delivery.is_due(self.host.now())))
    }

    /// Changes what is due of some deliveries without an attempt. How many they were.
    async fn change_all(
        &self,
        keys: Vec<DeliveryKey>,
        change: impl Fn(Delivery) -> Delivery,
    ) -> Result<usize, StoreError> {
        let mut changed = 0;
        for key in keys {
            if let Some(stored) = self.due_delivery(&key).await? {
                let after = change(stored.delivery.clone());
                changed += usize::from(self.deliveries.replace(&stored, &after).await?);
            }
        }
        Ok(changed)
    }

    async fn postpone(
        &self,
        all: impl Iterator<Item = StoredDelivery>,
        until: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut postponed = 0;
        for stored in all {
            let after = stored.delivery.clone().postponed(until);
            postponed += usize::from(self.deliveries.replace(&stored, &after).await?);
        }
        Ok(postponed)
    }

    /// Forgets once a day what is older than the log of deliveries is kept.
    async fn forget(&self, destination: &DestinationId) -> Result<(), StoreError> {
        let now = self.host.now();
        let is_due =
            |place: &PlaceRecord| place.forgotten_at.is_none_or(|at| at <= now.minus_seconds(FORGET_SECONDS));
        let mut is_first = false;
        self.change_place(destination, |place| {
            is_first = is_due(&place);
            is_first.then_some(PlaceRecord { forgotten_at: Some(now), ..place })
        })
        .await?;
        let until = now.minus_seconds(KEPT_SECONDS);
        while is_first && self.deliveries.forget(destination, until, FORGOTTEN_AT_ONCE).await? > 0 {}
        Ok(())
    }
}
