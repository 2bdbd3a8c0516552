//! One event for one destination: in which state its delivery is, and how attempts and operators change it.

use crate::destination::DestinationId;
use crate::outcome::{FailureClass, Outcome};
use crate::part::Part;
use crate::schedule::{Schedule, later};
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// Where a delivery is in its life.
///
/// | from | what happens | to |
/// |---|---|---|
/// | `waiting` | an attempt is taken | `delivered` |
/// | `waiting` | an attempt fails | `waiting`; `dead` after the last one of the round |
/// | `waiting` | its destination takes nothing | `skipped` |
/// | `waiting` | a later message says all of it | `superseded` |
/// | `waiting`, `dead`, `skipped`, `delivered` | an operator asks for it again | `waiting`, in a new round |
/// | `dead`, `skipped`, `superseded` | an attempt that was under way is taken | `delivered` |
///
/// Nothing else changes it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeliveryState {
    /// It is attempted at its next time.
    Waiting,
    /// The other side took it.
    Delivered,
    /// All attempts of its round failed: a dead letter, until an operator redelivers it.
    Dead,
    /// Its destination took nothing, being disabled: not attempted, and can be redelivered.
    Skipped,
    /// A later message to the destination says all that it would have said.
    Superseded,
}

/// The text names no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be waiting, delivered, dead, skipped or superseded")]
pub struct InvalidDeliveryState;

impl DeliveryState {
    /// The name in requests, items and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads a name as [`Self::as_str`] writes it.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidDeliveryState> {
        text.parse().map_err(|_| InvalidDeliveryState)
    }
}

/// The delivery of one event, or of one report, to one destination. As it is stored: absent members are left out, times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// To where. With the event's id it is the key: one event is delivered once to a destination.
    pub destination: DestinationId,
    /// The event; of a report the id that its name and its period give.
    pub event_id: EventId,
    /// The request that the event is about. A report is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The event's place in the request's trail, if it is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// What happened. A report is no event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// The time at which the delivery was made from the outbox.
    pub created_at: Timestamp,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// The round, from 1: each redelivery begins another.
    pub round: u32,
    /// How many attempts of the round have been counted.
    pub attempts: u32,
    /// The time from which it is due. There is one exactly if it is waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// The last attempt, counted or not, of whichever round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<LastAttempt>,
    /// What the other side calls the message, once it has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What the message is for, at a destination that the operator has configured; a webhook gets events alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// What is kept of an attempt: never its detail, which is for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastAttempt {
    /// The time at which it ended.
    pub at: Timestamp,
    /// The status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
    /// The host or address that was called: no path and no query, which may be secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What came of an attempt, and where it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What came of it.
    pub outcome: Outcome,
    /// The host or address that was called: no path and no query, which may be secrets.
    pub host: Option<String>,
}

/// A message that a later one replaced is not sent again: it would say what is not so any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a superseded delivery cannot be redelivered: a later message says all of it")]
pub struct SupersededDelivery;

impl Delivery {
    /// A delivery that is due at once.
    pub fn new(
        destination: DestinationId,
        event_id: EventId,
        request_id: RequestId,
        sequence: Option<u64>,
        event_type: EventType,
        now: Timestamp,
    ) -> Self {
        Self {
            request_id: Some(request_id),
            sequence,
            event_type: Some(event_type),
            ..Self::of_report(destination, event_id, now)
        }
    }

    /// A delivery of a report, due at once.
    pub fn of_report(destination: DestinationId, event_id: EventId, now: Timestamp) -> Self {
        Self {
            destination,
            event_id,
            request_id: None,
            sequence: None,
            event_type: None,
            created_at: now,
            state: DeliveryState::Waiting,
            round: 1,
            attempts: 0,
            next_attempt_at: Some(now),
            last_attempt: None,
            reference: None,
            part: None,
        }
    }

    /// The same as a message of some kind, due not before `at`.
    #[must_use]
    pub fn with_part(self, part: Part, at: Timestamp) -> Self {
        Self { part: Some(part), ..self }.postponed(at)
    }

    /// Whether an attempt is to be made at `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.state == DeliveryState::Waiting && self.next_attempt_at.is_some_and(|at| at <= now)
    }

    /// The same, due not before `seconds` from `now`: one sender takes it for itself before it attempts it. A sender that dies
    /// leaves it to others after this time. The store writes this on condition that `next_attempt_at` is as it was read.
    #[must_use]
    pub fn claimed(self, now: Timestamp, seconds: u32) -> Self {
        self.postponed(now.plus_seconds(seconds))
    }

    /// The same, due not before `until`: its destination is paused. No attempt is counted.
    #[must_use]
    pub fn postponed(mut self, until: Timestamp) -> Self {
        if self.state == DeliveryState::Waiting {
            self.next_attempt_at = self.next_attempt_at.max(Some(until));
        }
        self
    }

    /// The same after an attempt that counts, which ended at `now`.
    ///
    /// What was taken is delivered, whatever became of the delivery while the attempt was under way; a failure changes a waiting
    /// one only. `jitter` is any number, see [`Schedule::next_attempt`].
    #[must_use]
    pub fn attempted(mut self, attempt: Attempt, schedule: &Schedule, now: Timestamp, jitter: u64) -> Self {
        let failure = match &attempt.outcome {
            Outcome::Delivered { reference, .. } => {
                if self.state != DeliveryState::Delivered {
                    self.state = DeliveryState::Delivered;
                    self.reference = reference.clone().or(self.reference);
                    self.next_attempt_at = None;
                    self.attempts = self.attempts.saturating_add(1);
                    self.last_attempt = Some(last_attempt(attempt, now));
                }
                return self;
            }
            Outcome::Failed(failure) => failure,
        };
        if self.state == DeliveryState::Waiting {
            self.attempts = self.attempts.saturating_add(1);
            self.next_attempt_at = schedule.next_attempt(self.attempts, failure.retry_after, now, jitter);
            if self.next_attempt_at.is_none() {
                self.state = DeliveryState::Dead;
            }
            self.last_attempt = Some(last_attempt(attempt, now));
        }
        self
    }

    /// The same after an attempt that reached no endpoint in a sweep that reached none, see [`crate::sweep::Sweep`]: it is not
    /// counted, and due at the next sweep, so that the first one after an outage delivers.
    #[must_use]
    pub fn unreached(mut self, attempt: Attempt, schedule: &Schedule, now: Timestamp) -> Self {
        if self.state == DeliveryState::Waiting {
            // The time itself would be due in this sweep again.
            self.next_attempt_at = Some(schedule.at_or_after(later(now, 1)));
            self.last_attempt = Some(last_attempt(attempt, now));
        }
        self
    }

    /// The same for a destination that takes nothing.
    #[must_use]
    pub fn skip(self) -> Self {
        self.closed(DeliveryState::Skipped)
    }

    /// The same once a later message says all of it.
    #[must_use]
    pub fn supersede(self) -> Self {
        self.closed(DeliveryState::Superseded)
    }

    fn closed(mut self, state: DeliveryState) -> Self {
        if self.state == DeliveryState::Waiting {
            self.state = state;
            self.next_attempt_at = None;
        }
        self
    }

    /// The same in a new round of attempts, due at once, because an operator asked for it. One that is waiting begins anew, too.
    ///
    /// # Errors
    /// A superseded one.
    pub fn redeliver(mut self, now: Timestamp) -> Result<Self, SupersededDelivery> {
        match self.state {
            DeliveryState::Superseded => Err(SupersededDelivery),
            DeliveryState::Waiting
            | DeliveryState::Delivered
            | DeliveryState::Dead
            | DeliveryState::Skipped => {
                self.state = DeliveryState::Waiting;
                self.round = self.round.saturating_add(1);
                self.attempts = 0;
                self.next_attempt_at = Some(now);
                Ok(self)
            }
        }
    }
}

fn last_attempt(attempt: Attempt, now: Timestamp) -> LastAttempt {
    LastAttempt {
        at: now,
        status: attempt.outcome.status(),
        failure: attempt.outcome.failure().map(|failure| failure.class),
        host: attempt.host,
    }
}
