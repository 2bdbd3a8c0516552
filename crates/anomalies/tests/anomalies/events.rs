//! Audit events as tests write them: what happened, when and by whom.

use countersign_core::audit::{AuditEvent, AuditedRequest, Stream, StreamKind};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::status::Status;
use countersign_core::text::{Identifier, InstanceId};
use countersign_core::timestamp::Timestamp;
use serde_json::{Map, Value, json};

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// Monday, 2026-01-05.
pub(crate) const BEGIN: i64 = 1_767_571_200_000;

pub(crate) fn person(name: &str) -> PersonId {
    PersonId::from_email(&format!("{name}@example.com")).unwrap()
}

pub(crate) fn request_id(number: u64) -> RequestId {
    RequestId::parse(&format!("01930000-0000-7000-8000-{number:012x}")).unwrap()
}

/// Events in the order in which they are recorded.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    origin: Origin,
    recorded: u64,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { origin: Origin::of(&DeploymentKey::new([7; 32])), recorded: 0 }
    }

    fn record(
        &mut self,
        event_type: EventType,
        user: &PersonId,
        at: i64,
        request: Option<AuditedRequest>,
        details: &Value,
    ) -> AuditEvent {
        self.recorded += 1;
        let timestamp = Timestamp::from_millisecond(at);
        let is_human = user.as_str().contains('@');
        let id = format!("019b0000-0000-7000-8000-{:012x}", self.recorded);
        AuditEvent {
            origin: self.origin.clone(),
            stream: request.as_ref().map_or_else(
                || Stream::of_day(StreamKind::Refused, timestamp, user),
                |request| Stream::request(request.request_id),
            ),
            sequence: self.recorded,
            event_id: EventId::parse(&id).unwrap(),
            timestamp,
            event_type: event_type.into(),
            user: user.clone(),
            kind: if is_human { PrincipalKind::Human } else { PrincipalKind::Service },
            channel: Channel::Local,
            source_ip: None,
            authentication: None,
            request,
            details: CanonicalJson::of(details),
            state_digest: None,
            prev_hash: Digest::ZERO,
            others: Map::new(),
            hash: Digest::ZERO,
        }
    }

    /// What one person did to the request of another.
    pub(crate) fn of_request(
        &mut self,
        event_type: EventType,
        user: &PersonId,
        at: i64,
        request: u64,
        requested_by: &PersonId,
    ) -> AuditEvent {
        let request = AuditedRequest {
            request_id: request_id(request),
            operation_type: Identifier::parse("reboot").unwrap(),
            instance_id: InstanceId::parse("production-db-01").unwrap(),
            environment: Environment::Production,
            risk_level: RiskLevel::Medium,
            requested_by: requested_by.clone(),
            status: Status::Pending,
        };
        self.record(event_type, user, at, Some(request), &json!({}))
    }

    pub(crate) fn refused(&mut self, user: &PersonId, at: i64) -> AuditEvent {
        let details = json!({ "operation": "approve", "code": "forbidden" });
        self.record(EventType::AttemptRefused, user, at, None, &details)
    }

    /// Attempts that are counted, half of them for each of two codes.
    pub(crate) fn refused_often(&mut self, user: &PersonId, since: i64, at: i64, half: u64) -> AuditEvent {
        let since = Timestamp::from_millisecond(since).to_string();
        let details = json!({ "counts": { "forbidden": half, "not_found": half }, "since": since });
        self.record(EventType::AttemptRefused, user, at, None, &details)
    }
}
