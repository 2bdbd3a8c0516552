//! What was found unusual in the audit log, as an event.
//!
//! Its stream is that of the month and the person: findings about a person are few, and what a person did last is its end.

use super::{AuditEvent, Stream};
use crate::canonical::CanonicalJson;
use crate::digest::{DeploymentKey, Digest};
use crate::event::EventType;
use crate::ids::EventId;
use crate::origin::Origin;
use crate::person::PersonId;
use crate::principal::Principal;
use crate::timestamp::Timestamp;
use serde_json::{Map, Value};

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Unusual {
    /// The person whose acts are unusual.
    pub person: PersonId,
    /// The time of the event that set it off.
    pub at: Timestamp,
    /// What is said of it: the rule, the numbers, the place of that event.
    pub details: Value,
}

impl Unusual {
    /// The stream of the month of what was found, and of the person.
    pub fn stream(&self) -> Stream {
        Stream::anomalies(self.at, &self.person)
    }

    /// Whether an event records the same.
    pub fn is_recorded_by(&self, event: &AuditEvent) -> bool {
        event.event_type.known() == Some(EventType::AnomalyDetected)
            && event.details.to_value() == self.details
    }

    /// The event, after the last one of its stream.
    pub fn record(
        &self,
        event_id: EventId,
        now: Timestamp,
        actor: &Principal,
        last: Option<&AuditEvent>,
        key: &DeploymentKey,
    ) -> AuditEvent {
        let record = AuditEvent {
            origin: Origin::of(key),
            stream: self.stream(),
            sequence: last.map_or(1, |last| last.sequence + 1),
            event_id,
            timestamp: last.map_or(now, |last| now.max(last.timestamp)),
            event_type: EventType::AnomalyDetected.into(),
            user: actor.person.clone(),
            kind: actor.kind,
            channel: actor.channel,
            source_ip: actor.source_ip,
            authentication: actor.authentication.clone(),
            request: None,
            details: CanonicalJson::of(&self.details),
            state_digest: None,
            prev_hash: last.map_or(Digest::ZERO, |last| last.hash),
            others: Map::new(),
            hash: Digest::ZERO,
        };
        record.hashed()
    }
}

/// An anomaly that makes what a person asks for riskier, for a time that policy sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentAnomaly {
    /// The rule that found it.
    pub rule: String,
    /// The time of what was found.
    pub at: Timestamp,
}

impl RecentAnomaly {
    /// What an event of [`Unusual::stream`] records, if that was not before `since`.
    pub fn of(event: &AuditEvent, since: Timestamp) -> Option<Self> {
        let at = Timestamp::parse(&event.detail("at")?).ok().filter(|at| *at >= since)?;
        Some(Self { rule: event.detail("rule")?, at })
    }
}
