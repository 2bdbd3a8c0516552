//! Events that are about a call and change no request: an attempt that was refused, and reading across requests.
//!
//! Each is in the stream of its day and its person. No event repeats what the caller has written.

use super::{AuditEvent, Stream, StreamKind};
use crate::canonical::CanonicalJson;
use crate::digest::{DeploymentKey, Digest};
use crate::event::EventType;
use crate::ids::{EventId, RequestId};
use crate::origin::Origin;
use crate::principal::Principal;
use crate::timestamp::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is recorded of a call, or of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallRecord {
    /// An attempt that was refused.
    Refused(Attempt),
    /// Attempts that were refused and are only counted.
    Counted(AttemptCounts),
    /// Events or figures of more than one request, the files of the log, or evidence were read.
    Read(Reading),
}

/// An attempt that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The operation, by its name in the API.
    pub operation: &'static str,
    /// The code of the refusal in the API.
    pub code: &'static str,
    /// The request that the caller has named, whether or not there is one.
    pub request_id: Option<RequestId>,
}

/// How many attempts of one person were refused in a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptCounts {
    /// How many for each code of the API.
    pub by_code: BTreeMap<String, u64>,
    /// When the first of them was.
    pub since: Timestamp,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The operation, by its name in the API.
    pub operation: &'static str,
    /// The filters, as names and values; what is left out filtered nothing.
    pub filters: BTreeMap<&'static str, String>,
}

impl Reading {
    fn details(&self) -> Value {
        json!({ "operation": self.operation, "filters": self.filters })
    }

    /// Whether an event records a reading of the same.
    pub fn is_recorded_by(&self, event: &AuditEvent) -> bool {
        event.event_type.known() == Some(EventType::AuditRead) && event.details.to_value() == self.details()
    }
}

impl CallRecord {
    /// The type of the event.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Refused(_) | Self::Counted(_) => EventType::AttemptRefused,
            Self::Read(_) => EventType::AuditRead,
        }
    }

    /// The stream of the day of `at` and of the person.
    pub fn stream(&self, at: Timestamp, actor: &Principal) -> Stream {
        let kind = match self {
            Self::Refused(_) | Self::Counted(_) => StreamKind::Refused,
            Self::Read(_) => StreamKind::Read,
        };
        Stream::of_day(kind, at, &actor.person)
    }

    fn details(&self) -> Value {
        match self {
            Self::Refused(Attempt { operation, code, request_id }) => {
                let mut details = json!({ "operation": operation, "code": code });
                if let (Some(id), Value::Object(members)) = (request_id, &mut details) {
                    members.insert("request_id".to_owned(), json!(id.to_string()));
                }
                details
            }
            Self::Counted(AttemptCounts { by_code, since }) => {
                json!({ "counts": by_code, "since": since.to_string() })
            }
            Self::Read(reading) => reading.details(),
        }
    }

    /// The event, after the last one of its stream. Time does not go back within a stream.
    pub fn record(
        &self,
        event_id: EventId,
        at: Timestamp,
        actor: &Principal,
        last: Option<&AuditEvent>,
        key: &DeploymentKey,
    ) -> AuditEvent {
        self.record_in(self.stream(at, actor), event_id, at, actor, last, key)
    }

    /// The same in a stream of another day: of when what it is about began.
    pub fn record_in(
        &self,
        stream: Stream,
        event_id: EventId,
        at: Timestamp,
        actor: &Principal,
        last: Option<&AuditEvent>,
        key: &DeploymentKey,
    ) -> AuditEvent {
        let record = AuditEvent {
            origin: Origin::of(key),
            stream,
            sequence: last.map_or(1, |last| last.sequence + 1),
            event_id,
            timestamp: last.map_or(at, |last| at.max(last.timestamp)),
            event_type: self.event_type().into(),
            user: actor.person.clone(),
            kind: actor.kind,
            channel: actor.channel,
            source_ip: actor.source_ip,
            authentication: actor.authentication.clone(),
            request: None,
            details: CanonicalJson::of(&self.details()),
            state_digest: None,
            prev_hash: last.map_or(Digest::ZERO, |last| last.hash),
            others: Map::new(),
            hash: Digest::ZERO,
        };
        record.hashed()
    }
}
