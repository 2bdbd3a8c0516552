//! Events as subscribers see them, made for tests.

use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::notification::{AnomalyNotice, Notice, Notification};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::status::Status;
use countersign_core::text::{CommentText, DurationText, Identifier, InstanceId, Justification};
use countersign_core::timestamp::Timestamp;
use countersign_webhook::webhook::WebhookId;

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-01-31T09:30:00.000Z").unwrap()
}

pub(crate) fn origin() -> Origin {
    Origin::of(&DeploymentKey::new([7; 32]))
}

pub(crate) fn webhook_id(last: u8) -> WebhookId {
    WebhookId::parse(&format!("wh_01930000-0000-7000-8000-0000000000{last:02x}")).unwrap()
}

pub(crate) fn event_id() -> EventId {
    EventId::parse("01930000-0000-7000-8000-000000000001").unwrap()
}

pub(crate) fn person(email: &str) -> PersonId {
    PersonId::from_email(email).unwrap()
}

fn request_id() -> RequestId {
    RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap()
}

/// A granted approval of a reboot in production, of high risk, with every member.
pub(crate) fn notification() -> Notification {
    Notification {
        event_id: event_id(),
        event_type: EventType::ApprovalGranted,
        timestamp: now(),
        user: person("bob@example.com"),
        request_id: request_id(),
        sequence: 3,
        hash: Digest::of("hash"),
        status: Status::Approved,
        operation_type: Identifier::parse("reboot").unwrap(),
        instance_id: InstanceId::parse("production-db-01").unwrap(),
        environment: Environment::Production,
        risk_level: RiskLevel::High,
        requested_by: person("ann@example.com"),
        approvals_required: 2,
        approvals_received: 2,
        approved_by: vec![person("bob@example.com"), person("cid@example.com")],
        justification: Some(Justification::parse("CPU is at 95 %").unwrap()),
        estimated_cost: Some(Cost::new(12.5).unwrap()),
        estimated_duration: Some(DurationText::parse("ten minutes").unwrap()),
        expires_at: now().plus_seconds(60),
        execute_by: Some(now().plus_seconds(3600)),
        remark: Some(CommentText::parse("go ahead").unwrap()),
        link: None,
    }
}

pub(crate) fn event(notification: Notification) -> CloudEvent {
    CloudEvent { source: origin(), notice: Notice::Event(Box::new(notification)) }
}

pub(crate) fn anomaly() -> CloudEvent {
    let notice = AnomalyNotice {
        event_id: event_id(),
        event_type: EventType::AnomalyDetected,
        timestamp: now(),
        user: person("bob@example.com"),
        request_id: request_id(),
        finding: "the trail does not end where its request says it does".to_owned(),
        link: None,
    };
    CloudEvent { source: origin(), notice: Notice::Anomaly(notice) }
}
