//! An audit event as an item of the audit table.

use crate::error::unreadable;
use crate::expression::Item;
use countersign_app::ports::StoreError;
use countersign_core::actor::{Channel, Kind};
use countersign_core::audit::{self, AuditEvent};
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::Digest;
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::text::Identifier;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AuditItem {
    request_id: String,
    sequence: u64,
    event_id: String,
    format: String,
    timestamp: String,
    event_type: String,
    user: String,
    kind: String,
    channel: String,
    instance_id: String,
    operation_type: String,
    environment: String,
    risk_level: String,
    requested_by: String,
    status: String,
    details: String,
    prev_hash: String,
    hash: String,
    /// Partition of the day index; follows from `timestamp` and is not hashed.
    day: String,
}

/// The item of an audit event.
pub(crate) fn audit_item(event: &AuditEvent) -> Result<Item, StoreError> {
    let item = AuditItem {
        request_id: event.request_id.to_string(),
        sequence: event.sequence,
        event_id: event.event_id.to_string(),
        format: audit::FORMAT.to_owned(),
        timestamp: event.timestamp.to_string(),
        event_type: event.event_type.as_str().to_owned(),
        user: event.user.to_string(),
        kind: event.kind.as_str().to_owned(),
        channel: event.channel.as_str().to_owned(),
        instance_id: event.instance_id.to_string(),
        operation_type: event.operation_type.to_string(),
        environment: event.environment.as_str().to_owned(),
        risk_level: event.risk_level.as_str().to_owned(),
        requested_by: event.requested_by.to_string(),
        status: event.status.to_string(),
        details: event.details.as_str().to_owned(),
        prev_hash: event.prev_hash.to_string(),
        hash: event.hash.to_string(),
        day: event.timestamp.day(),
    };
    to_item(item).map_err(|error| unreadable("audit event", error))
}

/// The audit event of an item, as it stands there: whether its hash is right is for
/// [`audit::verify`] to say.
pub(crate) fn audit_event(item: Item) -> Result<AuditEvent, StoreError> {
    let item: AuditItem = from_item(item).map_err(|error| unreadable("audit event", error))?;
    read(&item).ok_or_else(|| {
        let place = format!("audit event {} of {}", item.sequence, item.request_id.escape_debug());
        unreadable(&place, "an attribute has an impossible value")
    })
}

fn read(item: &AuditItem) -> Option<AuditEvent> {
    if item.format != audit::FORMAT {
        return None;
    }
    Some(AuditEvent {
        event_id: EventId::parse(&item.event_id).ok()?,
        request_id: RequestId::parse(&item.request_id).ok()?,
        sequence: item.sequence,
        timestamp: Timestamp::parse(&item.timestamp).ok()?,
        event_type: EventType::parse(&item.event_type)?,
        user: PersonId::from_stored(&item.user).ok()?,
        kind: Kind::parse(&item.kind)?,
        channel: Channel::parse(&item.channel)?,
        instance_id: Identifier::parse(&item.instance_id).ok()?,
        operation_type: Identifier::parse(&item.operation_type).ok()?,
        environment: Environment::parse(&item.environment)?,
        risk_level: RiskLevel::parse(&item.risk_level)?,
        requested_by: PersonId::from_stored(&item.requested_by).ok()?,
        status: Status::parse(&item.status)?,
        details: CanonicalJson::from_stored(&item.details).ok()?,
        prev_hash: Digest::parse(&item.prev_hash).ok()?,
        hash: Digest::parse(&item.hash).ok()?,
    })
}
