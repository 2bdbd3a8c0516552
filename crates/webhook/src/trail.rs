//! The trail of a webhook: one event for each change, bound to the one before by its hash.
//!
//! # The event
//! A JSON object with these members and no other:
//!
//! | member | what it is |
//! |---|---|
//! | `version` | 1: the version of this format |
//! | `webhook_id` | the webhook |
//! | `sequence` | the place of the event in the trail, from 1 |
//! | `at` | the time of the change, RFC 3339 in UTC with milliseconds; never earlier than that of the event before |
//! | `actor` | the id of the person or service that asked for it; `system:delivery` where the service itself did it |
//! | `change` | what changed, see below |
//! | `previous_hash` | the `hash` of the event before; 64 zeros in the first |
//! | `hash` | SHA-256, in 64 lower-case hex digits, over the canonical JSON (RFC 8785) of all of the above |
//!
//! # The change
//! An object whose member `type` says which of these it is:
//!
//! | `type` | other members |
//! |---|---|
//! | `created` | `host`: the host of its address, and the port if it is not that of the scheme |
//! | `changed` | `members`: the names of the settings that changed, in the order of the settings; `host`: the new one, if `url` is among them |
//! | `rotated` | `generation`: that of the new secret; `overlap_seconds`: how long the one before signs on |
//! | `enabled` | none |
//! | `disabled` | `reason`: `operator`, `gone` (its endpoint said so) or `no_success` (for five days); the last two are of `system:delivery` |
//! | `deleted` | none; it is the last event |
//! | `tested` | `status`: that of the answer, if there was one; `failure`: the class of the failure, if it failed |
//! | `redelivered` | `from`, `to`: the range of times of the deliveries; `states`: their states; `deliveries`: how many |
//! | `redelivered_one` | `event_id`: the event whose delivery it was |
//!
//! Neither secrets nor addresses nor values of settings are in it: their names are.
//!
//! # The chain
//! An event that is edited, missing, doubled or moved breaks the chain. A tail that was cut off shows by the head of the chain
//! ([`TrailHead`]), which is kept with the webhook.

use crate::settings::Member;
use crate::webhook::{DisabledReason, WebhookId};
use countersign_core::canonical::{CanonicalJson, read};
use countersign_core::digest::Digest;
use countersign_core::ids::EventId;
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::FailureClass;
use countersign_delivery::state::DeliveryState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The version of the format.
pub const VERSION: u8 = 1;

const SERVICE: &str = "system:delivery";

/// Who changed a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// A caller.
    Caller(PersonId),
    /// The service, because of what an endpoint answered: `system:delivery`.
    Service,
}

/// The text is no actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a person or service, or system:delivery")]
pub struct InvalidActor;

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller(person) => person.as_str(),
            Self::Service => SERVICE,
        })
    }
}

impl TryFrom<String> for Actor {
    type Error = InvalidActor;

    fn try_from(text: String) -> Result<Self, InvalidActor> {
        if text == SERVICE {
            return Ok(Self::Service);
        }
        PersonId::from_stored(&text).map(Self::Caller).map_err(|_| InvalidActor)
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

/// What changed; see the module for the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum TrailChange {
    /// The webhook was made.
    Created {
        /// The host of its address.
        host: String,
    },
    /// Its settings were changed.
    Changed {
        /// The names of those that were.
        members: Vec<Member>,
        /// The host of its new address, if the address was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
    /// Its secret was replaced.
    Rotated {
        /// The generation of the new one.
        generation: u32,
        /// How long the one before signs on, in seconds.
        overlap_seconds: u32,
    },
    /// It was enabled.
    Enabled {},
    /// It was disabled.
    Disabled {
        /// Why.
        reason: DisabledReason,
    },
    /// It was deleted.
    Deleted {},
    /// It was tried out.
    Tested {
        /// The status of the answer, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// Why it failed, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<FailureClass>,
    },
    /// Deliveries of a range of times were begun anew.
    Redelivered {
        /// The first time of the range.
        from: Timestamp,
        /// The last time of the range.
        to: Timestamp,
        /// The states that they were in.
        states: Vec<DeliveryState>,
        /// How many they were.
        deliveries: u64,
    },
    /// One delivery was begun anew.
    RedeliveredOne {
        /// The event that it is of.
        event_id: EventId,
    },
}

/// One event of a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrailEvent {
    /// [`VERSION`].
    pub version: u8,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The place in the trail, from 1.
    pub sequence: u64,
    /// The time of the change.
    pub at: Timestamp,
    /// Who changed it.
    pub actor: Actor,
    /// What changed.
    pub change: TrailChange,
    /// The hash of the event before; [`Digest::ZERO`] in the first.
    pub previous_hash: Digest,
    /// The hash over all of the above.
    pub hash: Digest,
}

/// Where a trail ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrailHead {
    /// The place of the last event.
    pub sequence: u64,
    /// Its time.
    pub at: Timestamp,
    /// Its hash.
    pub hash: Digest,
}

/// The document is no event of a trail. It names no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an event of the trail of a webhook, in canonical JSON")]
pub struct UnreadableEvent;

impl TrailHead {
    /// The head of a trail without events.
    pub const EMPTY: Self = Self { sequence: 0, at: Timestamp::EARLIEST, hash: Digest::ZERO };
}

impl TrailEvent {
    /// The event that follows a head. A clock that went back does not go back in the trail.
    pub fn record(
        webhook_id: WebhookId,
        head: &TrailHead,
        actor: Actor,
        change: TrailChange,
        now: Timestamp,
    ) -> Self {
        let mut event = Self {
            version: VERSION,
            webhook_id,
            sequence: head.sequence.saturating_add(1),
            at: now.max(head.at),
            actor,
            change,
            previous_hash: head.hash,
            hash: Digest::ZERO,
        };
        event.hash = event.compute_hash();
        event
    }

    /// The head of a trail that ends with it.
    pub fn head(&self) -> TrailHead {
        TrailHead { sequence: self.sequence, at: self.at, hash: self.hash }
    }

    /// The event as canonical JSON.
    pub fn document(&self) -> CanonicalJson {
        CanonicalJson::of(&self.to_value())
    }

    /// Reads the canonical JSON of an event.
    ///
    /// # Errors
    /// Any other document. Whether it is in its place is for [`verify_chain`].
    pub fn read(document: &str) -> Result<Self, UnreadableEvent> {
        let value = read(document.as_bytes()).map_err(|_| UnreadableEvent)?;
        let event: Self = serde_json::from_value(value).map_err(|_| UnreadableEvent)?;
        let is_whole = event.version == VERSION && event.document().as_str() == document;
        if is_whole { Ok(event) } else { Err(UnreadableEvent) }
    }

    fn to_value(&self) -> Value {
        // INVARIANT: texts and whole numbers serialise; an event that did not would be `null`, which no reader takes.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    fn compute_hash(&self) -> Digest {
        let mut value = self.to_value();
        if let Value::Object(members) = &mut value {
            members.remove("hash");
        }
        CanonicalJson::of(&value).digest()
    }
}

/// Where and how a trail is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenTrail {
    /// An event of another webhook or version, or not in its place: one is missing, doubled or moved.
    #[error("event {expected} of the trail is missing or out of place")]
    OutOfPlace {
        /// The sequence that should be there.
        expected: u64,
    },
    /// The members of an event do not give its hash.
    #[error("event {sequence} of the trail was edited")]
    Edited {
        /// The event's sequence.
        sequence: u64,
    },
    /// An event does not follow the one before.
    #[error("event {sequence} of the trail does not follow the one before it")]
    Unlinked {
        /// The event's sequence.
        sequence: u64,
    },
    /// Time goes back.
    #[error("event {sequence} of the trail is earlier than the one before it")]
    BackInTime {
        /// The event's sequence.
        sequence: u64,
    },
    /// A trail begins with the making of its webhook, which comes once, and nothing follows its deletion.
    #[error("event {sequence} of the trail cannot stand there")]
    Impossible {
        /// The event's sequence.
        sequence: u64,
    },
    /// The last event is not the one that the webhook names.
    #[error("the trail does not end where its webhook says it does")]
    WrongHead,
}

/// Checks a whole trail, first event first, against the head that is kept with the webhook, if it is known.
///
/// # Errors
/// The first break.
pub fn verify_chain(
    webhook_id: WebhookId,
    events: &[TrailEvent],
    head: Option<&TrailHead>,
) -> Result<(), BrokenTrail> {
    let mut last = TrailHead::EMPTY;
    let mut is_deleted = false;
    for (expected, event) in (1..).zip(events) {
        if event.sequence != expected || event.webhook_id != webhook_id || event.version != VERSION {
            return Err(BrokenTrail::OutOfPlace { expected });
        }
        if event.compute_hash() != event.hash {
            return Err(BrokenTrail::Edited { sequence: expected });
        }
        if event.previous_hash != last.hash {
            return Err(BrokenTrail::Unlinked { sequence: expected });
        }
        if event.at < last.at {
            return Err(BrokenTrail::BackInTime { sequence: expected });
        }
        let is_creation = matches!(event.change, TrailChange::Created { .. });
        if is_deleted || is_creation != (expected == 1) {
            return Err(BrokenTrail::Impossible { sequence: expected });
        }
        is_deleted = matches!(event.change, TrailChange::Deleted {});
        last = event.head();
    }
    if head.is_some_and(|head| *head != last) {
        return Err(BrokenTrail::WrongHead);
    }
    Ok(())
}
